"""Tries the states of a recording, two at a time, in processes of their own."""

import asyncio
import gc
import logging
import multiprocessing
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from pathlib import Path

import structlog
from msgspec import Struct, field

from tests.power import promises
from tests.power.disk import Loss, State
from tests.power.recorded import Recorded
from tests.power.traffic import Asked

_PROCESSES = 2
_LONGEST_SECONDS = 60
_OTHERS = 30
_MEMORY = Path("/dev/shm")  # noqa: S108 - what is opened here has been cut already; the tests are quick there


class Report(Struct):
    """What was tried, and the first failures in words."""

    states: int = 0
    acknowledged: int = 0
    in_a_sync: int = 0
    unsynced: int = 0
    lost: int = 0
    cut_syncs: set[int] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)
    losses: Counter[Loss] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"power cuts: {self.states} states tried, {self.in_a_sync} of them in the middle of a sync; "
            f"{self.unsynced} changes were not synced, {self.lost} of them lost or torn; "
            f"{self.acknowledged} acknowledged requests looked for; "
            f"{len(self.failures)} failures"
        )


def try_states(recorded: Recorded, count: int, seed: int, most_failures: int = 3) -> Report:
    """Check the promises on states of a recording until so many have failed."""
    report = Report()
    spawned = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PROCESSES, mp_context=spawned, initializer=_prepare) as pool:
        running: set[Future[str | None]] = set()
        for state, acknowledged in recorded.states(count, seed):
            report.states += 1
            report.acknowledged += len(acknowledged)
            report.in_a_sync += bool(state.cut_syncs)
            report.cut_syncs |= state.cut_syncs
            report.unsynced += state.unsynced
            report.lost += state.lost
            report.losses[state.loss] += 1
            done = set(map(id, acknowledged))
            others = [each for each in recorded.traffic.asked.values() if id(each) not in done][:_OTHERS]
            running.add(
                pool.submit(try_one, state, recorded.key, recorded.traffic.product, acknowledged, others)
            )
            if len(running) > 2 * _PROCESSES:
                _count(report, _ended(running))
            if len(report.failures) >= most_failures:
                break
        while running:
            _count(report, _ended(running))
    return report


def _ended(running: set[Future[str | None]]) -> Iterable[str | None]:
    ended, _ = wait(running, return_when=FIRST_COMPLETED)
    running -= ended
    return [each.result() for each in ended]


def _count(report: Report, results: Iterable[str | None]) -> None:
    for result in results:
        if result is not None:
            report.failures.append(result)


def try_one(
    state: State, key: str, product: str, acknowledged: list[Asked], others: list[Asked]
) -> str | None:
    """Return the failure in words, None where every promise is kept."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as made:
        folder = Path(made)
        state.write_to(folder)
        checked = promises.check(folder / "data", key, product, acknowledged, others)
        try:
            return asyncio.run(asyncio.wait_for(checked, _LONGEST_SECONDS))
        except Exception:  # noqa: BLE001 - a test shows it
            what = f"{state.loss}, cut at line {state.cut}, {len(acknowledged)} requests acknowledged"
            return f"{what}:\n{traceback.format_exc()}"


def _prepare() -> None:
    """Log nothing, and keep imported modules out of garbage collection."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    gc.freeze()
