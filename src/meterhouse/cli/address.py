"""Where the server of a data directory answers, for commands that run beside it."""

from pathlib import Path
from typing import Final

from meterhouse.settings import Settings

_FILE: Final = "url"
_WILDCARDS: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what a browser cannot open


def url_of(host: str, port: int) -> str:
    """Return the URL that reaches a listening socket from this machine."""
    host = _WILDCARDS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def note_url(data: Path, url: str) -> None:
    """Leave word of where the server answers: its port may be one that the system chose."""
    (data / _FILE).write_text(f"{url}\n", encoding="ascii")


def noted_url(settings: Settings) -> str:
    """Return where the data directory's last server answered; before the first one, where it would."""
    if settings.public_url:
        return settings.public_url
    try:
        return (Path(settings.data) / _FILE).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return url_of(settings.host, settings.port)


def sign_in_link(url: str, token: str) -> str:
    """Return the link that lets a token in.

    What stands after # stays in the browser: no log and no proxy sees it, and whatever merely fetches
    the link cannot use it up. The page that it opens posts the token.
    """
    return f"{url}/#sign-in={token}"
