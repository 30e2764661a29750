"""`meterhouse provider`: the tenants of this server."""

import asyncio
from typing import Annotated

import typer

from meterhouse.cli.options import Data, data_of, sentences
from meterhouse.wiring import open_catalog_of

providers = typer.Typer(help="Make and list providers: whoever sells.", no_args_is_help=True)


@providers.command()
def create(name: Annotated[str, typer.Argument(help="A name of its own.")], data: Data = None) -> None:
    """Make a provider with both environments, and print its ref."""

    async def run() -> str:
        async with open_catalog_of(data_of(data)) as catalog:
            return (await catalog.providers.create(name, "cli")).ref

    with sentences():
        typer.echo(asyncio.run(run()))


@providers.command("list")
def list_(data: Data = None) -> None:
    """Print every provider's ref and name."""

    async def run() -> list[tuple[str, str]]:
        async with open_catalog_of(data_of(data)) as catalog:
            return [(provider.ref, provider.name) for provider in await catalog.providers.all()]

    with sentences():
        for ref, name in asyncio.run(run()):
            typer.echo(f"{ref}  {name}")
