"""What becomes of a plan, decided without a store."""

from decimal import Decimal
from typing import Any

import msgspec
import pytest

from meterhouse.model.errors import ValidationFailed
from meterhouse.model.plan import (
    BillingCycle,
    BillingModel,
    OveragePolicy,
    Plan,
    PlanType,
    PricingOption,
    UsageTier,
)
from meterhouse.model.plan_body import NewPlan, PlanDetails
from meterhouse.model.plan_change import changed, created
from meterhouse.model.plan_checks import check_details, check_new


def new(**fields: Any) -> NewPlan:
    body = msgspec.json.encode({"name": "Pro"} | fields)
    return msgspec.json.Decoder(NewPlan, float_hook=Decimal).decode(body)


def make(**fields: Any) -> Plan:
    asked = new(**fields)
    check_new(asked)
    return created(asked, "pln_1", "prd_1", 1)


def change(plan: Plan, **fields: Any) -> Plan:
    details = msgspec.json.decode(msgspec.json.encode(fields), type=PlanDetails)
    check_details(details)
    return changed(plan, details, 2)


def fault(refused: pytest.ExceptionInfo[ValidationFailed]) -> list[str]:
    return [each.path for each in refused.value.errors]


def test_a_plan_of_a_name_alone_is_free_monthly_and_without_a_limit() -> None:
    assert make() == Plan(
        ref="pln_1",
        product_ref="prd_1",
        name="Pro",
        billing_cycle=BillingCycle.MONTHLY,
        pricing_options=(PricingOption(currency="USD", price=0, default=True),),
        created_at=1,
        updated_at=1,
    )


@pytest.mark.parametrize(
    ("fields", "cycle", "model", "credits_per_unit"),
    [
        ({"type": "recurring"}, "monthly", None, 0),
        ({"type": "lifetime"}, "monthly", None, 0),
        ({"type": "hybrid", "interval": "year"}, "yearly", None, 0),
        ({"type": "usage-based"}, None, "pre-paid", 1),
        ({"type": "usage-based", "creditsPerUnit": 10}, None, "pre-paid", 10),
        ({"type": "usage-based", "billingModel": "post-paid"}, "monthly", "post-paid", 0),
        ({"type": "one-time"}, None, None, 0),
    ],
)
def test_a_plan_gets_what_its_type_cannot_do_without(
    fields: dict[str, Any], cycle: str | None, model: str | None, credits_per_unit: int
) -> None:
    plan = make(**fields)
    assert (plan.billing_cycle, plan.billing_model, plan.credits_per_unit) == (cycle, model, credits_per_unit)


@pytest.mark.parametrize(
    ("fields", "requires"),
    [
        ({}, False),
        ({"setupFee": 500}, False),
        ({"price": 1}, True),
        ({"type": "hybrid", "basePrice": 1}, True),
        ({"type": "usage-based"}, True),
        ({"type": "usage-based", "billingModel": "post-paid"}, False),
        ({"type": "hybrid", "creditsPerUnit": 2}, True),
        ({"type": "recurring", "creditsPerUnit": 2}, False),
        ({"requiresPayment": True}, False),
    ],
)
def test_a_plan_requires_payment_where_having_or_using_it_costs(
    fields: dict[str, Any], *, requires: bool
) -> None:
    assert make(**fields).requires_payment is requires


def test_free_units_of_a_usage_based_plan_are_for_a_change_to_set() -> None:
    plan = make(type="usage-based", freeUnits=100)
    assert plan.free_units == 0
    assert change(plan, freeUnits=100).free_units == 100
    assert make(type="hybrid", freeUnits=100).free_units == 100


def test_integral_floats_become_integers() -> None:
    plan = make(price=1900.0, limit=10.0, pricingOptions=[{"currency": "usd", "price": 1900.0}],
                usageTiers=[{"minUsage": 0.0, "creditsPerUnit": 3.0}], overagePolicy={"maxOverage": 5.0},
                maxActiveUsers=3.0)  # fmt: skip
    written = msgspec.json.encode(plan).decode()
    assert ".0" not in written
    assert plan.usage_tiers == (UsageTier(min_usage=0, credits_per_unit=3),)
    assert plan.overage_policy == OveragePolicy(max_overage=5)
    assert plan.extras == '{"maxActiveUsers":3}'


def test_the_default_option_is_the_plans_price() -> None:
    options = [
        {"currency": "eur", "price": 5},
        {"currency": "usd", "price": 6, "default": True, "setupFee": 1},
    ]
    plan = make(pricingOptions=options, basePrice=7)
    assert (plan.currency, plan.price, plan.setup_fee, plan.base_price) == ("USD", 6, 1, 7)
    assert [(each.currency, each.default) for each in plan.pricing_options] == [("EUR", False), ("USD", True)]
    dearer = change(plan, price=9)
    assert [each.price for each in dearer.pricing_options] == [5, 9]
    assert dearer.price == 9
    alone = change(plan, pricingOptions=[])
    assert alone.pricing_options == (
        PricingOption(currency="USD", price=6, base_price=7, setup_fee=1, default=True),
    )


@pytest.mark.parametrize(("currency", "default"), [(None, ["EUR"]), ("usd", ["USD"]), ("EUR", ["EUR"])])
def test_without_a_default_it_is_the_option_of_the_plans_currency_or_the_first(
    currency: str | None, default: list[str]
) -> None:
    options = [{"currency": "EUR", "price": 5}, {"currency": "USD", "price": 6}]
    plan = make(pricingOptions=options, currency=currency)
    assert [each.currency for each in plan.pricing_options if each.default] == default == [plan.currency]


@pytest.mark.parametrize(
    ("field", "said"),
    [("price", {"price": 7}), ("setupFee", {"setupFee": 2}), ("currency", {"currency": "SEK"})],
)
def test_a_price_that_contradicts_the_default_option_is_refused(field: str, said: dict[str, Any]) -> None:
    options = [
        {"currency": "EUR", "price": 5, "setupFee": 1, "default": True},
        {"currency": "USD", "price": 6},
    ]
    with pytest.raises(ValidationFailed) as refused:
        make(pricingOptions=options, **said)
    assert fault(refused) == [field]
    plan = make(pricingOptions=options, price=5, setupFee=1, currency="eur")
    with pytest.raises(ValidationFailed) as refused:
        change(plan, currency="usd")
    assert fault(refused) == ["currency"]
    assert change(plan, currency="sek").pricing_options[0].currency == "SEK"


def test_a_type_stays_and_may_be_repeated() -> None:
    plan = make(type="hybrid", price=5)
    assert change(plan, type="hybrid", price=6).price == 6
    with pytest.raises(ValidationFailed) as refused:
        change(plan, type="one-time")
    assert fault(refused) == ["type"]
    assert change(make(), type="nothing known").type is PlanType.RECURRING


def test_only_a_free_or_a_usage_based_plan_may_be_the_default() -> None:
    for allowed in ({}, {"type": "usage-based"}, {"type": "one-time"}):
        assert make(default=True, **allowed).is_default
    with pytest.raises(ValidationFailed) as refused:
        make(default=True, price=1)
    assert fault(refused) == ["default"]
    with pytest.raises(ValidationFailed) as refused:
        change(make(default=True), price=1)
    assert fault(refused) == ["default"]
    assert change(make(default=True), price=1, default=False).price == 1


def test_calendar_periods_need_a_cycle_that_the_calendar_has() -> None:
    assert make(calendarPeriods=True).calendar_periods
    with pytest.raises(ValidationFailed) as refused:
        make(calendarPeriods=True, billingCycle="custom")
    assert fault(refused) == ["calendarPeriods"]


def test_a_change_keeps_what_it_does_not_say() -> None:
    plan = make(price=5, features={"exact": 1.10, "big": 2**70}, metadata={"a": 1}, limit=3,
                billingModel="post-paid", usageTiers=[{"minUsage": 0, "creditsPerUnit": 1}])  # fmt: skip
    after = change(plan, metadata={"b": 2})
    extras = '{"features":{"big":1180591620717411303424,"exact":1.1},"metadata":{"b":2}}'
    assert after == msgspec.structs.replace(plan, extras=extras, updated_at=2)
    assert plan.billing_model is BillingModel.POST_PAID
    assert change(after, usageTiers=[], limit=0).usage_tiers == ()


@pytest.mark.parametrize("minimum", [500, 501])
def test_tiers_follow_on_each_other_with_either_spelling(minimum: int) -> None:
    first = {"minUsage": 0, "maxUsage": 500, "creditsPerUnit": 50}
    plan = make(usageTiers=[first, {"name": "More", "minUsage": minimum, "creditsPerUnit": 30}])
    assert [tier.max_usage for tier in plan.usage_tiers] == [500, None]
