"""Options that several commands share, and how a command ends with a sentence instead of a traceback."""

import os
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
    return Path(load(data=str(data) if data else None).data)


@contextmanager
def sentences() -> Iterator[None]:
    """End the command with exit status 1 and the error's sentence on stderr."""
    try:
        yield
    except (MeterhouseError, RuntimeError, ValueError) as error:
        typer.echo(f"meterhouse: {error}", err=True)
        raise typer.Exit(1) from None
