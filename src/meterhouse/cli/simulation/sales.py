"""The sales of the company: plans, purchases, credits, and the usage that counts towards limits."""

import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Final

from msgspec import Struct

from meterhouse.cli.simulation.company import CHAT, DOCUMENTS, SEARCH, Company, Customer, Product
from meterhouse.cli.simulation.traffic import Sending
from meterhouse.model.event import from_microseconds
from meterhouse_sdk import Conflict, LimitCheck, Meterhouse, NewMeterEvent

_AT_ONCE: Final = 8
_METER: Final = "requests"
_METERED: Final = frozenset((CHAT.ref, SEARCH.ref))
_CHECKS: Final = 3
"""Limit checks for each batch of events."""
_USED_UP: Final = 0.06
"""The share of customers that begin with their plan used up."""


class Offer(Struct, frozen=True):
    """A plan to create. most: what a customer may have used of it at the start.

    named: arguments of `create_plan`. more: fields of the API that have none.
    """

    ref: str
    product: Product
    name: str
    most: int
    named: Mapping[str, Any]  # Any: arguments
    more: Mapping[str, Any] = {}  # Any: JSON


# Paid plans have a trial: they begin without a payment.
FREE: Final = Offer("pln_demo_free", CHAT, "Free", 1_000, {"limit": 1_000, "default": True})
PRO: Final = Offer(
    "pln_demo_pro", CHAT, "Pro", 50_000, {"price": 4_900, "limit": 50_000},
    {"trialDays": 30, "features": ["Priority support"]},
)  # fmt: skip
TEAM: Final = Offer(
    "pln_demo_team", CHAT, "Team", 240_000, {"type": "hybrid", "limit": 200_000},
    {
        "basePrice": 19_900, "trialDays": 30, "features": ["Priority support", "Single sign-on"],
        "overagePolicy": {"allowOverage": True, "maxOverage": 100_000, "overageRate": 8},
    },
)  # fmt: skip
SEARCHES: Final = Offer(
    "pln_demo_search", SEARCH, "Pay as you go", 2_000, {"type": "usage-based", "credits_per_unit": 20}
)
PASS: Final = Offer(
    "pln_demo_pass", DOCUMENTS, "Year pass", 0, {"type": "one-time", "price": 99_000},
    {"accessExpiryDays": 365, "trialDays": 30},
)  # fmt: skip
OFFERS: Final = (FREE, PRO, TEAM, SEARCHES, PASS)


class Sold(Struct, frozen=True):
    """credits: what the customer is given to spend. used: units at the start."""

    customer: Customer
    offer: Offer
    credits: int
    used: int


def sales(company: Company, seed: int) -> Iterator[Sold]:
    """Yield the purchases. The same company and seed give the same ones."""
    chance = random.Random(f"sales {seed}")  # noqa: S311 - a simulation, not a secret
    customers = company.customers
    for rank, customer in enumerate(customers):
        place = rank / len(customers)
        chat = TEAM if place < 0.08 else PRO if place < 0.4 else FREE
        bought = [chat] + ([SEARCHES] if chance.random() < 0.5 else []) + ([PASS] if place < 0.1 else [])
        for offer in bought:
            share = 1.0 if chance.random() < _USED_UP else chance.betavariate(1.2, 2.5)
            used = round(offer.most * share)
            dollars = chance.choice((5, 10, 25, 50)) if offer is SEARCHES else 0
            yield Sold(customer, offer, dollars * 10_000, used)


def open_shop(
    client: Meterhouse, sold: Sequence[Sold], refs: Mapping[str, str], name: str, done: Callable[[], None]
) -> None:
    """Create the plans, and give each customer what it has bought. Again does nothing more.

    refs: the customers' by external ref. name: the simulation's, for its keys. done: is called for each sale.
    """
    for offer in OFFERS:
        fields = {"reference": offer.ref, **offer.more}
        with suppress(Conflict):  # an earlier run created it
            client.create_plan(offer.product.ref, name=offer.name, **offer.named, more=fields)

    def sell(sale: Sold) -> NewMeterEvent | None:
        ref, offer = refs[sale.customer.external_ref], sale.offer
        client.activate_plan(customer_ref=ref, product_ref=offer.product.ref, plan_ref=offer.ref)
        key = f"demo-{name}-{sale.customer.external_ref}-{offer.ref}"
        if sale.credits:
            client.grant_credits(ref, credits=sale.credits, reason="Demo", idempotency_key=key)
        done()
        if not sale.used:
            return None
        return NewMeterEvent(
            meter_name=_METER,
            customer_ref=ref,
            product_ref=offer.product.ref,
            value=sale.used,
            idempotency_key=f"{key}-used",
        )

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        used = [event for event in threads.map(sell, sold) if event is not None]
    client.record_meter_events(used)


def metered(
    sendings: Iterable[Sending], refs: Mapping[str, str], since: int, until: int
) -> list[NewMeterEvent]:
    """Return the meter events of calls that count towards limits: good ones, from a time up to another."""
    return [
        NewMeterEvent(
            meter_name=_METER,
            customer_ref=refs[sending.customer],
            product_ref=sending.product,
            timestamp=from_microseconds(sending.timestamp),
            idempotency_key=f"{sending.key}-metered",
        )
        for sending in sendings
        if sending.type == "usage.api_call"
        and sending.product in _METERED
        and sending.customer in refs
        and since <= sending.timestamp <= until
    ]


def check(client: Meterhouse, events: Iterable[NewMeterEvent]) -> list[LimitCheck]:
    """Ask whether the customers of some events may go on, as an application asks before it works."""
    asked = dict.fromkeys((event.customer_ref, event.product_ref or "") for event in events)
    return [
        client.check_limits(customer_ref=customer, product_ref=product)
        for customer, product in list(asked)[:_CHECKS]
    ]
