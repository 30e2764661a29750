"""`meterhouse login`: a link into the dashboard, also while the server runs."""

import asyncio

import typer

from meterhouse.cli.address import noted_url, sign_in_link
from meterhouse.cli.options import Data, Init, ProviderName, data_of, load, sentences
from meterhouse.model.key import digest
from meterhouse.model.operator import new_secret
from meterhouse.ports import Sessions
from meterhouse.wiring import open_catalog_of


def login(data: Data = None, provider: ProviderName = "default", *, init: Init = False) -> None:
    """Print a link, alone, on stdout. It signs one browser in to the dashboard, once, within 15 minutes."""
    settings = load(data=data)

    async def run() -> str:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
            return await new_link(catalog.sessions, provider, noted_url(settings), "cli")

    with sentences():
        typer.echo(asyncio.run(run()))


async def new_link(sessions: Sessions, provider: str, url: str, actor: str) -> str:
    """Make a link into the server at `url`. Raises ProviderNotFound."""
    token = new_secret()
    await sessions.add_link(provider, digest(token), actor)
    return sign_in_link(url, token)
