"""The paywall before a function: who gets through, and what is recorded of it, in which order."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from meterhouse_sdk import (
    CustomerNotFound,
    IdempotencyConflict,
    MeterhouseError,
    NewUsage,
    PaymentRequired,
    ServerError,
)
from sdk.python.tests.shop import CUSTOMERS, LIMITS, USAGES, Shop
from sdk.python.tests.stand_in import blocking, problem


def test_the_first_call_of_a_user_goes_the_whole_way() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1", customer_ref="user")
    def work(user: str, n: int) -> int:
        """Work hard."""
        shop.requests.append(f"work for {user}")
        return n + 1

    assert work("auth0|5", 2) == 3
    assert (work.__name__, work.__doc__) == ("work", "Work hard.")
    find = CUSTOMERS.replace("POST", "GET")
    assert shop.requests == [find, CUSTOMERS, LIMITS, "work for auth0|5", USAGES]
    assert shop.bodies[1] == {"email": "auth0|5@auto-created.local", "externalRef": "auth0|5"}
    assert shop.bodies[2] == {
        "customerRef": "cus_1",
        "productRef": "prd_1",
        "meterName": "requests",
        "includeCheckoutSession": True,
    }
    usage = shop.bodies[3]
    key = usage.pop("idempotencyKey")
    assert usage.pop("timestamp").endswith("Z")
    assert usage.pop("duration") >= 0
    assert usage == {
        "customerRef": "cus_1",
        "units": 1,
        "actionType": "api_call",
        "outcome": "success",
        "productRef": "prd_1",
        "metadata": {"action": "requests", "requestId": key},
    }
    work("auth0|5", n=2)
    assert shop.requests[5:] == [LIMITS, "work for auth0|5", USAGES]


def test_a_ref_of_ours_needs_no_looking_up() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1", customer_ref=lambda request: request["user"])
    def work(request: dict[str, str]) -> str:
        return request["user"]

    assert work({"user": "cus_9"}) == "cus_9"
    assert shop.requests == [LIMITS, USAGES]


def test_an_exception_counts_nothing_and_is_seen() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str) -> None:
        raise ZeroDivisionError(customer_ref)

    with pytest.raises(ZeroDivisionError):
        work("cus_1")
    assert (shop.outcomes(), shop.used) == (["fail"], 0)


def test_who_may_not_go_on_is_recorded_before_they_are_told() -> None:
    shop = Shop(limit=1)

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str) -> str:
        return customer_ref

    work("cus_1")
    with pytest.raises(PaymentRequired) as denied:
        work("cus_1")
    assert shop.requests == [LIMITS, USAGES, LIMITS, USAGES]
    assert (shop.outcomes(), shop.used) == (["success", "paywall"], 1)
    assert denied.value.checkout_url == "http://pay"


def test_a_refusal_that_cannot_be_recorded_is_a_refusal_all_the_same() -> None:
    shop = Shop(limit=0)
    shop.away = {"usages"}

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str) -> str:
        return customer_ref

    with pytest.raises(PaymentRequired):
        work("cus_1")


def test_nobody_is_sent_as_anonymous_and_refused() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str | None = None) -> str | None:
        return customer_ref

    with pytest.raises(CustomerNotFound):
        work()
    assert shop.requests == [LIMITS]
    assert shop.bodies[0]["customerRef"] == "anonymous"


def test_a_customer_that_was_deleted_is_looked_up_again() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str) -> str:
        return customer_ref

    shop.customers["u"] = "gone"
    with pytest.raises(CustomerNotFound):
        work("u")
    shop.customers["u"] = "cus_new"
    assert work("u") == "u"
    find = CUSTOMERS.replace("POST", "GET")
    assert shop.requests == [find, LIMITS, find, LIMITS, USAGES]


def test_a_server_that_does_not_say_lets_nobody_through() -> None:
    shop = Shop()
    shop.away = {"limits"}

    @shop.client().payable(product="prd_1")
    def work(customer_ref: str) -> str:
        raise AssertionError(customer_ref)

    with pytest.raises(ServerError):
        work("cus_1")
    assert shop.usages == {}


def test_a_usage_that_the_server_does_not_take_is_handed_over_and_the_result_returned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shop = Shop()
    shop.away = {"usages"}
    untracked: list[tuple[NewUsage, MeterhouseError]] = []
    client = shop.client()

    @client.payable(product="prd_1", on_untracked=lambda *handed: untracked.append(handed))
    def work(customer_ref: str) -> str:
        return customer_ref

    assert work("cus_1") == "cus_1"
    ((usage, error),) = untracked
    assert isinstance(error, ServerError)
    assert usage.idempotency_key is not None
    assert usage.idempotency_key in caplog.text
    shop.away = set()
    client.track_usage(customer_ref=usage.customer_ref, idempotency_key=usage.idempotency_key)
    assert shop.used == 1


def test_a_callback_that_fails_takes_nothing_from_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_: NewUsage, __: MeterhouseError) -> None:
        raise ZeroDivisionError

    shop = Shop()
    shop.away = {"usages"}

    @shop.client().payable(product="prd_1", on_untracked=fail)
    def work(customer_ref: str) -> str:
        return customer_ref

    assert work("cus_1") == "cus_1"
    assert "on_untracked failed" in caplog.text


def test_a_generator_is_counted_when_it_ends_and_asked_for_when_it_begins() -> None:
    shop = Shop(limit=2)

    @shop.client().payable(product="prd_1")
    def stream(customer_ref: str) -> Iterator[str]:
        echo = yield customer_ref
        yield str(echo)

    begun = stream("cus_1")
    assert shop.requests == []
    assert next(begun) == "cus_1"
    assert shop.requests == [LIMITS]
    assert list(begun) == ["None"]
    assert shop.requests == [LIMITS, USAGES]
    left = stream("cus_1")
    next(left)
    left.close()  # type: ignore[attr-defined]  # it is a generator
    assert shop.outcomes() == ["success", "success"]
    with pytest.raises(PaymentRequired):
        next(stream("cus_1"))


def test_a_generator_that_fails_counts_nothing() -> None:
    shop = Shop()

    @shop.client().payable(product="prd_1")
    def stream(customer_ref: str) -> Iterator[str]:
        yield customer_ref
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        list(stream("cus_1"))
    assert shop.outcomes() == ["fail"]


async def test_coroutines_and_async_generators_of_either_client() -> None:
    for shop, client in ((first := Shop(2), first.client()), (second := Shop(2), second.async_client())):

        @client.payable(product="prd_1")
        async def work(customer_ref: str) -> str:
            await asyncio.sleep(0)
            return customer_ref

        @client.payable(product="prd_1")
        async def stream(customer_ref: str) -> AsyncIterator[str]:
            await asyncio.sleep(0)
            yield customer_ref
            yield customer_ref

        assert await work("cus_1") == "cus_1"
        assert [value async for value in stream("cus_1")] == ["cus_1", "cus_1"]
        with pytest.raises(PaymentRequired):
            await work("cus_1")
        with pytest.raises(PaymentRequired):
            await anext(stream("cus_1"))
        assert shop.outcomes() == ["success", "success", "paywall", "paywall"]


async def test_an_async_generator_that_its_reader_leaves_is_counted() -> None:
    shop = Shop()

    @shop.async_client().payable(product="prd_1")
    async def stream(customer_ref: str) -> AsyncIterator[str]:
        await asyncio.sleep(0)
        yield customer_ref
        yield customer_ref

    left = stream("cus_1")
    await anext(left)
    await left.aclose()  # type: ignore[attr-defined]  # it is an async generator
    assert shop.outcomes() == ["success"]


async def test_a_coroutine_that_is_cancelled_counts_nothing_and_is_seen() -> None:
    shop = Shop()
    for client in (shop.async_client(), shop.client()):
        begun = asyncio.Event()

        @client.payable(product="prd_1")
        async def work(customer_ref: str, begun: asyncio.Event = begun) -> str:
            begun.set()
            await asyncio.Event().wait()
            return customer_ref

        task = asyncio.create_task(work("cus_1"))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert shop.outcomes() == ["fail", "fail"]


def test_what_cannot_be_right_is_found_at_the_decorator() -> None:
    shop = Shop()

    def work(user: str) -> str:
        return user

    with pytest.raises(TypeError, match="no parameter 'customer_ref'"):
        shop.client().payable(product="prd_1")(work)
    with pytest.raises(TypeError, match="is not async"):
        shop.async_client().payable(product="prd_1", customer_ref="user")(work)
    with pytest.raises(ValueError, match="lease_units"):
        shop.client().payable(product="prd_1", lease_units=0)
    with pytest.raises(ValueError, match="lease_seconds"):
        shop.client().payable(product="prd_1", lease_seconds=0)
    with pytest.raises(TypeError, match="user must be a str, not int"):
        shop.client().payable(product="prd_1", customer_ref="user")(work)(5)  # type: ignore[arg-type]


def test_an_error_of_the_shop_s_own_is_not_taken_for_a_denial() -> None:
    client, _ = blocking(lambda _: problem(409, "idempotency_conflict"))

    @client.payable(product="prd_1")
    def work(customer_ref: str) -> str:
        return customer_ref

    with pytest.raises(IdempotencyConflict):
        work("cus_1")
