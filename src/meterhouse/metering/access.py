"""May a customer go on? What is left of a limit, of credits. Pure (contract §4.1, §4.2)."""

from typing import Final, NamedTuple

from meterhouse.metering.decide import free_units
from meterhouse.model.ledger import Account
from meterhouse.model.units import MAX_UNITS, NANO

UNLIMITED: Final = MAX_UNITS
"""What `remaining` says where there is no limit; clients need a number."""


class Access(NamedTuple):
    """remaining: whole units, at most UNLIMITED. within: whether at least a little is left."""

    within: bool
    remaining: int


NONE: Final = Access(within=False, remaining=0)


def access(account: Account) -> Access:
    """Return what an account may still use, its open holds taken off."""
    terms = account.terms
    if terms is None or account.period is None or not account.has_access:
        return NONE
    free = free_units(account)
    within = free is None or free > 0
    remaining = UNLIMITED if free is None else free // NANO
    if terms.is_prepaid:
        payable = account.free_credits // terms.credits_per_unit
        within = within and payable > 0
        remaining = min(remaining, payable)
    return Access(within, min(remaining, UNLIMITED) if within else 0)
