"""Customers as the real client sees them (contract §3.3, §4.7)."""

from uuid import uuid4

import pytest
from solvapay.exceptions import InvalidRequestError, NotFoundError
from solvapay.models import BalanceResponse, Customer

from tests.solvapay.either import Either
from tests.solvapay.shop import Shop


@pytest.fixture
def user() -> str:
    """A user id as an identity provider makes them: its default e-mail has the bar too."""
    return f"auth0|{uuid4().hex}"


async def get(call: Either, *reference: str, **named: str) -> Customer:
    found: Customer = await call("customers.get", *reference, **named)
    return found


async def update(call: Either, reference: str, **named: str) -> Customer:
    after: Customer = await call("customers.update", reference, **named)
    return after


async def balance(call: Either, reference: str) -> BalanceResponse:
    read: BalanceResponse = await call("customers.balance", reference)
    return read


async def test_a_user_becomes_a_customer_once(call: Either, user: str) -> None:
    reference = await call("customers.ensure", user)
    assert reference.startswith("cus_")
    assert await call("customers.ensure", user) == reference
    found = await get(call, external_ref=user)
    assert (found.customer_ref, found.external_ref, found.purchases) == (reference, user, [])
    assert found.email is not None
    assert found.email.endswith("@auto-created.local")


async def test_a_user_of_an_email_we_know_is_that_customer(call: Either, shop: Shop, user: str) -> None:
    email = f"{uuid4().hex}@example.com"
    known = shop.customer(email=email)
    assert await call("customers.ensure", user, email=email) == known
    assert (await get(call, known)).external_ref == user


async def test_any_characters_may_make_up_a_user_id(call: Either) -> None:
    user = f"a b/ç?d&e+f%20#{uuid4().hex}"
    email = f"{uuid4().hex}@example.com"
    reference = await call("customers.ensure", "ignored", user, email=email, name="Grace Hopper")
    found = await get(call, external_ref=user)
    assert (found.customer_ref, found.external_ref) == (reference, user)
    assert (found.email, found.name) == (email, "Grace Hopper")


async def test_a_customer_is_found_by_each_name_it_has(call: Either, shop: Shop, user: str) -> None:
    email = f"{uuid4().hex}@example.com"
    reference = shop.customer(email=email, externalRef=user)
    found = await get(call, reference)
    assert found == await get(call, external_ref=user)
    assert found == await get(call, email=email)
    assert found.customer_ref == reference


async def test_an_unknown_customer_is_not_found(call: Either) -> None:
    with pytest.raises(NotFoundError, match="Customer with reference cus_NOBODY not found"):
        await get(call, "cus_NOBODY")
    with pytest.raises(NotFoundError, match="Customer not found"):
        await get(call, external_ref="nobody")
    with pytest.raises(NotFoundError, match="customer_not_found"):
        await update(call, "cus_NOBODY", name="Ada")
    with pytest.raises(NotFoundError, match="customer_not_found"):
        await balance(call, "cus_NOBODY")


async def test_an_update_changes_what_it_says_and_leaves_the_rest(
    call: Either, shop: Shop, user: str
) -> None:
    reference = shop.customer(externalRef=user)
    before = await get(call, reference)
    after = await update(call, reference, name="Grace")
    assert after == before.model_copy(update={"name": "Grace"})
    email = f"{uuid4().hex}@example.com"
    moved = await update(call, reference, email=email, external_ref=f"{user}-2")
    assert moved == after.model_copy(update={"email": email, "external_ref": f"{user}-2"})
    assert await get(call, reference) == moved


async def test_an_email_of_another_customer_is_a_conflict_that_says_email(call: Either, shop: Shop) -> None:
    email = f"{uuid4().hex}@example.com"
    shop.customer(email=email)
    with pytest.raises(InvalidRequestError, match="email") as refused:
        await update(call, shop.customer(), email=email)
    assert refused.value.status_code == 409


async def test_a_repeat_with_its_key_makes_one_customer(call: Either, shop: Shop, user: str) -> None:
    """The client looks first, so only what it sends can show that a repeat of it makes no second one."""
    key = uuid4().hex
    reference = await call(
        "customers.ensure", user, email=f"{user[6:]}@example.com", name="Ada", idempotency_key=key
    )
    body = {"email": f"{user[6:]}@example.com", "externalRef": user, "name": "Ada"}
    assert shop.customer(key, **body) == reference


async def test_the_balance_begins_at_nothing_and_shows_what_was_granted(
    call: Either, shop: Shop, customer: str
) -> None:
    empty = await balance(call, customer)
    assert (empty.customer_ref, empty.credits, empty.balance) == (customer, 0, 0)
    shop.grant(customer, 420_000)
    full = await balance(call, customer)
    assert full.credits == 420_000
    assert (full.credits_per_minor_unit, full.display_exchange_rate) == (100, 1)
    assert (full.balance, full.currency) == (42.0, "USD")
