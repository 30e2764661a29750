"""The answer to a customer without access: which case it is, and the body of the answer 402.

Kind and `message` are the hosted service's, to the byte (contract §5.3), since its clients show them. That
sentence tells a customer whose plan is used up that there is no plan, so the true reason stands beside it.
"""

from enum import StrEnum
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from meterhouse_sdk._metering_answers import LimitBalance, LimitCheck, LimitPlan, ProductBrief

GateKind = Literal["payment_required", "activation_required"]
DenialReason = Literal["activation_required", "out_of_credits", "too_few_credits", "limit_reached", "no_plan"]
_PAY_AS_YOU_GO: Final = ("usage-based", "hybrid")


class Gate(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What stops a customer, and what would help. `checkout_url` is "" where there is no page.

    message: the hosted service's sentence. detail: the same, or a true one where that is wrong.
    """

    kind: GateKind
    product: str
    checkout_url: str
    message: str
    reason: DenialReason
    detail: str
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
    activates = state is State.ACTIVATION or topup_is_all_there_is
    url = (limits.confirmation_url if activates else None) or limits.checkout_url or ""
    message = _message(state, url)
    reason = _reason(state, limits)
    return Gate(
        kind="activation_required" if activates else "payment_required",
        product=product_ref,
        checkout_url=url,
        message=message,
        reason=reason,
        detail=_detail(reason, limits, url) or message,
        balance=limits.balance,
        product_details=limits.product,
        plans=limits.plans if activates else None,
        confirmation_url=limits.confirmation_url if activates else None,
    )


def state_of(limits: LimitCheck) -> State:
    if limits.activation_required:
        return State.ACTIVATION
    is_out_of_credits = _is_usage_based(limits) and _has_no_credits(limits)
    return State.TOPUP if is_out_of_credits else State.UPGRADE


def _reason(state: State, limits: LimitCheck) -> DenialReason:
    if state is State.ACTIVATION:
        return "activation_required"
    if state is State.TOPUP:
        return "out_of_credits"
    if limits.plan is None:
        return "no_plan"
    return "too_few_credits" if _credits_are_what_is_short(limits) else "limit_reached"


def _credits_are_what_is_short(limits: LimitCheck) -> bool:
    balance = limits.balance
    if balance is not None and balance.remaining_units is not None:
        return balance.remaining_units <= limits.remaining
    each = limits.credits_per_unit
    return limits.credit_balance is not None and each is not None and limits.credit_balance < each


def _detail(reason: DenialReason, limits: LimitCheck, url: str) -> str | None:
    """Return the true sentence; None: the hosted service's is."""
    help_ = f" To go on, open {url} in a browser." if url else ""
    if reason == "too_few_credits":
        return f"You have too few credits left.{help_}"
    if reason != "limit_reached":
        return None
    if limits.remaining > 0:
        return f"Your plan has {limits.remaining:f} units left, and more are needed.{help_}"
    return f"You have reached the limit of your plan.{help_}"


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
