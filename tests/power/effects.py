"""What system calls do to files, names and readers."""

from collections.abc import Sequence
from dataclasses import dataclass


class Inode:
    """A file or directory, whatever its name is. Compared by identity."""

    def __init__(self, number: int, *, is_directory: bool) -> None:
        self.number = number
        self.is_directory = is_directory


@dataclass(frozen=True, slots=True)
class Write:
    """Bytes at a place of a file."""

    inode: Inode
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Resize:
    """A file gets another length. grows_only: never a shorter one."""

    inode: Inode
    size: int
    grows_only: bool = False


@dataclass(frozen=True, slots=True)
class Names:
    """A directory's names change, all of them or none; a rename within a directory changes two."""

    directory: Inode
    names: tuple[tuple[str, Inode | None], ...]


@dataclass(frozen=True, slots=True)
class Sync:
    """What was done to a file or directory before this began is on disk when it ends."""

    inode: Inode


@dataclass(frozen=True, slots=True)
class Sent:
    """The program sent this to somebody."""

    data: bytes


Change = Write | Resize | Names
Effect = Change | Sync | Sent


@dataclass(frozen=True, slots=True)
class Moment:
    """An effect with the first and the last line of its call."""

    effect: Effect
    begun: int
    ended: int


def changed(tree: dict[str, Inode], names: Sequence[tuple[str, Inode | None]]) -> dict[str, Inode]:
    """Return a directory's names after a change."""
    after = dict(tree)
    for name, inode in names:
        if inode is None:
            after.pop(name, None)
        else:
            after[name] = inode
    return after
