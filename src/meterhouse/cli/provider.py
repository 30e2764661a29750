"""`meterhouse provider`: the tenants of this server."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from meterhouse.cli.options import Data, Init, ProviderName, data_of, sentences
from meterhouse.ingest.decode import guarded
from meterhouse.model.errors import ValidationFailed
from meterhouse.model.merchant import Merchant, read_merchant
from meterhouse.model.tenant import Caller, Environment
from meterhouse.wiring import open_catalog_of

providers = typer.Typer(help="Make and list providers, the sellers.", no_args_is_help=True)


@providers.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that no other provider has.")],
    data: Data = None,
    *,
    init: Init = False,
) -> None:
    """Make a provider with both environments, and print its ref."""

    async def run() -> str:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
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


@providers.command("show-as")
def show_as(
    merchant: Annotated[str, typer.Argument(help="A JSON file; - for stdin.")],
    data: Data = None,
    provider: ProviderName = "default",
    *,
    init: Init = False,
) -> None:
    """Set how a provider shows itself to its customers, whole: what `GET /v1/sdk/merchant` answers."""

    async def run(said: Merchant) -> None:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
            scope = await catalog.providers.scope(provider, Environment.SANDBOX)  # it is of both environments
            await catalog.providers.show_as(Caller(scope, "cli"), said)

    with sentences():
        said = _read(merchant)
        asyncio.run(run(said))
        typer.echo(msgspec.json.encode(said).decode())


def _read(path: str) -> Merchant:
    """Raises RuntimeError with a sentence that names every fault."""
    try:
        return guarded(read_merchant, sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
    except OSError as error:
        raise RuntimeError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationFailed as error:
        faults = "; ".join(f"{each.path} {each.message}".strip() for each in error.errors)
        raise RuntimeError(f"The merchant was not set: {faults}.") from None
