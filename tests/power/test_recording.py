"""Reading a recording: calls that overlap, calls that failed, other programs, texts and vectors."""

import pytest

from tests.power.effects import Names, Resize, Sent, Sync, Write
from tests.power.recording import Call, data_of, parse
from tests.power.replay import Replay

OPEN = r'1 openat(AT_FDCWD, "\x2f\x72\x2f\x66", O_RDWR|O_CREAT|O_CLOEXEC, 0600) = 3'  # /r/f


def test_a_call_that_another_interrupts_has_its_first_and_its_last_line() -> None:
    lines = ["1 fsync(3 <unfinished ...>", '2 write(4, "", 0)  = 0', "1 <... fsync resumed>)  = 0"]
    assert parse(lines) == [Call("fsync", ("3",), 0, 0, 2), Call("write", ("4", '""', "0"), 0, 1, 1)]


@pytest.mark.parametrize(
    "line",
    [
        "1 fsync(3)  = -1 EIO (Input/output error)",
        "1 exit_group(0)  = ?",
        "1 fsync(3 <unfinished ...>",
        "1 --- SIGTERM {si_signo=SIGTERM} ---",
        "1 +++ exited with 0 +++",
    ],
)
def test_a_call_that_did_not_succeed_is_left_out(line: str) -> None:
    assert parse([line]) == []


def test_calls_of_programs_that_are_run_are_left_out_and_those_of_threads_are_not() -> None:
    lines = [
        "1 clone3({flags=CLONE_VM|CLONE_THREAD, exit_signal=0}, 88) = 2",
        "1 vfork() = 3",
        "2 close(5) = 0",
        "3 close(6) = 0",
    ]
    assert [call.arguments for call in parse(lines)[1:]] == [("5",)]


def test_texts_of_a_vector_are_joined() -> None:
    (call,) = parse([r'1 writev(4, [{iov_base="\x61", iov_len=1}, {iov_base="\x62", iov_len=1}], 2) = 2'])
    assert (call.arguments[0], data_of(call.arguments[1]), call.arguments[2]) == ("4", b"ab", "2")


def test_a_text_that_was_cut_short_is_refused() -> None:
    with pytest.raises(ValueError, match="only the start"):
        data_of(r'"\x61"...')


def test_writes_follow_the_place_of_their_descriptor() -> None:
    lines = [
        OPEN,
        r'1 write(3, "\x61\x62", 2) = 2',
        r'1 write(3, "\x63\x64", 2) = 1',
        "1 lseek(3, 9, SEEK_SET) = 9",
        r'1 write(3, "\x65", 1) = 1',
        r'1 pwrite64(3, "\x66", 1, 4) = 1',
        "1 ftruncate(3, 5) = 0",
        "1 fdatasync(3) = 0",
        r'1 write(7, "\x67", 1) = 1',
    ]
    replay = Replay("/r")
    effects = [moment.effect for moment in replay.moments(parse(lines))]
    ((path, inode),) = replay.files()
    assert path == "f"
    assert effects == [
        Names(replay.top, (("f", inode),)),
        Write(inode, 0, b"ab"),
        Write(inode, 2, b"c"),
        Write(inode, 9, b"e"),
        Write(inode, 4, b"f"),
        Resize(inode, 5),
        Sync(inode),
        Sent(b"g"),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "1 sync() = 0",
        "1 copy_file_range(3, NULL, 4, NULL, 10, 0) = 10",
        "1 fallocate(3, FALLOC_FL_PUNCH_HOLE|FALLOC_FL_KEEP_SIZE, 0, 10) = 0",
        r'1 openat(AT_FDCWD, "\x2f\x72\x2f\x67", O_WRONLY|O_CREAT|O_DSYNC, 0600) = 4',
        r'1 rename("\x2f\x72\x2f\x66", "\x2f\x78") = 0',
    ],
)
def test_a_call_that_is_not_simulated_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="not simulated"):
        Replay("/r").moments(parse([OPEN, line]))
