"""The faults in what a request says of a plan that one can see without knowing the plan."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct

from meterhouse.model import text, units
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.plan import BillingCycle, BillingModel, PlanStatus
from meterhouse.model.plan_body import INTERVALS, NewPlan, OptionBody, PlanDetails, TierBody, default_option
from meterhouse.model.ref import Prefix, is_ref

_MAX_NAME: Final = 200
_MAX_DESCRIPTION: Final = 500
_MAX_FEATURE: Final = 200
_MAX_TIER_NAME: Final = 100
_MAX_PRICE: Final = 10_000_000
_MAX_MONEY: Final = 10**12  # minor units: some currencies have small ones
_MAX_CREDITS_PER_UNIT: Final = 10**9
_MAX_DAYS: Final = 36_500
_MAX_USERS: Final = 10**9
_MAX_OPTIONS: Final = 200
_MAX_TIERS: Final = 100

_BOUNDS: Final = {
    "price": (0, _MAX_PRICE),
    "base_price": (0, _MAX_MONEY),
    "setup_fee": (0, _MAX_MONEY),
    "credits_per_unit": (1, _MAX_CREDITS_PER_UNIT),
    "free_units": (0, units.MAX_UNITS),
    "limit": (0, units.MAX_UNITS),
    "trial_days": (0, _MAX_DAYS),
    "access_expiry_days": (0, _MAX_DAYS),
    "cancellation_notice_days": (0, _MAX_DAYS),
    "max_active_users": (0, _MAX_USERS),
}
_OPTION_BOUNDS: Final = dict.fromkeys(("price", "base_price", "setup_fee"), (0, _MAX_MONEY))
_DEFAULT_BOUNDS: Final = _OPTION_BOUNDS | {"price": _BOUNDS["price"]}
"""The default option's price is the plan's own."""
_TIER_BOUNDS: Final = {
    "min_usage": (0, units.MAX_UNITS),
    "max_usage": (1, units.MAX_UNITS),
    "credits_per_unit": (0, _MAX_CREDITS_PER_UNIT),
}
_OVERAGE_BOUNDS: Final = {"max_overage": (0, units.MAX_UNITS), "overage_rate": (0, _MAX_CREDITS_PER_UNIT)}
_CHOICES: Final = {
    "status": tuple(PlanStatus),
    "billing_cycle": tuple(BillingCycle),
    "interval": tuple(INTERVALS),
    "billing_model": tuple(BillingModel),
    "tax_behavior": ("auto", "inclusive", "exclusive"),
}
_PRORATION: Final = {"method": ("proportional", "full", "none")}
_TRACKING: Final = {
    "granularity": ("hourly", "daily", "weekly", "monthly"),
    "method": ("automatic", "manual", "hybrid"),
}
# Every one of these may be as large as metadata may.
_OBJECTS: Final = (
    "features", "limits", "metadata", "pricing_tiers", "billing_strategy", "proration_policy",
    "return_policy", "warranty", "fulfillment", "usage_tracking",
)  # fmt: skip


def check_new(new: NewPlan) -> None:
    """Raises ValidationFailed, naming every fault."""
    errors = list(_faults(new))
    if new.reference is not None and not is_ref(new.reference, Prefix.PLAN):
        errors.append(FieldError("reference", "must be pln_ and 1 to 16 of A-Z a-z 0-9 _ -"))
    if errors:
        raise ValidationFailed(errors)


def check_details(details: PlanDetails) -> None:
    """Raises ValidationFailed, naming every fault."""
    if errors := list(_faults(details)):
        raise ValidationFailed(errors)


def _faults(details: PlanDetails) -> Iterator[FieldError]:
    d = details
    sentences = {
        "name": d.name is not None and text.name_fault(d.name, at_least=1, at_most=_MAX_NAME),
        "description": d.description is not None and text.description_fault(d.description, _MAX_DESCRIPTION),
        "currency": d.currency is not None and text.currency_fault(d.currency),
    }
    yield from (FieldError(path, sentence) for path, sentence in sentences.items() if sentence)
    yield from _number_faults(d, "", _BOUNDS)
    yield from _choice_faults(d, "", _CHOICES)
    yield from _choice_faults(d.proration_policy, "prorationPolicy.", _PRORATION)
    yield from _choice_faults(d.usage_tracking, "usageTracking.", _TRACKING)
    yield from _number_faults(d.overage_policy, "overagePolicy.", _OVERAGE_BOUNDS)
    yield from _length_of_time_faults(d)
    yield from _size_faults(d)
    yield from _feature_faults(d)
    yield from _option_faults(d.pricing_options or (), d.currency)
    yield from _tier_faults(d.usage_tiers or ())
    cycles = {INTERVALS.get(said) for said in (d.billing_cycle, d.interval) if said is not None}
    if len(cycles) > 1 and None not in cycles:
        yield FieldError("interval", "must mean what billingCycle says; leave one of them out")


def _option_faults(options: Sequence[OptionBody], plan_currency: str | None) -> Iterator[FieldError]:
    if len(options) > _MAX_OPTIONS:
        yield FieldError("pricingOptions", f"must have at most {_MAX_OPTIONS}")
        return
    default = default_option(options, plan_currency)
    currencies: set[str] = set()
    for i, option in enumerate(options):
        path = f"pricingOptions.{i}."
        yield from _missing(option, path, "currency", "price")
        yield from _number_faults(option, path, _DEFAULT_BOUNDS if i == default else _OPTION_BOUNDS)
        currency = (option.currency or "").upper()
        if option.currency is not None and (fault := text.currency_fault(option.currency)):
            yield FieldError(f"{path}currency", fault)
        elif currency and currency in currencies:
            yield FieldError(f"{path}currency", "must not be that of another pricing option")
        currencies.add(currency)
    if sum(option.default is True for option in options) > 1:
        yield FieldError("pricingOptions", "must have one default; say default: true of one of them only")


def _tier_faults(tiers: Sequence[TierBody]) -> Iterator[FieldError]:
    if len(tiers) > _MAX_TIERS:
        yield FieldError("usageTiers", f"must have at most {_MAX_TIERS}")
        return
    end: int | None = 0
    for i, tier in enumerate(tiers):
        path = f"usageTiers.{i}."
        yield from _missing(tier, path, "min_usage", "credits_per_unit")
        yield from _number_faults(tier, path, _TIER_BOUNDS)
        if tier.name is not None and (fault := text.length_fault(tier.name, _MAX_TIER_NAME)):
            yield FieldError(f"{path}name", fault)
        if i and tiers[i - 1].max_usage is None:
            yield FieldError(f"usageTiers.{i - 1}.maxUsage", "may be left out in the last tier only")
        least = units.whole_between(tier.min_usage, 0, units.MAX_UNITS)
        most = units.whole_between(tier.max_usage, 0, units.MAX_UNITS)
        if end is not None and least is not None and least not in (end, end + 1):
            yield FieldError(f"{path}minUsage", f"must be {end} or {end + 1}: tiers follow on each other")
        if most and least is not None and most <= least:
            yield FieldError(f"{path}maxUsage", "must be more than minUsage")
        end = most


def _missing(said: Struct, path: str, *required: str) -> Iterator[FieldError]:
    for name in required:
        if getattr(said, name) is None:
            yield FieldError(path + _json_name(said, name), "is required")


def _number_faults(
    said: Struct | None, path: str, bounds: Mapping[str, tuple[int, int]]
) -> Iterator[FieldError]:
    for name, (least, most) in bounds.items():
        value = getattr(said, name, None)
        if said is not None and value is not None and units.whole_between(value, least, most) is None:
            sentence = f"must be a whole number, {least} to {most}"
            yield FieldError(path + _json_name(said, name), sentence)


def _length_of_time_faults(details: PlanDetails) -> Iterator[FieldError]:
    """These say with their own unit how long something is; nothing here decides by them."""
    period = None if details.return_policy is None else details.return_policy.period
    duration = None if details.warranty is None else details.warranty.duration
    for path, value in (("returnPolicy.period", period), ("warranty.duration", duration)):
        if value is not None and not units.is_between(value, 0, units.MAX_UNITS):
            yield FieldError(path, "must be a number, 0 to 10^15")


def _choice_faults(
    said: Struct | None, path: str, choices: Mapping[str, tuple[str, ...]]
) -> Iterator[FieldError]:
    for name, of in choices.items():
        value: str | None = getattr(said, name, None)
        if said is not None and value is not None and value not in of:
            yield FieldError(path + _json_name(said, name), f"must be one of {', '.join(of)}")


def _size_faults(details: PlanDetails) -> Iterator[FieldError]:
    for name in _OBJECTS:
        value = getattr(details, name)
        if value is not None and (fault := text.metadata_fault(value)):
            yield FieldError(_json_name(details, name), fault)


def _feature_faults(details: PlanDetails) -> Iterator[FieldError]:
    if isinstance(details.features, list):
        for i, feature in enumerate(details.features):
            if fault := text.name_fault(feature, at_least=1, at_most=_MAX_FEATURE):
                yield FieldError(f"features.{i}", fault)


def _json_name(said: Struct, name: str) -> str:
    return said.__struct_encode_fields__[said.__struct_fields__.index(name)]
