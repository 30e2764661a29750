"""What `ports.Catalog` promises of all its parts: scopes, keys of idempotency, providers, the audit."""

import asyncio
import sqlite3
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from meterhouse.metering.audit_sweep import AuditSweep
from meterhouse.model.audit import Action
from meterhouse.model.customer import CustomerDetails, Deletion, NewCustomer
from meterhouse.model.errors import (
    CustomerNotFound,
    EmailTaken,
    IdempotencyConflict,
    KeyNotFound,
    ProductNotFound,
    ProviderNameTaken,
    ProviderNotFound,
)
from meterhouse.model.key import digest
from meterhouse.model.merchant import Merchant
from meterhouse.model.page import CustomerQuestion
from meterhouse.model.product import NewProduct, ProductDetails, ProductQuestion
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Catalog
from tests.contract.catalogs import ADA, EmbeddedCatalog, OpenedCatalog, actions, emails, once


async def test_no_scope_reads_or_writes_another(
    catalog: Catalog, caller: Caller, live: Caller, stranger: Caller
) -> None:
    ada = await catalog.customers.create(caller, msgspec.structs.replace(ADA, reference="cus_ada"))
    product = await catalog.products.create(caller, NewProduct(name="API", reference="prd_api"))
    key = (await catalog.keys.create(caller, "mine")).key
    for other in (live, stranger):
        scope_id = other.scope.id
        assert await catalog.customers.get(scope_id, ada.ref) is None
        assert await catalog.customers.with_email(scope_id, ada.email) is None
        assert await catalog.customers.with_external_ref(scope_id, "auth0|5") is None
        assert not (await catalog.customers.page(scope_id, CustomerQuestion())).customers
        assert not await catalog.directory.known_customers(scope_id, {ada.ref})
        assert await catalog.products.get(scope_id, product.ref) is None
        assert not (await catalog.products.page(scope_id, ProductQuestion())).products
        assert not await catalog.directory.known_products(scope_id, {product.ref})
        assert not await catalog.keys.all(scope_id)
        with pytest.raises(CustomerNotFound):
            await catalog.customers.change(other, ada.ref, CustomerDetails(name="x"))
        with pytest.raises(CustomerNotFound):
            await catalog.customers.delete(other, ada.ref)
        with pytest.raises(ProductNotFound):
            await catalog.products.change(other, product.ref, ProductDetails(name="xx"))
        with pytest.raises(ProductNotFound):
            await catalog.products.clone(other, product.ref, None)
        with pytest.raises(ProductNotFound):
            await catalog.products.delete(other, product.ref)
        with pytest.raises(KeyNotFound):
            await catalog.keys.revoke(other, key.ref)
        assert await actions(catalog, other) == []
        again = await catalog.customers.create(other, msgspec.structs.replace(ADA, reference="cus_ada"))
        assert again.ref == "cus_ada"
    assert await catalog.customers.get(caller.scope.id, "cus_ada") == ada


async def test_a_write_repeated_with_its_key_answers_the_first_result_again(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    first = await catalog.customers.create(caller, ADA, once())
    await catalog.customers.change(caller, first.ref, CustomerDetails(name="Changed"))
    opened.clock.advance(timedelta(days=400))
    assert await catalog.customers.create(caller, ADA, once()) == first
    assert await opened.beside.customers.create(caller, ADA, once()) == first
    assert len(await actions(catalog, caller)) == 2


async def test_the_same_key_with_another_meaning_is_a_conflict(catalog: Catalog, caller: Caller) -> None:
    await catalog.customers.create(caller, ADA, once(b"1"))
    with pytest.raises(IdempotencyConflict):
        await catalog.customers.create(caller, emails(1), once(b"2"))
    assert await catalog.customers.with_email(caller.scope.id, "001@example.com") is None


async def test_a_key_is_its_operations_and_its_scopes_own(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    customer = await catalog.customers.create(caller, ADA, once(b"1"))
    deletion = once(b"2", "deleteCustomer")
    assert await catalog.customers.delete(caller, customer.ref, deletion) is Deletion.DELETED
    assert await catalog.customers.delete(caller, customer.ref, deletion) is Deletion.DELETED
    assert (await catalog.customers.create(live, emails(1), once(b"3"))).email == "001@example.com"


async def test_a_refused_write_burns_no_key(catalog: Catalog, caller: Caller) -> None:
    await catalog.customers.create(caller, ADA)
    with pytest.raises(EmailTaken):
        await catalog.customers.create(caller, NewCustomer(email="ada@example.com"), once(b"1"))
    await catalog.customers.create(caller, emails(1), once(b"2"))


async def test_repeats_at_the_same_instant_are_one_write(catalog: Catalog, caller: Caller) -> None:
    creating = (catalog.products.create(caller, NewProduct(name="API"), once()) for _ in range(20))
    made = await asyncio.gather(*creating)
    assert len(set(made)) == 1
    assert (await catalog.products.page(caller.scope.id, ProductQuestion())).total == 1


async def test_a_provider_has_both_environments_and_its_name_for_itself(catalog: Catalog) -> None:
    provider = await catalog.providers.create("acme", "cli")
    scopes = [await catalog.providers.scope("acme", environment) for environment in Environment]
    assert [scope.environment for scope in scopes] == list(Environment)
    assert len({scope.id for scope in scopes}) == 2
    assert await catalog.providers.scope(provider.ref, Environment.LIVE) == scopes[1]
    assert await catalog.providers.all() == [provider]
    with pytest.raises(ProviderNameTaken):
        await catalog.providers.create("acme", "cli")
    with pytest.raises(ProviderNotFound):
        await catalog.providers.scope("nobody", Environment.LIVE)


async def test_a_provider_shows_its_name_until_told_otherwise(catalog: Catalog, caller: Caller) -> None:
    ref = caller.scope.provider_ref
    assert await catalog.providers.merchant(ref) == Merchant(display_name="acme", legal_name="acme")
    merchant = Merchant(display_name="Acme", legal_name="Acme Inc.", supported_topup_currencies=("USD",))
    await catalog.providers.show_as(caller, merchant)
    assert await catalog.providers.merchant(ref) == merchant
    assert await actions(catalog, caller) == [(Action.PROVIDER_UPDATED, ref)]


async def test_the_audit_is_paged_and_ends(catalog: Catalog, caller: Caller) -> None:
    for number in range(5):
        await catalog.customers.create(caller, emails(number))
    whole = (await catalog.audit.page(caller.scope.id, 100)).entries
    found: list[int] = []
    after = None
    while True:
        page = await catalog.audit.page(caller.scope.id, 4, after)
        found += [entry.id for entry in page.entries]
        after = page.next
        if after is None:
            break
    assert found == [entry.id for entry in whole] == sorted(found, reverse=True)
    assert len(found) == 6


async def test_the_audit_forgets_its_oldest_entries(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    await catalog.customers.create(caller, emails(1))
    opened.clock.advance(timedelta(days=3))
    await catalog.customers.create(caller, emails(2))
    newest = (await catalog.audit.page(caller.scope.id, 100)).entries[0]
    sweep = AuditSweep(catalog.audit, opened.clock, days=3)
    assert await sweep.once() == 0
    opened.clock.advance(timedelta(microseconds=1))
    assert await sweep.once() > 0
    assert (await catalog.audit.page(caller.scope.id, 100)).entries == (newest,)
    assert await sweep.once() == 0


async def test_an_entry_of_the_audit_is_small_whatever_was_written(catalog: Catalog, caller: Caller) -> None:
    ref = (await catalog.customers.create(caller, emails(1))).ref
    for letter in "ab":
        change = CustomerDetails(metadata={"note": letter * 15_000})
        await catalog.customers.change(caller, ref, change)
    entry = (await catalog.audit.page(caller.scope.id, 1)).entries[0]
    assert entry.ref == ref
    assert len(entry.changes) < 1_000
    before, after = msgspec.json.decode(entry.changes)["metadata"]
    assert before != after
    assert "bytes, SHA-256" in after


async def test_an_empty_catalog_is_given_a_start_once(opened: OpenedCatalog, catalog: Catalog) -> None:
    started = await opened.first_start()
    assert started is not None
    assert started.secret is not None
    caller = await catalog.identities.key_caller(digest(started.secret))
    assert caller is not None
    assert caller.scope == await catalog.providers.scope("default", Environment.SANDBOX)
    assert await catalog.directory.known_customers(caller.scope.id, {"cus_3C4D5E6F"})
    products = {"prd_content_api", "prd_ai_assistant"}
    assert set(await catalog.directory.known_products(caller.scope.id, products)) == products
    assert await opened.first_start() is None
    assert len(await catalog.providers.all()) == 1


async def test_not_even_sql_changes_the_audit(tmp_path: Path) -> None:
    async with EmbeddedCatalog(tmp_path) as opened:
        await opened.first_start()
        with sqlite3.connect(tmp_path / "meterhouse.db") as connection:
            for statement in (
                "UPDATE audit SET actor = 'eve'",
                "DELETE FROM audit WHERE id > (SELECT min(id) FROM audit)",
            ):
                with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                    connection.execute(statement)
        connection.close()
