"""`@client.payable`: a function that runs only for customers who may use the product, and is counted."""

import functools
import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import aclosing
from typing import Any, ParamSpec, TypeVar, cast

from meterhouse_sdk._abandoned import watch
from meterhouse_sdk._exit import handle_sigterm
from meterhouse_sdk._refusal import in_flask, note_result
from meterhouse_sdk._terms import Customer, OnUntracked, Terms
from meterhouse_sdk._turnstile import AsyncTurnstile, AwaitingTurnstile, BlockingTurnstile, for_asyncio

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S")
Y = TypeVar("Y")
F = TypeVar("F", bound=Callable[..., Any])  # Any: whatever the function takes and returns
CustomerRef = Callable[..., str | None]
Named = Callable[..., Customer]


class Payable:
    """What both clients have of the paywall."""

    _turnstile: BlockingTurnstile | AwaitingTurnstile

    def payable(
        self,
        *,
        product: str,
        customer_ref: str | CustomerRef | None = None,
        external_ref: str | CustomerRef | None = None,
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> Callable[[F], F]:
        """Let a function run only for customers within their limits, and count 1 unit for each success.

        For functions, coroutines, generators and async generators; generators ask when they begin. An
        exception counts nothing and is recorded with the outcome "fail". `AsyncMeterhouse` takes the
        async ones only; `Meterhouse` takes all and serves the async ones from threads.

        customer_ref: the name of the function's parameter, or a callable that is given its arguments. It
            names a customer by its ref (`cus_…`), which is tried first, or by your own id. None: the
            parameter customer_ref.
        external_ref: the same for your own id alone, whatever it looks like. Both create a customer for
            an id of yours that is new.
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

        if customer_ref is not None and external_ref is not None:
            raise TypeError("payable takes one of customer_ref and external_ref, not both")

        handle_sigterm()

        def decorated(function: F) -> F:
            if external_ref is not None:
                named = _reader(function, external_ref, is_external=True)
            else:
                named = _reader(function, customer_ref or "customer_ref", is_external=False)
            return _guarded(function, self._turnstile, terms, named)

        return decorated


def _guarded(
    function: F, turnstile: BlockingTurnstile | AwaitingTurnstile, terms: Terms, customer: Named
) -> F:
    guard: Callable[..., Any]  # Any: takes and returns what the function does
    if inspect.isasyncgenfunction(function):
        guard = _async_generator(function, for_asyncio(turnstile), terms, customer)
    elif inspect.iscoroutinefunction(function):
        guard = _coroutine(function, for_asyncio(turnstile), terms, customer)
    elif isinstance(turnstile, AwaitingTurnstile):
        raise TypeError(f"{function!r} is not async: use payable of Meterhouse, not of AsyncMeterhouse")
    elif inspect.isgeneratorfunction(function):
        guard = _generator(function, turnstile, terms, customer)
    else:
        guard = _function(function, turnstile, terms, customer)
    guarded: F = functools.wraps(function)(guard)  # type: ignore[assignment]  # it takes and returns the same
    return guarded


def _function(
    function: Callable[P, R], turnstile: BlockingTurnstile, terms: Terms, customer: Named
) -> Callable[P, R]:
    def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        with turnstile.through(terms, customer(*args, **kwargs)) as call:
            result = function(*args, **kwargs)
            note_result(call, result)
            return result

    return guard


def _generator(
    function: Callable[P, Generator[Y, S, R]], turnstile: BlockingTurnstile, terms: Terms, customer: Named
) -> Callable[P, Generator[Y, S, R]]:
    def asking(*args: P.args, **kwargs: P.kwargs) -> Generator[Y | None, S, R]:
        """Yield None when the call was let in, then what the function yields."""
        with turnstile.through(terms, customer(*args, **kwargs)) as call:
            watch(call)
            yield None
            call.delivered = True  # it can be closed at a value only
            return (yield from function(*args, **kwargs))

    def begun(values: Generator[Y | None, S, R]) -> Generator[Y, S, R]:
        next(values)
        return cast("Generator[Y, S, R]", values)

    def later(values: Generator[Y | None, S, R]) -> Generator[Y, S, R]:
        return (yield from begun(values))

    def guard(*args: P.args, **kwargs: P.kwargs) -> Generator[Y, S, R]:
        values = asking(*args, **kwargs)
        return begun(values) if in_flask() else later(values)  # Flask has sent the status when it iterates

    return guard


def _coroutine(
    function: Callable[P, Awaitable[R]], turnstile: AsyncTurnstile, terms: Terms, customer: Named
) -> Callable[P, Awaitable[R]]:
    async def guard(*args: P.args, **kwargs: P.kwargs) -> R:
        async with turnstile.through(terms, customer(*args, **kwargs)) as call:
            result = await function(*args, **kwargs)
            note_result(call, result)
            return result

    return guard


def _async_generator(
    function: Callable[P, AsyncGenerator[Y, None]], turnstile: AsyncTurnstile, terms: Terms, customer: Named
) -> Callable[P, AsyncGenerator[Y, None]]:
    async def guard(*args: P.args, **kwargs: P.kwargs) -> AsyncGenerator[Y, None]:
        async with (
            turnstile.through(terms, customer(*args, **kwargs)) as call,
            aclosing(function(*args, **kwargs)) as values,
        ):
            watch(call)
            async for value in values:
                call.delivered = True
                yield value

    return guard


def _reader(function: Callable[..., object], given: str | CustomerRef, *, is_external: bool) -> Named:
    """Return a callable that finds the customer in the function's arguments."""
    if callable(given):
        find = given
        return lambda *args, **kwargs: Customer(find(*args, **kwargs), is_external)
    name = given
    argument = "external_ref" if is_external else "customer_ref"
    signature = inspect.signature(function)
    if name not in signature.parameters:
        raise TypeError(
            f"{function!r} has no parameter {name!r}; name another one with {argument}=, "
            "or give a callable that finds the customer in the arguments"
        )

    def read(*args: object, **kwargs: object) -> Customer:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        found = bound.arguments[name]
        if found is not None and not isinstance(found, str):
            raise TypeError(f"{name} must be a str, not {type(found).__name__}")
        return Customer(found, is_external)

    return read
