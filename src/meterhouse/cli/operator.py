"""`meterhouse operator`: the operators who sign in with a password, also while the server runs."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from meterhouse.cli.options import Data, Init, ProviderName, data_of, sentences
from meterhouse.model import password as passwords
from meterhouse.model.event import from_microseconds
from meterhouse.model.operator import Operator
from meterhouse.model.text import email_fault
from meterhouse.wiring import open_catalog_of

operators = typer.Typer(
    help="Make, list and remove operators, who sign in with a password.", no_args_is_help=True
)
Email = Annotated[str, typer.Argument(help="What the operator signs in with.")]
_ACTOR = "cli"


@operators.command()
def create(
    email: Email, data: Data = None, provider: ProviderName = "default", *, init: Init = False
) -> None:
    """Make an operator of a provider. Asks for the password, or reads a line of stdin; prints the ref."""

    async def run(password_hash: str) -> str:
        async with open_catalog_of(data_of(data, init=init), init=init) as catalog:
            return (await catalog.operators.create(provider, email, password_hash, _ACTOR)).ref

    with sentences():
        if fault := email_fault(email.strip()):
            raise ValueError(f"The email {fault}.")
        typer.echo(asyncio.run(run(passwords.hashed(_new_password()))))


@operators.command()
def password(email: Email, data: Data = None) -> None:
    """Change an operator's password and sign them out. Asks for it, or reads a line of stdin."""

    async def run(password_hash: str) -> None:
        async with open_catalog_of(data_of(data)) as catalog:
            await catalog.operators.change_password(email, password_hash, _ACTOR)

    with sentences():
        asyncio.run(run(passwords.hashed(_new_password())))
    typer.echo(f"{email} has a new password.", err=True)


@operators.command()
def remove(email: Email, data: Data = None) -> None:
    """Remove an operator. Their sessions end within a second."""

    async def run() -> None:
        async with open_catalog_of(data_of(data)) as catalog:
            await catalog.operators.remove(email, _ACTOR)

    with sentences():
        asyncio.run(run())
    typer.echo(f"{email} is removed.", err=True)


@operators.command("list")
def list_(data: Data = None) -> None:
    """List the operators of all providers."""

    async def run() -> tuple[list[Operator], dict[str, str]]:
        async with open_catalog_of(data_of(data)) as catalog:
            names = {provider.ref: provider.name for provider in await catalog.providers.all()}
            return list(await catalog.operators.all()), names

    with sentences():
        found, names = asyncio.run(run())
    table = Table("email", "provider", "ref", "made")
    for each in found:
        made = from_microseconds(each.created_at).strftime("%Y-%m-%d %H:%M UTC")
        table.add_row(each.email, names[each.provider_ref], each.ref, made)
    Console().print(table)


def _new_password() -> str:
    """Raises ValueError with a sentence: too short or too long."""
    if sys.stdin.isatty():
        given: str = typer.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
    else:
        given = sys.stdin.readline().rstrip("\r\n")
    if fault := passwords.fault(given):
        raise ValueError(f"The password {fault}.")
    return given
