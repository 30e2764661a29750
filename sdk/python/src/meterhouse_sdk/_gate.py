"""What a customer is told who may not go on: which of three cases it is, and the body of the answer 402.

The table and the sentences are the hosted service's, to the byte (contract §5.3).
"""

from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from meterhouse_sdk._metering_answers import LimitBalance, LimitCheck, LimitPlan, ProductBrief

GateKind = Literal["payment_required", "activation_required"]
_PAY_AS_YOU_GO: Final = ("usage-based", "hybrid")


class Gate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What stops a customer, and what would help. `checkout_url` is "" where there is no page."""

    kind: GateKind
    product: str
    checkout_url: str
    message: str
    balance: LimitBalance | None = None
    product_details: ProductBrief | None = None
    plans: tuple[LimitPlan, ...] | None = None
    confirmation_url: str | None = None

    def to_body(self) -> dict[str, Any]:  # Any: JSON
        error = "Activation required" if self.kind == "activation_required" else "Payment required"
        said: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))  # Any: JSON
        return {"success": False, "error": error, **said}


class State(StrEnum):
    """Why it is denied, and so what would help."""

    ACTIVATION = "activation"
    TOPUP = "topup"
    UPGRADE = "upgrade"


_SENTENCES: Final = {
    State.ACTIVATION: "Your plan needs activation before you can use this tool. "
    "Call the `activate_plan` tool to activate it",
    State.TOPUP: "You're out of credits. Call the `topup` tool to add more",
    State.UPGRADE: "You don't have an active plan for this tool. Call the `upgrade` tool to pick a plan",
}


def gate_of(limits: LimitCheck, product_ref: str) -> Gate:
    """Return the gate that a denied check stands for."""
    state = state_of(limits)
    topup_is_all_there_is = state is State.TOPUP and _all_paid_plans_are_pay_as_you_go(limits)
    if state is State.ACTIVATION or topup_is_all_there_is:
        url = limits.confirmation_url or limits.checkout_url or ""
        return Gate(
            kind="activation_required",
            product=product_ref,
            checkout_url=url,
            message=_message(state, url),
            balance=limits.balance,
            product_details=limits.product,
            plans=limits.plans,
            confirmation_url=limits.confirmation_url,
        )
    url = limits.checkout_url or ""
    return Gate(
        kind="payment_required",
        product=product_ref,
        checkout_url=url,
        message=_message(state, url),
        balance=limits.balance,
        product_details=limits.product,
    )


def state_of(limits: LimitCheck) -> State:
    if limits.activation_required:
        return State.ACTIVATION
    is_out_of_credits = _is_usage_based(limits) and _has_no_credits(limits)
    return State.TOPUP if is_out_of_credits else State.UPGRADE


def _is_usage_based(limits: LimitCheck) -> bool:
    active = next((plan for plan in limits.plans or () if plan.reference == limits.plan), None)
    return limits.balance is not None or (active is not None and active.type == "usage-based")


def _has_no_credits(limits: LimitCheck) -> bool:
    balance = limits.credit_balance if limits.balance is None else limits.balance.credit_balance
    return limits.remaining == 0 if balance is None else balance == 0


def _all_paid_plans_are_pay_as_you_go(limits: LimitCheck) -> bool:
    paid = [plan for plan in limits.plans or () if plan.requires_payment is not False]
    return bool(paid) and all(plan.type in _PAY_AS_YOU_GO for plan in paid)


def _message(state: State, url: str) -> str:
    return f"{_SENTENCES[state]}{f', or open {url} in a browser' if url else ''}."
