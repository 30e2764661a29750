"""`meterhouse verify`: whether the log is whole, and everything made from it says the same."""

import asyncio

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from meterhouse.cli.options import Data, load, sentences
from meterhouse.wiring import verify as verify_directory


def verify(data: Data = None) -> None:
    """Check the log's checksums and counts, then key index, ledger and warehouse against the log.

    The server must be stopped. Exits with 1 at the first difference, and names it. Each projection is made
    again beside the old one and deleted at the end: that takes the time and the space of a rebuild.
    """
    settings = load(data=data)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("records"))
    with (
        sentences(),
        Progress(*columns, console=console, disable=not console.is_terminal) as progress,
    ):
        task = progress.add_task("", total=None)

        def report(part: str, done: int, total: int) -> None:
            progress.update(task, description=part, completed=done, total=total)

        found = asyncio.run(verify_directory(settings, report))
    typer.echo(
        f"The log is whole: {found.records} records, {found.events} events. "
        f"The key index ({found.keys} keys), the ledger ({found.rows} rows) and the "
        f"warehouse ({found.in_warehouse} events) agree with it."
    )
