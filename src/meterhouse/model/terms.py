"""Terms: what a plan grants, as decisions need it, and their arithmetic. Pure (contract §4.1 to §4.4)."""

from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.units import NANO

_REMEMBERED_PLANS: Final = 4_096


class Terms(Struct, frozen=True, kw_only=True):
    """limit: billionths a period, None for no limit. overage: billionths that may come on top, None for any.

    credits_per_unit: 0 where usage debits no credits. meter_ref: what is counted.
    cycle: None for one period that never ends.
    """

    type: PlanType
    requires_payment: bool
    meter_ref: str
    limit: int | None
    overage: int | None = 0
    credits_per_unit: int = 0
    rollover: bool = False
    cycle: BillingCycle | None = None
    calendar: bool = False

    @property
    def is_prepaid(self) -> bool:
        """Whether each unit is paid for with credits as it is used."""
        return self.credits_per_unit > 0

    def capacity(self, carried: int) -> int | None:
        """Return how many billionths a period has room for, None for any number."""
        if self.limit is None or self.overage is None:
            return None
        return self.limit + carried + self.overage

    def carries(self, carried: int, used: int) -> int:
        """Return what rolls over out of a period into which `carried` rolled and in which `used` were used.

        Units roll over once: what rolled in is used first, and what is left of it is lost.
        """
        if not self.rollover or self.limit is None:
            return 0
        return min(self.limit, max(self.limit + carried - used, 0))

    def whole_credits(self, billionths: int) -> int:
        """Return the whole credits that units cost; a fraction of a credit waits until it is whole."""
        return billionths * self.credits_per_unit // NANO


@lru_cache(_REMEMBERED_PLANS)
def terms_of_snapshot(snapshot: str) -> Terms:
    """Return the terms of a plan as it was frozen into a purchase."""
    return terms_of(msgspec.json.decode(snapshot, type=Plan))


def terms_of(plan: Plan) -> Terms:
    """Return what a plan grants.

    A free plan's freeUnits are its limit where it has no other: there is nothing to bill them against (§4.1).
    """
    limit = plan.limit or (plan.free_units if not plan.requires_payment else 0)
    return Terms(
        type=plan.type,
        requires_payment=plan.requires_payment,
        meter_ref=plan.meter_ref,
        limit=limit * NANO if limit else None,
        overage=_overage(plan),
        credits_per_unit=plan.credits_per_unit if plan.is_prepaid else 0,
        rollover=plan.rollover_unused_units,
        cycle=None if plan.type is PlanType.ONE_TIME else plan.billing_cycle,
        calendar=plan.calendar_periods,
    )


def _overage(plan: Plan) -> int | None:
    policy = plan.overage_policy
    if plan.type is not PlanType.HYBRID or policy is None or not policy.allow_overage:
        return 0
    return None if policy.max_overage is None else policy.max_overage * NANO
