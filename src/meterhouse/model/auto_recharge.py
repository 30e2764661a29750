"""Auto-recharge: buying credits for a customer whose balance runs low (contract §3.7). Pure."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from meterhouse.model.payment import RechargeTerms, SavedMethod
from meterhouse.model.period import DAY_US

MAX_FAILURES: Final = 3
"""So many failed charges in a row end it, until the customer saves it again."""
_BACKOFF_US: Final = (60_000_000, 3_600_000_000)
"""After the first failure, and after the second."""


class RechargeStatus(StrEnum):
    """pending_setup: no card is saved yet. failed: too many charges failed. Only active ones charge."""

    ACTIVE = "active"
    DISABLED = "disabled"
    FAILED = "failed"
    PENDING_SETUP = "pending_setup"


class Charging(Struct, frozen=True):
    """A charge that was begun and has not ended, as it was then. since: microseconds since 1970.

    amount: minor units. method: the card that is charged.
    """

    since: int
    amount: int
    currency: str
    method: SavedMethod | None


class AutoRecharge(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """method: the saved card, None before there is one. setup_id: the processor's, while one is collected.

    charges: how many were ever begun. charging: the one that was not ended yet; there is one at most.
    failures: in a row. failure: why the last charge failed. retry_at: no charge before it.
    day, day_charges: days since 1970, and the charges begun on that day, UTC.
    month, spent: "YYYY-MM", and the minor units charged in that month, UTC, in the currency of `terms`.
    spent_elsewhere: the same in other currencies.
    Times: microseconds since 1970.
    """

    customer_ref: str
    enabled: bool
    terms: RechargeTerms
    method: SavedMethod | None = None
    setup_id: str | None = None
    charges: int = 0
    charging: Charging | None = None
    failures: int = 0
    failure: str | None = None
    retry_at: int | None = None
    day: int = 0
    day_charges: int = 0
    month: str = ""
    spent: int = 0
    spent_elsewhere: dict[str, int] = {}
    last_charge_at: int | None = None
    created_at: int
    updated_at: int

    @property
    def status(self) -> RechargeStatus:
        if not self.enabled:
            return RechargeStatus.DISABLED
        if self.failures >= MAX_FAILURES:
            return RechargeStatus.FAILED
        return RechargeStatus.PENDING_SETUP if self.method is None else RechargeStatus.ACTIVE

    @property
    def is_watched(self) -> bool:
        """Whether there is anything to do: a balance to look at, or a charge to bring to its end."""
        waiting = self.status in (RechargeStatus.ACTIVE, RechargeStatus.PENDING_SETUP)
        return waiting or self.charging is not None

    @property
    def key(self) -> str:
        """Return the idempotency key of the last charge that was begun."""
        return f"auto-recharge:{self.customer_ref}:{self.created_at}:{self.charges}"

    def spent_in(self, at: int) -> int:
        """Return the minor units that were charged in the month of a time, in the currency of `terms`."""
        return self.spent if self.month == month_of(at) else 0

    def charged_on(self, at: int) -> int:
        """Return the number of charges that were begun on the day of a time."""
        return self.day_charges if self.day == at // DAY_US else 0

    def paused_until(self, at: int, most_daily: int) -> int | None:
        """Return when the next charge may be begun; None for at once, as far as limits of time go."""
        if self.charged_on(at) >= most_daily:
            return max((at // DAY_US + 1) * DAY_US, self.retry_at or 0)
        return self.retry_at if self.retry_at is not None and self.retry_at > at else None

    def may_charge(self, at: int, most_daily: int) -> bool:
        """Whether a low balance leads to a charge now."""
        most = self.terms.most_monthly
        return (
            self.status is RechargeStatus.ACTIVE
            and self.charging is None
            and self.paused_until(at, most_daily) is None
            and (most is None or self.spent_in(at) + self.terms.amount <= most)
        )


def _spending(config: AutoRecharge, at: int) -> dict[str, int]:
    """Return the minor units that were charged in the month of a time, by currency."""
    if config.month != month_of(at):
        return {}
    return config.spent_elsewhere | {config.terms.currency: config.spent}


def _with_spending(config: AutoRecharge, at: int, spending: dict[str, int]) -> AutoRecharge:
    own = config.terms.currency
    elsewhere = {currency: spent for currency, spent in spending.items() if currency != own and spent}
    return replace(config, month=month_of(at), spent=spending.get(own, 0), spent_elsewhere=elsewhere)


def month_of(at: int) -> str:
    """Return the UTC calendar month of a time, "YYYY-MM"."""
    return f"{datetime.fromtimestamp(at // 1_000_000, UTC):%Y-%m}"


def saved(
    before: AutoRecharge | None, customer_ref: str, terms: RechargeTerms, now_us: int, *, enabled: bool
) -> AutoRecharge:
    """Return what a customer asks for, with a clean sheet of failures. What was charged stays counted."""
    if before is None:
        return AutoRecharge(
            customer_ref=customer_ref, enabled=enabled, terms=terms, created_at=now_us, updated_at=now_us
        )
    after = replace(
        before, enabled=enabled, terms=terms, failures=0, failure=None, retry_at=None, updated_at=now_us
    )
    return _with_spending(after, now_us, _spending(before, now_us))


def disabled(before: AutoRecharge, now_us: int) -> AutoRecharge:
    """Return it switched off. A charge that was begun is still brought to its end."""
    return replace(before, enabled=False, updated_at=now_us) if before.enabled else before


def with_method(before: AutoRecharge, method: SavedMethod, now_us: int) -> AutoRecharge:
    """Return it with the card that is charged from now on."""
    return replace(before, method=method, setup_id=None, retry_at=None, updated_at=now_us)


def begun(before: AutoRecharge, now_us: int) -> AutoRecharge:
    """Return it with a charge in flight, which is counted before any money moves."""
    terms = before.terms
    return replace(
        before,
        charges=before.charges + 1,
        charging=Charging(now_us, terms.amount, terms.currency, before.method),
        day=now_us // DAY_US,
        day_charges=before.charged_on(now_us) + 1,
        updated_at=now_us,
    )


def succeeded(before: AutoRecharge, now_us: int) -> AutoRecharge:
    """Return it after its charge was paid and the credits were given."""
    spending, charging = _spending(before, now_us), before.charging
    if charging is not None:
        spending[charging.currency] = spending.get(charging.currency, 0) + charging.amount
    after = replace(
        before,
        charging=None,
        failures=0,
        failure=None,
        retry_at=None,
        last_charge_at=now_us,
        updated_at=now_us,
    )
    return _with_spending(after, now_us, spending)


def failed(before: AutoRecharge, reason: str, now_us: int) -> AutoRecharge:
    """Return it after its charge was declined: the next one waits, and after the third there is none."""
    failures = before.failures + 1
    wait_us = _BACKOFF_US[failures - 1] if failures < MAX_FAILURES else 0
    return replace(
        before,
        charging=None,
        failures=failures,
        failure=reason,
        retry_at=now_us + wait_us if wait_us else None,
        updated_at=now_us,
    )


def abandoned(before: AutoRecharge, now_us: int) -> AutoRecharge:
    """Return it after a charge that took no money was given up, since it was switched off meanwhile."""
    return replace(before, charging=None, updated_at=now_us)


def waiting(before: AutoRecharge, now_us: int) -> AutoRecharge:
    """Return it so that the processor is asked for the card only after a while."""
    return replace(before, retry_at=now_us + _BACKOFF_US[0])
