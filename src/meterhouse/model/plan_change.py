"""What becomes of a plan: created, changed, copied. Pure."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from meterhouse.model import text
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.plan import (
    BillingCycle,
    BillingModel,
    OveragePolicy,
    Plan,
    PlanStatus,
    PlanType,
    PricingOption,
    UsageTier,
    name_of,
)
from meterhouse.model.plan_body import (
    NewPlan,
    OptionBody,
    PlanChange,
    PlanDetails,
    PlanExtras,
    cycle_said,
    default_option,
)
from meterhouse.model.units import Number

_WHOLES: Final = ("credits_per_unit", "free_units", "limit", "trial_days", "access_expiry_days")
_AS_SAID: Final = (
    "name", "description", "hidden", "rollover_unused_units", "auto_renew", "calendar_periods",
)  # fmt: skip
_decode_object: Final = msgspec.json.Decoder(dict[str, Any], float_hook=Decimal).decode  # Any: JSON


def created(new: NewPlan, ref: str, product_ref: str, now_us: int) -> Plan:
    """Return the plan that a checked `new` asks for. Raises ValidationFailed as `changed` does.

    freeUnits of a usage-based plan are for a change to set (contract §3.5).
    """
    type_ = _type_said(new.type or PlanType.RECURRING)
    if type_ is PlanType.USAGE_BASED:
        new = replace(new, free_units=None)
    blank = Plan(
        ref=ref,
        product_ref=product_ref,
        name=new.name or name_of(type_),
        type=type_,
        created_at=now_us,
        updated_at=now_us,
    )
    return changed(blank, new, now_us)


def changed(plan: Plan, details: PlanDetails, now_us: int) -> Plan:
    """Return the plan with what the checked `details` say, but for its meter, which only a store can find.

    Raises ValidationFailed: what they say contradicts itself or the plan.
    """
    if details.type is not None and _type_said(details.type) is not plan.type:
        raise ValidationFailed.of("type", f"stays {plan.type}; make another plan for another type")
    if isinstance(details, PlanChange):
        _check_same(plan, details)
    said: dict[str, Any] = {  # Any: fields of a plan
        name: value for name in _AS_SAID if (value := getattr(details, name)) is not None
    }
    said |= {name: int(value) for name in _WHOLES if (value := getattr(details, name)) is not None}
    if details.default is not None:
        said["is_default"] = details.default
    if details.status is not None:
        said["status"] = PlanStatus(details.status)
    if details.billing_model is not None:
        said["billing_model"] = BillingModel(details.billing_model)
    if (cycle := cycle_said(details)) is not None:
        said["billing_cycle"] = cycle
    if details.usage_tiers is not None:
        said["usage_tiers"] = _tiers(details)
    if details.overage_policy is not None:
        said["overage_policy"] = _overage_policy(details)
    said |= _pricing(plan, details) | {"extras": _extras(plan, details), "updated_at": now_us}
    after = _with_defaults(replace(plan, **said))
    _check(after)
    return after


def copied(plan: Plan, ref: str, product_ref: str, now_us: int) -> Plan:
    """Return the plan as another product's."""
    return replace(plan, ref=ref, product_ref=product_ref, created_at=now_us, updated_at=now_us)


def no_default(plan: Plan, now_us: int) -> Plan:
    """Return the plan after another has become its product's default."""
    return replace(plan, is_default=False, updated_at=now_us)


def deactivated(plan: Plan, now_us: int) -> Plan:
    """Return the plan as it is once it is offered no more."""
    return replace(plan, status=PlanStatus.INACTIVE, updated_at=now_us)


def _type_said(said: str) -> PlanType:
    """The contract takes a type it does not know for recurring."""
    return PlanType(said) if said in tuple(PlanType) else PlanType.RECURRING


def _check_same(plan: Plan, said: PlanChange) -> None:
    pairs = {"reference": (said.reference, plan.ref), "productRef": (said.product_ref, plan.product_ref)}
    errors = [
        FieldError(path, f"stays {own}; make another plan, or leave it out")
        for path, (given, own) in pairs.items()
        if given not in (None, own)
    ]
    if errors:
        raise ValidationFailed(errors)


def _with_defaults(plan: Plan) -> Plan:
    """Give the plan what its type cannot do without."""
    filled: dict[str, Any] = {}  # Any: fields of a plan
    usage_based = plan.type is PlanType.USAGE_BASED
    model = plan.billing_model or (BillingModel.PRE_PAID if usage_based else None)
    post_paid = usage_based and model is BillingModel.POST_PAID
    in_cycles = plan.type in (PlanType.RECURRING, PlanType.HYBRID) or post_paid
    if in_cycles and plan.billing_cycle is None:
        filled["billing_cycle"] = BillingCycle.MONTHLY
    if usage_based and not post_paid and plan.credits_per_unit == 0:
        filled["credits_per_unit"] = 1
    return replace(plan, billing_model=model, **filled)


def _check(plan: Plan) -> None:
    errors = []
    if plan.is_default and plan.requires_payment and plan.type is not PlanType.USAGE_BASED:
        errors.append(FieldError("default", "may be true of a free or a usage-based plan only"))
    if plan.calendar_periods and plan.billing_cycle is BillingCycle.CUSTOM:
        errors.append(FieldError("calendarPeriods", "needs a billingCycle other than custom"))
    if errors:
        raise ValidationFailed(errors)


def _pricing(plan: Plan, details: PlanDetails) -> dict[str, Any]:  # Any: fields of a plan
    """Return the pricing options, and the fields that repeat the default one."""
    if details.pricing_options:
        others = [_option(each, default=False) for each in details.pricing_options]
        at = default_option(details.pricing_options, details.currency)
        default = _agreed(others[at], details)
    else:
        others = [] if details.pricing_options is not None else list(plan.pricing_options)
        at = next((i for i, each in enumerate(others) if each.default), 0)
        default = PricingOption(
            currency=(details.currency or plan.currency).upper(),
            price=_or(details.price, plan.price),
            base_price=_or(details.base_price, plan.base_price) or None,
            setup_fee=_or(details.setup_fee, plan.setup_fee) or None,
        )
        if any(each.currency == default.currency for i, each in enumerate(others) if i != at):
            raise ValidationFailed.of("currency", "is that of another pricing option; send pricingOptions")
    others[at : at + 1] = [replace(default, default=True)]
    return {
        "pricing_options": tuple(others),
        "price": default.price,
        "base_price": default.base_price or 0,
        "setup_fee": default.setup_fee or 0,
        "currency": default.currency,
    }


def _agreed(option: PricingOption, details: PlanDetails) -> PricingOption:
    """Return the default option with what is said beside it. Raises ValidationFailed where they differ."""
    beside: dict[str, Any] = {}  # Any: fields of an option
    for name, path in (("price", "price"), ("base_price", "basePrice"), ("setup_fee", "setupFee")):
        said, own = getattr(details, name), getattr(option, name)
        if said is not None and own not in (None, said):
            raise ValidationFailed.of(path, f"must be the default pricing option's {own}, or be left out")
        if said is not None:
            beside[name] = int(said)
    if details.currency is not None and details.currency.upper() != option.currency:
        sentence = f"must be the default pricing option's {option.currency}, or be left out"
        raise ValidationFailed.of("currency", sentence)
    return replace(option, **beside)


def _option(said: OptionBody, *, default: bool) -> PricingOption:
    return PricingOption(
        currency=(said.currency or "").upper(),
        price=_or(said.price, 0),
        base_price=_whole(said.base_price),
        setup_fee=_whole(said.setup_fee),
        default=default,
    )


def _tiers(details: PlanDetails) -> tuple[UsageTier, ...]:
    return tuple(
        UsageTier(
            name=tier.name,
            min_usage=_or(tier.min_usage, 0),
            max_usage=_whole(tier.max_usage),
            credits_per_unit=_or(tier.credits_per_unit, 0),
        )
        for tier in details.usage_tiers or ()
    )


def _overage_policy(details: PlanDetails) -> OveragePolicy | None:
    said = details.overage_policy
    if said is None:
        return None
    return OveragePolicy(
        allow_overage=said.allow_overage or False,
        max_overage=_whole(said.max_overage),
        overage_rate=_whole(said.overage_rate),
    )


def _extras(plan: Plan, details: PlanDetails) -> str:
    said = {
        path: value
        for name, path in zip(PlanExtras.__struct_fields__, PlanExtras.__struct_encode_fields__, strict=True)
        if (value := getattr(details, name)) is not None
    }
    for path in ("cancellationNoticeDays", "maxActiveUsers"):
        if path in said:
            said[path] = int(said[path])
    return text.canonical(_decode_object(plan.extras) | said)


def _whole(said: Number) -> int | None:
    return None if said is None else int(said)


def _or(said: Number, was: int) -> int:
    return was if said is None else int(said)
