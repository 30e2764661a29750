"""How many units a row stands for: a column, a sum of columns and numbers, or a number."""

import decimal
import re
from collections.abc import Collection
from decimal import Decimal
from typing import Final

from msgspec import Struct

from meterhouse.cli.importing.rows import Values, find

_NUMBER: Final = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d{1,3})?", re.ASCII)
_EXACT: Final = decimal.Context(prec=1000, traps=[decimal.Inexact, decimal.InvalidOperation])


class Amount(Struct, frozen=True):
    """Column names and numbers that are added up. said: as it was written."""

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
            total = _EXACT.add(total, _value(values, term, absent))
        return total


def read_amount(text: str, columns: Collection[str] | None) -> Amount:
    """Read what follows `--units`. columns: those there are, None where only the rows will tell.

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
        elif not part or columns is not None:
            raise ValueError(_unknown(part, text, columns or ()))
        else:
            terms.append(part)
    return Amount(text, tuple(terms))


def _unknown(part: str, text: str, columns: Collection[str]) -> str:
    if not part:
        return f"{text!r} is no amount: write a column, a sum of columns such as A+B, or a number."
    return f"There is no column {part!r}; there are: {', '.join(columns)}."


def _value(values: Values, term: str | Decimal, absent: str | None) -> Decimal:
    if isinstance(term, Decimal):
        return term
    try:
        value = find(values, term)
    except KeyError:
        raise ValueError(f"{term} is missing") from None
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return Decimal(value)
    if absent is not None and value == absent:
        return Decimal(0)
    if not isinstance(value, str) or not _NUMBER.fullmatch(value.strip()):
        raise ValueError(f"{term} is empty" if value in ("", None) else f"{term} is no number: {value!r:.40}")
    return Decimal(value.strip())
