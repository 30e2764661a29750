"""A paywall for routes of FastAPI: a dependency, and the answer 402 for customers without access.

paywall = Paywall(AsyncMeterhouse())
paywall.install(app)
paid = paywall.payable(product="prd_api", customer_ref=signed_in)

@app.post("/generate", dependencies=[paid])
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

from meterhouse_sdk._call import Call
from meterhouse_sdk._client import AsyncMeterhouse, Meterhouse
from meterhouse_sdk._errors import CustomerNotFound, PaymentRequired, Unavailable
from meterhouse_sdk._refusal import RETRY_SECONDS, refusal
from meterhouse_sdk._terms import Customer, OnUntracked, Terms
from meterhouse_sdk._turnstile import Recorder
from meterhouse_sdk.asgi import turnstile_of


def header_ref(x_customer_ref: Annotated[str | None, Header()] = None) -> str | None:
    """Return the header X-Customer-Ref. For behind a gateway: a client that sets it decides who pays."""
    return x_customer_ref


class Paywall:
    """Sells routes of a FastAPI application."""

    def __init__(self, client: AsyncMeterhouse | Meterhouse) -> None:
        self._turnstile = turnstile_of(client)

    def install(self, app: FastAPI) -> None:
        """Have PaymentRequired answered with 402 and the body that the hosted service's clients expect."""
        app.add_exception_handler(PaymentRequired, _payment_required)

    def payable(
        self,
        *,
        product: str,
        customer_ref: Callable[..., Any] | None = None,  # Any: a dependency that gives str | None
        external_ref: Callable[..., Any] | None = None,  # Any: as above
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> Any:  # Any: what `Depends` is declared to return
        """Return a dependency that lets a route run only for customers within their limits, and counts 1
        unit when it returns, before the answer is sent, whatever the status of the response that it returns.
        A route that raises, HTTPException too, counts nothing. Nor does HEAD; OPTIONS runs without a check.

        customer_ref: a dependency that gives the customer's ref or your own id, or None for nobody: 401.
        external_ref: the same for your own id alone. Without either the header X-Customer-Ref is read.
        The other parameters are those of `Meterhouse.payable`. Where the server does not say: 503.
        A route that takes it as a parameter gets the customer's ref (`cus_…`), or "" for OPTIONS.
        """
        if customer_ref is not None and external_ref is not None:
            raise TypeError("payable takes one of customer_ref and external_ref, not both")
        is_external = external_ref is not None
        terms = Terms(
            product_ref=product,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
            on_untracked=on_untracked,
        )

        async def paid(
            request: Request,
            given: Annotated[str | None, Depends(external_ref or customer_ref or header_ref)],
        ) -> AsyncIterator[str]:
            if PaymentRequired not in request.app.exception_handlers:
                raise RuntimeError("Call install(app) of the paywall: nothing answers 402 here.")
            if request.method == "OPTIONS":
                yield ""
                return
            try:
                admission = await self._turnstile.enter(terms, Customer(given, is_external))
            except (CustomerNotFound, Unavailable) as error:
                status, body = refusal(error)
                headers = {"Retry-After": RETRY_SECONDS} if status == 503 else None
                raise HTTPException(status, body["message"], headers) from error
            call = Call(admission)
            call.sells = request.method != "HEAD"
            recorder = Recorder(self._turnstile, call)
            try:
                yield admission.customer_ref
            except BaseException as error:
                await recorder.end(error)
                raise
            await recorder.end(None)

        return Depends(paid, scope="function")


async def _payment_required(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PaymentRequired)  # noqa: S101 - it is installed for no other
    return JSONResponse(error.to_body(), 402)
