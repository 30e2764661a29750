"""The real client's webhook checks, against what the contract says of signatures (§4.9)."""

import hashlib
import hmac
import json
import time
from typing import Any, Final
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import ValidationError
from solvapay import WebhookEvent, sign_webhook, verify_webhook
from solvapay.adapters.asgi import ASGIApp, webhook_app
from solvapay.exceptions import SolvaPayError
from solvapay.fastapi import webhook_router
from solvapay.webhooks import AsyncInMemorySeenEventCache, WebhookEnvelope, WebhookPipeline

SECRET: Final = "whsec_test_fixture_secret"
VECTOR_SECONDS: Final = 1_782_864_000
VECTOR_BODY: Final = (
    '{"type":"purchase.created","id":"evt_fixture_1","created":1782864000,"api_version":"2025-10-01",'
    '"data":{"object":{"id":"pur_fixture_1"},"previous_attributes":null},"livemode":false,'
    '"request":{"id":null,"idempotency_key":null}}'
)
VECTOR_SIGNATURE: Final = "04834cba2241fe998a4fb5b8bb4632b2c2e18a3e330dba1905f62b365521ca82"
TYPED: Final = (
    "payment.succeeded", "payment.failed", "payment.refunded", "payment.refund_failed",
    "purchase.created", "purchase.updated", "purchase.cancelled", "purchase.expired", "purchase.suspended",
    "customer.created", "customer.updated", "customer.deleted", "checkout_session.created",
)  # fmt: skip
SENT_AS: Final = {"content-type": "application/json", "user-agent": "SolvaPay/1.0 (+webhooks)"}


def signed(body: str, secret: str = SECRET, *, age_seconds: int = 0) -> str:
    """Sign as the contract says, not as the client does."""
    then = int(time.time()) - age_seconds
    digest = hmac.new(secret.encode(), f"{then}.{body}".encode(), hashlib.sha256).hexdigest()
    return f"t={then},v1={digest}"


def envelope(type_: str = "purchase.created", **others: Any) -> str:
    event = {
        "id": f"evt_{uuid4().hex[:12]}", "type": type_, "created": int(time.time()),
        "api_version": "2025-10-01", "data": {"object": {"name": "Zoë"}, "previous_attributes": None},
        "livemode": False, "request": {"id": None, "idempotency_key": None},
    }  # fmt: skip
    return json.dumps(event | others, ensure_ascii=False)


def typed(body: str) -> Any:
    event_types: Any = WebhookEvent  # its docs pass the union where its signature asks for one type
    return verify_webhook(body=body, signature=signed(body), secret=SECRET, parse_as=event_types)


def test_the_contracts_example_is_what_the_client_signs() -> None:
    header = sign_webhook(VECTOR_BODY.encode(), SECRET, timestamp=VECTOR_SECONDS)
    assert header == f"t={VECTOR_SECONDS},v1={VECTOR_SIGNATURE}"
    age_seconds = int(time.time()) - VECTOR_SECONDS
    event = verify_webhook(body=VECTOR_BODY, signature=header, secret=SECRET, tolerance=age_seconds + 60)
    assert event == json.loads(VECTOR_BODY)


def test_what_is_signed_as_the_contract_says_is_believed() -> None:
    body = envelope()
    assert verify_webhook(body=body, signature=signed(body), secret=SECRET) == json.loads(body)
    assert verify_webhook(body=body, signature=f"{signed(body)},v0=00", secret=SECRET)


@pytest.mark.parametrize("type_", TYPED)
def test_an_envelope_is_the_event_of_its_type(type_: str) -> None:
    body = envelope(type_)
    event = typed(body)
    assert (event.type, event.livemode, event.data["object"]) == (type_, False, {"name": "Zoë"})


def test_a_type_the_client_does_not_know_is_read_as_it_is() -> None:
    body = envelope("usage.recorded")
    assert verify_webhook(body=body, signature=signed(body), secret=SECRET) == json.loads(body)
    with pytest.raises(ValidationError):
        typed(body)


@pytest.mark.parametrize("age_seconds", [-400, 400])
def test_what_was_signed_too_long_ago_or_too_far_ahead_is_refused(age_seconds: int) -> None:
    body = envelope()
    header = signed(body, age_seconds=age_seconds)
    with pytest.raises(SolvaPayError, match="too old"):
        verify_webhook(body=body, signature=header, secret=SECRET)
    with pytest.raises(SolvaPayError, match="clock skew"):
        WebhookPipeline([SECRET]).process(body.encode(), header)


def test_what_was_changed_or_signed_by_another_is_refused() -> None:
    body = envelope()
    for changed, header in ((body + " ", signed(body)), (body, signed(body, "whsec_another"))):
        with pytest.raises(SolvaPayError, match="mismatch"):
            verify_webhook(body=changed, signature=header, secret=SECRET)
        with pytest.raises(SolvaPayError, match="mismatch"):
            WebhookPipeline([SECRET]).process(changed.encode(), header)
    for malformed in ("", "t=1", f"v1={VECTOR_SIGNATURE}"):
        with pytest.raises(SolvaPayError, match="malformed"):
            verify_webhook(body=body, signature=malformed, secret=SECRET)


def test_another_attempt_of_the_same_event_is_seen_through() -> None:
    """Attempts differ in time and signature; the envelope's id is the same."""
    dispatched: list[dict[str, Any]] = []
    pipeline = WebhookPipeline([SECRET], dispatcher=dispatched.append)
    body = envelope()
    first = pipeline.process(body.encode(), signed(body, age_seconds=299))
    with pytest.raises(SolvaPayError, match=f"already processed .*{first.event_id}"):
        pipeline.process(body.encode(), signed(body))
    assert dispatched == [first.event] == [json.loads(body)]
    other = envelope()
    assert pipeline.process(other.encode(), signed(other)).event_id != first.event_id


async def test_an_event_is_claimed_once() -> None:
    seen = AsyncInMemorySeenEventCache()
    assert await seen.try_claim("evt_1", 60)
    assert not await seen.try_claim("evt_1", 60)
    assert await seen.try_claim("evt_2", 60)


def test_while_secrets_rotate_both_are_believed() -> None:
    pipeline = WebhookPipeline(["whsec_new", "whsec_old"])
    for secret in ("whsec_new", "whsec_old"):
        body = envelope()
        assert pipeline.process(body.encode(), signed(body, secret)).event == json.loads(body)


async def post(app: ASGIApp | FastAPI, path: str, body: str, header: str | None) -> int:
    """Deliver as a server would; return the receiver's status."""
    transport = httpx.ASGITransport(app)  # type: ignore[arg-type]  # the client's ASGI types are narrower
    headers = SENT_AS if header is None else SENT_AS | {"SV-Signature": header}
    async with httpx.AsyncClient(transport=transport, base_url="http://receiver") as sender:
        return (await sender.post(path, content=body.encode(), headers=headers)).status_code


async def test_the_asgi_adapter_takes_a_delivery_once() -> None:
    received: list[str] = []

    async def note(event: WebhookEnvelope) -> None:
        received.append(event.event_id)

    app = webhook_app(WebhookPipeline([SECRET]), note)
    body = envelope()
    assert await post(app, "/webhook", body, signed(body)) == 200
    assert await post(app, "/webhook", body, signed(body)) == 400
    assert await post(app, "/webhook", body, signed(body, "whsec_another")) == 400
    assert await post(app, "/webhook", body, None) == 400
    assert await post(app, "/elsewhere", body, signed(body)) == 404
    assert received == [json.loads(body)["id"]]


async def test_the_fastapi_router_takes_a_delivery() -> None:
    received: list[dict[str, Any]] = []

    async def note(event: dict[str, Any]) -> None:
        received.append(event)

    app = FastAPI()
    app.include_router(webhook_router(secret=SECRET, on_event=note))
    body = envelope()
    assert await post(app, "/webhooks/solvapay", body, signed(body)) == 200
    assert await post(app, "/webhooks/solvapay", body, signed(body, "whsec_another")) == 401
    assert await post(app, "/webhooks/solvapay", body, None) == 401
    assert received == [json.loads(body)]
