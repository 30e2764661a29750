"""A database that an older Meterhouse wrote is brought to this one's schema, and says what it said."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import msgspec

from meterhouse.model.event import Kind
from meterhouse.model.meter import default_meters
from meterhouse.model.payment import SavedMethod
from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, Purchase, PurchaseStatus
from meterhouse.stores.embedded.catalog.meters import SqliteMeters
from meterhouse.stores.embedded.catalog.payments import SqlitePayments
from meterhouse.stores.embedded.catalog.purchases import SqlitePurchases
from meterhouse.stores.embedded.database import Database
from tests.contract.catalogs import Clock


@contextmanager
def written_before(path: Path, script: str) -> Iterator[sqlite3.Connection]:
    """A database with two scopes, as it was before a script was added."""
    schema = sorted((files("meterhouse.stores.embedded") / "schema").iterdir(), key=lambda file: file.name)
    with closing(sqlite3.connect(path)) as old:
        before = [each.read_text() for each in schema if each.name < script]
        for each in before:
            old.executescript(each)
        old.execute(f"PRAGMA user_version = {len(before)}")
        old.execute("INSERT INTO provider (ref, name, created_at) VALUES ('prv_1', 'acme', 1)")
        old.execute("INSERT INTO scope VALUES (7, 'prv_1', 'sandbox'), (8, 'prv_1', 'live')")
        yield old
        old.commit()


async def test_a_database_from_before_the_default_meters_is_given_them(tmp_path: Path) -> None:
    with written_before(tmp_path / "meterhouse.db", "0006") as old:
        old.execute(
            "INSERT INTO meter VALUES"
            " (8, 'mtr_1', 'tokens', 'Ours', '', 'sum', '', '[]', '{}', 'active', 1, 1)"
        )
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        meters = SqliteMeters(database, Clock())
        given = await meters.all(7)
        assert given == sorted(default_meters(given[0].created_at), key=lambda meter: meter.name)
        *others, ours = await meters.all(8)
        assert [each.name for each in others] == ["api_calls", "api_requests", "requests"]
        assert (ours.display_name, ours.kind, ours.is_default) == ("Ours", Kind.USAGE, False)


async def test_purchases_keep_their_snapshots_when_those_are_put_into_a_table(tmp_path: Path) -> None:
    def purchase(ref: str, product: str, limit: int, status: PurchaseStatus) -> Purchase:
        plan = Plan(ref="pln_1", product_ref=product, name="One", limit=limit, created_at=1, updated_at=limit)
        return Purchase(
            ref, "cus_1", product, "pln_1", status, Origin.CHECKOUT, msgspec.json.encode(plan).decode(),
            started_at=1, created_at=int(ref[-1]), updated_at=3, amount=4, currency="EUR", ends_at=5,
            trial_ends_at=6, paid_at=7, cancelled_at=8, cancellation_reason="dear",
        )  # fmt: skip

    sold = [
        purchase("pur_1", "prd_1", 100, PurchaseStatus.EXPIRED),
        purchase("pur_2", "prd_1", 100, PurchaseStatus.ACTIVE),
        purchase("pur_3", "prd_2", 200, PurchaseStatus.ACTIVE),
    ]
    fields = [field for field in Purchase.__struct_fields__ if field != "resumed_at"]
    with written_before(tmp_path / "meterhouse.db", "0010") as old:
        for each in sold:
            old.execute(
                f"INSERT INTO purchase (scope_id, is_current, {', '.join(fields)})"
                f" VALUES (8, ?{', ?' * len(fields)})",
                (each.status is PurchaseStatus.ACTIVE, *(getattr(each, field) for field in fields)),
            )
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        purchases = SqlitePurchases(database, Clock())
        assert [await purchases.get(8, each.ref) for each in sold] == sold
        assert await purchases.get(7, "pur_1") is None
        assert await purchases.current(8, ["cus_1"]) == [sold[2], sold[1]]
        assert database.reader().execute("SELECT count(*) FROM plan_snapshot").fetchone() == (2,)


async def test_payments_from_before_know_their_credits_and_sandbox_cards(tmp_path: Path) -> None:
    with written_before(tmp_path / "meterhouse.db", "0012") as old:
        for scope_id, ref, purpose in (
            (7, "pi_1", "credit_topup"), (8, "pi_2", "credit_topup"), (7, "pi_3", "usage_billing"),
        ):  # fmt: skip
            old.execute(
                "INSERT INTO payment_intent (id, scope_id, customer_ref, purpose, amount, currency, status,"
                " client_secret, card_brand, card_last4, card_exp_month, card_exp_year, created_at,"
                " updated_at)"
                " VALUES (?, ?, 'cus_1', ?, 2500, 'USD', 'succeeded', 's', 'visa', '4242', 1, 2031, 1, 1)",
                (ref, scope_id, purpose),
            )
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        payments = SqlitePayments(database, Clock())
        found = [await payments.get(7, "pi_1"), await payments.get(8, "pi_2"), await payments.get(7, "pi_3")]
        assert [each.credits for each in found if each] == [250_000, 250_000, 0]
        assert await payments.method(7, "cus_1") == SavedMethod("sandbox", "pm_card_visa")
        assert await payments.method(8, "cus_1") is None, "in live, a card is saved only where it was agreed"


def test_migrations_are_numbered_without_a_gap() -> None:
    """The schema's version is the number of migrations that ran."""
    names = sorted(file.name for file in (files("meterhouse.stores.embedded") / "schema").iterdir())
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
