"""`meterhouse rebuild`: the warehouse again from the log, the source of truth."""

import asyncio

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from meterhouse.cli.options import Data, load, sentences
from meterhouse.wiring import rebuild_warehouse


def rebuild(data: Data = None) -> None:
    """Make the warehouse again from the log, beside the old one, and swap it in once both agree.

    The server must be stopped. The old warehouse stays until the new one has as many events as the log.
    """
    settings = load(data=str(data) if data else None)
    console = Console(stderr=True)
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("events"), TimeRemainingColumn())
    with (
        sentences(),
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=None)
        events = asyncio.run(
            rebuild_warehouse(
                settings, lambda done, total: progress.update(task, completed=done, total=total)
            )
        )
    typer.echo(f"The warehouse is made again: {events} events, as many as the log.")
