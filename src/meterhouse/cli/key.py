"""`meterhouse key`: make, list and revoke API keys, also while the server runs."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from meterhouse.cli.options import Data, In, Init, ProviderName, data_of, sentences
from meterhouse.model.event import from_microseconds
from meterhouse.model.key import ApiKey
from meterhouse.model.tenant import Caller, Environment
from meterhouse.wiring import open_catalog_of

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
_ACTOR = "cli"


@keys.command()
def create(
    data: Data = None,
    environment: In = Environment.SANDBOX,
    provider: ProviderName = "default",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    *,
    init: Init = False,
) -> None:
    """Make a key and print it, alone, on stdout. It is shown this once; Meterhouse keeps its SHA-256."""

    async def run() -> str:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
            scope = await catalog.providers.scope(provider, environment)
            issued = await catalog.keys.create(Caller(scope, _ACTOR), name)
            return issued.secret or ""

    with sentences():
        typer.echo(asyncio.run(run()))


@keys.command("list")
def list_(
    data: Data = None, environment: In = Environment.SANDBOX, provider: ProviderName = "default"
) -> None:
    """List the keys of an environment, revoked ones too."""

    async def run() -> list[ApiKey]:
        async with open_catalog_of(data_of(data)) as catalog:
            scope = await catalog.providers.scope(provider, environment)
            return list(await catalog.keys.all(scope.id))

    with sentences():
        found = asyncio.run(run())
    table = Table("ref", "name", "ends in", "made", "last used", "revoked")
    for key in found:
        times = (key.created_at, key.last_used_at, key.revoked_at)
        table.add_row(key.ref, key.name, key.hint, *("" if at is None else _minute(at) for at in times))
    Console().print(table)


@keys.command()
def revoke(
    ref: Annotated[str, typer.Argument(help="The key's ref, key_…")],
    data: Data = None,
    environment: In = Environment.SANDBOX,
    provider: ProviderName = "default",
) -> None:
    """Revoke a key. A running server refuses it within a second."""

    async def run() -> None:
        async with open_catalog_of(data_of(data)) as catalog:
            scope = await catalog.providers.scope(provider, environment)
            await catalog.keys.revoke(Caller(scope, _ACTOR), ref)

    with sentences():
        asyncio.run(run())
    typer.echo(f"{ref} is revoked.", err=True)


def _minute(microseconds: int) -> str:
    return from_microseconds(microseconds).strftime("%Y-%m-%d %H:%M UTC")
