"""What `ports.Directory`, `Identities` and `Keys` promise, on every adapter."""

import asyncio
from datetime import timedelta

import msgspec

from meterhouse.model.audit import Action
from meterhouse.model.key import digest
from meterhouse.model.product import NewProduct
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import ADA, OpenedCatalog, actions, emails, once
from tests.e2e.wait import LONGEST_SECONDS


async def test_the_directory_knows_what_was_made_at_once_by_whichever_process(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    directory, scope_id = catalog.directory, caller.scope.id
    assert not await directory.known_customers(scope_id, {"cus_ada"})
    await opened.beside.customers.create(caller, msgspec.structs.replace(ADA, reference="cus_ada"))
    assert set(await directory.known_customers(scope_id, {"cus_ada", "cus_no"})) == {"cus_ada"}
    await opened.beside.products.create(caller, NewProduct(name="API", reference="prd_api"))
    assert set(await directory.known_products(scope_id, {"prd_api", "cus_ada"})) == {"prd_api"}


async def test_the_directory_forgets_at_once_what_this_process_deleted(
    catalog: Catalog, caller: Caller, live: Caller
) -> None:
    for who in (caller, live):
        customer = await catalog.customers.create(who, ADA)
        product = await catalog.products.create(who, NewProduct(name="API"))
        assert await catalog.directory.known_customers(who.scope.id, {customer.ref})
        assert await catalog.directory.known_products(who.scope.id, {product.ref})
        await catalog.customers.delete(who, customer.ref)
        await catalog.products.delete(who, product.ref)
        assert not await catalog.directory.known_customers(who.scope.id, {customer.ref})
        assert not await catalog.directory.known_products(who.scope.id, {product.ref})


async def test_the_directory_forgets_soon_what_another_process_deleted(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    customer = await catalog.customers.create(caller, ADA)
    assert await catalog.directory.known_customers(caller.scope.id, {customer.ref})
    await opened.beside.customers.delete(caller, customer.ref)
    refs = {customer.ref}
    async with asyncio.timeout(LONGEST_SECONDS):
        while await catalog.directory.known_customers(caller.scope.id, refs):  # noqa: ASYNC110 - by time alone
            await asyncio.sleep(0)


async def test_the_directory_answers_for_thousands_at_once(catalog: Catalog, caller: Caller) -> None:
    made = await asyncio.gather(*(catalog.customers.create(caller, emails(i)) for i in range(1000)))
    refs = {customer.ref for customer in made}
    asked = refs | {f"cus_no{i}" for i in range(1000)}
    assert set(await catalog.directory.known_customers(caller.scope.id, asked)) == refs
    assert set(await catalog.directory.known_customers(caller.scope.id, asked)) == refs
    assert set(await catalog.directory.known_customers(caller.scope.id, list(refs))) == refs
    hostile = {"", "\0", "'", "cus_%", "\U0001f600" * 100}
    assert not await catalog.directory.known_customers(caller.scope.id, hostile)


async def test_a_key_opens_its_own_scope_until_it_is_revoked(
    opened: OpenedCatalog, catalog: Catalog, live: Caller
) -> None:
    issued = await catalog.keys.create(live, "server")
    secret = issued.secret
    assert secret is not None
    assert secret.startswith("sk_live_")
    assert issued.key.hint == secret[-4:]
    for each in (catalog, opened.beside):
        assert await each.identities.key_caller(digest(secret)) == Caller(live.scope, f"key:{issued.key.ref}")
    revoked = await opened.beside.keys.revoke(live, issued.key.ref)
    assert revoked.revoked_at is not None
    assert await catalog.identities.key_caller(digest(secret)) is None
    assert await catalog.keys.revoke(live, issued.key.ref) == revoked
    assert [action for action, _ in await actions(catalog, live)] == [Action.KEY_CREATED, Action.KEY_REVOKED]


async def test_no_two_keys_are_alike_and_no_secret_is_kept(catalog: Catalog, caller: Caller) -> None:
    issued = [await catalog.keys.create(caller, "same name") for _ in range(10)]
    assert len({each.secret for each in issued}) == 10
    assert {key.ref for key in await catalog.keys.all(caller.scope.id)} == {each.key.ref for each in issued}
    seen = repr(await catalog.keys.all(caller.scope.id)) + repr(await catalog.audit.page(caller.scope.id, 99))
    assert not [each for each in issued if each.secret and each.secret in seen]


async def test_a_repeated_request_for_a_key_makes_no_second_one_and_shows_no_secret(
    catalog: Catalog, caller: Caller
) -> None:
    first = await catalog.keys.create(caller, "server", once(operation="createKey"))
    again = await catalog.keys.create(caller, "server", once(operation="createKey"))
    assert again.key == first.key
    assert again.secret is None
    assert len(await catalog.keys.all(caller.scope.id)) == 1


async def test_the_last_use_of_a_key_is_written_at_most_once_a_minute(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    issued = await catalog.keys.create(caller, "server")
    sha256 = digest(issued.secret or "")

    async def last_used_at() -> int | None:
        await catalog.keys.revoke(caller, other.ref)  # a write of its own: what was queued before it is done
        (key,) = (key for key in await catalog.keys.all(caller.scope.id) if key.ref == issued.key.ref)
        return key.last_used_at

    other = (await catalog.keys.create(caller, "other")).key
    assert await last_used_at() is None
    await catalog.identities.key_caller(sha256)
    first = await last_used_at()
    assert first == issued.key.created_at
    for _ in range(59):
        opened.clock.advance(timedelta(seconds=1))
        await catalog.identities.key_caller(sha256)
    assert await last_used_at() == first
    opened.clock.advance(timedelta(seconds=1))
    await catalog.identities.key_caller(sha256)
    assert await last_used_at() == first + 60_000_000
