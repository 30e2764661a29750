"""A paywall for routes of FastAPI: a dependency, and the answer 402 of who may not go on.

paywall = Paywall(AsyncMeterhouse())
paywall.install(app)
paid = paywall.payable(product="prd_api", customer_ref=signed_in)

@app.post("/generate", dependencies=[paid])
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final

from fastapi import Depends, FastAPI, Header, HTTPException, Request
from fastapi.responses import JSONResponse

from meterhouse_sdk._client import AsyncMeterhouse, Meterhouse
from meterhouse_sdk._errors import CustomerNotFound, PaymentRequired, Unavailable
from meterhouse_sdk._terms import OnUntracked, Terms
from meterhouse_sdk.asgi import refusal, turnstile_of

_RETRY: Final = {"Retry-After": "1"}


def header_ref(x_customer_ref: Annotated[str | None, Header()] = None) -> str | None:
    """Return the header X-Customer-Ref. Who can set it decides who pays: only for behind a gateway."""
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
        customer_ref: Callable[..., Any] = header_ref,  # Any: a dependency that gives str | None
        lease_units: int | None = None,
        lease_seconds: int = 30,
        on_untracked: OnUntracked | None = None,
    ) -> Any:  # Any: what `Depends` is declared to return
        """Return a dependency that lets a route run only for customers within their limits, and counts 1
        unit when it returns, before the answer is sent. What it raises, HTTPException too, counts nothing.

        customer_ref: a dependency that gives the customer's ref, or None for nobody: 401.
        The other parameters are those of `Meterhouse.payable`. Where the server does not say: 503.
        A route that takes it as a parameter gets the customer's ref (`cus_…`).
        """
        terms = Terms(
            product_ref=product,
            lease_units=lease_units,
            lease_seconds=lease_seconds,
            on_untracked=on_untracked,
        )

        async def paid(
            request: Request,
            given: Annotated[str | None, Depends(customer_ref)],
        ) -> AsyncIterator[str]:
            if PaymentRequired not in request.app.exception_handlers:
                raise RuntimeError("Call install(app) of the paywall: nothing answers 402 here.")
            try:
                admission = await self._turnstile.enter(terms, given)
            except (CustomerNotFound, Unavailable) as error:
                status, body = refusal(error)
                raise HTTPException(status, body["message"], _RETRY if status == 503 else None) from error
            async with self._turnstile.counted(admission):
                yield admission.customer_ref

        return Depends(paid, scope="function")


async def _payment_required(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PaymentRequired)  # noqa: S101 - it is installed for no other
    return JSONResponse(error.to_body(), 402)
