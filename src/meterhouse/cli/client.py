"""The options of commands that speak to a running server, and its errors as sentences."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Final

import typer

from meterhouse_sdk import AuthenticationError, Meterhouse, MeterhouseError

Url = Annotated[
    str | None, typer.Option("--url", help="The server (METERHOUSE_URL, else http://127.0.0.1:8080).")
]
ApiKey = Annotated[
    str | None,
    typer.Option("--api-key", help="A key to the server (METERHOUSE_API_KEY, which other users cannot see)."),
]
_PATIENT_RETRIES: Final = 12  # about a minute: a restart of the server does not end a long run


@contextmanager
def connected(url: str | None, api_key: str | None) -> Iterator[Meterhouse]:
    """Give a client that waits for a server that restarts, but not for one that was not there at first.

    Raises RuntimeError with a sentence: there is no server, the key is wrong, or what the body met.
    """
    try:
        with Meterhouse(api_key, url, max_retries=0) as first:
            first.merchant()
        with Meterhouse(api_key, url, max_retries=_PATIENT_RETRIES) as client:
            client.merchant()  # opens its connections before threads share it
            yield client
    except AuthenticationError as error:
        raise RuntimeError(
            f"{error} Give --api-key or METERHOUSE_API_KEY; `meterhouse key create` prints a key."
        ) from None
    except MeterhouseError as error:
        raise RuntimeError(str(error)) from None
