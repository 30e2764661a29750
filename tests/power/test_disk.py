"""The states that a power cut may leave, for a few writes that are checked one by one."""

import random

import pytest

from tests.power.disk import SECTORS, Disk, Loss
from tests.power.effects import Inode, Moment, Names, Sync, Write

TOP, FILE = Inode(0, is_directory=True), Inode(1, is_directory=False)
MADE = Moment(Names(TOP, (("f", FILE),)), 0, 0)
NAME_SYNCED = Moment(Sync(TOP), 1, 1)


def disk_after(*moments: Moment) -> Disk:
    disk = Disk(TOP)
    for moment in (MADE, NAME_SYNCED, *moments):
        disk.begin(moment)
        disk.end(moment)
    return disk


def contents(disk: Disk, loss: Loss) -> set[bytes | None]:
    chance = random.Random(1)
    return {disk.cut(0, loss, chance).files.get("f") for _ in range(1_000)}


def test_a_write_is_sure_once_the_file_was_synced() -> None:
    disk = disk_after(Moment(Write(FILE, 0, b"ab"), 2, 2), Moment(Sync(FILE), 3, 3))
    assert {content for loss in Loss for content in contents(disk, loss)} == {b"ab"}


def test_a_sync_covers_no_write_that_ended_after_the_sync_began() -> None:
    disk = disk_after(Moment(Write(FILE, 0, b"ab"), 2, 4), Moment(Sync(FILE), 3, 5))
    assert contents(disk, Loss.ALL) == {b""}


def test_unsynced_writes_are_kept_lost_or_reordered() -> None:
    disk = disk_after(*(Moment(Write(FILE, at, b"%d" % at), 2 + at, 2 + at) for at in range(3)))
    assert contents(disk, Loss.NOTHING) == {b"012"}
    assert contents(disk, Loss.ALL) == {b""}
    assert contents(disk, Loss.ENDS) == {b"", b"0", b"01", b"012"}
    assert contents(disk, Loss.ONE) == {b"01", b"0\x002", b"\x0012"}
    every = {b"", b"0", b"\x001", b"\x00\x002", b"01", b"0\x002", b"\x0012", b"012"}
    assert contents(disk, Loss.SOME) == every


@pytest.mark.parametrize("sector", SECTORS)
def test_a_torn_write_leaves_whole_sectors(sector: int) -> None:
    disk = disk_after(Moment(Write(FILE, 0, b"x" * 3 * sector), 2, 2))
    torn = contents(disk, Loss.TORN)
    assert {content.count(b"x") % SECTORS[0] for content in torn if content is not None} == {0}
    assert b"\x00" * sector + b"x" * sector in {(content or b"")[: 2 * sector] for content in torn}


def test_a_name_is_lost_until_its_directory_was_synced() -> None:
    disk = Disk(TOP)
    for moment in (MADE, Moment(Write(FILE, 0, b"ab"), 1, 1), Moment(Sync(FILE), 2, 2)):
        disk.begin(moment)
        disk.end(moment)
    assert contents(disk, Loss.ALL) == {None}
    assert contents(disk, Loss.NOTHING) == {b"ab"}


def test_a_rename_is_kept_whole_or_lost_whole() -> None:
    other = Inode(2, is_directory=False)
    disk = disk_after(
        Moment(Write(FILE, 0, b"old"), 2, 2),
        Moment(Sync(FILE), 3, 3),
        Moment(Names(TOP, (("g", other),)), 4, 4),
        Moment(Sync(TOP), 5, 5),
        Moment(Names(TOP, (("g", None), ("f", other))), 6, 6),
    )
    found = {frozenset(disk.cut(0, Loss.SOME, random.Random(seed)).files.items()) for seed in range(50)}
    assert found == {frozenset({("f", b"old"), ("g", b"")}), frozenset({("f", b"")})}
