"""Bodies and answers of auto-recharge (contract §3.7)."""

from decimal import Decimal
from typing import Final

from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.render import iso, iso_or_unset, number
from meterhouse.model import text, units
from meterhouse.model.auto_recharge import AutoRecharge, RechargeStatus, month_of
from meterhouse.model.errors import FieldError
from meterhouse.model.money import formatted, to_major, to_minor
from meterhouse.model.payment import RechargeTerms
from meterhouse.model.units import Number

_MOST_MAJOR: Final = 10_000
_LEAST_MINOR: Final = {
    "GBP": 30, "SEK": 300, "NOK": 300, "DKK": 250, "JPY": 50, "KRW": 500,
}  # fmt: skip
"""The smallest amount that a processor charges."""
_LEAST: Final = 50
_BALANCE: Final = "balance"


class TermsBody(Struct, rename="camel"):
    """Amounts are in major units of `currency`, above 0, at most 10 000. triggerType: `balance`."""

    enabled: bool | None = None
    trigger_type: str | None = None
    threshold_amount_major: Number = None
    topup_amount_major: Number = None
    max_monthly_spend_major: Number = None
    currency: str | None = None


class AutoRechargeBody(TermsBody, rename="camel"):
    """deferSetupIntent: true begins no saving of a card; the next payment saves it.

    customerEmail, customerName: ignored; the customer's own are used.
    """

    customer_ref: str | None = None
    external_ref: str | None = None
    customer_email: str | None = None
    customer_name: str | None = None
    defer_setup_intent: bool = False


class TriggerAnswer(Struct, rename="camel"):
    threshold_amount_minor: int
    type: str = _BALANCE


class TopupAnswer(Struct, rename="camel"):
    amount_minor: int
    currency: str
    mode: str = "fixed"


class ConfigAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """failureReason: why the last charge failed. nextChargeAt: no charge is made before it."""

    enabled: bool
    status: RechargeStatus
    trigger: TriggerAnswer
    topup: TopupAnswer
    funding_source_type: str
    failure_count: int
    monthly_spend_minor: int
    monthly_spend_period: str
    updated_at: str
    payment_method_id: str | UnsetType = UNSET
    max_monthly_spend_minor: int | UnsetType = UNSET
    last_charge_at: str | UnsetType = UNSET
    lock_acquired_at: str | UnsetType = UNSET
    failure_reason: str | UnsetType = UNSET
    next_charge_at: str | UnsetType = UNSET


class FormattedAnswer(Struct):
    threshold: str
    topup: str


class DisplayAnswer(Struct, rename="camel", kw_only=True):
    """The amounts in major units, for people."""

    threshold_amount_major: Raw
    topup_amount_major: Raw
    currency: str
    formatted: FormattedAnswer
    exchange_rate: int = 1
    rate_source: str = "parity"


class RechargeAnswer(Struct, omit_defaults=True):
    """config: null where the customer has none."""

    config: ConfigAnswer | None
    display: DisplayAnswer | UnsetType = UNSET


class SavedRechargeAnswer(Struct, rename="camel", omit_defaults=True):
    """setupClientSecret: lets the customer's browser save a card, where none is saved yet."""

    config: ConfigAnswer
    display: DisplayAnswer
    setup_client_secret: str | UnsetType = UNSET
    publishable_key: str | UnsetType = UNSET


class DisabledAnswer(Struct):
    success: bool = True


def read_terms(said: TermsBody, path: str = "") -> RechargeTerms | list[FieldError]:
    """Return the terms in minor units, or every fault. path: of the fields, with a dot at its end."""
    faults: dict[str, str] = {}
    if said.enabled is None:
        faults["enabled"] = "is required"
    if said.trigger_type != _BALANCE:
        faults["triggerType"] = f"must be {_BALANCE}"
    if said.currency is None:
        faults["currency"] = "is required"
    elif fault := text.currency_fault(said.currency):
        faults["currency"] = fault
    read = None if faults else _amounts(said, (said.currency or "").upper(), faults)
    if read is None or faults:
        return [FieldError(path + name, sentence) for name, sentence in faults.items()]
    return read


def _amounts(said: TermsBody, currency: str, faults: dict[str, str]) -> RechargeTerms | None:
    """Return the terms; None where an amount is missing or no amount. Faults are added by field."""
    named = {
        "thresholdAmountMajor": _minor(said.threshold_amount_major, currency),
        "topupAmountMajor": _minor(said.topup_amount_major, currency),
        "maxMonthlySpendMajor": _minor(said.max_monthly_spend_major, currency),
    }
    threshold, topup, most = named.values()
    faults |= {name: amount for name, amount in named.items() if isinstance(amount, str)}
    faults |= {name: "is required" for name in list(named)[:2] if named[name] is None}
    if not isinstance(threshold, int) or not isinstance(topup, int) or isinstance(most, str):
        return None
    least = _LEAST_MINOR.get(currency, _LEAST)
    if topup < least:
        faults["topupAmountMajor"] = f"must be at least {formatted(least, currency)}: less cannot be charged"
    elif topup < threshold:
        faults["topupAmountMajor"] = "must be at least thresholdAmountMajor, or the balance stays below it"
    if most is not None and most < topup:
        faults["maxMonthlySpendMajor"] = "must be at least topupAmountMajor, or nothing can be charged"
    return RechargeTerms(threshold=threshold, amount=topup, currency=currency, most_monthly=most)


def _minor(said: Number, currency: str) -> int | str | None:
    """Return minor units, None for an absent amount, or the fault of an amount."""
    if said is None:
        return None
    if not units.is_between(said, 0, _MOST_MAJOR) or said == 0:
        return f"must be above 0 and at most {_MOST_MAJOR}"
    minor = to_minor(Decimal(said), currency)
    return f"has more decimal places than {currency} has" if minor is None else minor


def config_answer(config: AutoRecharge, now_us: int, most_daily: int) -> ConfigAnswer:
    paused = config.paused_until(now_us, most_daily) if config.status is RechargeStatus.ACTIVE else None
    terms, charging = config.terms, config.charging
    return ConfigAnswer(
        enabled=config.enabled,
        status=config.status,
        trigger=TriggerAnswer(terms.threshold),
        topup=TopupAnswer(terms.amount, terms.currency),
        funding_source_type="saved_card",
        failure_count=config.failures,
        monthly_spend_minor=config.spent_in(now_us),
        monthly_spend_period=month_of(now_us),
        updated_at=iso(config.updated_at),
        payment_method_id=UNSET if config.method is None else config.method.id,
        max_monthly_spend_minor=UNSET if terms.most_monthly is None else terms.most_monthly,
        last_charge_at=iso_or_unset(config.last_charge_at),
        lock_acquired_at=iso_or_unset(None if charging is None else charging.since),
        failure_reason=config.failure or UNSET,
        next_charge_at=iso_or_unset(paused),
    )


def display_answer(terms: RechargeTerms) -> DisplayAnswer:
    return DisplayAnswer(
        threshold_amount_major=number(to_major(terms.threshold, terms.currency), quote=False),
        topup_amount_major=number(to_major(terms.amount, terms.currency), quote=False),
        currency=terms.currency,
        formatted=FormattedAnswer(
            formatted(terms.threshold, terms.currency), formatted(terms.amount, terms.currency)
        ),
    )
