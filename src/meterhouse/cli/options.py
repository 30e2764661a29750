"""Options that several commands share, and how a command ends with a sentence instead of a traceback."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from meterhouse.model.errors import MeterhouseError, Unavailable
from meterhouse.model.tenant import Environment
from meterhouse.settings import Settings

Data = Annotated[
    str | None,
    typer.Option(
        "--data", metavar="DIRECTORY", help="The server's data directory (METERHOUSE_DATA, else ./data)."
    ),
]
Init = Annotated[bool, typer.Option("--init", help="Make the data directory where there is none.")]
In = Annotated[Environment, typer.Option("--environment", help="Which of the provider's environments.")]
ProviderName = Annotated[str, typer.Option("--provider", help="Whose: the provider's name.")]


def load(**flags: Any) -> Settings:  # Any: each flag has its own type
    """Return the settings, and log to stderr from now on: stdout is for the command's own answer.

    Ends the command with a sentence when a setting is wrong.
    """
    with sentences():
        settings = Settings.load(os.environ, flags)
    from meterhouse import telemetry  # noqa: PLC0415 - commands without a directory start sooner

    telemetry.configure_logs(as_json=settings.log_json)
    return settings


def data_of(data: str | None, *, init: bool = False) -> Path:
    """Return the data directory; with `init`, say on stderr when it is to be made.

    Ends the command with a sentence when a setting is wrong.
    """
    found = Path(load(data=data).data)
    if init and not (found / "meterhouse.db").exists():
        typer.echo(f"meterhouse: a new data directory: {found.absolute()}", err=True)
    return found


@contextmanager
def sentences() -> Iterator[None]:
    """End the command with exit status 1 and the error's sentence on stderr."""
    try:
        yield
    except (MeterhouseError, RuntimeError, ValueError) as error:
        sentence = str(error)
        if isinstance(error, Unavailable) and error.__cause__ is not None:  # an answer would not say it
            sentence = f"{sentence} The cause: {error.__cause__}."
    except OSError as error:
        sentence = f"{error.strerror or error}."
        if error.filename is not None:
            sentence = (
                f"{error.filename}: {sentence} --data takes a directory that this user may read and write."
            )
    except sqlite3.Error as error:
        sentence = f"meterhouse.db cannot be used: {error}. `meterhouse doctor` says more."
    else:
        return
    typer.echo(f"meterhouse: {sentence}", err=True)
    raise typer.Exit(1)
