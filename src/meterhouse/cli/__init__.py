"""The `meterhouse` command: one file for each command, put together here."""

import sys
from importlib import import_module
from importlib.metadata import version
from typing import Annotated, Final

import typer

from meterhouse.cli.help import PlainGroup

_COMMANDS: Final = {
    "serve": "serve.serve",
    "login": "login.login",
    "key": "key.keys",
    "session": "session.sessions",
    "operator": "operator.operators",
    "provider": "provider.providers",
    "settings": "settings.settings",
    "import": "import_.import_",
    "export": "export.export",
    "backup": "backup.backup",
    "restore": "backup.restore",
    "rebuild": "rebuild.rebuild",
    "verify": "verify.verify",
    "doctor": "doctor.doctor",
    "demo": "demo.demo",
}


def command_line(first: str = "") -> typer.Typer:
    """Return every command, or, where `first` names one, that one alone.

    Importing is most of what a short command takes, and much of what a server takes to start.
    """
    app = typer.Typer(
        cls=PlainGroup,
        help="Store usage events, count them once, and answer how much.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(_meterhouse)
    for name in _named(first):
        module, _, attribute = _COMMANDS[name].partition(".")
        found = getattr(import_module(f"meterhouse.cli.{module}"), attribute)
        if isinstance(found, typer.Typer):
            app.add_typer(found, name=name)
        else:
            app.command(name)(found)
    return app


def main() -> None:
    """Run the command line."""
    command_line(sys.argv[1] if len(sys.argv) > 1 else "")()


def _named(first: str) -> list[str]:
    return [first] if first in _COMMANDS else list(_COMMANDS)


def _print_version(asked: bool) -> None:  # noqa: FBT001 - as Typer calls it
    if asked:
        typer.echo(f"meterhouse {version('meterhouse')}")
        raise typer.Exit


def _meterhouse(
    *,
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit."),
    ] = False,
) -> None:
    pass
