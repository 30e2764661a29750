"""Units travel as exact JSON numbers, or not at all."""

import enum
import json
import math
import re
from decimal import Decimal, localcontext
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.model.units import split
from meterhouse_sdk import NewEvent, ValidationFailed
from meterhouse_sdk._answers import CreatedEvent, Usage, read
from meterhouse_sdk._new_event import from_line, to_line
from meterhouse_sdk._protocol import Reply
from meterhouse_sdk._units import exact_units

amounts = st.integers(0, 10**15) | st.decimals(0, 10**15, allow_nan=False, places=9)


def event(units: object) -> NewEvent:
    return NewEvent(type="usage.api_call", customer_ref="cus_1", units=units)  # type: ignore[arg-type]  # some are wrong


@given(amounts)
def test_every_digit_of_an_amount_travels(units: int | Decimal) -> None:
    line = to_line(event(units))
    assert json.loads(line, parse_float=Decimal)["units"] == units
    found = from_line(line)
    assert found is not None
    assert found.units == units


@given(st.decimals(0, 10**15, allow_nan=False, places=9), st.integers(0, 5))
def test_trailing_zeros_do_not_change_what_travels(units: Decimal, zeros: int) -> None:
    sign, digits, exponent = units.as_tuple()
    assert isinstance(exponent, int)
    longer = Decimal((sign, (*digits, *([0] * zeros)), exponent - zeros))
    assert to_line(event(longer)) == to_line(event(units))


def test_a_low_decimal_precision_of_the_caller_rounds_nothing() -> None:
    with localcontext() as context:
        context.prec = 3
        assert b'"units":123456789.123456789' in to_line(event(Decimal("123456789.123456789")))


@pytest.mark.parametrize("units", [0.1, 1.0, float("nan"), True, "1", None, 1j])
def test_what_is_no_exact_number_is_a_type_error(units: object) -> None:
    with pytest.raises(TypeError, match="units must be an int or a Decimal"):
        event(units)


def advised(units: object) -> list[object]:
    """Do as the error says, in both of its ways."""
    with pytest.raises(TypeError) as refused:
        event(units)
    pieces = re.findall(r"[Ww]rite (.*?)(?:, which is it to 9 decimal places)?\.(?: |$)", str(refused.value))
    assert len(pieces) == 2
    return [eval(piece, {"Decimal": Decimal, "x": units}) for piece in pieces]  # noqa: S307 - our own sentence


@given(st.floats(0, 10**15) | st.floats(0, 1) | st.integers(0, 10**15).map(float))
def test_the_advice_for_a_float_is_taken_by_the_sdk_and_by_the_server(units: float) -> None:
    one, other = advised(units)
    assert one == other
    taken = event(one).units
    assert abs(taken - Decimal(units)) <= Decimal("5e-10") + Decimal(math.ulp(units))
    sent = json.loads(to_line(event(one)), parse_float=Decimal)["units"]
    assert not isinstance(split(sent), str)


@pytest.mark.parametrize(
    ("units", "advice"),
    [
        (0.1, "Write Decimal('0.1')."),
        (0.1 + 0.2, "Write Decimal('0.3'), which is it to 9 decimal places."),
        (3.0, "Write 3."),
        (-0.0, "Write 0."),
        (1e-12, "Write 0, which is it to 9 decimal places."),
        (1e15, "Write 1000000000000000."),
    ],
)
def test_the_error_for_a_float_says_what_to_write(units: float, advice: str) -> None:
    with pytest.raises(TypeError) as refused:
        event(units)
    assert advice in str(refused.value)


@pytest.mark.parametrize("units", [-0.5, 1e16, float("inf"), float("nan")])
def test_a_float_that_cannot_be_written_is_told_its_range(units: float) -> None:
    with pytest.raises(TypeError, match=r"from 0 to 10\^15\.$"):
        event(units)


def test_the_advice_for_a_fraction_is_taken() -> None:
    assert event(advised(Fraction(1, 3))[0]).units == Decimal("0.333333333")


@given(st.decimals(0, 10**15, allow_nan=False, places=12))
def test_the_advice_for_too_many_places_is_taken(units: Decimal) -> None:
    if units != round(units, 9):
        with pytest.raises(ValidationFailed, match=r"write round\(units, 9\)"):
            event(units)
    assert event(round(units, 9)).units == round(units, 9)


@pytest.mark.parametrize(
    ("units", "reason"),
    [
        (-1, "negative"),
        (Decimal("-0.000000001"), "negative"),
        (10**15 + 1, "10"),
        (Decimal("1000000000000000.000000001"), "10"),
        (Decimal("1e400"), "10"),
        (Decimal("NaN"), "finite"),
        (Decimal("sNaN"), "finite"),
        (Decimal("Infinity"), "finite"),
        (Decimal("0.0000000001"), "decimal places"),
        (Decimal("1e-999999"), "decimal places"),
    ],
)
def test_amounts_the_server_would_refuse_are_refused_before_they_are_sent(
    units: int | Decimal, reason: str
) -> None:
    with pytest.raises(ValidationFailed, match=reason) as refused:
        event(units)
    assert [error.path for error in refused.value.errors] == ["units"]


def test_zero_in_any_spelling_is_zero() -> None:
    assert {to_line(event(zero)) for zero in (0, Decimal("-0"), Decimal("0E+99"), Decimal("0.000"))} == {
        to_line(event(0))
    }


def test_integers_of_other_libraries_are_taken() -> None:
    class Size(enum.IntEnum):
        BIG = 7

    class NumpyLike:
        def __index__(self) -> int:
            return 12

    assert exact_units(Size.BIG) == 7
    assert exact_units(NumpyLike()) == 12


def test_answers_are_read_from_the_digits() -> None:
    body = b'{"aggregate":"sum","total":12345678901234567.000000001,"series":[{"group":{},"total":0.3}]}'
    usage = read(Reply(200, {}, body), Usage)
    assert usage.total == Decimal("12345678901234567.000000001")
    assert usage.series[0].total == Decimal("0.3")


def test_an_answer_is_a_frozen_value() -> None:
    answer = read(Reply(201, {}, b'{"eventId":"evt_1","new":"field"}'), CreatedEvent)
    with pytest.raises(AttributeError):
        answer.event_id = "evt_2"  # type: ignore[misc]  # that is the point
    assert msgspec.structs.asdict(answer) == {"event_id": "evt_1", "duplicate": False}
