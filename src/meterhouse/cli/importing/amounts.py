"""How many units a row stands for: a column, a sum of columns and numbers, or a number."""

import decimal
import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from msgspec import Struct

from meterhouse.cli.importing.rows import Columns, Values, found
from meterhouse.model.units import MAX_UNITS, PLACES, is_between

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_COMMA: Final = re.compile(r"-?[\d.' \u00a0\u202f]+,[\d,.]+", re.ASCII)
_EXACT: Final = decimal.Context(prec=1000, traps=[decimal.Inexact, decimal.InvalidOperation])
_ROUND: Final = decimal.Context(prec=1000, rounding=decimal.ROUND_HALF_EVEN)


class Amount(Struct, frozen=True):
    """Column names and numbers that are added up. said: the option's text."""

    said: str
    terms: tuple[str | Decimal, ...]

    def of(self, values: Values, absent: str | None = None) -> Decimal:
        """Return the units of a row, exactly. absent: the text that stands for none, which is 0.

        Raises ValueError with the end of a sentence that names the column.
        """
        if len(self.terms) == 1:
            return _value(values, self.terms[0], absent)
        total = Decimal(0)
        for term in self.terms:
            value = _value(values, term, absent)
            try:
                total = _EXACT.add(total, value)
            except decimal.DecimalException:
                raise ValueError(f"{self.said} has too many digits for an exact sum") from None
        return total


class Rounding:
    """Rounds units half-even to decimal places, and counts the changed rows. places: None refuses instead."""

    def __init__(self, places: int | None = None) -> None:
        self._places = places
        self._last = Decimal(1).scaleb(-(PLACES if places is None else places))
        self._rounded = 0
        self._zero = 0

    def row(self, amounts: Sequence[tuple[str, Decimal]]) -> list[Decimal]:
        """Return the units of a row's events; each comes with its name.

        Raises ValueError with the end of a sentence: one has more places than an event may have.
        """
        units = [self._of(name, amount) for name, amount in amounts]
        changed = [rounded for rounded, (_, amount) in zip(units, amounts, strict=True) if rounded != amount]
        self._rounded += bool(changed)
        self._zero += not all(changed)
        return units

    def notes(self) -> Iterator[str]:
        """Yield a sentence about the rows that were rounded; nothing without `places`."""
        if self._places is not None:
            yield (
                f"{self._rounded} rows were rounded to {self._places} decimal places (--round); "
                f"{self._zero} of them became 0."
            )

    def _of(self, name: str, amount: Decimal) -> Decimal:
        if not is_between(amount, 0, MAX_UNITS):
            return amount  # the event's own checks refuse it
        rounded = _ROUND.quantize(amount, self._last)
        if self._places is None and rounded != amount:
            raise ValueError(
                f"{name} has more than {PLACES} decimal places: {str(amount)[:40]}; "
                f"--round {PLACES} rounds it"
            )
        return amount if rounded == amount else rounded


def read_amount(text: str, columns: Columns | None) -> Amount:
    """Read what follows `--units`. columns: None where only the rows will tell.

    A text that is a column's name as it stands is that column, whatever characters it has.
    Raises ValueError with a sentence.
    """
    if columns is not None and text in columns:
        return Amount(text, (text,))
    terms: list[str | Decimal] = []
    for part in (each.strip() for each in text.split("+")):
        if columns is not None and part in columns:
            terms.append(part)
        elif _NUMBER.fullmatch(part):
            terms.append(Decimal(part))
        elif not part:
            raise ValueError(
                f"{text!r} is no amount: write a column, a sum of columns such as A+B, or a number."
            )
        elif columns is not None:
            raise ValueError(f"There is no column {part!r}; there are: {columns}.")
        else:
            terms.append(part)
    return Amount(text, tuple(terms))


def _value(values: Values, term: str | Decimal, absent: str | None) -> Decimal:
    if isinstance(term, Decimal):
        return term
    value = found(values, term)
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    if absent is not None and value == absent:
        return Decimal(0)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise ValueError(f"{term} is empty")
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        raise ValueError(f"{term} is no number: {value!r:.40}{_advice(value)}")
    return Decimal(value.strip())


def _advice(value: object) -> str:
    if not isinstance(value, str) or not _COMMA.fullmatch(value.strip()):
        return ""
    return "; write a decimal point, and nothing between thousands"
