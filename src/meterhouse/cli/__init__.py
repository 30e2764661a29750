"""The `meterhouse` command: one file for each command, put together here."""

import sys
from importlib import import_module
from typing import Final

import typer

_COMMANDS: Final = {
    "serve": "serve.serve",
    "login": "login.login",
    "key": "key.keys",
    "operator": "operator.operators",
    "provider": "provider.providers",
    "settings": "settings.settings",
    "import": "import_.import_",
    "export": "export.export",
    "rebuild": "rebuild.rebuild",
    "doctor": "doctor.doctor",
    "demo": "demo.demo",
}


def command_line(first: str = "") -> typer.Typer:
    """Return every command, or, where `first` names one, that one alone.

    Importing is most of what a short command takes, and much of what a server takes to start.
    """
    app = typer.Typer(
        help="Store usage events, count them once, and answer how much.",
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        add_completion=False,
    )
    app.callback()(lambda: None)  # else a single command would have no name
    for name in [first] if first in _COMMANDS else _COMMANDS:
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
