"""The import itself: row by row from the file, in batches to the server, with a bar that shows how far."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Final, cast

from msgspec import Struct
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from meterhouse.cli.importing.formats import Opened
from meterhouse.cli.importing.keys import Keys, TooManyRows
from meterhouse.cli.importing.mapping import Meaning
from meterhouse.cli.importing.report import Report
from meterhouse.cli.importing.rows import Blank, Row
from meterhouse.cli.importing.sending import Customers, Pending, send
from meterhouse.cli.importing.streams import DAMAGED, text_bytes
from meterhouse_sdk import Meterhouse, MeterhouseError

_BATCH_EVENTS: Final = 5_000
_BUFFER_BYTES: Final = 256 * 1024
_STDIN: Final = "-"


class Stream(Struct, frozen=True):
    """A file of UTF-8 text. size_bytes: on disk, None for stdin. at: how many of these were read."""

    file: BufferedReader
    size_bytes: int | None
    at: Callable[[], int]


@contextmanager
def opened_file(path: Path) -> Iterator[Stream]:
    """Open a file, compressed or not, or stdin. Raises RuntimeError or ValueError with a sentence."""
    if str(path) == _STDIN:
        yield Stream(_text(path, cast("BufferedReader", sys.stdin.buffer)), None, lambda: 0)
        return
    try:
        file = cast("BufferedReader", path.open("rb", buffering=_BUFFER_BYTES))
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read: {error.strerror}.") from None
    with file:
        yield Stream(_text(path, file), os.fstat(file.fileno()).st_size, file.tell)


def _text(path: Path, file: BufferedReader) -> BufferedReader:
    try:
        return text_bytes(file)
    except DAMAGED as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise RuntimeError(f"{path} cannot be read: {reason}.") from None


class Run:
    """after_line: rows up to there are read, not sent."""

    def __init__(
        self, client: Meterhouse, customers: Customers, report: Report, keys: Keys, after_line: int
    ) -> None:
        self._client = client
        self._customers = customers
        self._report = report
        self._keys = keys
        self._after_line = after_line

    def whole(self, stream: Stream, opened: Opened, meaning: Meaning) -> None:
        """Import every row, and show how far it is.

        Raises RuntimeError with a sentence that says from where to go on.
        """
        self._report.counted = opened.counted
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
        except DAMAGED as error:
            fault = f"The file cannot be read to its end: {error}."
        except TooManyRows as error:
            fault = str(error)
        if batch:
            yield batch
        if fault is not None:
            raise RuntimeError(fault)

    def _pending(self, opened: Opened, meaning: Meaning) -> Iterator[Pending]:
        """Yield the rows to be sent. A row up to `after_line` only counts, for the ordinals."""
        for row in opened.rows:
            if isinstance(row, Blank):
                self._report.blank += row.line > self._after_line
            elif row.line <= self._after_line:
                self._report.skipped += 1
                if isinstance(row, Row):
                    self._keys.skip(row)
            elif not isinstance(row, Row):
                self._report.unread(row, row.reason)
            elif (pending := self._made(row, meaning)) is not None:
                yield pending

    def _made(self, row: Row, meaning: Meaning) -> Pending | None:
        try:
            return Pending(row, meaning.events(row, self._keys.of(row)))
        except ValueError as error:
            self._report.unread(row, str(error))
            return None

    def _how_to_go_on(self) -> str:
        line = max(self._report.last_line, self._after_line)
        if not line:
            return "Give the same command again. No row counts twice."
        return (
            f"Everything up to {self._report.counted} {line} is settled: the same command goes on where it "
            f"stopped, sooner with --after-line {line}. No row counts twice."
        )
