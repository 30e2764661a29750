"""`@client.payable`: a function that runs only for customers who may use the product, and is counted."""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar

from meterhouse_sdk._terms import OnUntracked, Terms
from meterhouse_sdk._turnstile import AsyncTurnstile, AwaitingTurnstile, BlockingTurnstile, for_asyncio

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Y = TypeVar("Y")
F = TypeVar("F", bound=Callable[..., Any])  # Any: whatever the function takes and returns
CustomerRef = Callable[..., str | None]


class Payable:
    """What both clients have of the paywall."""

    _turnstile: BlockingTurnstile | AwaitingTurnstile

    def payable(
        self,
        *,
        product: str,
        customer_ref: str | CustomerRef = "customer_ref",
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> Callable[[F], F]:
        """Let a function run only for customers within their limits, and count 1 unit for each success.

        For functions, coroutines, generators and async generators; generators ask when they begin. An
        exception counts nothing and is recorded with the outcome "fail". `AsyncMeterhouse` takes the
        async ones only; `Meterhouse` takes all and serves the async ones from threads.

        customer_ref: the name of the function's parameter, or a callable that is given its arguments.
            A ref that does not begin with `cus_` is your own: its customer is found, or created.
        lease_units: take so many units from the server at once and decide here until they are used; None
            asks the server for every call. lease_seconds: for how long; then what was used is booked.
        on_untracked: is told of a usage that the server did not take after all retries, and why; the
            function's result is returned all the same.

        The function raises PaymentRequired: it did not run. Raises Unavailable: the server did not say,
        so it did not run. Raises TypeError, ValueError here: an argument cannot be right.
        """
        terms = Terms(
            product_ref=product,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
            on_untracked=on_untracked,
        )

        def decorated(function: F) -> F:
            return _guarded(function, self._turnstile, terms, _reader(function, customer_ref))

        return decorated


def _guarded(
    function: F, turnstile: BlockingTurnstile | AwaitingTurnstile, terms: Terms, ref: CustomerRef
) -> F:
    guard: Callable[..., Any]  # Any: takes and returns what the function does
    if inspect.isasyncgenfunction(function):
        guard = _async_generator(function, for_asyncio(turnstile), terms, ref)
    elif inspect.iscoroutinefunction(function):
        guard = _coroutine(function, for_asyncio(turnstile), terms, ref)
    elif isinstance(turnstile, AwaitingTurnstile):
        raise TypeError(f"{function!r} is not async: use payable of Meterhouse, not of AsyncMeterhouse")
    elif inspect.isgeneratorfunction(function):
        guard = _generator(function, turnstile, terms, ref)
    else:
        guard = _function(function, turnstile, terms, ref)
    guarded: F = functools.wraps(function)(guard)  # type: ignore[assignment]  # it takes and returns the same
    return guarded


def _function(
    function: Callable[P, R], turnstile: BlockingTurnstile, terms: Terms, ref: CustomerRef
) -> Callable[P, R]:
    def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        with turnstile.through(terms, ref(*args, **kwargs)):
            return function(*args, **kwargs)

    return guard


def _generator(
    function: Callable[P, Generator[Y, S, R]], turnstile: BlockingTurnstile, terms: Terms, ref: CustomerRef
) -> Callable[P, Generator[Y, S, R]]:
    def guard(*args: P.args, **kwargs: P.kwargs) -> Generator[Y, S, R]:
        with turnstile.through(terms, ref(*args, **kwargs)):
            return (yield from function(*args, **kwargs))

    return guard


def _coroutine(
    function: Callable[P, Awaitable[R]], turnstile: AsyncTurnstile, terms: Terms, ref: CustomerRef
) -> Callable[P, Awaitable[R]]:
    async def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        async with turnstile.through(terms, ref(*args, **kwargs)):
            return await function(*args, **kwargs)

    return guard


def _async_generator(
    function: Callable[P, AsyncGenerator[Y, None]], turnstile: AsyncTurnstile, terms: Terms, ref: CustomerRef
) -> Callable[P, AsyncGenerator[Y, None]]:
    async def guard(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Y, None]:
        async with (
            turnstile.through(terms, ref(*args, **kwargs)),
            aclosing(function(*args, **kwargs)) as values,
        ):
            async for value in values:
                yield value

    return guard


def _reader(function: Callable[..., object], customer_ref: str | CustomerRef) -> CustomerRef:
    """Return what finds the customer's ref in the function's arguments."""
    if callable(customer_ref):
        return customer_ref
    signature = inspect.signature(function)
    if customer_ref not in signature.parameters:
        raise TypeError(
            f"{function!r} has no parameter {customer_ref!r}; name another one with customer_ref=, "
            "or give a callable that finds the customer in the arguments"
        )

    def read(*args: object, **kwargs: object) -> str | None:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments[customer_ref]
        if given is not None and not isinstance(given, str):
            raise TypeError(f"{customer_ref} must be a str, not {type(given).__name__}")
        return given

    return read
