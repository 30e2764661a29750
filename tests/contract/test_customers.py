"""What `ports.Customers` promises, on every adapter."""

from datetime import timedelta

import msgspec
import pytest

from meterhouse.model.audit import Action
from meterhouse.model.customer import Customer, CustomerDetails, Deletion, NewCustomer
from meterhouse.model.errors import (
    CustomerNotFound,
    EmailTaken,
    ExternalRefTaken,
    ReferenceTaken,
)
from meterhouse.model.event import to_microseconds
from meterhouse.model.page import CustomerQuestion, CustomerSort
from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, PurchaseStatus, Sale
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import ADA, OpenedCatalog, actions, emails


async def test_a_customer_is_found_by_ref_external_ref_and_email(catalog: Catalog, caller: Caller) -> None:
    customer = await catalog.customers.create(caller, ADA)
    scope_id = caller.scope.id
    assert await catalog.customers.get(scope_id, customer.ref) == customer
    assert await catalog.customers.with_external_ref(scope_id, "auth0|5") == customer
    assert await catalog.customers.with_email(scope_id, "ada@example.com") == customer
    assert await catalog.customers.with_email(scope_id, "ADA@example.com") is None
    assert await actions(catalog, caller) == [(Action.CUSTOMER_CREATED, customer.ref)]


async def test_the_same_email_with_an_external_ref_links_it(catalog: Catalog, caller: Caller) -> None:
    plain = await catalog.customers.create(caller, NewCustomer(email="ada@example.com", name="Ada"))
    linked = await catalog.customers.create(caller, ADA)
    assert (linked.ref, linked.external_ref, linked.name) == (plain.ref, "auth0|5", "Ada")
    again = await catalog.customers.create(caller, ADA)
    assert again == linked
    assert [action for action, _ in await actions(catalog, caller)] == [
        Action.CUSTOMER_CREATED, Action.CUSTOMER_LINKED,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("new", "error"),
    [
        (NewCustomer(email="ada@example.com"), EmailTaken),
        (NewCustomer(email="ada@example.com", external_ref="bob"), ExternalRefTaken),
        (NewCustomer(email="new@example.com", external_ref="auth0|5"), ExternalRefTaken),
        (NewCustomer(email="new@example.com", reference="cus_bob"), ReferenceTaken),
        (NewCustomer(email="ada@example.com", external_ref="x", reference="cus_other"), EmailTaken),
    ],
)
async def test_what_is_taken_is_refused_and_stores_nothing(
    catalog: Catalog, caller: Caller, new: NewCustomer, error: type[Exception]
) -> None:
    await catalog.customers.create(caller, ADA)
    await catalog.customers.create(
        caller, NewCustomer(email="bob@example.com", external_ref="bob", reference="cus_bob")
    )
    before = await actions(catalog, caller)
    with pytest.raises(error):
        await catalog.customers.create(caller, new)
    assert await actions(catalog, caller) == before


async def test_a_change_leaves_what_it_does_not_say(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    before = await catalog.customers.create(caller, ADA)
    opened.clock.advance(timedelta(seconds=1))
    after = await catalog.customers.change(
        caller, before.ref, CustomerDetails(name="Ada L", metadata={"plan": {"b": 1, "a": 2}})
    )
    expected = msgspec.structs.replace(
        before, name="Ada L", metadata='{"plan":{"a":2,"b":1}}', updated_at=before.updated_at + 1_000_000
    )
    assert after == expected
    assert await catalog.customers.get(caller.scope.id, before.ref) == expected
    (entry, *_) = (await catalog.audit.page(caller.scope.id, 1)).entries
    assert (entry.actor, entry.action, entry.at) == ("key:key_1", Action.CUSTOMER_UPDATED, after.updated_at)
    assert msgspec.json.decode(entry.changes)["name"] == ["Ada", "Ada L"]


async def test_an_empty_text_takes_a_value_away(catalog: Catalog, caller: Caller) -> None:
    customer = await catalog.customers.create(caller, ADA)
    after = await catalog.customers.change(caller, customer.ref, CustomerDetails(external_ref=""))
    assert after.external_ref is None
    assert await catalog.customers.with_external_ref(caller.scope.id, "auth0|5") is None


async def test_a_change_that_changes_nothing_is_not_in_the_audit(catalog: Catalog, caller: Caller) -> None:
    customer = await catalog.customers.create(caller, ADA)
    assert await catalog.customers.change(caller, customer.ref, CustomerDetails(name="Ada")) == customer
    assert len(await actions(catalog, caller)) == 1


async def test_a_change_may_not_take_what_another_customer_has(catalog: Catalog, caller: Caller) -> None:
    await catalog.customers.create(caller, ADA)
    bob = await catalog.customers.create(caller, NewCustomer(email="bob@example.com"))
    with pytest.raises(EmailTaken):
        await catalog.customers.change(caller, bob.ref, CustomerDetails(email="ada@example.com"))
    with pytest.raises(ExternalRefTaken):
        await catalog.customers.change(caller, bob.ref, CustomerDetails(external_ref="auth0|5"))
    assert await catalog.customers.get(caller.scope.id, bob.ref) == bob


async def test_sandbox_forgets_a_deleted_customer(catalog: Catalog, caller: Caller) -> None:
    new = msgspec.structs.replace(ADA, reference="cus_ada")
    await catalog.customers.create(caller, new)
    assert await catalog.customers.delete(caller, "cus_ada") is Deletion.DELETED
    assert await catalog.customers.get(caller.scope.id, "cus_ada") is None
    with pytest.raises(CustomerNotFound):
        await catalog.customers.delete(caller, "cus_ada")
    assert (await catalog.customers.create(caller, new)).ref == "cus_ada"


async def test_live_hides_a_deleted_customer_and_keeps_its_ref(catalog: Catalog, live: Caller) -> None:
    new = msgspec.structs.replace(ADA, reference="cus_ada")
    await catalog.customers.create(live, new)
    assert await catalog.customers.delete(live, "cus_ada") is Deletion.SOFT_DELETED
    scope_id = live.scope.id
    assert await catalog.customers.get(scope_id, "cus_ada") is None
    assert await catalog.customers.with_email(scope_id, "ada@example.com") is None
    assert not (await catalog.customers.page(scope_id, CustomerQuestion())).customers
    with pytest.raises(ReferenceTaken):
        await catalog.customers.create(live, new)
    assert (await catalog.customers.create(live, ADA)).ref != "cus_ada"


@pytest.mark.parametrize("sort", list(CustomerSort))
async def test_pages_put_together_are_all_customers_in_order(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller, sort: CustomerSort
) -> None:
    made = []
    for number in range(25):
        opened.clock.advance(timedelta(microseconds=number % 3))  # some are made at the same time
        made.append(await catalog.customers.create(caller, emails(number)))
    field = {"createdAt": "created_at"}.get(sort.lstrip("-"), sort.lstrip("-"))

    def place(customer: Customer) -> tuple[str | int, str]:
        return getattr(customer, field), customer.ref

    found: list[Customer] = []
    question = CustomerQuestion(sort=sort, limit=4)
    while True:
        page = await catalog.customers.page(caller.scope.id, question)
        found += page.customers
        if page.next is None:
            break
        question = msgspec.structs.replace(question, after=page.next)
    assert found == sorted(made, key=place, reverse=sort.startswith("-"))


async def test_a_page_goes_on_where_it_ended_whatever_happened_meanwhile(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    made = []
    for number in range(6):
        opened.clock.advance(timedelta(seconds=1))
        made.append(await catalog.customers.create(caller, emails(number)))
    first = await catalog.customers.page(caller.scope.id, CustomerQuestion(limit=3))
    opened.clock.advance(timedelta(seconds=1))
    await catalog.customers.create(caller, emails(6))
    await catalog.customers.delete(caller, first.customers[-1].ref)
    second = await catalog.customers.page(caller.scope.id, CustomerQuestion(limit=3, after=first.next))
    assert [*first.customers, *second.customers] == made[::-1]
    assert second.next is None


@pytest.mark.parametrize(
    ("search", "found"),
    [("ADA", ["ada"]), ("auth0|5", ["ada"]), ("cus_b", ["bob"]), ("100%", ["cat"]), ("%", ["cat"]), ("'", []),
     ("_", ["ada", "bob", "cat"]), ("example", ["ada", "bob", "cat"]), ("", ["ada", "bob", "cat"])],
)  # fmt: skip
async def test_search_finds_parts_as_they_are_written(
    catalog: Catalog, caller: Caller, search: str, found: list[str]
) -> None:
    await catalog.customers.create(caller, msgspec.structs.replace(ADA, reference="cus_a"))
    await catalog.customers.create(
        caller, NewCustomer(email="bob@example.com", name="Bob", reference="cus_b")
    )
    await catalog.customers.create(
        caller, NewCustomer(email="cat@example.com", external_ref="100%", reference="cus_c")
    )
    page = await catalog.customers.page(
        caller.scope.id, CustomerQuestion(search=search, sort=CustomerSort.EMAIL)
    )
    assert [customer.email.partition("@")[0] for customer in page.customers] == found


async def test_a_new_customer_inherits_nothing_of_who_had_its_ref(
    opened: OpenedCatalog, catalog: Catalog, caller: Caller
) -> None:
    """Also where it is given just after that one was deleted, as a payment is that was under way."""
    plan = Plan(ref="pln_1", product_ref="prd_1", name="Plan", created_at=0, updated_at=0)
    sale = Sale(customer_ref="cus_ada", plan=plan, origin=Origin.CHECKOUT, paid=True)
    given = await catalog.purchases.activate(caller, sale)
    opened.clock.advance(timedelta(seconds=1))
    await catalog.customers.create(caller, msgspec.structs.replace(ADA, reference="cus_ada"))
    after = await catalog.purchases.get(caller.scope.id, given.ref)
    assert after is not None
    assert after.status_at(to_microseconds(opened.clock())) is PurchaseStatus.EXPIRED
    assert await catalog.purchases.current(caller.scope.id, ["cus_ada"]) == []
