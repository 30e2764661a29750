"""Both clients, through a transport that is a plain function. What holds for one holds for the other."""

import inspect
import json
import os
import time
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import formatdate

import httpx
import pytest

from meterhouse_sdk import (
    AsyncMeterhouse,
    AuthenticationError,
    CustomerNotFound,
    Meterhouse,
    ServerError,
    UnexpectedAnswer,
)
from sdk.python.tests.stand_in import KEY, blocking, problem

CUSTOMER = {"reference": "cus_1", "name": "", "email": "a@b.se", "purchases": []}


def test_an_event_is_one_post_with_a_key_of_its_own() -> None:
    seen: list[httpx.Request] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(201, json={"eventId": "evt_1"})

    client, _ = blocking(server)
    made = client.create_event(
        type="usage.token",
        customer_ref="cus_1",
        units=Decimal("0.10"),
        product_ref="prd_1",
        timestamp=datetime(2026, 11, 1, tzinfo=UTC),
        properties={"model": "m"},
    )
    client.create_event(type="usage.token", customer_ref="cus_1", units=1)
    assert (made.event_id, made.duplicate) == ("evt_1", False)
    first, second = (json.loads(each.content, parse_float=Decimal) for each in seen)
    assert first.pop("idempotencyKey") != second.pop("idempotencyKey")
    assert first == {
        "type": "usage.token",
        "customerRef": "cus_1",
        "productRef": "prd_1",
        "units": Decimal("0.1"),
        "timestamp": "2026-11-01T00:00:00Z",
        "properties": {"model": "m"},
    }
    assert (seen[0].method, str(seen[0].url)) == ("POST", "http://h/v1/sdk/events")
    assert seen[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_retry_sends_the_same_bytes_so_that_it_cannot_count_twice() -> None:
    bodies: list[bytes] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        if len(bodies) == 1:
            raise httpx.ReadTimeout("slow")
        return (
            httpx.Response(503)
            if len(bodies) == 2
            else httpx.Response(200, json={"eventId": "e", "duplicate": True})
        )

    client, waits = blocking(server)
    assert client.create_event(type="a.b", customer_ref="cus_1", units=1).duplicate
    assert len(bodies) == 3
    assert len(set(bodies)) == 1
    assert len(waits) == 2


async def test_the_async_client_does_the_same() -> None:
    bodies: list[bytes] = []
    waits: list[float] = []

    def server(request: httpx.Request) -> httpx.Response:
        bodies.append(request.content)
        if len(bodies) == 1:
            raise httpx.ConnectError("refused")
        return httpx.Response(503) if len(bodies) == 2 else httpx.Response(201, json={"eventId": "e"})

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    async with AsyncMeterhouse(KEY, "http://h", transport=httpx.MockTransport(server), sleep=sleep) as client:
        assert (await client.create_event(type="a.b", customer_ref="cus_1", units=1)).event_id == "e"
    assert len(set(bodies)) == 1
    assert len(waits) == 2


def test_an_error_carries_the_event_with_its_key_for_a_later_try() -> None:
    client, _ = blocking(lambda _: httpx.Response(500))
    with pytest.raises(ServerError) as failed:
        client.create_event(type="a.b", customer_ref="cus_1", units=1, idempotency_key="mine")
    assert [event.idempotency_key for event in failed.value.events] == ["mine"]
    assert failed.value.attempts == 4


def test_an_unknown_customer_is_an_error_of_its_own() -> None:
    client, waits = blocking(lambda _: problem(404, "customer_not_found"))
    with pytest.raises(CustomerNotFound):
        client.create_event(type="a.b", customer_ref="cus_1", units=1)
    assert waits == []


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("METERHOUSE_API_KEY", "METERHOUSE_URL", "SOLVAPAY_SECRET_KEY", "SOLVAPAY_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(AuthenticationError, match="METERHOUSE_API_KEY"):
        Meterhouse()
    monkeypatch.setenv("SOLVAPAY_SECRET_KEY", "sk_old")
    assert Meterhouse().settings.api_key == "sk_old"
    assert Meterhouse().settings.base_url == "http://127.0.0.1:8080"
    monkeypatch.setenv("SOLVAPAY_API_BASE_URL", "https://old.example/prefix/")
    assert Meterhouse().settings.base_url == "https://old.example/prefix"
    monkeypatch.setenv("METERHOUSE_API_KEY", "sk_new")
    monkeypatch.setenv("METERHOUSE_URL", "http://new.example")
    settings = AsyncMeterhouse().settings
    assert (settings.api_key, settings.base_url) == ("sk_new", "http://new.example")
    monkeypatch.setenv("METERHOUSE_API_KEY", "")
    assert Meterhouse(base_url="http://arg.example").settings.base_url == "http://arg.example"
    assert Meterhouse().settings.api_key == "sk_old"


@pytest.mark.parametrize("url", ["127.0.0.1:8080", "ftp://h", "http://", "http://user:pass@h"])
def test_a_base_url_that_cannot_be_right_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="base URL"):
        Meterhouse(KEY, url)


@pytest.mark.parametrize("key", ["sk_ü", "sk_1\n", "sk 1"])
def test_a_key_that_cannot_be_right_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Meterhouse(key)


def test_the_key_is_never_shown() -> None:
    client = Meterhouse(KEY)
    assert KEY not in repr(client) + repr(client.settings) + str(client.settings)


def test_a_path_prefix_and_a_ref_with_odd_characters_make_one_url() -> None:
    seen: list[httpx.URL] = []

    def server(request: httpx.Request) -> httpx.Response:
        seen.append(request.url)
        return httpx.Response(200, json=CUSTOMER)

    Meterhouse(KEY, "http://h/prefix//", transport=httpx.MockTransport(server)).get_customer("cus_a b?c")
    assert str(seen[0]) == "http://h/prefix/v1/sdk/customers/cus_a%20b%3Fc"


@pytest.mark.parametrize("body", [b"<html>", b"{}", b"[]", b'{"eventId":5}', b"\xff"])
def test_a_success_that_is_not_meterhouse_s_is_an_error(body: bytes) -> None:
    client, _ = blocking(lambda _: httpx.Response(200, content=body))
    with pytest.raises(UnexpectedAnswer, match="base URL"):
        client.create_event(type="a.b", customer_ref="cus_1", units=1)


def methods(of: type) -> dict[str, inspect.Signature]:
    return {
        name: inspect.signature(method)
        for name, method in inspect.getmembers(of, inspect.isfunction)
        if not name.startswith("_") and name not in {"close", "aclose", "carry_out", "without_retries"}
    }


def test_both_clients_have_the_same_methods_with_the_same_signatures() -> None:
    assert methods(Meterhouse).keys() == methods(AsyncMeterhouse).keys()
    for name, signature in methods(Meterhouse).items():
        assert signature.parameters == methods(AsyncMeterhouse)[name].parameters


@pytest.mark.parametrize("name", methods(Meterhouse))
def test_every_method_says_what_it_does(name: str) -> None:
    method = getattr(Meterhouse, name)
    assert method.__name__ == name
    assert inspect.getdoc(method)
    assert next(iter(inspect.signature(method).parameters)) == "self"


def test_a_forked_child_opens_connections_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = blocking(lambda _: httpx.Response(201, json={"eventId": "e"}))
    client.create_event(type="a.b", customer_ref="cus_1", units=1)
    parents = client._http
    pid = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: pid + 1)
    client.create_event(type="a.b", customer_ref="cus_1", units=1)
    assert client._http is not parents
    assert not parents.is_closed


@pytest.mark.parametrize("seconds", [3, 40])
def test_a_date_in_retry_after_counts_from_now_where_the_answer_has_no_date(seconds: int) -> None:
    """Proxies leave `Date` out."""
    then = formatdate(time.time() + seconds, usegmt=True)
    answers = iter(
        [httpx.Response(503, headers={"Retry-After": then}), httpx.Response(201, json={"eventId": "evt_1"})]
    )
    client, waits = blocking(lambda _: next(answers))
    client.create_event(type="usage.api_call", customer_ref="cus_1", units=1)
    assert seconds - 2 <= waits[0] <= seconds
