"""Records the system calls of a program that change its disk, and reads the recording.

Recorded: every write, truncation, creation, rename, deletion and sync, and each answer of the program.
Not recorded: writes through shared memory. `Replay.mapped` names the files that are mapped for writing.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

_CHANGES = (
    "open,openat,creat,close,dup,dup2,dup3,lseek,write,pwrite64,writev,pwritev,pwritev2,sendto,sendmsg,"
    "ftruncate,truncate,fallocate,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,"
    "fsync,fdatasync,sync,syncfs,mmap,copy_file_range,sendfile,io_uring_setup,clone,clone3,fork,vfork"
)
_LONGEST_BYTES = 64 * 1024 * 1024
_LINE = re.compile(r"^(\d+) +(.*)$")
_BEGUN = " <unfinished ...>"
_RESUMED = re.compile(r"^<\.\.\. \w+ resumed>(.*)$")
_CALL = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+|0x[0-9a-f]+|\?)(?:<[^>]*>)?(?: .*)?$")
_FORKS = {"clone", "clone3", "fork", "vfork"}


def under_strace(trace: Path) -> tuple[str, ...]:
    """Return the command under which a program leaves its recording in `trace`."""
    options = ("-f", "-xx", "-s", str(_LONGEST_BYTES), "--seccomp-bpf", "-e", f"trace={_CHANGES}")
    return ("strace", *options, "-e", "signal=none", "-o", str(trace))


@dataclass(frozen=True, slots=True)
class Call:
    """A system call that succeeded. begun, ended: lines of the recording, which is in order of time."""

    name: str
    arguments: tuple[str, ...]
    result: int
    begun: int
    ended: int


def read_calls(trace: Path) -> list[Call]:
    """Return the calls of the program itself, not of programs it runs, in the order in which they began."""
    with trace.open(encoding="ascii", errors="replace") as lines:
        return parse(lines)


def parse(lines: Iterable[str]) -> list[Call]:
    calls: list[tuple[str, Call]] = []
    others: set[str] = set()
    for pid, text, begun, ended in _whole(lines):
        found = _CALL.match(text)
        if found is None:
            raise ValueError(f"line {ended} of the recording is no system call: {text[:200]}")
        name, arguments, result = found[1], found[2], found[3]
        if result == "?" or result.startswith("-"):
            continue
        if name in _FORKS and "CLONE_THREAD" not in arguments:
            others.add(result)
            continue
        calls.append((pid, Call(name, _split(arguments), int(result, 0), begun, ended)))
    calls.sort(key=lambda each: each[1].begun)
    return [call for pid, call in calls if pid not in others]


def _whole(lines: Iterable[str]) -> Iterator[tuple[str, str, int, int]]:
    """Join the beginning and the end of each call; drop the calls that never ended, signals and exits."""
    begun: dict[str, tuple[int, str]] = {}
    for number, line in enumerate(lines):
        found = _LINE.match(line.rstrip("\n"))
        if found is None:
            raise ValueError(f"line {number} of the recording has no process: {line[:200]}")
        pid, text = found[1], found[2]
        if text.startswith(("---", "+++")):
            continue
        if text.endswith(_BEGUN):
            begun[pid] = (number, text.removesuffix(_BEGUN))
        elif resumed := _RESUMED.match(text):
            start, head = begun.pop(pid)
            yield pid, head + resumed[1], start, number
        else:
            yield pid, text, number, number


def _split(arguments: str) -> tuple[str, ...]:
    """Split at the commas outside brackets. With -xx no text contains one."""
    if "[" not in arguments and "{" not in arguments:
        return tuple(arguments.split(", "))
    parts: list[str] = []
    depth = start = 0
    for found in re.finditer(r"[\[\]{}]|, ", arguments):
        mark = found[0]
        if mark == ", ":
            if depth == 0:
                parts.append(arguments[start : found.start()])
                start = found.end()
        else:
            depth += 1 if mark in "[{" else -1
    return (*parts, arguments[start:])


_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"(\.\.\.)?')


def data_of(argument: str) -> bytes:
    """Return the bytes of a text, or of all the texts of a vector. Raises ValueError: strace cut it short."""
    pieces = []
    for found in _TEXT.finditer(argument):
        if found[2]:
            raise ValueError("the recording has only the start of a write")
        pieces.append(bytes.fromhex(found[1].replace("\\x", "")))
    return b"".join(pieces)
