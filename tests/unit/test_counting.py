"""Which meter events feed a meter."""

import msgspec

from meterhouse.model import counting
from meterhouse.model.event import Kind
from meterhouse.model.meter import Meter, NewMeter, created, default_meters


def made(**fields: object) -> Meter:
    return created(msgspec.structs.replace(NewMeter(name="own"), **fields), "mtr_1", 0)


def counts(
    meter: Meter, meter_name: str = "own", type_: str = "usage.token", properties: str | None = None
) -> bool:
    return counting.counts(meter, meter_name=meter_name, type=type_, properties=properties)


def test_a_meter_counts_what_is_recorded_on_its_own_name() -> None:
    assert counts(made())
    assert not counts(made(), "other")


def test_a_derived_meter_counts_what_is_recorded_on_any_of_its_names_and_nothing_on_its_own() -> None:
    derived = made(meter_names=["requests", "tokens"])
    assert counts(derived, "requests")
    assert counts(derived, "tokens")
    assert not counts(derived, "own")


def test_a_meter_over_usage_events_counts_no_meter_event() -> None:
    assert not counts(made(kind=Kind.USAGE))


def test_types_and_properties_narrow_what_counts() -> None:
    narrow = made(event_types=["usage.token"], properties={"region": ["eu", "us"], "tier": ["1"]})
    assert counts(narrow, properties='{"region":"us","tier":1}')
    assert counts(narrow, properties='{"region":"eu","tier":"1","more":null}')
    assert not counts(narrow, type_="usage.search", properties='{"region":"us","tier":1}')
    assert not counts(narrow, properties='{"region":"us"}')
    assert not counts(narrow, properties='{"region":"asia","tier":1}')
    assert not counts(narrow, properties='{"region":["us"],"tier":1}')
    assert not counts(narrow)


def test_every_scope_begins_with_the_same_meters() -> None:
    meters = default_meters(7)
    assert [(each.ref, each.name, each.aggregation, each.unit) for each in meters] == [
        ("mtr_requests", "requests", "count", ""),
        ("mtr_tokens", "tokens", "sum", "tokens"),
        ("mtr_api_requests", "api_requests", "count", ""),
        ("mtr_api_calls", "api_calls", "count", ""),
    ]
    assert all(_is_as_it_should_be(each) for each in meters)


def _is_as_it_should_be(meter: Meter) -> bool:
    return meter.is_default and meter.kind is Kind.METER and meter.is_recorded_on and meter.created_at == 7
