"""Holds as objects: units reserved before the work, settled or released after it."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import (
    AbstractAsyncContextManager,
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
)
from datetime import datetime
from decimal import Decimal
from types import TracebackType
from typing import Any, Concatenate, Final, ParamSpec, Self, TypeVar, Unpack

from meterhouse_sdk import _limits
from meterhouse_sdk._abandoned import watch
from meterhouse_sdk._background import finished
from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._errors import PaymentRequired, Refused
from meterhouse_sdk._gate import gate_of
from meterhouse_sdk._limits import SettleFields
from meterhouse_sdk._metering_answers import LimitCheck, Released, Settled
from meterhouse_sdk._methods import Awaiting, Blocking, described, started
from meterhouse_sdk._protocol import Operation
from meterhouse_sdk._refusal import answerable

P = ParamSpec("P")
C = TypeVar("C")
_logger: Final = logging.getLogger("meterhouse_sdk")


def reserve(  # noqa: PLR0913 - the parts of a reservation
    *,
    customer_ref: str | None = None,
    external_ref: str | None = None,
    product_ref: str,
    units: int | Decimal,
    ttl_seconds: int = 60,
    meter_name: str | None = None,
    include_checkout_session: bool = True,
    idempotency_key: str | None = None,
) -> Operation["Granted"]:
    """Take units out of what a customer may use, before using them; nobody else can have them then.

    customer_ref: the customer's ref (`cus_…`). external_ref: your own id for it. One of them is required.
    units: exact, above 0, to 10^15: the most that the work may need.
    meter_name: decides nothing: units are those of the meter that the customer's plan limits.
    ttl_seconds: 1 to 86 400; a hold that is neither settled nor released ends by itself after that.
    include_checkout_session: where it is denied, open a page where the customer can pay or activate.

    Raises PaymentRequired: so many are not free; nothing is reserved.
    Raises TypeError for a float as units; CustomerNotFound, ProductNotFound, ValidationFailed.
    """
    limits = yield from _limits.reserving(
        customer_ref=customer_ref,
        external_ref=external_ref,
        product_ref=product_ref,
        units=units,
        ttl_seconds=ttl_seconds,
        meter_name=meter_name,
        include_checkout_session=include_checkout_session,
        idempotency_key=idempotency_key,
    )
    return granted(limits, product_ref)


def granted(limits: LimitCheck, product_ref: str) -> "Granted":
    """Return what was reserved. Raises PaymentRequired: nothing was."""
    if limits.hold_ref is None or limits.reserved_units is None or limits.expires_at is None:
        raise answerable(PaymentRequired(gate_of(limits, product_ref)))
    return Granted(limits.hold_ref, limits.reserved_units, limits.expires_at, limits)


class Granted:
    """Units that are reserved until they are settled, released, or `expires_at`.

    limits: the check that granted them. settled: what settling booked, None until then.
    is_open: neither settled nor released here.
    """

    def __init__(
        self, hold_ref: str, reserved_units: Decimal, expires_at: datetime, limits: LimitCheck
    ) -> None:
        self.hold_ref = hold_ref
        self.reserved_units = reserved_units
        self.expires_at = expires_at
        self.limits = limits
        self.settled: Settled | None = None
        self.is_open = True

    def _settling(self, units: int | Decimal, fields: SettleFields) -> Operation[Settled]:
        self.is_open = False  # an answer that is lost may have booked it: then it must not be released
        try:
            self.settled = yield from _limits.settle(self.hold_ref, units, **fields)
        except (Refused, TypeError):
            self.is_open = True
            raise
        return self.settled

    def _releasing(self) -> Operation[Released]:
        released = yield from _limits.release(self.hold_ref)
        self.is_open = False
        return released

    def _leaving(self) -> Operation[None]:
        """Release a hold that was not settled. Where that fails it ends by itself, so nothing is raised."""
        if not self.is_open:
            return
        try:
            yield from self._releasing()
        except MeterhouseError as error:
            _logger.warning(
                "hold %s could not be released and ends at %s: %s", self.hold_ref, self.expires_at, error
            )


class Hold(Granted):
    """Units that are reserved until they are settled, released, or `expires_at`; in a `with` block they
    are released at its end unless they were settled.

    limits: the check that granted them. settled: what settling booked, None until then.
    """

    def __init__(self, client: Blocking, granted: Granted) -> None:
        super().__init__(granted.hold_ref, granted.reserved_units, granted.expires_at, granted.limits)
        self._client = client

    def settle(self, units: int | Decimal, **fields: Unpack[SettleFields]) -> Settled:
        """Book what was really used; see `Meterhouse.settle` for the fields and errors."""
        return self._client.carry_out(self._settling(units, fields))

    def release(self) -> Released:
        """Give the units back unused; again is a no-op. Raises HoldSettled."""
        return self._client.carry_out(self._releasing())

    def __enter__(self) -> Self:
        watch(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.carry_out(self._leaving())


class AsyncHold(Granted):
    """`Hold` for asyncio: the same methods, awaited, and `async with`.

    A cancelled task still settles and releases: what these methods begin goes on without it.
    """

    def __init__(self, client: Awaiting, granted: Granted) -> None:
        super().__init__(granted.hold_ref, granted.reserved_units, granted.expires_at, granted.limits)
        self._client = client

    async def settle(self, units: int | Decimal, **fields: Unpack[SettleFields]) -> Settled:
        """Book what was really used; see `AsyncMeterhouse.settle` for the fields and errors."""
        return await finished(started(self._client, self._settling(units, fields)))

    async def release(self) -> Released:
        """Give the units back unused; again is a no-op. Raises HoldSettled."""
        return await finished(started(self._client, self._releasing()))

    async def __aenter__(self) -> Self:
        watch(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await finished(started(self._client, self._leaving()))


def reserving(operation: Callable[P, Operation[Granted]]) -> Callable[Concatenate[Blocking, P], Hold]:
    """Make a method of a blocking client that returns a hold."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Hold:
        return Hold(self, self.carry_out(operation(*args, **kwargs)))

    return described(method, operation, Hold)


def async_reserving(
    operation: Callable[P, Operation[Granted]],
) -> Callable[Concatenate[Awaiting, P], Coroutine[Any, Any, AsyncHold]]:  # Any: as `async def` has it
    """Make a method of an async client that returns a hold."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> AsyncHold:
        return await _async_hold(self, operation(*args, **kwargs))

    return described(method, operation, AsyncHold)


def holding(
    operation: Callable[P, Operation[Granted]],
) -> Callable[Concatenate[Blocking, P], AbstractContextManager[Hold]]:
    """Make a method of a blocking client that reserves for the time of a `with` block."""

    @contextmanager
    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Hold]:
        with Hold(self, self.carry_out(operation(*args, **kwargs))) as hold:
            yield hold

    return _named_hold(described(method, operation, AbstractContextManager[Hold]))


def async_holding(
    operation: Callable[P, Operation[Granted]],
) -> Callable[Concatenate[Awaiting, P], AbstractAsyncContextManager[AsyncHold]]:
    """Make a method of an async client that reserves for the time of an `async with` block."""

    @asynccontextmanager
    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[AsyncHold]:
        async with await _async_hold(self, operation(*args, **kwargs)) as hold:
            yield hold

    return _named_hold(described(method, operation, AbstractAsyncContextManager[AsyncHold]))


async def _async_hold(client: Awaiting, operation: Operation[Granted]) -> AsyncHold:
    """Reserve. A caller that is cancelled meanwhile gives back units that it never gets to see."""
    granting = started(client, operation)
    try:
        return AsyncHold(client, await finished(granting))
    except asyncio.CancelledError:
        granting.add_done_callback(lambda done: _give_back(client, done))
        raise


def _give_back(client: Awaiting, granting: Future[Granted]) -> None:
    if not granting.cancelled() and granting.exception() is None:
        started(client, AsyncHold(client, granting.result())._leaving())  # noqa: SLF001 - one module


def _named_hold(method: C) -> C:
    method.__name__ = "hold"  # type: ignore[attr-defined]  # C is one of the functions above
    method.__doc__ = (
        f"Reserve for a `with` block; its end releases what was not settled.\n\n{reserve.__doc__}"
    )
    return method
