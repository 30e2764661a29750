"""`meterhouse key`: make, list and revoke API keys, also while the server runs."""

import asyncio
import re
from datetime import datetime, timedelta
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from meterhouse.cli.options import Data, In, Init, ProviderName, data_of, sentences
from meterhouse.model.event import from_microseconds, to_microseconds
from meterhouse.model.key import ApiKey
from meterhouse.model.tenant import Caller, Environment, Rights
from meterhouse.wiring import now, open_catalog_of

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
_ACTOR = "cli"
_SPAN = re.compile(r"([0-9]{1,6})([hd])", re.ASCII)
_HOURS = {"h": 1, "d": 24}


@keys.command()
def create(  # noqa: PLR0913 - one for each option
    data: Data = None,
    environment: In = Environment.SANDBOX,
    provider: ProviderName = "default",
    name: Annotated[str, typer.Option(help="What the key is for.")] = "",
    rights: Annotated[
        Rights, typer.Option(help="full; read: every GET; events:write: publish and record, read nothing.")
    ] = Rights.FULL,
    expires: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="From when on it opens nothing: 90d, 12h, or an RFC 3339 time."),
    ] = None,
    *,
    init: Init = False,
) -> None:
    """Make a key and print it, alone, on stdout. It is shown this once; Meterhouse keeps its SHA-256."""

    async def run() -> str:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
            scope = await catalog.providers.scope(provider, environment)
            issued = await catalog.keys.create(
                Caller(scope, _ACTOR), name, rights=rights, expires_at=_expiry(expires, now())
            )
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
    table = Table("ref", "name", "rights", "ends in", "made", "last used", "expires", "revoked")
    for key in found:
        times = (key.created_at, key.last_used_at, key.expires_at, key.revoked_at)
        shown = ("" if at is None else _minute(at) for at in times)
        table.add_row(key.ref, key.name, key.rights, key.hint, *shown)
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


def _expiry(said: str | None, at: datetime) -> int | None:
    """Return when a key expires, in microseconds since 1970. Raises ValueError with a sentence."""
    if said is None:
        return None
    try:
        found = _SPAN.fullmatch(said)
        expires = (
            at + timedelta(hours=int(found[1]) * _HOURS[found[2]]) if found else datetime.fromisoformat(said)
        )
        if expires > at:
            return to_microseconds(expires)
    except (ValueError, OverflowError, TypeError):  # TypeError: a time without an offset
        pass
    raise ValueError(
        f"--expires must be 90d, 12h or 2030-01-31T00:00:00Z, say, and in the future, not {said}."
    )


def _minute(microseconds: int) -> str:
    return from_microseconds(microseconds).strftime("%Y-%m-%d %H:%M UTC")
