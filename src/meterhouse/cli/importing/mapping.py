"""The meaning of a row, as the options state it: events, customer and time."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from meterhouse.cli.importing.amounts import Amount, Rounding, read_amount
from meterhouse.cli.importing.keys import KeyOf
from meterhouse.cli.importing.rows import Columns, Row, Values, find, found, name_in
from meterhouse.cli.importing.times import Times

_MAX_COLUMN_SAID: Final = 60
_USAGE: Final = "usage."


class Asked(Struct, frozen=True, kw_only=True):
    """The options as they were given. customer: a column, or `=` and the customer itself.

    type_from: the column with the type, instead of `type`. key: columns that together identify an event;
    none: the row's text does.
    """

    type: str = ""
    type_from: str | None = None
    units: str
    customer: str
    timestamp: str
    key: Sequence[str] = ()
    product: str | None = None
    properties: Sequence[str] = ()
    also: Sequence[str] = ()


class Draft(Struct, frozen=True, kw_only=True):
    """An event without its customer's ref. customer: as the file names it."""

    type: str
    units: Decimal
    customer: str
    timestamp: datetime
    product: str | None
    key: str
    properties: dict[str, Any] | None  # Any: JSON


class Meaning:
    """Makes events of rows.

    columns: None where every row has its own. absent: the text that stands for nothing;
    it is 0 units, and a property that has it is left out, like an empty one.
    Raises ValueError with a sentence that names the option.
    """

    def __init__(
        self,
        asked: Asked,
        columns: Columns | None,
        times: Times,
        absent: str | None = None,
        rounding: Rounding | None = None,
    ) -> None:
        self.asked = asked
        self._times = times
        self._absent = absent
        self._rounding = rounding or Rounding()
        self._without_dot = 0
        self._customer = asked.customer.removeprefix("=") if asked.customer.startswith("=") else None
        self._properties = [_pair(text, "--property NAME=COLUMN") for text in asked.properties]
        self._also = [
            (type_, _amount("--also", text, columns))
            for type_, text in (_pair(text, "--also TYPE=COLUMN") for text in asked.also)
        ]
        self._amount = _amount("--units", asked.units, columns)
        for option, column in self._named():
            if columns is not None and not _has(option, columns, column):
                raise ValueError(
                    f"{option}: there is no column {column[:_MAX_COLUMN_SAID]!r}; there are: {columns}."
                )
        self._check_types(asked.type, "--also: every event of a row needs a type of its own.")

    def events(self, row: Row, key: KeyOf) -> list[Draft]:
        """Return the row's events, that of `--type` first. Raises ValueError with the end of a sentence."""
        values = row.values
        customer = self._customer
        if customer is None:
            customer = name_in(values, self.asked.customer, self._absent)
        amounts = [(None, self._amount), *self._also]
        type_ = self._type(values)
        properties = dict(self._held(values)) or None
        time = self._time(found(values, self.asked.timestamp))
        units = self._rounding.row([(each.said, each.of(values, self._absent)) for _, each in amounts])
        return [
            Draft(
                type=type_ if also is None else also,
                units=each,
                customer=customer,
                timestamp=time,
                product=self.asked.product,
                key=key(also),
                properties=properties,
            )
            for (also, _), each in zip(amounts, units, strict=True)
        ]

    def notes(self) -> Iterator[str]:
        """Yield sentences about the rows that were made into events."""
        yield from self._rounding.notes()
        if self._without_dot:
            yield f"The types of {self._without_dot} rows have no dot; {_USAGE!r} was put in front of them."

    def _named(self) -> Iterator[tuple[str, str]]:
        """Yield every column that an option names, with the option."""
        yield "--timestamp", self.asked.timestamp
        if self._customer is None:
            yield "--customer", self.asked.customer
        if self.asked.type_from is not None:
            yield "--type-from", self.asked.type_from
        yield from (("--key", column) for column in self.asked.key)
        yield from (("--property", column) for _, column in self._properties)

    def _time(self, value: object) -> datetime:
        try:
            return self._times.read(value)
        except ValueError as error:
            raise ValueError(f"{self.asked.timestamp} {error}") from None

    def _type(self, values: Values) -> str:
        """Return the row's type; one segment, such as `chat`, becomes `usage.chat`."""
        column = self.asked.type_from
        if column is None:
            return self.asked.type
        type_ = name_in(values, column, self._absent)
        if "." not in type_:
            type_ = _USAGE + type_
            self._without_dot += 1
        self._check_types(type_, f"{column} is {type_[:_MAX_COLUMN_SAID]!r}, which --also makes too")
        return type_

    def _check_types(self, type_: str, sentence: str) -> None:
        types = [type_, *(also for also, _ in self._also)]
        if len(set(types)) < len(types):
            raise ValueError(sentence)

    def _held(self, values: Values) -> Iterator[tuple[str, Any]]:  # Any: JSON
        for name, column in self._properties:
            try:
                value = find(values, column)
            except KeyError:
                continue
            if value not in (None, "", self._absent):
                yield name, value


def _has(option: str, columns: Columns, column: str) -> bool:
    try:
        return column in columns
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise ValueError(f"{form}, not {text!r}.")
    return name, column


def _amount(option: str, text: str, columns: Columns | None) -> Amount:
    try:
        return read_amount(text, columns)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
