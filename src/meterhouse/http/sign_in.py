"""Opening a session: with a link once, or with an email and its password.

Nothing tells whether an email is an operator's: not the sentence, not the time it takes, not the bar.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

from meterhouse import pools
from meterhouse.http.auth import SignedIn
from meterhouse.model import password as passwords
from meterhouse.model.errors import NotSignedIn, Overloaded
from meterhouse.model.event import to_microseconds
from meterhouse.model.key import digest
from meterhouse.model.operator import new_secret
from meterhouse.ports import Operators, Sessions

_MAX_WAITING: Final = 20  # some two seconds of hashing


class SignIn:
    """Looks at one password at a time: a hash takes 64 MB, and guesses at once are not counted too late.

    now: the server's clock, an aware datetime.
    """

    def __init__(self, operators: Operators, sessions: Sessions, now: Callable[[], datetime]) -> None:
        self._operators = operators
        self._sessions = sessions
        self._now = now
        self._turn = asyncio.Lock()
        self._waiting = 0

    async def with_link(self, token: str) -> SignedIn:
        """Raises NotSignedIn: unknown, used or expired; a wrong token changes nothing."""
        secret = new_secret()
        return SignedIn(await self._sessions.open_with_link(digest(token), digest(secret)), secret)

    async def with_password(self, email: str, password: str) -> SignedIn:
        """Raises NotSignedIn: wrong, or barred after too many wrong ones; Overloaded: too many at once."""
        if self._waiting >= _MAX_WAITING:
            raise Overloaded("Too many sign-ins at once; try again in a second.")
        self._waiting += 1
        try:
            async with self._turn:
                await self._check(email, password)
        finally:
            self._waiting -= 1
        secret = new_secret()
        return SignedIn(await self._sessions.open_for(email, digest(secret)), secret)

    async def _check(self, email: str, password: str) -> None:
        failures = await self._operators.failures(email)
        left_us = failures.barred_until - to_microseconds(self._now())
        if left_us > 0:
            raise NotSignedIn(
                f"Too many wrong passwords; try again in {_minutes(left_us)},"
                " or open a link of `meterhouse login`."
            )
        kept = await self._operators.password_hash(email)
        if not await pools.PASSWORDS.run(passwords.matches, password, kept):
            await self._operators.note_failure(email)
            raise NotSignedIn("The email or the password is wrong.")


def _minutes(microseconds: int) -> str:
    minutes = -(-microseconds // 60_000_000)
    return "a minute" if minutes == 1 else f"{minutes} minutes"
