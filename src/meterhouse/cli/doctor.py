"""`meterhouse doctor`: what is right and wrong with a data directory, one line each."""

import asyncio
from collections import Counter
from typing import Final

import typer
from rich.console import Console
from rich.text import Text

from meterhouse.cli.options import Data, load, sentences
from meterhouse.model.finding import Finding, Health
from meterhouse.settings import Settings
from meterhouse.wiring import examine

_STYLES: Final = {
    Health.OK: "green",
    Health.WARNING: "yellow",
    Health.PROBLEM: "bold red",
    Health.UNSEEN: "cyan",
}


def doctor(data: Data = None) -> None:
    """Check the data directory, also while a server runs. Exits with 1 when there is a problem."""
    settings = load(data=data)
    with sentences():
        found = asyncio.run(_printed(settings))
    if found[Health.PROBLEM]:
        raise typer.Exit(1)


async def _printed(settings: Settings) -> Counter[Health]:
    found: Counter[Health] = Counter()
    console = Console()
    with console.status("Looking …"):
        async for finding in examine(settings):
            found[finding.health] += 1
            console.print(_line(finding), soft_wrap=True)
    return found


def _line(finding: Finding) -> Text:
    line = Text(f"{finding.health:<15}", _STYLES[finding.health])
    line.append(f"{finding.subject}: {finding.sentence}.", "default")
    if finding.remedy:
        line.append(f" {finding.remedy}", "default")
    return line
