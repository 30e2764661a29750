"""The catalog on SQLite, put together, and what an empty one begins with."""

import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import Final

from msgspec import Struct

from meterhouse.model.customer import NewCustomer
from meterhouse.model.event import to_microseconds
from meterhouse.model.product import NewProduct
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from meterhouse.stores.embedded.catalog import customers, keys, products, providers
from meterhouse.stores.embedded.catalog.audit import SqliteAudit, SqliteTally
from meterhouse.stores.embedded.catalog.auto_recharges import SqliteAutoRecharges
from meterhouse.stores.embedded.catalog.directory import SqliteDirectory, SqliteIdentities
from meterhouse.stores.embedded.catalog.hosted import SqliteHostedSessions
from meterhouse.stores.embedded.catalog.meters import SqliteMeters
from meterhouse.stores.embedded.catalog.operators import SqliteOperators
from meterhouse.stores.embedded.catalog.payments import SqlitePayments
from meterhouse.stores.embedded.catalog.plans import SqlitePlans
from meterhouse.stores.embedded.catalog.purchases import SqlitePurchases
from meterhouse.stores.embedded.catalog.sessions import SqliteSessions
from meterhouse.stores.embedded.database import Database

DEFAULT_PROVIDER: Final = "default"
# The refs that the examples of the guide use, so that they run as they are.
_FIRST_CUSTOMER: Final = NewCustomer(
    reference="cus_3C4D5E6F", email="first.customer@meterhouse.local", name="First Customer"
)
_FIRST_PRODUCTS: Final = (
    NewProduct(reference="prd_content_api", name="Content API", product_type="api"),
    NewProduct(reference="prd_ai_assistant", name="AI Assistant", product_type="api"),
)


class FirstStart(Struct, frozen=True):
    """What an empty catalog was given. secret: the sandbox key, shown this once; None where none was made."""

    provider: str
    customer_ref: str
    product_refs: tuple[str, ...]
    secret: str | None


def open_catalog(database: Database, now: Callable[[], datetime]) -> Catalog:
    """now: the server's clock, an aware datetime."""
    directory = SqliteDirectory(database)
    return Catalog(
        providers=providers.SqliteProviders(database, now),
        keys=keys.SqliteKeys(database, now),
        customers=customers.SqliteCustomers(database, directory, now),
        products=products.SqliteProducts(database, directory, now),
        purchases=SqlitePurchases(database, now),
        hosted=SqliteHostedSessions(database, now),
        payments=SqlitePayments(database, now),
        auto_recharges=SqliteAutoRecharges(database, now),
        plans=SqlitePlans(database, now),
        meters=SqliteMeters(database, now),
        operators=SqliteOperators(database, now),
        sessions=SqliteSessions(database, now),
        audit=SqliteAudit(database),
        tally=SqliteTally(database),
        directory=directory,
        identities=SqliteIdentities(database, now),
    )


async def first_start(
    database: Database, now: Callable[[], datetime], actor: str, *, with_key: bool
) -> FirstStart | None:
    """Give an empty catalog a provider, a sandbox customer, two products and a key, or none of them.

    with_key: False where nobody would be shown the key.
    None when there is a provider already: nothing is done.
    """
    now_us = to_microseconds(now())

    def work(connection: sqlite3.Connection) -> FirstStart | None:
        if connection.execute("SELECT 1 FROM provider").fetchone() is not None:
            return None
        provider = providers.create(connection, DEFAULT_PROVIDER, actor, now_us)
        caller = Caller(providers.scopes(connection, provider.ref)[0], actor)
        customer = customers.create(connection, caller, _FIRST_CUSTOMER, now_us)
        made = [products.create(connection, caller, each, now_us) for each in _FIRST_PRODUCTS]
        secret = keys.create(connection, caller, "first key", now_us).secret if with_key else None
        return FirstStart(provider.name, customer.ref, tuple(product.ref for product in made), secret)

    return await database.write(work)
