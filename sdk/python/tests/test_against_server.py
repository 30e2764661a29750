"""The SDK against the real server, each in a process of its own."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterhouse_sdk import (
    AsyncMeterhouse,
    AuthenticationError,
    CustomerNotFound,
    DefaultMeter,
    EmailTaken,
    EventBuffer,
    EventNotFound,
    ExternalRefTaken,
    IdempotencyConflict,
    Meterhouse,
    MeterNameTaken,
    MeterNotFound,
    NewEvent,
    NotDelivered,
    ProductNameTaken,
    ProductNotFound,
    ReferenceTaken,
    ValidationFailed,
)
from tests.e2e.server import Server
from tests.e2e.wait import until

CUSTOMER = "cus_3C4D5E6F"


def new_type() -> str:
    """A type of its own for each test, which all use one server."""
    return f"test.{uuid.uuid4().hex}"


def total(client: Meterhouse, type_: str) -> Decimal | None:
    return client.usage(type=type_).total


def until_total(client: Meterhouse, type_: str, expected: Decimal | int) -> None:
    """Acknowledged events are in the answers within a second."""
    until(lambda: total(client, type_) == expected, f"{type_} sums up to {expected}")


def test_an_event_is_stored_once_and_read_back_as_it_was(client: Meterhouse) -> None:
    type_, key = new_type(), uuid.uuid4().hex
    time = datetime(2026, 11, 1, 12, 30, 0, 123456, tzinfo=UTC)

    def publish(units: str = "0.1") -> tuple[str, bool]:
        made = client.create_event(
            type=type_,
            customer_ref=CUSTOMER,
            units=Decimal(units),
            product_ref="prd_content_api",
            timestamp=time,
            idempotency_key=key,
            properties={"model": "m", "ratio": Decimal("0.30"), "deep": {"list": [1, None, True]}},
        )
        return made.event_id, made.duplicate

    event_id, duplicate = publish()
    assert event_id.startswith("evt_")
    assert not duplicate
    assert publish() == (event_id, True)
    with pytest.raises(IdempotencyConflict) as conflict:
        publish("0.2")
    assert conflict.value.status == 409
    assert conflict.value.request_id
    until_total(client, type_, Decimal("0.1"))
    event = client.event(event_id)
    assert (event.type, event.customer_ref, event.product_ref) == (type_, CUSTOMER, "prd_content_api")
    assert (event.units, event.timestamp, event.idempotency_key) == (Decimal("0.1"), time, key)
    assert event.properties == {"model": "m", "ratio": Decimal("0.3"), "deep": {"list": [1, None, True]}}
    assert list(client.events(type=type_)) == [event]


def test_sums_are_exact(client: Meterhouse) -> None:
    type_ = new_type()
    amounts = ["0.1", "0.2", "0.000000001", "1E-9", "999999999999999.999999997"]
    for units in amounts:
        client.create_event(type=type_, customer_ref=CUSTOMER, units=Decimal(units))
    client.create_event(type=type_, customer_ref=CUSTOMER, units=10**15)
    until_total(client, type_, Decimal("2000000000000000.299999999"))
    expected = [Decimal(units) for units in [*amounts, "1000000000000000"]]
    assert sorted(event.units for event in client.events(type=type_)) == sorted(expected)


def test_refusals_are_errors_of_their_own(client: Meterhouse, server: Server) -> None:
    with pytest.raises(CustomerNotFound, match="not found"):
        client.create_event(type="a.b", customer_ref="cus_nobody", units=1)
    with pytest.raises(ProductNotFound):
        client.create_event(type="a.b", customer_ref=CUSTOMER, units=1, product_ref="prd_nothing")
    with pytest.raises(ValidationFailed) as refused:
        client.create_event(
            type="a.b", customer_ref=CUSTOMER, units=1, timestamp=datetime.now(UTC) + timedelta(days=3)
        )
    assert [error.path for error in refused.value.errors] == ["timestamp"]
    with pytest.raises(EventNotFound):
        client.event("evt_0000000000000000")
    with pytest.raises(ValidationFailed):
        client.usage(timezone="Nowhere/At_all")
    with Meterhouse("sk_sandbox_wrong", server.url) as stranger, pytest.raises(AuthenticationError):
        stranger.merchant()


def test_a_bulk_answers_for_each_event(client: Meterhouse) -> None:
    type_ = new_type()
    events = [NewEvent(type=type_, customer_ref=CUSTOMER, units=number) for number in range(1_000)]
    events.append(NewEvent(type=type_, customer_ref="cus_nobody", units=1))
    events.append(NewEvent(type=type_, customer_ref=CUSTOMER, units=7, idempotency_key=type_))
    result = client.create_events([*events, events[-1]])
    assert (result.stored, result.duplicates, result.rejected) == (1_001, 1, 1)
    assert result.results[1_000].code == "customer_not_found"
    assert result.results[1_001].event_id == result.results[1_002].event_id
    until_total(client, type_, sum(range(1_000)) + 7)
    assert len(list(client.events(type=type_, page_events=300))) == 1_001


def test_questions_are_answered_by_group_and_bucket(client: Meterhouse) -> None:
    type_ = new_type()
    day = datetime(2026, 11, 1, tzinfo=UTC)
    for hours, model, units in [(0, "a", "1.5"), (1, "b", "2"), (25, "a", "0.25")]:
        client.create_event(
            type=type_,
            customer_ref=CUSTOMER,
            product_ref="prd_ai_assistant",
            units=Decimal(units),
            timestamp=day + timedelta(hours=hours),
            properties={"model": model},
        )
    until_total(client, type_, Decimal("3.75"))
    usage = client.usage(
        type=type_,
        from_=day,
        to=day + timedelta(days=2),
        granularity="day",
        group_by=["customer_ref", "properties.model"],
    )
    assert usage.group_by == ("customer_ref", "properties.model")
    assert [(dict(each.group), [point.value for point in each.points]) for each in usage.series] == [
        ({"customer_ref": CUSTOMER, "properties.model": "b"}, [Decimal(2), Decimal(0)]),
        ({"customer_ref": CUSTOMER, "properties.model": "a"}, [Decimal("1.5"), Decimal("0.25")]),
    ]
    assert usage.series[0].points[1].start == day + timedelta(days=1)
    others = client.usage(type=type_, group_by="properties.model", top=1)
    assert [each.other for each in others.series] == [False, True]
    assert client.usage(type=type_, properties={"model": "a"}).total == Decimal("1.75")
    assert client.usage(type=[type_, new_type()], aggregate="max", product_ref="prd_ai_assistant").total == 2
    assert client.usage(type=new_type(), aggregate="avg").total is None


def test_customers_are_made_found_changed_and_deleted(client: Meterhouse) -> None:
    name = uuid.uuid4().hex[:12]
    made = client.create_customer(
        email=f"{name}@example.com",
        name="Ada",
        external_ref=name,
        reference=f"cus_{name}",
        metadata={"tier": 1},
    )
    assert made.reference == f"cus_{name}"
    assert client.get_customer(made.reference) == made
    assert client.find_customer(external_ref=name) == made
    assert client.find_customer(email=f"{name}@example.com") == made
    assert client.find_customer(email="nobody@example.com") is None
    changed = client.update_customer(made.reference, name="Ada L", telephone="+46701234567")
    assert (changed.name, changed.external_ref, changed.email) == ("Ada L", name, made.email)
    with pytest.raises(EmailTaken):
        client.create_customer(email=made.email)
    with pytest.raises(ExternalRefTaken):
        client.create_customer(email="another@example.com", external_ref=name)
    with pytest.raises(ReferenceTaken):
        client.create_customer(email="another@example.com", reference=made.reference)
    assert client.delete_customer(made.reference).action == "deleted"
    with pytest.raises(CustomerNotFound):
        client.get_customer(made.reference)


def test_the_same_creation_again_under_one_key_is_one_customer(client: Meterhouse) -> None:
    email, key = f"{uuid.uuid4().hex}@example.com", uuid.uuid4().hex
    first = client.create_customer(email=email, idempotency_key=key)
    assert client.create_customer(email=email, idempotency_key=key) == first


def test_ensuring_at_the_same_time_makes_one_customer(client: Meterhouse) -> None:
    external_ref = f"auth0|{uuid.uuid4().hex[:20]} å@"
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: client.ensure_customer(external_ref), range(16)))
    assert len({customer.reference for customer in found}) == 1
    assert found[0].external_ref == external_ref


def test_products_are_made_found_changed_cloned_and_deleted(client: Meterhouse) -> None:
    name = f"Test {uuid.uuid4().hex}"
    made = client.create_product(
        name=name, description="x", product_type="api", config={"validityPeriod": 30}
    )
    assert client.get_product(made.reference) == made
    assert made in client.list_products(search=name).products
    assert client.list_products(limit=1).limit == 1
    assert client.update_product(made.reference, description="y").description == "y"
    with pytest.raises(ProductNameTaken):
        client.create_product(name=name)
    clone = client.clone_product(made.reference)
    assert clone.reference != made.reference
    assert clone.name == f"{name} (Copy)"
    assert client.delete_product(clone.reference).action == "deleted"
    with pytest.raises(ProductNotFound):
        client.delete_product(clone.reference)


def test_meters_are_made_asked_changed_and_archived(client: Meterhouse) -> None:
    meter = client.create_meter(
        name="sdk:pages",
        kind="usage",
        aggregation="sum",
        event_types=["usage.meter_page"],
        properties={"region": ["eu"]},
    )
    assert client.get_meter(meter.reference) == meter
    assert meter in client.list_meters(kind="usage")
    with pytest.raises(MeterNameTaken):
        client.create_meter(name="sdk:pages")
    for region, units in (("eu", Decimal("0.1")), ("eu", Decimal("0.2")), ("us", Decimal(7))):
        client.create_event(
            type="usage.meter_page",
            customer_ref=CUSTOMER,
            units=units,
            timestamp=datetime(2026, 11, 1, 12, tzinfo=UTC),
            properties={"region": region},
        )
    start = datetime(2026, 11, 1, tzinfo=UTC)
    until(lambda: client.meter_usage(meter.reference).total == Decimal("0.3"), "the meter has counted")
    counted = client.meter_usage(
        meter.reference, from_=start, to=start + timedelta(days=2), customer_ref=CUSTOMER
    )
    assert [point.value for point in counted.data] == [Decimal("0.3"), 0]
    assert client.update_meter(meter.reference, unit="pages").unit == "pages"
    assert client.archive_meter(meter.reference).status == "archived"
    assert meter.reference in {each.reference for each in client.list_meters(status="archived")}
    with pytest.raises(MeterNotFound):
        client.get_meter("mtr_NONE")


def test_the_default_meters_are_there_and_others_are_derived_of_them(client: Meterhouse) -> None:
    derived = client.create_meter(name="sdk:llm", meter_names=["tokens", "requests"])
    assert (derived.kind, derived.meter_names, derived.is_default) == ("meter", ("requests", "tokens"), False)
    assert client.get_meter("mtr_tokens").is_default
    assert client.meter_usage(derived.reference, product_ref="prd_content_api").total == 0
    with pytest.raises(DefaultMeter):
        client.archive_meter("mtr_tokens")


def test_the_provider_shows_itself(client: Meterhouse) -> None:
    assert client.merchant().display_name
    assert client.platform_config().stripe_publishable_key is None


async def test_the_async_client_does_it_all_too(server: Server, key: str, client: Meterhouse) -> None:
    type_ = new_type()
    async with AsyncMeterhouse(key, server.url) as aclient:
        made = await asyncio.gather(
            *(aclient.create_event(type=type_, customer_ref=CUSTOMER, units=number) for number in range(50))
        )
        assert len({each.event_id for each in made}) == 50
        await asyncio.to_thread(until_total, client, type_, sum(range(50)))
        assert len([event async for event in aclient.events(type=type_, page_events=20)]) == 50
        assert (await aclient.usage(type=type_, aggregate="count")).total == 50
        assert (await aclient.ensure_customer("async-user")).external_ref == "async-user"


def test_what_is_buffered_through_a_crash_of_the_server_counts_once(tmp_path: Path) -> None:
    """The server is killed while batches are under way, and comes back elsewhere."""
    type_, spool_dir = new_type(), tmp_path / "spool"
    with Server(tmp_path / "data") as server:
        key = server.key()
        with Meterhouse(key, server.url) as client:
            first = EventBuffer(client, spool_dir=spool_dir, max_batch_events=50)
            for number in range(5_000):
                first.add(type=type_, customer_ref=CUSTOMER, units=number)
                if number == 2_500:
                    until(lambda: first.delivered_events > 0, "a batch is delivered")
                    server.kill()
            with pytest.raises(NotDelivered):
                first.flush(timeout_seconds=0.5)
            assert first.close() > 0
        server.start()
        with Meterhouse(key, server.url) as client:
            with EventBuffer(client, spool_dir=spool_dir) as second:
                second.add(type=type_, customer_ref=CUSTOMER, units=Decimal("0.5"))
                second.flush()
            until_total(client, type_, sum(range(5_000)) + Decimal("0.5"))
            assert client.usage(type=type_, aggregate="count").total == 5_001
