"""`meterhouse backup` and `meterhouse restore`: a copy of the log and the catalog, and a server from it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from meterhouse.cli.options import Data, load, sentences
from meterhouse.wiring import back_up, restore_backup

Target = Annotated[
    Path,
    typer.Argument(metavar="DIRECTORY", help="A new or empty directory, or one with a backup of this log."),
]
Source = Annotated[Path, typer.Argument(metavar="FROM", help="A directory that `meterhouse backup` made.")]
ToPosition = Annotated[
    int | None,
    typer.Option("--to-position", metavar="POSITION", help="Leave out the log records after this position."),
]


def backup(directory: Target, data: Data = None) -> None:
    """Copy the log and the catalog into a directory, also while a server runs, and check the copy.

    A directory that holds a backup already gets the new log records only. An interrupted backup leaves the
    one before it as it was.
    """
    settings = load(data=data)
    with sentences(), _progress() as report:
        made = back_up(settings, directory, report)
    typer.echo(
        f"Backup {made.number} in {directory}: {made.events} events, to position {made.position} of the log; "
        f"{made.size_bytes / 1024**2:.1f} MiB in {len(made.files)} files."
    )


def restore(source: Source, data: Data = None, to_position: ToPosition = None) -> None:
    """Check a backup and restore it into an empty or missing data directory.

    The next start makes key index, ledger and warehouse from the restored log.
    """
    settings = load(data=data)
    with sentences(), _progress() as report:
        restored = restore_backup(settings, source, to_position, report)
    typer.echo(
        f"Restored {settings.data}: {restored.events} events, to position {restored.position} "
        f"of {restored.last_position}. `meterhouse serve` makes everything else from the log."
    )


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("records"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)
