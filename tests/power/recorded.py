"""The recording of a server under traffic, and the states that power cuts leave of it."""

import random
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.server import Server
from tests.power.disk import Disk, Loss, State, states, steps
from tests.power.effects import Moment, Names, Sent, Sync
from tests.power.recording import read_calls, under_strace
from tests.power.replay import Replay
from tests.power.traffic import Asked, Traffic


@dataclass
class Recorded:
    """root: the directory above the data directory, which the server makes."""

    replay: Replay
    moments: list[Moment]
    traffic: Traffic
    key: str

    @property
    def syncs(self) -> int:
        return sum(isinstance(moment.effect, Sync) for moment in self.moments)

    def states(self, count: int, seed: int) -> Iterator[tuple[State, list[Asked]]]:
        """Yield states with the requests that were acknowledged before, in order of time."""
        wanted = choose(self.moments, count, seed)

        def cuts(number: int, disk: Disk) -> Sequence[Loss]:
            return wanted.get(number, ()) if disk.unsynced else wanted.get(number, ())[:1]

        for state, sent in states(self.replay.top, self.moments, cuts, seed):
            yield state, self.traffic.acknowledged(sent)


def choose(moments: Sequence[Moment], count: int, seed: int) -> dict[int, tuple[Loss, ...]]:
    """Return what to lose before which steps: half of the cuts where it matters, the others anywhere.

    It matters right after an answer was sent, around the syncs, and around changes of names.
    """
    chance = random.Random(seed)
    found = steps(moments)
    matters = [
        number + after
        for number, (_, is_end, moment) in enumerate(found)
        for after in (0, 1)
        if (isinstance(moment.effect, Sent) and not is_end and after)
        or isinstance(moment.effect, Sync | Names)
    ]
    wanted: dict[int, tuple[Loss, ...]] = {}
    losses = list(Loss)
    for number in range(count):
        where = chance.choice(matters) if number % 2 else chance.randrange(len(found))
        wanted[where] = (*wanted.get(where, ()), losses[number % len(losses)])
    return wanted


def record(folder: Path, answers: Sequence[int], level: str = "FULL") -> Recorded:
    """Record one run of a server after the other, each with so many answers."""
    root = folder / "root"
    root.mkdir(parents=True)
    replay, traffic, moments = Replay(str(root)), Traffic(), list[Moment]()
    key = ""
    for number, wanted in enumerate(answers):
        trace = folder / f"trace-{number}"
        program = (sys.executable, "-m", "tests.power.small", level)
        with Server(root / "data", under=under_strace(trace), program=program) as server:
            if not key:
                key = server.first_start().split("shown this once: ")[1].split()[0]
                traffic.set_up(server, key)
            traffic.run(server, key, wanted)
            assert server.stop() == 0
        moments += replay.moments(read_calls(trace))
    return Recorded(replay, moments, traffic, key)
