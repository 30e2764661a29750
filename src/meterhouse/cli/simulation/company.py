"""A company that sells AI by the call, made up from a seed: products, and customers of very unequal size."""

import random
from itertools import accumulate
from typing import Final

from msgspec import Struct

_ZIPF: Final = 1.07
_GROWTH_DAYS: Final = 90
_FOUNDERS: Final = 0.45  # of the customers were there before the company began to grow
_FIRST: Final = (
    "Amber", "Birch", "Cobalt", "Delta", "Ember", "Fjord", "Granite", "Harbor", "Indigo", "Juniper",
    "Kestrel", "Lantern", "Meadow", "Northwind", "Orchard", "Prairie", "Quartz", "River", "Summit",
    "Timber", "Umbra", "Vertex", "Willow", "Zephyr",
)  # fmt: skip
_LAST: Final = (
    "Analytics", "Bank", "Books", "Cloud", "Dynamics", "Education", "Energy", "Foods", "Games", "Health",
    "Insurance", "Labs", "Legal", "Logistics", "Media", "Motors", "Networks", "Pharma", "Retail", "Robotics",
    "Software", "Studio", "Systems", "Travel",
)  # fmt: skip


class Region(Struct, frozen=True):
    """offset_hours: of its working day, from UTC."""

    name: str
    offset_hours: int


class Product(Struct, frozen=True):
    """ref: the company's own, so that a second run finds it."""

    ref: str
    name: str


class Customer(Struct, frozen=True):
    """joined_days: when it came, in days before the company's first day here; 0 is then, never later."""

    external_ref: str
    name: str
    region: Region
    joined_days: float


REGIONS: Final = (Region("us-east", -5), Region("eu-west", 1), Region("ap-south", 8))
CHAT: Final = Product("prd_demo_chat", "Demo Chat API")
SEARCH: Final = Product("prd_demo_search", "Demo Search API")
DOCUMENTS: Final = Product("prd_demo_documents", "Demo Documents")
STORAGE: Final = Product("prd_demo_storage", "Demo Vector Storage")
PRODUCTS: Final = (CHAT, SEARCH, DOCUMENTS, STORAGE)


class Company:
    """The same seed and number of customers give the same company. The customer of rank r is 1/r in size."""

    def __init__(self, seed: int, customers: int) -> None:
        chance = random.Random(f"company {seed}")  # noqa: S311 - a simulation, not a secret
        names = [f"{first} {last}" for first in _FIRST for last in _LAST]
        chance.shuffle(names)
        self.customers = tuple(
            _customer(chance, names[rank % len(names)], rank // len(names)) for rank in range(customers)
        )
        self._sizes = list(accumulate((rank + 1) ** -_ZIPF for rank in range(customers)))

    def pick(self, chance: random.Random) -> Customer:
        """Return a customer, the large ones more often."""
        return chance.choices(self.customers, cum_weights=self._sizes)[0]


def _customer(chance: random.Random, name: str, namesakes: int) -> Customer:
    if namesakes:
        name = f"{name} {namesakes + 1}"
    founder = chance.random() < _FOUNDERS
    return Customer(
        external_ref=f"demo-{name.lower().replace(' ', '-')}",
        name=name,
        region=chance.choice(REGIONS),
        joined_days=_GROWTH_DAYS * 10 if founder else chance.uniform(0, _GROWTH_DAYS),
    )
