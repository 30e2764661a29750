"""`meterhouse rebuild`: the warehouse, or the ledger, again from the log, the source of truth."""

import asyncio
import os
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from meterhouse.cli.options import Data, load, sentences
from meterhouse.wiring import rebuild_ledger, rebuild_warehouse

Ledger = Annotated[
    bool, typer.Option("--ledger", help="Make the ledger again instead: totals, balances and holds.")
]


def rebuild(data: Data = None, *, ledger: Ledger = False) -> None:
    """Make the warehouse again from the log, beside the old one, and swap it in once both agree.

    The server must be stopped. The old warehouse stays until the new one has as many events as the log.
    With --ledger totals, balances and holds are made again, beside the old one, and how much differs is said.
    """
    settings = load(data=data)
    os.umask(0o077)  # as `serve` does
    console = Console(stderr=True)
    what = "records" if ledger else "events"
    columns = (BarColumn(), MofNCompleteColumn(), TextColumn(what), TimeRemainingColumn())
    with (
        sentences(),
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=None)

        def report(done: int, total: int) -> None:
            progress.update(task, completed=done, total=total)

        if ledger:
            told = _told(*asyncio.run(rebuild_ledger(settings, report)))
        else:
            events = asyncio.run(rebuild_warehouse(settings, report))
            told = f"The warehouse is made again: {events} events, as many as the log."
    typer.echo(told)


def _told(entries: int, differences: int) -> str:
    told = f"The ledger is made again: {entries} entries of the log"
    return f"{told}, and all is as it was." if not differences else f"{told}; {differences} rows are other."
