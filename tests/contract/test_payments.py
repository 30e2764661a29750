"""What every store of payments promises, and what a hosted session keeps of a choice."""

from datetime import timedelta

import msgspec
import pytest

from meterhouse.model.customer import NewCustomer
from meterhouse.model.errors import IdempotencyConflict, PaymentNotFound, PaymentNotSucceeded
from meterhouse.model.hosted import Choice, HostedKind, HostedStatus, NewHosted
from meterhouse.model.once import Once
from meterhouse.model.payment import Card, Intent, NewPayment, PaymentPurpose, PaymentStatus
from meterhouse.model.plan import Plan
from meterhouse.model.purchase import Origin, PurchaseStatus, Sale
from meterhouse.model.tenant import Caller
from meterhouse.ports import Catalog
from tests.contract.catalogs import OpenedCatalog, actions

PLAN = Plan(
    ref="pln_1", product_ref="prd_1", name="Pro", price=1900, trial_days=14, created_at=1, updated_at=1
)
NEW = NewPayment(
    customer_ref="cus_1", purpose=PaymentPurpose.PRODUCT, amount=1900, currency="USD",
    product_ref="prd_1", plan_ref="pln_1", snapshot=msgspec.json.encode(PLAN).decode(),
)  # fmt: skip
CARD = Card("visa", "4242", 12, 2034)


def once(key: str = "key", fingerprint: bytes = b"1") -> Once:
    return Once("createPaymentIntent", key, fingerprint)


def intent(ref: str = "pi_1", status: PaymentStatus = PaymentStatus.REQUIRES_PAYMENT_METHOD) -> Intent:
    card = CARD if status is PaymentStatus.SUCCEEDED else None
    return Intent(id=ref, client_secret=f"{ref}_secret", status=status, card=card)


PAID = intent(status=PaymentStatus.SUCCEEDED)


async def test_a_payment_is_read_as_it_was_asked_for(
    catalog: Catalog, caller: Caller, stranger: Caller
) -> None:
    made = await catalog.payments.add(caller, NEW, intent(), once())
    assert (made.amount, made.status, made.plan) == (1900, PaymentStatus.REQUIRES_PAYMENT_METHOD, PLAN)
    assert await catalog.payments.get(caller.scope.id, "pi_1") == made
    assert await catalog.payments.get(stranger.scope.id, "pi_1") is None
    assert await catalog.payments.scope_of("pi_1") == caller.scope.id
    assert await catalog.payments.scope_of("pi_none") is None


async def test_a_repeat_adds_none_and_returns_the_first_as_it_stands(
    catalog: Catalog, caller: Caller
) -> None:
    assert await catalog.payments.made(caller.scope.id, once()) is None
    await catalog.payments.add(caller, NEW, intent(), once())
    await catalog.payments.note(caller.scope.id, PAID)
    again = await catalog.payments.add(caller, NEW, intent(), once())
    assert again.status is PaymentStatus.SUCCEEDED
    assert await catalog.payments.made(caller.scope.id, once()) == again
    assert len(await catalog.payments.page(caller.scope.id, 10, 0)) == 1


async def test_a_key_with_another_meaning_is_a_conflict(catalog: Catalog, caller: Caller) -> None:
    await catalog.payments.add(caller, NEW, intent(), once())
    with pytest.raises(IdempotencyConflict):
        await catalog.payments.made(caller.scope.id, once(fingerprint=b"2"))
    with pytest.raises(IdempotencyConflict):
        await catalog.payments.add(caller, NEW, intent("pi_2"), once(fingerprint=b"2"))
    assert await catalog.payments.get(caller.scope.id, "pi_2") is None


async def test_payments_are_listed_the_newest_first(opened: OpenedCatalog, caller: Caller) -> None:
    for number in range(3):
        await opened.catalog.payments.add(caller, NEW, intent(f"pi_{number}"), once(f"key {number}"))
        opened.clock.advance(timedelta(seconds=1))
    page = await opened.catalog.payments.page(caller.scope.id, 2, 1)
    assert [each.id for each in page] == ["pi_1", "pi_0"]


async def test_what_was_paid_for_is_given_once_whatever_becomes_of_it(
    catalog: Catalog, caller: Caller
) -> None:
    await catalog.payments.add(caller, NEW, intent(), once())
    with pytest.raises(PaymentNotSucceeded):
        await catalog.payments.fulfil(caller, "pi_1")
    await catalog.payments.note(caller.scope.id, PAID)
    given = await catalog.payments.fulfil(caller, "pi_1")
    assert given.fulfilled_at is not None
    bought = await catalog.purchases.get(caller.scope.id, given.purchase_ref or "")
    assert bought is not None
    assert (bought.origin, bought.amount, bought.paid_at) == (Origin.CHECKOUT, 1900, bought.started_at)
    free = Plan(ref="pln_2", product_ref="prd_1", name="Free", created_at=1, updated_at=1)
    sale = Sale(customer_ref="cus_1", plan=free, origin=Origin.ACTIVATION, paid=False)
    await catalog.purchases.activate(caller, sale)  # takes the place of what was bought
    assert await catalog.payments.fulfil(caller, "pi_1") == given
    assert [action for action, _ in await actions(catalog, caller)] == [
        "payment.created", "purchase.created", "payment.succeeded", "purchase.expired", "purchase.created",
    ]  # fmt: skip


async def test_paying_within_the_trial_pays_for_what_is_there(catalog: Catalog, caller: Caller) -> None:
    sale = Sale(customer_ref="cus_1", plan=PLAN, origin=Origin.ACTIVATION, paid=False)
    trial = await catalog.purchases.activate(caller, sale)
    assert trial.status is PurchaseStatus.TRIALING
    await catalog.payments.add(caller, NEW, intent(), once())
    await catalog.payments.note(caller.scope.id, PAID)
    given = await catalog.payments.fulfil(caller, "pi_1")
    assert given.purchase_ref == trial.ref
    paid = await catalog.purchases.get(caller.scope.id, trial.ref)
    assert paid is not None
    assert (paid.status, paid.trial_ends_at, paid.started_at) == (
        PurchaseStatus.ACTIVE, None, trial.started_at,
    )  # fmt: skip
    assert paid.paid_at is not None


async def test_a_payment_that_never_was_is_not_found(catalog: Catalog, stranger: Caller) -> None:
    for attempt in (
        catalog.payments.note(stranger.scope.id, PAID),
        catalog.payments.fulfil(stranger, "pi_1"),
    ):
        with pytest.raises(PaymentNotFound):
            await attempt


async def test_the_card_is_the_one_of_the_last_payment_that_succeeded(
    opened: OpenedCatalog, caller: Caller, stranger: Caller
) -> None:
    payments = opened.catalog.payments
    await payments.add(caller, NEW, intent(), once())
    assert await payments.card(caller.scope.id, "cus_1") is None
    await payments.note(caller.scope.id, PAID)
    assert await payments.card(caller.scope.id, "cus_1") == CARD
    assert await payments.card(stranger.scope.id, "cus_1") is None
    opened.clock.advance(timedelta(seconds=1))
    await payments.add(caller, NEW, intent("pi_2"), once("other"))
    other = Card("mastercard", "4444", 1, 2030)
    await payments.note(caller.scope.id, msgspec.structs.replace(PAID, id="pi_2", card=other))
    assert await payments.card(caller.scope.id, "cus_1") == other


async def test_who_gets_a_deleted_customers_ref_sees_nothing_of_it(catalog: Catalog, caller: Caller) -> None:
    ada = NewCustomer(reference="cus_1", email="ada@example.com", name="Ada")
    await catalog.customers.create(caller, ada)
    await catalog.payments.add(caller, NEW, intent(), once())
    await catalog.payments.note(caller.scope.id, PAID)
    new = NewHosted(kind=HostedKind.CUSTOMER, customer_ref="cus_1")
    session_id = await catalog.hosted.open(caller.scope.id, new)
    await catalog.customers.delete(caller, "cus_1")
    await catalog.customers.create(caller, ada)
    assert await catalog.payments.card(caller.scope.id, "cus_1") is None
    session = await catalog.hosted.find(session_id)
    assert session is not None
    assert session.status_at(catalog.hosted.now()) is HostedStatus.EXPIRED


async def test_a_choice_is_kept_while_the_session_is_active(opened: OpenedCatalog, caller: Caller) -> None:
    hosted = opened.catalog.hosted
    session_id = await hosted.open(caller.scope.id, NewHosted(kind=HostedKind.CHECKOUT, customer_ref="cus_1"))
    choice = Choice(plan_ref="pln_1", currency="EUR", amount=500, payment_id="pi_1")
    chosen = await hosted.choose(session_id, choice)
    assert chosen is not None
    assert chosen.choice == choice
    assert await opened.beside.hosted.find(session_id) == chosen
    assert await hosted.use(session_id)
    assert await hosted.choose(session_id, Choice()) is None
    assert await hosted.choose("f" * 32, Choice()) is None


async def test_a_session_expires(opened: OpenedCatalog, caller: Caller) -> None:
    new = NewHosted(kind=HostedKind.CHECKOUT, customer_ref="cus_1")
    session_id = await opened.catalog.hosted.open(caller.scope.id, new)
    opened.clock.advance(timedelta(minutes=15))
    assert await opened.catalog.hosted.choose(session_id, Choice()) is None
    assert not await opened.catalog.hosted.use(session_id)


async def test_a_session_that_repeats_by_key_has_the_id_it_was_given(
    catalog: Catalog, caller: Caller
) -> None:
    new = NewHosted(kind=HostedKind.CHECKOUT, customer_ref="cus_1")
    key = Once("createCheckoutSession", "key", b"1")
    for _ in range(2):
        assert await catalog.hosted.open(caller.scope.id, new, key, lambda _: "a" * 32) == "a" * 32
    with pytest.raises(IdempotencyConflict):
        await catalog.hosted.open(caller.scope.id, new, key, lambda _: "b" * 32)


@pytest.mark.parametrize("later", [timedelta(minutes=15), timedelta(days=3)])
async def test_a_repeated_key_opens_an_expired_session_again(
    opened: OpenedCatalog, caller: Caller, later: timedelta
) -> None:
    hosted = opened.catalog.hosted
    new = NewHosted(kind=HostedKind.CHECKOUT, customer_ref="cus_1")
    key = Once("createCheckoutSession", "key", b"1")

    async def repeat() -> str:
        return await hosted.open(caller.scope.id, new, key, lambda opening: f"{opening:032}")

    for opening in range(3):
        for _ in range(2):
            assert await repeat() == f"{opening:032}"
        await hosted.open(caller.scope.id, new)  # deletes what ended more than a day ago
        opened.clock.advance(later)
    assert await hosted.use(await repeat())
    assert await repeat() == f"{3:032}", "a used session is repeated, not opened again"
    opened.clock.advance(timedelta(hours=1))
    assert await repeat() == f"{3:032}"


async def test_a_scope_is_found_by_its_id(catalog: Catalog, caller: Caller) -> None:
    assert await catalog.providers.scope_by_id(caller.scope.id) == caller.scope


async def test_a_payment_of_the_wrong_future_is_fulfilled_after_the_clock_is_set_back(
    opened: OpenedCatalog, caller: Caller
) -> None:
    payments, ahead = opened.catalog.payments, timedelta(days=40)
    opened.clock.advance(ahead)
    await payments.add(caller, NEW, intent(), once())
    await payments.note(caller.scope.id, PAID)
    assert await payments.unfulfilled(30_000_000, (), 10) == []
    opened.clock.advance(-ahead)
    assert await payments.unfulfilled(30_000_000, (), 10) == [(caller.scope.id, "pi_1")]
