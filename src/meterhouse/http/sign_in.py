"""Opening a session: with a link once, or with an email and its password.

Nothing tells whether an email is an operator's: not the sentence, not the time it takes, not the bar.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from ipaddress import ip_address, ip_network
from typing import Final
from weakref import WeakValueDictionary

from meterhouse import pools
from meterhouse.http.auth import SignedIn
from meterhouse.http.turns import Turns
from meterhouse.model import password as passwords
from meterhouse.model.errors import NotSignedIn
from meterhouse.model.event import to_microseconds
from meterhouse.model.key import digest
from meterhouse.model.operator import canonical, new_secret
from meterhouse.ports import Operators, Sessions

_MAX_WAITING: Final = 400  # some ten seconds of hashing
_NETWORK_BITS: Final = 64  # of an IPv6 address: one household has as many addresses as it likes


class SignIn:
    """Hashes passwords in their pool; addresses take turns, so that one cannot keep out another.

    Wrong passwords bar a pair of account and address, and after many more the account: never an address.
    now: the server's clock, an aware datetime.
    """

    def __init__(self, operators: Operators, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._operators = operators
        self._sessions = sessions
        self._now = now
        self._turns = Turns(pools.PASSWORDS.threads, _MAX_WAITING)
        self._accounts = WeakValueDictionary[str, asyncio.Lock]()  # guesses at once are not counted too late

    async def with_link(self, token: str) -> SignedIn:
        """Raises NotSignedIn: unknown, used or expired; a wrong token changes nothing."""
        secret = new_secret()
        return SignedIn(await self._sessions.open_with_link(digest(token), digest(secret)), secret)

    async def with_password(self, email: str, password: str, address: str) -> SignedIn:
        """Open a session for an operator who comes from a network address.

        Raises NotSignedIn: wrong, or barred after too many wrong ones; Overloaded: too many from there.
        """
        network = _network(address)
        await self._check_bar(email, network)  # first: a barred caller takes no turn
        async with self._turns.turn(network), self._lock(email):
            await self._check_bar(email, network)
            kept = await self._operators.password_hash(email)
            if not await pools.PASSWORDS.run(passwords.matches, password, kept):
                await self._operators.note_failure(email, network)
                raise NotSignedIn("The email or the password is wrong.")
        secret = new_secret()
        return SignedIn(await self._sessions.open_for(email, digest(secret), network), secret)

    def _lock(self, email: str) -> asyncio.Lock:
        return self._accounts.setdefault(canonical(email), asyncio.Lock())

    async def _check_bar(self, email: str, network: str) -> None:
        failures = await self._operators.failures(email, network)
        left_us = failures.barred_until - to_microseconds(self._now())
        if left_us > 0:
            raise NotSignedIn(
                f"Too many wrong passwords; try again in {_minutes(left_us)},"
                " or open a link of `meterhouse login`."
            )


def _network(address: str) -> str:
    """Return the part of an address that belongs to one subscriber."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    return str(ip_network((found, _NETWORK_BITS), strict=False)) if found.version == 6 else address


def _minutes(microseconds: int) -> str:
    minutes = -(-microseconds // 60_000_000)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
