"""The spool directory: which lanes one API key may send.

    <spool_dir>/<environment>/key-<hash>/provider   of the key, and its environment, as the server says
                                         <lane>     see `_spool`

The hash is of base URL and key, so processes with the same settings share a directory. Lanes of another key
are sent only when the server has named the same provider and environment for both keys. A lane of an
unknown provider stays where it is: sending it with a wrong key would count one provider's events for
another.
"""

import hashlib
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from meterhouse_sdk._client import Meterhouse
from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._errors import AuthenticationError, Unavailable
from meterhouse_sdk._products import platform_config
from meterhouse_sdk._settings import Settings
from meterhouse_sdk._spool import Lane, orphans

_ENVIRONMENTS: Final = ("sandbox", "test", "live")
_HASH_DIGITS: Final = 16
_logger: Final = logging.getLogger("meterhouse_sdk")


class Spool:
    """A spool directory as the processes with one base URL and API key use it."""

    def __init__(self, directory: Path, settings: Settings, max_lane_bytes: int) -> None:
        named = (name for name in _ENVIRONMENTS if f"_{name}_" in settings.api_key)
        self._root = directory.absolute() / next(named, "other")
        self._own = self._root / f"key-{_hash(settings)}"
        self._max_lane_bytes = max_lane_bytes
        self._told: set[Path] = set()
        self._asked = False
        self.provider = _provider(self._own)
        """The provider and environment of the key. None: the server has not said it yet."""

    def __str__(self) -> str:
        return str(self._root)

    def create(self) -> Lane:
        """Make a new lane of this process. Raises OSError where the directory does not allow it."""
        return Lane.create(self._own, self._max_lane_bytes)

    def note_provider(self, client: Meterhouse) -> None:
        """Ask the server for the provider of this key, once in a process, when it is not known."""
        if not self._asked:
            self._asked = True
            with suppress(MeterhouseError, OSError):  # the request is sent in any case
                self._learn_provider(client)

    def _learn_provider(self, client: Meterhouse) -> None:
        if self.provider is not None:
            return
        try:
            told = client.carry_out(platform_config())
        except (AuthenticationError, Unavailable):
            raise
        except MeterhouseError as error:
            _logger.debug("the server does not name the provider of the API key: %s", error)
            return
        if told.provider_ref is not None:
            self._keep(f"{told.provider_ref} {told.environment}")

    def _keep(self, provider: str) -> None:
        self._own.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._own / ".provider"
        unfinished.write_text(provider, encoding="utf-8")
        unfinished.replace(self._own / "provider")
        self.provider = provider

    def orphans(self, client: Meterhouse) -> Iterator[Lane]:
        """Adopt the lanes of ended processes: those of this key, then those of its provider's other keys.

        Asks the server for the provider only when there are lanes of other keys and it is not known.
        Raises AuthenticationError, Unavailable: the server has not answered that.
        """
        yield from orphans(self._own)
        others = [each for each in sorted(self._root.glob("key-*")) if each != self._own and _has_lanes(each)]
        if others:
            self._learn_provider(client)
        for directory in others:
            provider = _provider(directory)
            if provider is None:
                self._warn_of(directory)
            elif provider == self.provider:
                yield from orphans(directory)
        self._warn_of(self._root)  # lanes of earlier releases, which did not keep keys apart

    def _warn_of(self, directory: Path) -> None:
        """Name lanes that nobody may send, once for each lane."""
        for path in sorted(directory.glob("[0-9]*")):
            if path in self._told or (lane := Lane.adopt(path)) is None:
                continue
            self._told.add(path)
            waiting = lane.waiting_events()
            if waiting:
                lane.abandon()
                _logger.warning(
                    "%d events in %s are not sent, since it is unknown which provider they belong to; "
                    "if it is the provider of this process's API key, move the directory into %s",
                    waiting,
                    path,
                    self._own,
                )
            else:
                lane.close()


def _hash(settings: Settings) -> str:
    named = f"{settings.base_url}\0{settings.api_key}"
    return hashlib.sha256(named.encode()).hexdigest()[:_HASH_DIGITS]


def _provider(directory: Path) -> str | None:
    with suppress(FileNotFoundError):
        return (directory / "provider").read_text(encoding="utf-8") or None
    return None


def _has_lanes(directory: Path) -> bool:
    return next(directory.glob("[0-9]*"), None) is not None
