"""The sockets of Meterhouse: small Protocols whose docstrings are promises.

    EventLog    the durable, ordered record of every accepted event: the source of truth
    Ledger      running totals, balances and holds: exact and current, a fold over the log
    Catalog     providers, keys, customers, products, plans, purchases…, with an audit of every write
    Warehouse   events laid out for questions; can be rebuilt from the log
    PaymentProcessor    takes money; adapters in `meterhouse.senders`

Each has an embedded adapter in `meterhouse.stores.embedded`; every adapter passes tests/contract.
"""

from meterhouse.ports.catalog import Catalog, Directory, Identities
from meterhouse.ports.log import EventLog, Ledger
from meterhouse.ports.payments import (
    AutoRecharges,
    PaymentProcessor,
    Payments,
    SandboxIntents,
    TestProcessor,
)
from meterhouse.ports.people import Audit, Keys, Operators, Providers, Sessions, Tally
from meterhouse.ports.selling import Customers, HostedSessions, Meters, Plans, Products, Purchases
from meterhouse.ports.warehouse import Warehouse

__all__ = [
    "Audit",
    "AutoRecharges",
    "Catalog",
    "Customers",
    "Directory",
    "EventLog",
    "HostedSessions",
    "Identities",
    "Keys",
    "Ledger",
    "Meters",
    "Operators",
    "PaymentProcessor",
    "Payments",
    "Plans",
    "Products",
    "Providers",
    "Purchases",
    "SandboxIntents",
    "Sessions",
    "Tally",
    "TestProcessor",
    "Warehouse",
]
