"""The import itself: row by row from the file, in batches to the server, with a bar that shows how far."""

import os
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final, cast

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from meterhouse.cli.importing.formats import Opened, unzipped
from meterhouse.cli.importing.keys import Ordinals, TooManyRows, row_digest
from meterhouse.cli.importing.mapping import Meaning
from meterhouse.cli.importing.report import Report
from meterhouse.cli.importing.rows import Row
from meterhouse.cli.importing.sending import Customers, Pending, send
from meterhouse_sdk import Meterhouse, MeterhouseError

_BATCH_EVENTS: Final = 5_000
_BUFFER_BYTES: Final = 256 * 1024
_STDIN: Final = "-"


class Stream(Struct, frozen=True):
    """A file to be read. size_bytes: None where nobody knows. at: how far it was read, of that."""

    file: BufferedReader
    size_bytes: int | None
    at: Callable[[], int]


@contextmanager
def opened_file(path: Path) -> Iterator[Stream]:
    """Open a file, compressed or not, or stdin. Raises RuntimeError with a sentence."""
    if str(path) == _STDIN:
        yield Stream(unzipped(cast("BufferedReader", sys.stdin.buffer)), None, lambda: 0)
        return
    try:
        file = cast("BufferedReader", path.open("rb", buffering=_BUFFER_BYTES))
        file.peek(1)
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read: {error.strerror}.") from None
    with file:
        yield Stream(unzipped(file), os.fstat(file.fileno()).st_size, file.tell)


class Run:
    """source, after_line: see the options of the command."""

    def __init__(
        self, client: Meterhouse, customers: Customers, report: Report, source: str, after_line: int
    ) -> None:
        self._client = client
        self._customers = customers
        self._report = report
        self._source = source
        self._after_line = after_line

    def whole(self, stream: Stream, opened: Opened, meaning: Meaning) -> None:
        """Import every row, and show how far it is.

        Raises RuntimeError with a sentence that says from where to go on.
        """
        console = Console(stderr=True)
        columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            task = progress.add_task("", total=stream.size_bytes)
            try:
                for batch in self._batches(opened, meaning):
                    send(self._client, self._customers, batch, self._report)
                    self._report.last_line = batch[-1].row.line
                    progress.update(task, completed=stream.at(), description=f"{self._report.rows:,} rows")
            except (MeterhouseError, RuntimeError) as error:
                raise RuntimeError(f"{error} {self._how_to_go_on()}") from None
            except KeyboardInterrupt:
                raise RuntimeError(f"Stopped. {self._how_to_go_on()}") from None

    def _batches(self, opened: Opened, meaning: Meaning) -> Iterator[list[Pending]]:
        batch: list[Pending] = []
        events = 0
        fault: str | None = None
        try:
            for pending in self._pending(opened, meaning):
                batch.append(pending)
                events += len(pending.drafts)
                if events >= _BATCH_EVENTS:
                    yield batch
                    batch, events = [], 0
        except (OSError, EOFError, zlib.error) as error:
            fault = f"The file cannot be read to its end: {error}."
        except TooManyRows as error:
            fault = str(error)
        if batch:
            yield batch
        if fault is not None:
            raise RuntimeError(fault)

    def _pending(self, opened: Opened, meaning: Meaning) -> Iterator[Pending]:
        """Yield what is to be sent. What comes before `after_line` is only counted, for the ordinals."""
        ordinals = Ordinals()
        for row in opened.rows:
            before = row.line <= self._after_line
            self._report.skipped += before
            if isinstance(row, Row):
                digest = row_digest(row.raw, self._source)
                ordinal = ordinals.next(digest)
                if not before and (pending := self._made(row, meaning, digest, ordinal)) is not None:
                    yield pending
            elif not before:
                self._report.unread(row, row.reason)

    def _made(self, row: Row, meaning: Meaning, digest: bytes, ordinal: int) -> Pending | None:
        try:
            return Pending(row, meaning.events(row, digest, ordinal))
        except ValueError as error:
            self._report.unread(row, str(error))
            return None

    def _how_to_go_on(self) -> str:
        line = max(self._report.last_line, self._after_line)
        if not line:
            return "Give the same command again. No row counts twice."
        return (
            f"Everything up to line {line} is settled: the same command goes on where it stopped, "
            f"sooner with --after-line {line}. No row counts twice."
        )
