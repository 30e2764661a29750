"""Plans: on what terms a product is sold, and what they give access to.

`plan_body` has what requests say of a plan, `plan_change` what becomes of it.
"""

from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Raw, Struct

DEFAULT_METER_REF: Final = "mtr_requests"
DEFAULT_MEASURES: Final = "requests"
"""The meter of a plan that names none. Every scope has it."""


class PlanType(StrEnum):
    """What gives access (contract §4.1).

    recurring: the purchase, up to `limit` in each period. usage-based: credits before, or a bill after, use.
    hybrid: the purchase with `limit` units in it, then overage. one-time: the purchase, until it expires.
    """

    RECURRING = "recurring"
    USAGE_BASED = "usage-based"
    HYBRID = "hybrid"
    ONE_TIME = "one-time"


def name_of(type_: PlanType) -> str:
    """Return the name of a plan whose seller gave it none: "Usage-based plan"."""
    return f"{type_.value.capitalize()} plan"


class PlanStatus(StrEnum):
    """Only active plans are offered; what was bought of any other goes on."""

    ACTIVE = "active"
    INACTIVE = "inactive"
    ARCHIVED = "archived"


class BillingCycle(StrEnum):
    """7, 30, 90, 365 and 30 days (contract §4.3), unless the plan has calendar periods."""

    WEEKLY = "weekly"
    MONTHLY = "monthly"
    QUARTERLY = "quarterly"
    YEARLY = "yearly"
    CUSTOM = "custom"


class BillingModel(StrEnum):
    """pre-paid: every unit is debited from credits. post-paid: units are billed at the period's end."""

    PRE_PAID = "pre-paid"
    POST_PAID = "post-paid"


class PricingOption(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a plan costs in one currency, in its minor units (cents)."""

    currency: str
    price: int
    base_price: int | None = None
    setup_fee: int | None = None
    default: bool = False


class UsageTier(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A step of a graduated price: the units after the tier before, up to and with `max_usage` (None: all).

    min_usage: the tier before's max_usage, or one more; both are written and mean the same.
    """

    name: str | None = None
    min_usage: int
    max_usage: int | None = None
    credits_per_unit: int


class OveragePolicy(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """max_overage: units beyond the limit, None for any number. overage_rate: credits for each of them."""

    allow_overage: bool = False
    max_overage: int | None = None
    overage_rate: int | None = None


class Plan(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A purchase freezes the plan as it is then; a change is for purchases that come after it.

    price, base_price, setup_fee, currency: those of the default pricing option, in minor units.
    pricing_options: in the catalog at least one, of different currencies, exactly one the default.
    credits_per_unit: 0 where units cost none. limit: units in a period, 0 for any number.
    free_units: units before billing; on a free plan, 0 for any number. access_expiry_days: 0 for never.
    calendar_periods: periods are weeks, months, quarters or years of the UTC calendar, and not cycles of
    so many days from the purchase's start. measures: the name of the meter.
    extras: canonical JSON text of an object, what clients say and read back and nothing here decides by.
    Times: microseconds since 1970.
    """

    ref: str
    product_ref: str
    name: str
    type: PlanType = PlanType.RECURRING
    status: PlanStatus = PlanStatus.ACTIVE
    description: str = ""
    is_default: bool = False
    hidden: bool = False
    price: int = 0
    base_price: int = 0
    currency: str = "USD"
    pricing_options: tuple[PricingOption, ...] = ()
    setup_fee: int = 0
    billing_cycle: BillingCycle | None = None
    billing_model: BillingModel | None = None
    credits_per_unit: int = 0
    free_units: int = 0
    limit: int = 0
    rollover_unused_units: bool = False
    trial_days: int = 0
    auto_renew: bool = True
    access_expiry_days: int = 0
    calendar_periods: bool = False
    meter_ref: str = DEFAULT_METER_REF
    measures: str = DEFAULT_MEASURES
    usage_tiers: tuple[UsageTier, ...] = ()
    overage_policy: OveragePolicy | None = None
    extras: str = "{}"
    created_at: int
    updated_at: int

    @property
    def is_active(self) -> bool:
        return self.status is PlanStatus.ACTIVE

    @property
    def requires_payment(self) -> bool:
        """Whether it costs anything to have the plan or to use it. A setup fee alone does not count."""
        per_unit = self.type in (PlanType.USAGE_BASED, PlanType.HYBRID) and self.credits_per_unit > 0
        return self.price > 0 or self.base_price > 0 or per_unit

    @property
    def is_prepaid(self) -> bool:
        """Whether its units are paid for with credits as they are used."""
        return self.type is PlanType.USAGE_BASED and self.billing_model is not BillingModel.POST_PAID

    @property
    def period_price(self) -> int:
        """What each period costs, usage aside; without periods, what it costs once."""
        return self.base_price or self.price

    @property
    def first_price(self) -> int:
        """What it costs to begin: the first period and the setup fee."""
        return self.period_price + self.setup_fee

    @property
    def begins_unpaid(self) -> bool:
        """Whether it is had before it is paid: it costs nothing to begin, or is paid for as it is used."""
        return self.first_price == 0 or self.type is PlanType.USAGE_BASED

    def free_form(self, name: str) -> Raw:
        """Return a field of `extras` as JSON; an empty object where it was not given."""
        return msgspec.json.decode(self.extras, type=dict[str, Raw]).get(name, Raw(b"{}"))
