"""A purchase begins and ends in whole milliseconds, as the wire shows its times."""

from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.plan import BillingCycle, Plan, PlanType
from meterhouse.model.purchase import Origin, PurchaseStatus, Sale, bought, cancelled, expired

MONTHLY = Plan(
    ref="pln_1",
    product_ref="prd_1",
    name="Free",
    billing_cycle=BillingCycle.MONTHLY,
    created_at=0,
    updated_at=0,
)
ONCE = Plan(ref="pln_2", product_ref="prd_1", name="Once", type=PlanType.ONE_TIME, created_at=0, updated_at=0)
MOMENTS = st.integers(1_600_000_000_000_000, 2_000_000_000_000_000)


def sale_of(plan: Plan) -> Sale:
    return Sale(customer_ref="cus_1", plan=plan, origin=Origin.ACTIVATION, paid=False)


@given(now_us=MOMENTS)
def test_an_event_of_the_millisecond_of_the_start_counts(now_us: int) -> None:
    purchase = bought(sale_of(MONTHLY), "pur_1", now_us)
    at = now_us // 1000 * 1000
    assert purchase.gives_access(at)
    period = purchase.grid.period_at(at)
    assert period is not None
    assert period.number == 0


@given(now_us=MOMENTS)
def test_a_replaced_purchase_ends_where_the_next_one_begins(now_us: int) -> None:
    before = bought(sale_of(MONTHLY), "pur_1", now_us - 5_000)
    after = bought(sale_of(MONTHLY), "pur_2", now_us)
    assert expired(before, now_us).ends_at == after.started_at


@given(now_us=MOMENTS)
def test_a_purchase_without_periods_ends_in_a_whole_millisecond(now_us: int) -> None:
    ended = cancelled(bought(sale_of(ONCE), "pur_1", now_us - 5_000), None, now_us)
    assert ended.ends_at == now_us // 1000 * 1000
    assert ended.status_at(now_us) is PurchaseStatus.CANCELLED
