"""Where an export goes: a file that is whole or not there, or stdout."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from meterhouse.cli.exporting.events import Exported
from meterhouse.cli.exporting.formats import Format, Writer, format_of, writer

STDOUT: Final = "-"


class Sink:
    """Writes, and shows how many it has written."""

    def __init__(self, out: Writer, output: str, progress: Progress) -> None:
        self._out = out
        self._output = output
        self._progress = progress
        self._task = progress.add_task("")
        self.events = 0

    def take(self, events: Sequence[Exported]) -> None:
        with _written(self._output):
            self._out.write(events)
        self.events += len(events)
        self._progress.update(self._task, description=f"{self.events:,} events")


@contextmanager
def sink(output: str, asked: Format | None) -> Iterator[Sink]:
    """Open what the body writes to. Its file appears under its name only when the body ends well.

    Raises RuntimeError with a sentence: it cannot be written.
    """
    format_ = asked or format_of(output)
    console = Console(stderr=True)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    try:
        with (
            _opened(output, format_) as file,
            Progress(*columns, console=console, disable=not console.is_terminal) as progress,
        ):
            with _written(output):
                out = writer(format_, file)
            try:
                yield Sink(out, output, progress)
            finally:
                with _written(output):
                    out.finish()
                    file.flush()
    except BrokenPipeError:  # `meterhouse export | head` has what it wanted
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _written(output: str) -> Iterator[None]:
    """Raises RuntimeError with a sentence: what the body writes cannot be written."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise RuntimeError(f"{output} cannot be written: {error.strerror or error}.") from None


@contextmanager
def _opened(output: str, format_: Format) -> Iterator[BinaryIO]:
    if output == STDOUT:
        if format_ is Format.PARQUET and sys.stdout.isatty():
            raise ValueError("Parquet is no text for a terminal: --output FILE.")
        yield sys.stdout.buffer
        return
    path = Path(output)
    partial = path.with_name(f".{path.name}.partial")
    with _written(output):
        file = partial.open("wb")
    try:
        with file:
            yield file
        with _written(output):
            partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
