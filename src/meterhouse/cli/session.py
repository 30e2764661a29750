"""`meterhouse session`: the browsers that are signed in to the dashboard, also while the server runs."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from meterhouse.cli.options import Data, data_of, sentences
from meterhouse.model.event import from_microseconds
from meterhouse.model.operator import OpenSession
from meterhouse.wiring import open_catalog_of

sessions = typer.Typer(help="List and end the sessions of the dashboard.", no_args_is_help=True)
_ACTOR = "cli"


@sessions.command("list")
def list_(data: Data = None) -> None:
    """List the open sessions of all providers, the newest first."""

    async def run() -> tuple[list[OpenSession], dict[str, str]]:
        async with open_catalog_of(data_of(data)) as catalog:
            names = {provider.ref: provider.name for provider in await catalog.providers.all()}
            return list(await catalog.sessions.all()), names

    with sentences():
        found, names = asyncio.run(run())
    table = Table("id", "provider", "signed in with", "opened", "last used", "ends")
    for each in found:
        times = (each.opened_at, each.used_at, each.expires_at)
        table.add_row(each.id, names[each.provider_ref], each.email or "a link", *map(_minute, times))
    Console().print(table)


@sessions.command()
def end(
    id_: Annotated[str | None, typer.Argument(metavar="[ID]", help="As `list` names it.")] = None,
    data: Data = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="End every session of all providers.")] = False,
) -> None:
    """End a session. A running server refuses it within a second."""

    async def run() -> int:
        async with open_catalog_of(data_of(data)) as catalog:
            if all_ == (id_ is not None):
                raise ValueError("Give the id of one session, or --all.")
            return await catalog.sessions.end_listed(None if all_ else id_, _ACTOR)

    with sentences():
        ended = asyncio.run(run())
        if id_ is not None and not ended:
            raise ValueError(f"There is no open session {id_}; `meterhouse session list` shows them.")
    typer.echo(f"{ended} {'session is' if ended == 1 else 'sessions are'} ended.", err=True)


def _minute(microseconds: int) -> str:
    return from_microseconds(microseconds).strftime("%Y-%m-%d %H:%M UTC")
