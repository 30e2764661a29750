"""When a request is sent again, and when not. Nobody sleeps: the flow says what to wait."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse_sdk import (
    ConnectionFailed,
    CustomerNotFound,
    MeterhouseError,
    RateLimited,
    ServerError,
    Unavailable,
    UnexpectedAnswer,
    ValidationFailed,
)
from meterhouse_sdk._protocol import Lost, Operation, Reply, Request, RetryPolicy, Wait, carried_out

Outcome = Reply | Lost
POLICY = RetryPolicy(max_retries=4, first_wait_seconds=0.5, longest_wait_seconds=3.0, jitter=lambda: 0.0)


def sending(*, repeatable: bool = True) -> Operation[int]:
    reply = yield Request("POST", "/", repeatable=repeatable, idempotency_key="k")
    return reply.status


def reply(status: int, **headers: str) -> Reply:
    return Reply(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"{}")


def drive(
    operation: Operation[int], outcomes: Sequence[Outcome], policy: RetryPolicy = POLICY
) -> tuple[list[float], int | MeterhouseError, list[Request]]:
    """Return the waits, the result or the error, and the requests."""
    flow = carried_out(operation, policy)
    waits: list[float] = []
    requests: list[Request] = []
    outcome: Outcome | None = None
    left = iter(outcomes)
    while True:
        try:
            step = flow.send(outcome)
        except StopIteration as stop:
            return waits, stop.value, requests
        except MeterhouseError as error:
            return waits, error, requests
        if isinstance(step, Wait):
            waits.append(step.seconds)
            outcome = None
        else:
            requests.append(step)
            outcome = next(left)


def test_waits_double_up_to_the_longest() -> None:
    waits, result, requests = drive(sending(), [reply(503)] * 4 + [reply(201)])
    assert waits == [0.5, 1.0, 2.0, 3.0]
    assert result == 201
    assert len(set(requests)) == 1  # the very same request each time, with the same key


def test_jitter_shortens_a_wait_by_at_most_half() -> None:
    policy = RetryPolicy(first_wait_seconds=1.0, jitter=lambda: 1.0)
    assert policy.wait_seconds(1, None) == 0.5
    assert RetryPolicy().wait_seconds(1, None) != RetryPolicy().wait_seconds(1, None)


def test_the_last_error_is_raised_when_nothing_helps() -> None:
    waits, error, _ = drive(sending(), [reply(500)] * 5)
    assert len(waits) == 4
    assert isinstance(error, ServerError)
    assert error.attempts == 5


RETRIED = {408, 425, 429, *range(500, 600)}


@pytest.mark.parametrize("outcome", [*map(reply, sorted(RETRIED)), Lost(OSError("reset"))])
def test_an_answer_that_may_change_is_asked_for_again(outcome: Outcome) -> None:
    waits, result, _ = drive(sending(), [outcome, reply(200)])
    assert (len(waits), result) == (1, 200)
    assert isinstance(drive(sending(repeatable=False), [outcome])[1], Unavailable)


@pytest.mark.parametrize("status", [status for status in range(300, 500) if status not in RETRIED])
def test_an_answer_that_will_not_change_is_not_asked_for_again(status: int) -> None:
    waits, error, _ = drive(sending(), [reply(status)])
    assert waits == []
    assert isinstance(error, MeterhouseError)
    assert error.status == status


@pytest.mark.parametrize("outcome", [reply(503), Lost(TimeoutError("too late"))])
def test_a_post_without_a_key_is_never_sent_twice(outcome: Outcome) -> None:
    waits, error, requests = drive(sending(repeatable=False), [outcome])
    assert (waits, len(requests)) == ([], 1)
    assert isinstance(error, MeterhouseError)


def test_no_answer_is_told_with_its_cause() -> None:
    cause = OSError("Connection refused")
    _, error, _ = drive(sending(), [Lost(cause)] * 5)
    assert isinstance(error, ConnectionFailed)
    assert error.__cause__ is cause
    assert "Connection refused" in str(error)


def test_the_server_is_left_alone_for_as_long_as_it_asks() -> None:
    waits, result, _ = drive(
        sending(), [reply(503, retry_after="2"), reply(429, retry_after="0"), reply(200)]
    )
    assert waits == [2.0, 1.0]
    assert result == 200


@pytest.mark.parametrize("zone", ["GMT", "+0000", "-0000"])
def test_a_date_in_retry_after_is_taken_by_the_servers_own_clock(zone: str) -> None:
    late = reply(503, retry_after=f"Sun, 01 Nov 2026 00:00:07 {zone}", date="Sun, 01 Nov 2026 00:00:00 GMT")
    assert drive(sending(), [late, reply(200)])[0] == [7.0]


@given(st.text(), st.text())
def test_no_retry_after_breaks_the_client(text: str, date: str) -> None:
    waits, result, _ = drive(sending(), [reply(503, retry_after=text, date=date), reply(200)])
    assert result == 200 or (waits == [] and isinstance(result, ServerError))


@pytest.mark.parametrize("status", [408, 425, 429, 503])
def test_retry_after_of_every_status_is_obeyed(status: int) -> None:
    assert drive(sending(), [reply(status, retry_after="5"), reply(200)])[0] == [5.0]


@pytest.mark.parametrize("text", ["", "soon", "-1", "1e9", "²", "Sun, 99 Nov"])
def test_an_unreadable_retry_after_is_as_good_as_none(text: str) -> None:
    assert drive(sending(), [reply(503, retry_after=text), reply(200)])[0] == [0.5]


def test_a_server_that_asks_for_too_long_is_not_waited_for() -> None:
    waits, error, _ = drive(sending(), [reply(429, retry_after="3600")])
    assert waits == []
    assert isinstance(error, RateLimited)
    assert error.retry_after_seconds == 3600


def test_an_error_is_raised_where_the_operation_waits_and_may_be_caught_there() -> None:
    def falling_back() -> Operation[int]:
        try:
            yield Request("GET", "/first", repeatable=True)
        except CustomerNotFound:
            answer = yield Request("GET", "/second", repeatable=True)
            return answer.status
        raise AssertionError

    missing = Reply(404, {}, b'{"code":"customer_not_found","message":"Customer not found"}')
    _, result, requests = drive(falling_back(), [missing, reply(200)])
    assert result == 200
    assert [request.path for request in requests] == ["/first", "/second"]


def test_an_error_of_the_server_is_told_whole() -> None:
    body = (
        b'{"statusCode":400,"error":"Bad Request","message":"Validation failed","code":"validation_failed",'
        b'"errors":[{"path":"units","message":"must not be negative"}],"requestId":"req_7"}'
    )
    _, error, _ = drive(sending(), [Reply(400, {}, body)])
    assert isinstance(error, ValidationFailed)
    assert str(error) == "Validation failed: units: must not be negative (400, validation_failed, req_7)"
    assert (error.status, error.code, error.request_id) == (400, "validation_failed", "req_7")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Bad gateway</html>",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"x"',
        b"[" * 100_000,
        b'{"message":{}}',
    ],
)
def test_whatever_a_proxy_answers_is_one_of_our_errors(body: bytes) -> None:
    _, error, _ = drive(sending(), [Reply(502, {"x-request-id": "abc"}, body)], RetryPolicy(max_retries=0))
    assert isinstance(error, ServerError)
    assert error.request_id == "abc"


def test_a_redirect_is_not_followed_since_the_key_belongs_to_one_server() -> None:
    _, error, _ = drive(sending(), [reply(307, location="http://elsewhere/")])
    assert isinstance(error, UnexpectedAnswer)


def test_a_nested_code_is_found() -> None:
    body = b'{"statusCode":404,"message":{"code":"customer_not_found","message":"Customer not found"}}'
    _, error, _ = drive(sending(), [Reply(404, {}, body)])
    assert isinstance(error, CustomerNotFound)
    assert error.message == "Customer not found"
