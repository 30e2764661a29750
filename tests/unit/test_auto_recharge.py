"""Auto-recharge: whatever happens in whatever order, its limits hold."""

from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.auto_recharge import (
    MAX_FAILURES,
    AutoRecharge,
    RechargeStatus,
    abandoned,
    begun,
    disabled,
    failed,
    month_of,
    saved,
    succeeded,
    with_method,
)
from meterhouse.model.payment import RechargeTerms, SavedMethod
from meterhouse.model.period import DAY_US

START = 1_793_491_200_000_000  # 2026-11-01
TERMS = RechargeTerms(threshold=500, amount=2000, currency="USD", most_monthly=9_000)
METHOD = SavedMethod("cus_1", "pm_1")
MOST_DAILY = 3
steps = st.lists(
    st.tuples(
        st.sampled_from(["try", "paid", "declined", "given up", "off", "save"]), st.integers(0, 2 * DAY_US)
    ),
    max_size=60,
)


def ready() -> AutoRecharge:
    return with_method(saved(None, "cus_1", TERMS, START, enabled=True), METHOD, START)


def after(config: AutoRecharge, step: str, now: int) -> AutoRecharge:
    """Return the configuration as the service would leave it after one step."""
    if step == "try":
        return begun(config, now) if config.may_charge(now, MOST_DAILY) else config
    if step == "off":
        return disabled(config, now)
    if step == "save":
        return saved(config, "cus_1", TERMS, now, enabled=True)
    if config.charging is None:
        return config
    ends = {
        "paid": succeeded(config, now),
        "declined": failed(config, "No funds.", now),
        "given up": abandoned(config, now),
    }
    return ends[step]


@given(steps)
def test_limits_hold_and_one_charge_is_in_flight(taken: list[tuple[str, int]]) -> None:
    config, now = ready(), START
    daily: dict[int, int] = {}
    monthly: dict[str, int] = {}
    keys: set[str] = set()
    for step, wait in taken:
        now += wait
        before, config = config, after(config, step, now)
        assert config.is_watched == (
            config.status in (RechargeStatus.ACTIVE, RechargeStatus.PENDING_SETUP)
            or config.charging is not None
        )
        if config.charges > before.charges:
            assert before.charging is None, "one was in flight"
            assert before.enabled, "it was off"
            assert before.failures < MAX_FAILURES
            assert config.key not in keys
            keys.add(config.key)
            daily[now // DAY_US] = daily.get(now // DAY_US, 0) + 1
            assert daily[now // DAY_US] <= MOST_DAILY
        if config.last_charge_at != before.last_charge_at or (step == "paid" and before.charging):
            monthly[month_of(now)] = monthly.get(month_of(now), 0) + TERMS.amount
            assert config.spent_in(now) == monthly[month_of(now)]


@given(st.lists(st.integers(0, 3_600_000_000), max_size=40))
def test_a_months_spending_stays_below_its_limit(waits: list[int]) -> None:
    config, now = ready(), START
    for wait in waits:
        now += wait
        if config.may_charge(now, 1_000):
            config = succeeded(begun(config, now), now)
        assert config.spent_in(now) <= (TERMS.most_monthly or 0)


def test_a_third_failure_in_a_row_ends_it_until_it_is_saved_again() -> None:
    config, now = ready(), START
    for failures in range(1, MAX_FAILURES + 1):
        assert config.may_charge(now, 1_000)
        config = failed(begun(config, now), "No funds.", now)
        assert (config.failures, config.failure) == (failures, "No funds.")
        assert not config.may_charge(now, 1_000)
        now = config.retry_at or now
    assert config.status is RechargeStatus.FAILED
    assert not config.may_charge(now + 400 * DAY_US, 1_000)
    assert not config.is_watched
    assert saved(config, "cus_1", TERMS, now, enabled=True).may_charge(now, 1_000)


def test_a_success_forgets_the_failures_before_it() -> None:
    config = failed(begun(ready(), START), "No funds.", START)
    now = config.retry_at or 0
    assert succeeded(begun(config, now), now).failures == 0


def test_another_day_and_another_month_begin_at_midnight_utc() -> None:
    config = ready()
    for _ in range(MOST_DAILY):
        config = succeeded(begun(config, START), START)
    midnight = START + DAY_US
    assert config.paused_until(START, MOST_DAILY) == midnight
    assert not config.may_charge(midnight - 1, MOST_DAILY)
    assert config.spent_in(midnight) == 3 * TERMS.amount
    assert config.may_charge(midnight, MOST_DAILY)
    assert config.spent_in(START + 30 * DAY_US) == 0


def test_spending_is_told_in_the_currency_that_was_charged() -> None:
    euros = RechargeTerms(threshold=500, amount=3000, currency="EUR", most_monthly=9_000)
    config = begun(succeeded(begun(ready(), START), START), START)  # 20 dollars are in flight
    config = saved(config, "cus_1", euros, START, enabled=True)
    assert config.spent_in(START) == 0
    config = succeeded(config, START)
    assert config.spent_in(START) == 0
    config = succeeded(begun(config, START), START)
    assert config.spent_in(START) == 3000
    config = saved(config, "cus_1", TERMS, START, enabled=True)
    assert config.spent_in(START) == 4000
    next_month = START + 30 * DAY_US
    assert saved(config, "cus_1", euros, next_month, enabled=True).spent_in(next_month) == 0
