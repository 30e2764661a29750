"""What a power cut leaves of a disk: what was synced, and any part of what was not.

Until a file is synced, any of the writes to it since its last sync may be on disk, whole or in part, in any
order. A name that is new, changed or deleted is sure once its directory was synced.
"""

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.power.effects import Change, Inode, Moment, Names, Resize, Sent, Sync, Write, changed

SECTORS = (512, 4096)


class Loss(StrEnum):
    """The fate of changes that were not synced."""

    NOTHING = "nothing lost"
    """As `kill -9`: the state is a prefix of the recording."""
    ALL = "all lost"
    SOME_FILES = "lost in some files"
    ENDS = "the end lost, by file"
    ONE = "one lost"
    SOME = "some lost, so reordered"
    TORN = "some lost, others torn"


@dataclass(frozen=True, slots=True)
class State:
    """What a machine finds when the power is back. files: contents by path; None: a directory."""

    cut: int
    loss: Loss
    files: dict[str, bytes | None]
    unsynced: int
    """Changes that were not yet sure."""
    lost: int
    """Those of them that are not, or not whole, on this disk."""
    cut_syncs: frozenset[int]
    """The first lines of the syncs that had begun and not ended."""

    def write_to(self, directory: Path) -> None:
        for name, data in self.files.items():
            path = directory / name
            if data is None:
                path.mkdir(parents=True, exist_ok=True)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)


@dataclass
class Disk:
    """Takes the moments of a recording one after the other, and is cut between any two."""

    top: Inode
    _data: dict[Inode, bytearray] = field(default_factory=dict)
    _names: dict[Inode, dict[str, Inode]] = field(default_factory=dict)
    _pending: dict[Inode, list[tuple[int, Change]]] = field(default_factory=dict)
    """Changes by file or directory, each with the line on which its call ended."""

    def begin(self, moment: Moment) -> None:
        """From here on the effect may be on disk."""
        effect = moment.effect
        if isinstance(effect, Names):
            self._pending.setdefault(effect.directory, []).append((moment.ended, effect))
        elif isinstance(effect, Write | Resize):
            self._pending.setdefault(effect.inode, []).append((moment.ended, effect))

    def end(self, moment: Moment) -> None:
        """What a sync covers, all changes that had ended when it began, is on disk for ever."""
        if not isinstance(moment.effect, Sync):
            return
        inode = moment.effect.inode
        still: list[tuple[int, Change]] = []
        for ended, change in self._pending.get(inode, ()):
            if ended < moment.begun:
                _apply(change, self._data, self._names)
            else:
                still.append((ended, change))
        self._pending[inode] = still

    @property
    def unsynced(self) -> int:
        return sum(map(len, self._pending.values()))

    def cut(
        self, line: int, loss: Loss, chance: random.Random, cut_syncs: frozenset[int] = frozenset()
    ) -> State:
        """Return one of the states that a power cut now may leave."""
        data = dict(self._data)
        names = dict(self._names)
        lost = 0
        pending = {
            inode: [each for _, each in changes] for inode, changes in self._pending.items() if changes
        }
        for inode, survivors in _survivors(pending, loss, chance).items():
            if inode in data:
                data[inode] = bytearray(data[inode])
            for change in survivors:
                _apply(change, data, names)
            whole = set(map(id, survivors))
            lost += sum(id(change) not in whole for change in pending[inode])
        files = dict(_files(self.top, data, names, ""))
        return State(line, loss, files, self.unsynced, lost, cut_syncs)


def _survivors(
    pending: dict[Inode, list[Change]], loss: Loss, chance: random.Random
) -> dict[Inode, list[Change]]:
    """Return the changes that reached the disk, of each file in their order."""
    if loss in (Loss.NOTHING, Loss.ALL):
        return {inode: changes if loss is Loss.NOTHING else [] for inode, changes in pending.items()}
    if loss is Loss.SOME_FILES:
        return {inode: changes if chance.random() < 0.5 else [] for inode, changes in pending.items()}
    if loss is Loss.ENDS:
        return {inode: changes[: chance.randint(0, len(changes))] for inode, changes in pending.items()}
    if loss is Loss.ONE:
        unlucky = chance.randrange(max(1, sum(map(len, pending.values()))))
        numbers = iter(range(1_000_000_000))
        return {
            inode: [change for change in changes if next(numbers) != unlucky]
            for inode, changes in pending.items()
        }
    share = chance.choice((0.1, 0.5, 0.9))
    kept = {
        inode: [change for change in changes if chance.random() < share] for inode, changes in pending.items()
    }
    if loss is Loss.TORN:
        return {inode: list(_torn(changes, share, chance)) for inode, changes in kept.items()}
    return kept


def _torn(changes: Iterable[Change], share: float, chance: random.Random) -> Iterator[Change]:
    """Keep any of the sectors of each write, or its first ones."""
    for change in changes:
        if not isinstance(change, Write):
            yield change
            continue
        sector = chance.choice(SECTORS)
        first = change.offset - change.offset % sector
        bounds = [
            (max(start, change.offset), min(start + sector, change.offset + len(change.data)))
            for start in range(first, change.offset + len(change.data), sector)
        ]
        if chance.random() < 0.5:
            bounds = bounds[: chance.randint(0, len(bounds))]
        else:
            bounds = [each for each in bounds if chance.random() < share]
        for start, end in bounds:
            yield Write(change.inode, start, change.data[start - change.offset : end - change.offset])


def _apply(change: Change, data: dict[Inode, bytearray], names: dict[Inode, dict[str, Inode]]) -> None:
    if isinstance(change, Names):
        names[change.directory] = changed(names.get(change.directory, {}), change.names)
        return
    content = data.setdefault(change.inode, bytearray())
    if isinstance(change, Resize):
        if change.size > len(content):
            content.extend(bytes(change.size - len(content)))
        elif not change.grows_only:
            del content[change.size :]
        return
    if change.offset > len(content):
        content.extend(bytes(change.offset - len(content)))
    content[change.offset : change.offset + len(change.data)] = change.data


def _files(
    directory: Inode, data: dict[Inode, bytearray], names: dict[Inode, dict[str, Inode]], path: str
) -> Iterator[tuple[str, bytes | None]]:
    for name, inode in names.get(directory, {}).items():
        if inode.is_directory:
            yield path + name, None
            yield from _files(inode, data, names, f"{path}{name}/")
        else:
            yield path + name, bytes(data.get(inode, b""))


def states(
    top: Inode, moments: Sequence[Moment], cuts: Callable[[int, Disk], Sequence[Loss]], seed: int
) -> Iterator[tuple[State, list[bytes]]]:
    """Yield states that cuts may leave, each with all that was sent before.

    cuts: is told the number of a step and the disk before it; returns the states that are wanted there.
    Each moment has two steps, its beginning and its end, in the order of the recording.
    """
    chance = random.Random(seed)
    disk = Disk(top)
    sent: list[bytes] = []
    under_way: set[int] = set()
    for number, (line, is_end, moment) in enumerate(steps(moments)):
        for loss in cuts(number, disk):
            yield disk.cut(line, loss, chance, frozenset(under_way)), list(sent)
        if is_end:
            disk.end(moment)
            under_way.discard(moment.begun)
        else:
            disk.begin(moment)
            if isinstance(moment.effect, Sync):
                under_way.add(moment.begun)
            elif isinstance(moment.effect, Sent):
                sent.append(moment.effect.data)


def steps(moments: Sequence[Moment]) -> list[tuple[int, bool, Moment]]:
    """Return the beginnings and ends of moments in order: line, whether it is the end, the moment."""
    found = [(moment.begun, False, moment) for moment in moments]
    found += [(moment.ended, True, moment) for moment in moments]
    return sorted(found, key=lambda step: step[:2])
