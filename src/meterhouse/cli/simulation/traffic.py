"""What the company's customers do, minute by minute: a pure function of the settings and the time.

Every minute has its own random numbers, so that a run which begins anywhere gives the same events for
the same minute, with the same keys: what a second run sends again counts once.
"""

import math
import random
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from meterhouse.cli.simulation.company import CHAT, DOCUMENTS, SEARCH, STORAGE, Company, Customer, Product
from meterhouse.model.event import from_microseconds

MINUTE_US: Final = 60_000_000
_DAY_US: Final = 1440 * MINUTE_US
_WEEK: Final = (1.0, 1.0, 1.0, 1.0, 0.95, 0.45, 0.4)
_QUIETEST_HOUR: Final = 4
_MEAN_DAY: Final = 0.55
_MEAN: Final = _MEAN_DAY * sum(_WEEK) / len(_WEEK)
_TWICE: Final = 0.01  # of the events are sent again
_LATE: Final = 0.02
_BAD: Final = 0.004
_LATEST_SECONDS: Final = 6 * 3600
_BURSTS: Final = 0.15  # of the hours have one
_BURST_FACTOR: Final = 2.0  # times the traffic of everybody
GONE_CUSTOMER: Final = "cus_demo_gone"
_GONE_PRODUCT: Final = "prd_demo_gone"
_FAR_AHEAD_US: Final = 4_102_444_800_000_000  # the year 2100


class Plan(Struct, frozen=True):
    """rate: events a second, on average over a week, from the first day on; less before it.

    first_day_us: the midnight, UTC, at which the last customer has joined.
    """

    seed: int
    customers: int
    rate: float
    first_day_us: int


class Sending(Struct, frozen=True, kw_only=True):
    """An event to send at a time. customer: an external ref, or GONE_CUSTOMER. Times: microseconds."""

    at: int
    type: str
    customer: str
    product: str
    units: Decimal
    timestamp: int
    key: str
    properties: dict[str, str]


class Traffic:
    """The events of one plan."""

    def __init__(self, plan: Plan) -> None:
        self.company = Company(plan.seed, plan.customers)
        self._plan = plan
        self._name = blake2b(repr(plan).encode(), digest_size=6).hexdigest()

    def since(self, start_us: int) -> Iterator[Sending]:
        """Yield what is sent from a time on, in order, without end."""
        minute = start_us // MINUTE_US
        while True:
            yield from (sending for sending in self.minute(minute) if sending.at >= start_us)
            minute += 1

    def minute(self, minute: int) -> list[Sending]:
        """Return what is sent in a minute (minutes since 1970), in order."""
        chance = random.Random(f"{self._name} {minute}")  # noqa: S311 - a simulation, not a secret
        sendings: list[Sending] = []
        for at in _moments(chance, minute, self._plan.rate / _MEAN):
            customer = self.company.pick(chance)
            if chance.random() < self._activity(customer, at):
                self._add(sendings, chance, at, customer)
        burst = self._burst(minute)
        if burst is not None:
            for at in _moments(chance, minute, self._plan.rate * _BURST_FACTOR):
                self._add(sendings, chance, at, burst)
        return sorted(sendings, key=lambda sending: sending.at)

    def _add(self, sendings: list[Sending], chance: random.Random, at: int, customer: Customer) -> None:
        """Add an event, sometimes late, bad, or followed by its repeat."""
        key = f"demo-{self._name}-{at // MINUTE_US}-{len(sendings)}"
        sending = _event(chance, at, customer, key)
        if chance.random() < _LATE:
            late_us = round(chance.uniform(60, _LATEST_SECONDS) * 1_000_000)
            sending = replace(sending, timestamp=at - late_us)
        if chance.random() < _BAD:
            sending = chance.choice(_FAULTS)(sending)
        sendings.append(sending)
        if chance.random() < _TWICE:
            end = (at // MINUTE_US + 1) * MINUTE_US - 1
            again = min(end, at + round(chance.uniform(0.1, 20) * 1_000_000))
            sendings.append(replace(sending, at=again))

    def _activity(self, customer: Customer, at: int) -> float:
        """Return 0 to 1: by the hour and the weekday where the customer is; 0 before it joined."""
        if at < self._plan.first_day_us - customer.joined_days * _DAY_US:
            return 0.0
        local = from_microseconds(at) + timedelta(hours=customer.region.offset_hours)
        hour = local.hour + local.minute / 60
        day = _MEAN_DAY - (1 - _MEAN_DAY) * math.cos(2 * math.pi * (hour - _QUIETEST_HOUR) / 24)
        return day * _WEEK[local.weekday()]

    def _burst(self, minute: int) -> Customer | None:
        """Return who bursts in this minute: for some minutes of some hours, one of the customers."""
        hour, within = divmod(minute, 60)
        chance = random.Random(f"{self._name} burst {hour}")  # noqa: S311 - a simulation, not a secret
        if chance.random() >= _BURSTS:
            return None
        begins = chance.randrange(50)
        if not begins <= within < begins + chance.randint(3, 10):
            return None
        customer = self.company.pick(chance)
        return customer if self._activity(customer, minute * MINUTE_US) else None


def _moments(chance: random.Random, minute: int, a_second: float) -> Iterator[int]:
    """Yield random times within a minute."""
    at = chance.expovariate(a_second)
    while at < 60:
        yield minute * MINUTE_US + int(at * 1_000_000)
        at += chance.expovariate(a_second)


def _event(chance: random.Random, at: int, customer: Customer, key: str) -> Sending:
    type_, product = chance.choices(_KINDS, _SHARES)[0]
    properties = {"region": customer.region.name}
    if product is CHAT:
        properties["model"] = chance.choices(("atlas-mini", "atlas-large"), (4, 1))[0]
    elif product is SEARCH:
        properties["model"] = "atlas-embed"
    return Sending(
        at=at,
        type=type_,
        customer=customer.external_ref,
        product=product.ref,
        units=_units(chance, type_),
        timestamp=at,
        key=key,
        properties=properties,
    )


def _units(chance: random.Random, type_: str) -> Decimal:
    match type_:
        case "usage.token":
            return Decimal(min(200_000, 1 + int(chance.lognormvariate(6.5, 1.1))))
        case "usage.storage":  # gigabyte hours
            return Decimal(1 + int(chance.lognormvariate(8, 1))).scaleb(-3)
        case "usage.document_generated":
            return Decimal(chance.choice((1, 1, 1, 2, 3)))
    return Decimal(1)


_KINDS: Final[tuple[tuple[str, Product], ...]] = (
    ("usage.api_call", CHAT),
    ("usage.token", CHAT),
    ("usage.api_call", SEARCH),
    ("usage.token", SEARCH),
    ("usage.document_generated", DOCUMENTS),
    ("usage.storage", STORAGE),
)
_SHARES: Final = (30, 30, 15, 12, 8, 5)
_FAULTS: Final[tuple[Callable[[Sending], Sending], ...]] = (
    lambda sending: replace(sending, customer=GONE_CUSTOMER),
    lambda sending: replace(sending, product=_GONE_PRODUCT),
    lambda sending: replace(sending, timestamp=_FAR_AHEAD_US),
)
"""What an integration gets wrong, and only the server can know."""
