"""Coming back to a plan: what the purchase that a customer had becomes."""

import pytest

from meterhouse.model.errors import PurchaseNotReactivable
from meterhouse.model.period import DAY_US
from meterhouse.model.plan import Plan, PlanType
from meterhouse.model.purchase import Origin, PurchaseStatus, Sale, bought, expired, resumed

PRO = Plan(ref="pln_1", product_ref="prd_1", name="Pro", price=900, trial_days=5, created_at=0, updated_at=0)
PAYG = Plan(
    ref="pln_2", product_ref="prd_1", name="Pay as you go", type=PlanType.USAGE_BASED, credits_per_unit=3,
    trial_days=5, created_at=0, updated_at=0,
)  # fmt: skip


def sale_of(plan: Plan) -> Sale:
    return Sale(customer_ref="cus_1", plan=plan, origin=Origin.ACTIVATION, paid=False)


@pytest.mark.parametrize("plan", [PRO, PAYG])
def test_a_trial_goes_on_to_its_own_end(plan: Plan) -> None:
    left = expired(bought(sale_of(plan), "pur_1", 0), DAY_US)
    again = resumed(left, plan, 2 * DAY_US)
    assert again is not None
    assert (again.ref, again.trial_ends_at, again.ends_at) == ("pur_1", 5 * DAY_US, None)


def test_what_has_to_be_paid_first_is_not_had_unpaid_once_its_trial_is_over() -> None:
    left = expired(bought(sale_of(PRO), "pur_1", 0), DAY_US)
    with pytest.raises(PurchaseNotReactivable):
        resumed(left, PRO, 5 * DAY_US)


def test_what_is_paid_for_as_it_is_used_goes_on_without_a_trial_that_is_over() -> None:
    left = expired(bought(sale_of(PAYG), "pur_1", 0), DAY_US)
    again = resumed(left, PAYG, 5 * DAY_US)
    assert again is not None
    assert again.status_at(5 * DAY_US) is PurchaseStatus.ACTIVE
