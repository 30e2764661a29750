"""manifest.json: the list of a backup's files. Renaming it into place makes a backup valid."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from meterhouse.stores.embedded.directories import sync

NAME: Final = "manifest.json"
_FORMAT: Final = 1


class StoredFile(Struct, frozen=True, rename="camel"):
    """A file of the backup, by its name in the directory."""

    name: str
    size_bytes: int
    sha256: str


class Segment(Struct, frozen=True, rename="camel"):
    """A file with the log records of consecutive positions, both ends included."""

    file: StoredFile
    first_position: int
    last_position: int
    events: int


class Manifest(Struct, frozen=True, rename="camel"):
    """A backup: the log up to `position`, and every other table as of the same moment.

    number: counts the backups into this directory. made_at: RFC 3339. version: of Meterhouse.
    schema: of meterhouse.db. events: in the log up to `position`. sha256: of this manifest, computed while
    the field is empty.
    """

    format: int
    number: int
    version: str
    made_at: str
    schema: int
    position: int
    events: int
    catalog: StoredFile
    log: tuple[Segment, ...]
    sha256: str = ""

    @property
    def files(self) -> tuple[StoredFile, ...]:
        return (self.catalog, *(segment.file for segment in self.log))

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def new(
    *,
    number: int,
    version: str,
    made_at: str,
    schema: int,
    catalog: StoredFile,
    log: tuple[Segment, ...],
) -> Manifest:
    """Return a manifest of this format, with its own checksum."""
    position = log[-1].last_position if log else 0
    events = sum(segment.events for segment in log)
    unsigned = Manifest(_FORMAT, number, version, made_at, schema, position, events, catalog, log)
    return replace(unsigned, sha256=_checksum(unsigned))


def read(directory: Path) -> Manifest | None:
    """Return the manifest of a backup directory, None where there is none.

    Raises RuntimeError with a sentence: the manifest is damaged, or of a newer format.
    """
    path = directory / NAME
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        return None
    try:
        found = msgspec.json.decode(text, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if found is not None and found.format > _FORMAT:
        raise RuntimeError(f"{path} has format {found.format}: install the Meterhouse that wrote it.")
    if found is None or _encode(found) != text or found.sha256 != _checksum(replace(found, sha256="")):
        raise RuntimeError(f"{path} is damaged: its checksum does not match. Use another backup.")
    return found


def write(directory: Path, manifest: Manifest) -> None:
    """Replace the manifest in one step, which is on disk when this returns."""
    fresh = directory / f"{NAME}.new"
    fresh.write_bytes(_encode(manifest))
    sync(fresh)
    sync(directory)  # the names of the backup's files, before the manifest names them
    fresh.replace(directory / NAME)
    sync(directory)


def stored(path: Path) -> StoredFile:
    """Return the entry of a file, read back from the disk or its cache."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return StoredFile(path.name, path.stat().st_size, digest)


def check(directory: Path, file: StoredFile) -> None:
    """Raises RuntimeError, naming the file: it is missing, or not the file that was written."""
    path = directory / file.name
    try:
        found = stored(path)
    except FileNotFoundError:
        raise RuntimeError(f"{path} is missing: the backup is not complete. Use another backup.") from None
    if found != file:
        raise RuntimeError(f"{path} is damaged: its checksum does not match. Use another backup.")


def _encode(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest)) + b"\n"


def _checksum(unsigned: Manifest) -> str:
    return hashlib.sha256(_encode(unsigned)).hexdigest()
