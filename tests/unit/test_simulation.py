"""The company that does not exist: the same events for the same seed, and such as one would believe."""

from collections import Counter
from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.cli.simulation.company import PRODUCTS, Company
from meterhouse.cli.simulation.pace import Clock, batches
from meterhouse.cli.simulation.sales import OFFERS, SEARCHES, metered, sales
from meterhouse.cli.simulation.traffic import GONE_CUSTOMER, MINUTE_US, Plan, Sending, Traffic
from meterhouse.model.event import to_microseconds
from meterhouse.model.ref import Prefix, is_ref
from meterhouse.model.text import email_fault, name_fault
from meterhouse_sdk import NewEvent

MIDNIGHT = 1_793_491_200_000_000  # Sunday 2026-11-01T00:00:00Z
DAY_MINUTES = 1440
PLAN = Plan(seed=1, customers=50, rate=2.0, first_day_us=MIDNIGHT)
CALM = Plan(seed=1, customers=50, rate=0.05, first_day_us=MIDNIGHT)  # for whole days
MINUTE = MIDNIGHT // MINUTE_US


def hours(traffic: Traffic, day: int) -> list[int]:
    start = MINUTE + day * DAY_MINUTES
    return [
        sum(len(traffic.minute(start + hour * 60 + minute)) for minute in range(60)) for hour in range(24)
    ]


@settings(max_examples=15)
@given(st.integers(), st.integers(1, 300), st.integers(0, 10_000))
def test_the_same_seed_gives_the_same_events(seed: int, customers: int, minutes: int) -> None:
    plan = Plan(seed, customers, 1.0, MIDNIGHT)
    assert Traffic(plan).minute(MINUTE + minutes) == Traffic(plan).minute(MINUTE + minutes)


def test_a_run_that_begins_later_sends_the_same_events_from_there_on() -> None:
    start = MIDNIGHT + 90 * 1_000_000
    early = [sending for sending in islice(Traffic(PLAN).since(MIDNIGHT), 2000) if sending.at >= start]
    late = list(islice(Traffic(PLAN).since(start), len(early)))
    assert late == early


def test_another_seed_or_rate_is_another_company_with_keys_of_its_own() -> None:
    plans = [PLAN, Plan(2, 50, 2.0, MIDNIGHT), Plan(1, 50, 3.0, MIDNIGHT)]
    keys = [{sending.key for sending in Traffic(plan).minute(MINUTE + 720)} for plan in plans]
    assert not keys[0] & keys[1]
    assert not keys[0] & keys[2]


def test_a_key_stands_for_one_meaning() -> None:
    meanings: dict[str, set[object]] = {}
    for sending in islice(Traffic(PLAN).since(MIDNIGHT), 5_000):
        meaning = (sending.type, sending.customer, sending.product, sending.units, sending.timestamp)
        meanings.setdefault(sending.key, set()).add(meaning)
    assert all(len(found) == 1 for found in meanings.values())


def test_everything_it_sends_is_what_an_application_could_send() -> None:
    for sending in islice(Traffic(PLAN).since(MIDNIGHT), 2_000):
        NewEvent(
            type=sending.type,
            customer_ref="cus_1",
            product_ref=sending.product,
            units=sending.units,
            idempotency_key=sending.key,
            properties=sending.properties,
        )


def test_events_come_in_order_some_twice_some_late_some_bad() -> None:
    sendings = list(islice(Traffic(PLAN).since(MIDNIGHT), 10_000))
    assert [sending.at for sending in sendings] == sorted(sending.at for sending in sendings)
    repeats = len(sendings) - len({sending.key for sending in sendings})
    late = sum(sending.timestamp < sending.at - MINUTE_US for sending in sendings)
    unknown = sum(sending.customer == GONE_CUSTOMER for sending in sendings)
    ahead = sum(sending.timestamp > sending.at for sending in sendings)
    assert 50 < repeats < 200
    assert 100 < late < 400
    assert unknown
    assert ahead


def test_the_rate_is_that_of_an_average_week() -> None:
    traffic = Traffic(CALM)
    events = sum(sum(hours(traffic, day)) for day in range(7))
    assert events / (7 * 86_400) == pytest.approx(CALM.rate, rel=0.15)


def test_days_have_a_rhythm_and_weekends_are_quiet() -> None:
    traffic = Traffic(CALM)
    sunday, monday = hours(traffic, 0), hours(traffic, 1)
    assert sum(sunday) < 0.7 * sum(monday)
    assert max(monday) > 1.5 * min(monday)


def test_the_company_grew() -> None:
    traffic = Traffic(CALM)
    assert sum(hours(traffic, -91)) < 0.8 * sum(hours(traffic, 0)), "both are Sundays"


def test_few_customers_make_most_of_the_traffic() -> None:
    sendings = list(islice(Traffic(PLAN).since(MIDNIGHT), 10_000))
    sizes = [count for _, count in Counter(sending.customer for sending in sendings).most_common()]
    assert sum(sizes[:5]) > 0.35 * sum(sizes)
    assert len(sizes) > 40


def test_customers_and_products_are_such_as_the_server_takes() -> None:
    customers = Company(seed=3, customers=2_000).customers
    assert len({customer.external_ref for customer in customers}) == 2_000
    for customer in customers:
        assert len(customer.external_ref) <= 50
        assert name_fault(customer.name) is None
        assert email_fault(f"{customer.external_ref}@demo.local") is None
    assert all(is_ref(product.ref, Prefix.PRODUCT) for product in PRODUCTS)


def test_the_same_seed_gives_the_same_sales_to_every_customer() -> None:
    company = Company(seed=3, customers=200)
    sold = list(sales(company, 3))
    assert sold == list(sales(company, 3))
    assert {sale.customer for sale in sold} == set(company.customers)
    assert {sale.offer.ref for sale in sold} == {offer.ref for offer in OFFERS}
    assert any(sale.used == sale.offer.most for sale in sold), "some are used up"
    assert all((sale.credits > 0) == (sale.offer is SEARCHES) for sale in sold)
    assert all(is_ref(offer.ref, Prefix.PLAN) for offer in OFFERS)


def test_good_calls_after_the_opening_count_towards_limits() -> None:
    sendings = list(islice(Traffic(PLAN).since(MIDNIGHT), 5_000))
    refs = {sending.customer: "cus_1" for sending in sendings if sending.customer != GONE_CUSTOMER}
    since, until = MIDNIGHT + MINUTE_US, sendings[-1].at
    found = metered(sendings, refs, since, until)
    assert len(found) > 1_000
    keys = {event.idempotency_key for event in found}
    assert len(keys) >= len(found) * 0.95, "repeats have the same key"
    assert all(since <= to_microseconds(event.timestamp) <= until for event in found if event.timestamp)


class Time:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = MIDNIGHT
        self.slept = 0.0

    def sleep(self, seconds: float) -> None:
        self.slept += seconds
        self.now += round(seconds * 1_000_000)

    def clock(self) -> Clock:
        return Clock(lambda: self.now, self.sleep)


def sent(count: int, start: int, speed: float | None, time: Time) -> list[Sending]:
    sendings = list(islice(Traffic(PLAN).since(start), count))
    found: list[Sending] = []
    for batch in batches(sendings, start, speed, time.clock()):
        found += batch
        assert all(sending.at <= time.now for sending in batch), "nothing before its time"
    assert found == sendings
    return found


def test_history_is_sent_without_waiting() -> None:
    time = Time()
    sent(1_000, MIDNIGHT - 86_400_000_000, None, time)
    assert time.slept == 0


def test_history_at_a_speed_takes_so_much_less_time() -> None:
    time = Time()
    found = sent(1_000, MIDNIGHT - 86_400_000_000, 60.0, time)
    lasted_seconds = (found[-1].at - (MIDNIGHT - 86_400_000_000)) / 1_000_000
    assert time.slept == pytest.approx(lasted_seconds / 60, rel=0.1)


def test_what_is_not_yet_past_is_sent_when_it_happens() -> None:
    time = Time()
    found = sent(200, MIDNIGHT, None, time)
    assert time.now >= found[-1].at
    assert time.slept == pytest.approx((found[-1].at - MIDNIGHT) / 1_000_000, abs=1)
