"""Turns system calls into what they do to the files below one directory, in order of time."""

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from tests.power.effects import Effect, Inode, Moment, Names, Resize, Sent, Sync, Write, changed
from tests.power.recording import Call, data_of


@dataclass(slots=True)
class _Open:
    inode: Inode
    place: int = 0
    appends: bool = False


@dataclass
class Replay:
    """The names and sizes as the program sees them. Recordings of one directory may follow each other.

    Raises ValueError for a call whose effect it does not know, so that none is left out in silence.
    """

    root: str
    top: Inode = field(default_factory=lambda: Inode(0, is_directory=True))
    mapped: set[str] = field(default_factory=set)
    """The files that were mapped for writing by all: what is written there is not in the recording."""
    _inodes: int = 0
    _lines: int = 0
    _trees: dict[Inode, dict[str, Inode]] = field(default_factory=dict)
    _sizes: dict[Inode, int] = field(default_factory=dict)
    _open: dict[int, _Open] = field(default_factory=dict)

    def moments(self, calls: Sequence[Call]) -> list[Moment]:
        """Return the effects of one process from its start; its lines follow those of the process before."""
        self._open.clear()
        after = self._lines
        self._lines += 1 + max((call.ended for call in calls), default=0)
        found = [
            Moment(effect, after + call.begun, after + call.ended)
            for call in sorted(calls, key=_when)
            for effect in self._effects(call)
        ]
        return sorted(found, key=lambda moment: moment.begun)

    def path_of(self, inode: Inode) -> str | None:
        """Return the path below the root that a file has now; None: it has none."""
        return next((path for path, found in self.files() if found is inode), None)

    def files(self) -> Iterator[tuple[str, Inode]]:
        """Yield every file with its path."""
        yield from self._below(self.top, "")

    def _below(self, directory: Inode, path: str) -> Iterator[tuple[str, Inode]]:
        for name, inode in self._trees.get(directory, {}).items():
            if inode.is_directory:
                yield from self._below(inode, f"{path}{name}/")
            else:
                yield path + name, inode

    def _effects(self, call: Call) -> Iterator[Effect]:
        name = call.name
        if name in ("open", "creat", "openat"):
            return self._opened(call)
        if name in ("write", "pwrite64", "writev", "pwritev", "pwritev2", "sendto", "sendmsg"):
            return self._written(call)
        if name in ("close", "dup", "dup2", "dup3", "lseek", "mmap"):
            return self._described(call)
        if name in ("ftruncate", "fallocate", "truncate"):
            return self._resized(call)
        if name.startswith(("mkdir", "rename", "unlink", "rmdir", "link")):
            return self._renamed(call)
        if name in ("sync", "syncfs", "copy_file_range", "sendfile") and (
            name == "sync" or self._has_open(call.arguments)
        ):
            raise ValueError(f"{name} is not simulated")
        known = self._open.get(int(call.arguments[0])) if name in ("fsync", "fdatasync") else None
        return iter(()) if known is None else iter((Sync(known.inode),))

    def _has_open(self, arguments: Sequence[str]) -> bool:
        return any(each.isdigit() and int(each) in self._open for each in arguments)

    def _described(self, call: Call) -> Iterator[Effect]:
        """Take what changes descriptors and no file."""
        name, arguments = call.name, call.arguments
        if name == "mmap":
            self._mapped_by(call)
            return iter(())
        descriptor = int(arguments[0])
        known = self._open.get(descriptor)
        if name == "close":
            self._open.pop(descriptor, None)
        elif name != "lseek":
            self._open.pop(call.result, None)
            if known is not None:
                self._open[call.result] = known
        elif known is not None:
            known.place = call.result
        return iter(())

    def _mapped_by(self, call: Call) -> None:
        _, _, protection, flags, descriptor, _ = call.arguments
        known = self._open.get(int(descriptor))
        if known is not None and "MAP_SHARED" in flags and "PROT_WRITE" in protection:
            self.mapped.add(self.path_of(known.inode) or "a file without a name")

    def _opened(self, call: Call) -> Iterator[Effect]:
        at = call.name == "openat"
        path = self._path(call.arguments[0], call.arguments[1]) if at else _text(call.arguments[0])
        flags = "O_CREAT|O_TRUNC" if call.name == "creat" else call.arguments[2 if at else 1]
        self._open.pop(call.result, None)
        if not self._is_inside(path):
            return
        if re.search(r"O_D?SYNC|O_TMPFILE", flags):
            raise ValueError(f"{path} is opened with {flags}, which is not simulated")
        inode = self._find(path)
        if inode is None:
            if "O_CREAT" not in flags:
                raise ValueError(f"{path} was there before the recording")
            inode, created = self._made(path, is_directory=False)
            yield created
        elif "O_TRUNC" in flags and self._sizes.get(inode):
            yield self._resize(inode, 0)
        self._open[call.result] = _Open(inode, appends="O_APPEND" in flags)

    def _written(self, call: Call) -> Iterator[Effect]:
        known = self._open.get(int(call.arguments[0]))
        data = data_of(call.arguments[1])[: call.result]
        if known is None:
            if call.name not in ("pwrite64", "pwritev", "pwritev2"):
                yield Sent(data)
            return
        if call.name.startswith("p"):
            offset = int(call.arguments[3])
        else:
            offset = self._sizes.get(known.inode, 0) if known.appends else known.place
            known.place = offset + len(data)
        if data:
            self._sizes[known.inode] = max(self._sizes.get(known.inode, 0), offset + len(data))
            yield Write(known.inode, offset, data)

    def _resized(self, call: Call) -> Iterator[Effect]:
        if call.name == "truncate":
            if (inode := self._find(_text(call.arguments[0]))) is not None:
                yield self._resize(inode, int(call.arguments[1]))
            return
        known = self._open.get(int(call.arguments[0]))
        if known is None:
            return
        if call.name == "ftruncate":
            yield self._resize(known.inode, int(call.arguments[1]))
            return
        mode, offset, length = call.arguments[1:4]
        if mode == "0":
            yield self._resize(known.inode, int(offset) + int(length), grows_only=True)
        elif mode != "FALLOC_FL_KEEP_SIZE":
            raise ValueError(f"fallocate with {mode} is not simulated")

    def _resize(self, inode: Inode, size: int, *, grows_only: bool = False) -> Resize:
        self._sizes[inode] = max(size, self._sizes.get(inode, 0)) if grows_only else size
        return Resize(inode, size, grows_only)

    def _renamed(self, call: Call) -> Iterator[Effect]:
        name, arguments = call.name, call.arguments
        if name.startswith(("rename", "link")):
            yield from self._moved(call)
            return
        path = self._path(*arguments[:2]) if name.endswith("at") else _text(arguments[0])
        if self._is_inside(path):
            yield (
                self._made(path, is_directory=True)[1]
                if name.startswith("mkdir")
                else self._named((path, None))
            )

    def _moved(self, call: Call) -> Iterator[Effect]:
        at_directories = call.name in ("renameat", "renameat2", "linkat")
        places = (
            call.arguments[:4]
            if at_directories
            else ("AT_FDCWD", call.arguments[0], "AT_FDCWD", call.arguments[1])
        )
        old, new = self._path(*places[:2]), self._path(*places[2:])
        flags = call.arguments[4:] if at_directories else ()
        if self._is_inside(old) != self._is_inside(new) or any(each != "0" for each in flags):
            raise ValueError(f"{call.name} of {old} to {new} is not simulated")
        if self._is_inside(old):
            gone = () if call.name.startswith("link") else ((old, None),)
            yield self._named(*gone, (new, self._find(old)))

    def _made(self, path: str, *, is_directory: bool) -> tuple[Inode, Names]:
        self._inodes += 1
        inode = Inode(self._inodes, is_directory=is_directory)
        return inode, self._named((path, inode))

    def _named(self, *changes: tuple[str, Inode | None]) -> Names:
        directories = {posixpath.dirname(path) for path, _ in changes}
        directory = self._find(directories.pop())
        if directories or directory is None:
            raise ValueError(f"a rename between directories is not simulated: {changes[0][0]}")
        names = tuple((posixpath.basename(path), inode) for path, inode in changes)
        self._trees[directory] = changed(self._trees.get(directory, {}), names)
        return Names(directory, names)

    def _find(self, path: str) -> Inode | None:
        if not self._is_inside(path):
            return None
        found: Inode | None = self.top
        for name in path[len(self.root) :].split("/"):
            if name and found is not None:
                found = self._trees.get(found, {}).get(name)
        return found

    def _is_inside(self, path: str) -> bool:
        return path == self.root or path.startswith(self.root + "/")

    def _path(self, at: str, argument: str) -> str:
        path = _text(argument)
        if path.startswith("/") or at == "AT_FDCWD":
            return path
        known = self._open.get(int(at))
        if known is None:
            return path
        if known.inode is not self.top:
            raise ValueError(f"{path} below an open directory is not simulated")
        return f"{self.root}/{path}"


def _when(call: Call) -> int:
    """A descriptor is valid once its `open` has returned; what is done to a file may reach it at once."""
    return call.ended if call.name in ("open", "openat", "creat", "dup", "dup2", "dup3") else call.begun


def _text(argument: str) -> str:
    return posixpath.normpath(data_of(argument).decode(errors="surrogateescape"))
