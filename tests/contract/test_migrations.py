"""A database that an older Meterhouse wrote is brought to this one's schema, and says what it said."""

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.resources import files
from pathlib import Path

import msgspec
import pytest

from meterhouse.model.event import Kind
from meterhouse.model.meter import default_meters
from meterhouse.model.payment import SavedMethod
from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, Purchase, PurchaseStatus
from meterhouse.stores.embedded.catalog.meters import SqliteMeters
from meterhouse.stores.embedded.catalog.payments import SqlitePayments
from meterhouse.stores.embedded.catalog.purchases import SqlitePurchases
from meterhouse.stores.embedded.database import Database
from meterhouse.stores.embedded.migrations import difference
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


def first_form_of_0010(path: Path) -> None:
    """Make a database as it was while 0010 lacked resumed_at and the index of current purchases, with two
    purchases of which both are current, and one that was cancelled."""
    schema = sorted((files("meterhouse.stores.embedded") / "schema").iterdir(), key=lambda file: file.name)
    today = schema[9].read_text()
    first = (
        today.replace("    resumed_at     INTEGER,\n", "")
        .replace("cancellation_reason, NULL,\n       created_at", "cancellation_reason, created_at")
        .replace("CREATE UNIQUE INDEX purchase_current ", "-- ")
    )
    assert hashlib.sha256(first.encode()).hexdigest() != hashlib.sha256(today.encode()).hexdigest()
    with written_before(path, "0010") as old:
        old.executescript(first)
        old.execute("PRAGMA user_version = 10")
        plan = Plan(ref="pln_1", product_ref="prd_1", name="One", limit=9, created_at=1, updated_at=1)
        old.execute("INSERT INTO plan_snapshot VALUES (1, ?)", (msgspec.json.encode(plan).decode(),))
        for ref, is_current, status, at in (
            ("pur_1", 1, "active", 1), ("pur_2", 1, "active", 2), ("pur_3", 0, "cancelled", 3),
        ):  # fmt: skip
            old.execute(
                "INSERT INTO purchase (scope_id, customer_ref, product_ref, ref, is_current, plan_ref,"
                " snapshot_id, status, origin, amount, currency, started_at, cancelled_at, created_at,"
                " updated_at)"
                " VALUES (8, 'cus_1', 'prd_1', ?, ?, 'pln_1', 1, ?, 'checkout', 4, 'EUR', 1, 3, ?, 5)",
                (ref, is_current, status, at),
            )


async def test_a_database_of_the_first_form_of_0010_is_repaired(tmp_path: Path) -> None:
    first_form_of_0010(tmp_path / "meterhouse.db")
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        purchases = SqlitePurchases(database, Clock())
        found = [await purchases.get(8, ref) for ref in ("pur_1", "pur_2", "pur_3")]
        assert [each and (each.status, each.created_at) for each in found] == [
            ("active", 1), ("active", 2), ("cancelled", 3),
        ]  # fmt: skip
        assert {each and (each.cancelled_at, each.resumed_at) for each in found} == {(3, None)}
        assert await purchases.current(8, ["cus_1"]) == [found[1]], "the newest"
        assert difference(database.reader()) is None


async def test_a_sound_database_is_not_changed_by_the_repair(tmp_path: Path) -> None:
    with written_before(tmp_path / "meterhouse.db", "0013") as old:
        (before,) = old.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'purchase'").fetchone()
    with closing(Database(tmp_path / "meterhouse.db")) as database:
        found = database.reader().execute("SELECT rootpage FROM sqlite_schema WHERE name = 'purchase'")
        assert found.fetchone() == (before,), "the table was not made again"
        assert difference(database.reader()) is None


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("ALTER TABLE purchase DROP COLUMN resumed_at", "table purchase lacks column resumed_at"),
        ("ALTER TABLE log ADD COLUMN more TEXT", "table log has column more"),
        ("DROP INDEX purchase_current", "lacks index purchase_current"),
        ("DROP TABLE ingest_tally", "lacks table ingest_tally"),
        ("CREATE TRIGGER t AFTER INSERT ON log BEGIN SELECT 1; END", "trigger t"),
        (
            "DROP INDEX purchase_by_time; CREATE INDEX purchase_by_time ON purchase (created_at, scope_id)",
            "index purchase_by_time has another definition",
        ),
        (
            "DROP TABLE heartbeat; CREATE TABLE heartbeat (at TEXT)",
            "column at of its table heartbeat has another definition",
        ),
    ],
)
def test_a_schema_that_differs_is_refused_with_its_difference(
    tmp_path: Path, change: str, named: str
) -> None:
    Database(tmp_path / "meterhouse.db").close()
    with closing(sqlite3.connect(tmp_path / "meterhouse.db")) as connection:
        connection.executescript(change)
    with pytest.raises(RuntimeError, match=named) as raised:
        Database(tmp_path / "meterhouse.db")
    assert "Restore" in str(raised.value)


def test_a_table_and_an_index_of_the_operators_own_are_no_difference(tmp_path: Path) -> None:
    Database(tmp_path / "meterhouse.db").close()
    with closing(sqlite3.connect(tmp_path / "meterhouse.db")) as connection:
        connection.executescript("CREATE TABLE ours (a); CREATE INDEX our_index ON ours (a); ANALYZE")
    Database(tmp_path / "meterhouse.db").close()


FROZEN = {
    "0001_init.sql": "4e941ad9a214a271",
    "0002_catalog.sql": "4bc73c479b365c35",
    "0003_operators.sql": "f9026ebc74e1ae7f",
    "0004_meters.sql": "5c7166302acf343a",
    "0005_plans.sql": "2e01c548ba39aff9",
    "0006_meters.sql": "04890c97e560ca60",
    "0007_ledger.sql": "65341ed546fefd4a",
    "0008_hosted.sql": "78fa493dffd2d612",
    "0009_payments.sql": "a5733d0fc5f7e843",
    "0010_purchases.sql": "a5fe21c708b1d1f9",
    "0011_indexes.sql": "4b27899bb1a2d68c",
    "0012_payments.sql": "adc6dc63223c21fa",
    "0013_repair_purchases.sql": "5cb58fdefc4062ef",
    "0014_log_chain.sql": "10254aeb4f2dcb0c",
    "0015_rights_and_retention.sql": "1aa992553e66ff6e",
    "0016_clock.sql": "4c2489083ca091c5",
}
"""SHA-256 of each migration, its first 16 digits. A migration that is on the main branch never changes: a
database that has run it would keep the earlier form. Add a new migration instead."""


def test_migrations_never_change() -> None:
    schema = files("meterhouse.stores.embedded") / "schema"
    found = {file.name: hashlib.sha256(file.read_bytes()).hexdigest()[:16] for file in schema.iterdir()}
    assert found == FROZEN


def test_migrations_are_numbered_without_a_gap() -> None:
    """The schema's version is the number of migrations that ran."""
    names = sorted(file.name for file in (files("meterhouse.stores.embedded") / "schema").iterdir())
    assert [name[:4] for name in names] == [f"{number:04}" for number in range(1, len(names) + 1)]
