"""Operations as methods of a client, blocking and async: each is written, typed and documented once."""

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args, get_type_hints

from meterhouse_sdk._answers import Event
from meterhouse_sdk._background import finished
from meterhouse_sdk._protocol import Operation
from meterhouse_sdk._questions import Pages

P = ParamSpec("P")
T = TypeVar("T")
R = TypeVar("R")


class Blocking(Protocol):
    """A client that carries out operations while its caller waits."""

    def carry_out(self, operation: Operation[T]) -> T: ...


class Awaiting(Protocol):
    """A client that carries out operations for asyncio."""

    async def carry_out(self, operation: Operation[T]) -> T: ...

    def _start(self, operation: Operation[T]) -> Future[T]: ...


def started(client: Awaiting, operation: Operation[T]) -> Future[T]:
    """Begin an operation that continues when its caller is cancelled or its event loop is closed."""
    return client._start(operation)  # noqa: SLF001 - of the clients, and not for callers


def blocking(operation: Callable[P, Operation[T]]) -> Callable[Concatenate[Blocking, P], T]:
    """Make a method of a blocking client of an operation."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self.carry_out(operation(*args, **kwargs))

    return described(method, operation, _result(operation))


def awaiting(
    operation: Callable[P, Operation[T]],
) -> Callable[Concatenate[Awaiting, P], Coroutine[Any, Any, T]]:  # Any: as `async def` has it
    """Make a method of an async client of an operation."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.carry_out(operation(*args, **kwargs))

    return described(method, operation, _result(operation))


def recording(
    operation: Callable[P, Operation[T]],
) -> Callable[Concatenate[Awaiting, P], Coroutine[Any, Any, T]]:  # Any: as `async def` has it
    """Make a method of an async client that records usage, also when its caller is cancelled."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await finished(started(self, operation(*args, **kwargs)))

    return described(method, operation, _result(operation))


def iterating(pages: Callable[P, Pages]) -> Callable[Concatenate[Blocking, P], Iterator[Event]]:
    """Make a method of a blocking client of an operation with pages; a page is fetched when it is needed."""

    def method(self: Blocking, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[Event]:
        page_at = pages(*args, **kwargs)
        page = self.carry_out(page_at(None))
        yield from page.events
        while page.next_cursor is not None:
            page = self.carry_out(page_at(page.next_cursor))
            yield from page.events

    return described(method, pages, Iterator[Event])


def async_iterating(
    pages: Callable[P, Pages],
) -> Callable[Concatenate[Awaiting, P], AsyncIterator[Event]]:
    """Make a method of an async client of an operation with pages; a page is fetched when it is needed."""

    async def method(self: Awaiting, /, *args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Event]:
        page_at = pages(*args, **kwargs)
        page = await self.carry_out(page_at(None))
        for event in page.events:
            yield event
        while page.next_cursor is not None:
            page = await self.carry_out(page_at(page.next_cursor))
            for event in page.events:
                yield event

    return described(method, pages, AsyncIterator[Event])


def described(method: R, operation: Callable[..., object], result: object) -> R:
    """Give a method the operation's name, documentation and signature, for `help()` and editors."""
    functools.update_wrapper(method, operation)  # type: ignore[arg-type]  # R is one of the functions above
    signature = inspect.signature(operation)
    own = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    described = signature.replace(parameters=[own, *signature.parameters.values()], return_annotation=result)
    method.__signature__ = described  # type: ignore[attr-defined]  # read by `inspect`
    return method


def _result(operation: Callable[..., object]) -> object:
    """The T of an operation that is declared to return Operation[T]."""
    return get_args(get_type_hints(operation)["return"])[-1]
