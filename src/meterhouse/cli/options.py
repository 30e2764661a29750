"""Options that several commands share, and how a command ends with a sentence instead of a traceback."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from meterhouse.model.errors import MeterhouseError
from meterhouse.model.tenant import Environment
from meterhouse.settings import Settings

Data = Annotated[
    Path | None, typer.Option("--data", help="The server's data directory (METERHOUSE_DATA, else ./data).")
]
In = Annotated[Environment, typer.Option("--environment", help="Which of the provider's environments.")]
ProviderName = Annotated[str, typer.Option("--provider", help="Whose: the provider's name.")]


def load(**flags: Any) -> Settings:  # Any: each flag has its own type
    """Return the settings. Ends the command with a sentence when one is wrong."""
    with sentences():
        return Settings.load(os.environ, flags)


def data_of(data: Path | None) -> Path:
    """Return the data directory; see `say_if_new`."""
    found = Path(load(data=str(data) if data else None).data)
    say_if_new(found)
    return found


def say_if_new(data: Path) -> None:
    """Say on stderr that a command is about to make the directory: its name may be mistyped."""
    if not (data / "meterhouse.db").exists():
        typer.echo(f"meterhouse: a new data directory: {data.absolute()}", err=True)


@contextmanager
def sentences() -> Iterator[None]:
    """End the command with exit status 1 and the error's sentence on stderr."""
    try:
        yield
    except (MeterhouseError, RuntimeError, ValueError) as error:
        sentence = str(error)
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
