"""The real client's middleware: a retry after a lost answer counts once (contract §2.4)."""

from collections.abc import AsyncIterator
from typing import Any, ClassVar
from uuid import uuid4

import pytest
from solvapay._transport import AsyncTransport, Context, Headers, RequestSpec, ResponseSpec, Transport
from solvapay._transport._recipe import default_stack
from solvapay._transport.middleware import AsyncRetryTransport, RetryTransport
from solvapay.exceptions import APIConnectionError
from solvapay.operations.products import ProductsOperations
from solvapay.operations.usage import UsageOperations

from tests.e2e.server import Server
from tests.solvapay.shop import FREE_UNITS, Shop, some

Stack = tuple[Transport, AsyncTransport]


class LosesTheFirstAnswer:
    """The request arrives, its answer does not."""

    protocol_version: ClassVar[int] = 1

    def __init__(self, inner: Transport) -> None:
        self._inner = inner
        self.answers: list[ResponseSpec] = []

    def send(self, spec: RequestSpec) -> ResponseSpec:
        self.answers.append(self._inner.send(spec))
        if len(self.answers) == 1:
            raise APIConnectionError("the line went dead")
        return self.answers[-1]

    def close(self) -> None:
        self._inner.close()


class AsyncLosesTheFirstAnswer:
    protocol_version: ClassVar[int] = 1

    def __init__(self, inner: AsyncTransport) -> None:
        self._inner = inner
        self.answers: list[ResponseSpec] = []

    async def send(self, spec: RequestSpec) -> ResponseSpec:
        self.answers.append(await self._inner.send(spec))
        if len(self.answers) == 1:
            raise APIConnectionError("the line went dead")
        return self.answers[-1]

    async def aclose(self) -> None:
        await self._inner.aclose()


@pytest.fixture
async def stack(server: Server, key: str) -> AsyncIterator[Stack]:
    sync, asynchronous = default_stack(api_key=key, base_url=server.url)
    yield sync, asynchronous
    sync.close()
    await asynchronous.aclose()


def used_once(answers: list[ResponseSpec], shop: Shop, customer: str, product: str) -> None:
    first, again = (answer.body for answer in answers)
    assert again["reference"] == first["reference"]
    assert again["creditDebit"] == {"debited": False, "reason": "duplicate"}
    assert shop.limits(customer, product)["remaining"] == FREE_UNITS - 1


def use(customer: str, product: str) -> dict[str, Any]:
    return {"customer_ref": customer, "product_ref": product, "meter_name": "requests", "units": 1}


@pytest.mark.parametrize("form", ["sync", "async"])
async def test_a_retry_after_a_lost_answer_counts_once(
    stack: Stack, shop: Shop, customer: str, product: str, form: str
) -> None:
    shop.activate(customer, product, shop.free_plan(product))
    named = use(customer, product) | {"idempotency_key": uuid4().hex}
    if form == "sync":
        losing = LosesTheFirstAnswer(stack[0])
        UsageOperations(sync_transport=RetryTransport(losing), async_transport=None).track(**named)
        used_once(losing.answers, shop, customer, product)
    else:
        waiting = AsyncLosesTheFirstAnswer(stack[1])
        usage = UsageOperations(sync_transport=None, async_transport=AsyncRetryTransport(waiting))
        await usage.atrack(**named)
        used_once(waiting.answers, shop, customer, product)


def test_without_a_key_a_lost_answer_is_the_callers_to_judge(
    stack: Stack, customer: str, product: str
) -> None:
    losing = LosesTheFirstAnswer(stack[0])
    usage = UsageOperations(sync_transport=RetryTransport(losing), async_transport=None)
    with pytest.raises(APIConnectionError):
        usage.track(**use(customer, product))
    assert len(losing.answers) == 1


def test_a_product_made_twice_for_a_lost_answer_is_one(stack: Stack) -> None:
    losing = LosesTheFirstAnswer(stack[0])
    products = ProductsOperations(sync_transport=RetryTransport(losing), async_transport=None)
    made = products.create(
        name=some("Writer"), type="api", default_currency="USD", idempotency_key=uuid4().hex
    )
    assert [answer.body["reference"] for answer in losing.answers] == [made.reference] * 2


def test_a_trace_of_the_callers_does_no_harm(stack: Stack, product: str) -> None:
    context = Context(trace_id=uuid4().hex)
    answer = stack[0].send(
        RequestSpec("GET", f"/v1/sdk/products/{product}", Headers(), json=None, context=context)
    )
    assert answer.body["reference"] == product
    request_id = answer.metadata.headers.get("x-request-id")
    assert request_id is not None
    assert request_id.startswith("req_")
