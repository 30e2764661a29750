"""What the options say a row means: which events, of whom, when."""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from msgspec import Struct

from meterhouse.cli.importing.amounts import Amount, read_amount
from meterhouse.cli.importing.keys import event_key
from meterhouse.cli.importing.rows import Row, Values, find
from meterhouse.cli.importing.times import Times

_MAX_COLUMN_SAID: Final = 60


class Asked(Struct, frozen=True, kw_only=True):
    """The options as they were given. customer: a column, or `=` and the customer itself."""

    type: str
    units: str
    customer: str
    timestamp: str
    product: str | None = None
    properties: Sequence[str] = ()
    also: Sequence[str] = ()


class Draft(Struct, frozen=True, kw_only=True):
    """An event but for its customer's ref. customer: as the file names it."""

    type: str
    units: Decimal
    customer: str
    timestamp: datetime
    product: str | None
    key: str
    properties: dict[str, Any] | None  # Any: JSON


class Meaning:
    """Makes events of rows.

    columns: those there are, None where every row has its own. absent: the text that stands for nothing;
    it is 0 units, and a property that has it is left out, like an empty one.
    Raises ValueError with a sentence that names the option.
    """

    def __init__(
        self, asked: Asked, columns: Collection[str] | None, times: Times, absent: str | None = None
    ) -> None:
        self.asked = asked
        self._times = times
        self._absent = absent
        self._customer = asked.customer.removeprefix("=") if asked.customer.startswith("=") else None
        self._properties = [_pair(text, "--property NAME=COLUMN") for text in asked.properties]
        self._amounts: list[tuple[str | None, Amount]] = [(None, _amount("--units", asked.units, columns))]
        for text in asked.also:
            also, column = _pair(text, "--also TYPE=COLUMN")
            self._amounts.append((also, _amount("--also", column, columns)))
        named = [("--timestamp", asked.timestamp)]
        named += [("--customer", asked.customer)] if self._customer is None else []
        named += [("--property", column) for _, column in self._properties]
        for option, column in named:
            if columns is not None and column not in columns:
                raise ValueError(
                    f"{option}: there is no column {column[:_MAX_COLUMN_SAID]!r}; "
                    f"there are: {', '.join(columns)}."
                )
        types = [asked.type, *(also for also, _ in self._amounts if also is not None)]
        if len(set(types)) < len(types):
            raise ValueError("--also: every event of a row needs a type of its own.")

    def events(self, row: Row, digest: bytes, ordinal: int) -> list[Draft]:
        """Return the row's events, that of `--type` first. Raises ValueError with the end of a sentence."""
        values = row.values
        customer = self._customer if self._customer is not None else self._name(values, self.asked.customer)
        properties = dict(self._held(values)) or None
        try:
            time = self._times.read(_found(values, self.asked.timestamp))
        except ValueError as error:
            raise ValueError(f"{self.asked.timestamp} {error}") from None
        return [
            Draft(
                type=self.asked.type if also is None else also,
                units=amount.of(values, self._absent),
                customer=customer,
                timestamp=time,
                product=self.asked.product,
                key=event_key(digest, ordinal, also),
                properties=properties,
            )
            for also, amount in self._amounts
        ]

    def _name(self, values: Values, column: str) -> str:
        value = _found(values, column)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if not isinstance(value, str):
            raise ValueError(f"{column} is no name: {value!r:.40}")  # noqa: TRY004 - one class for every row
        if value.strip() in ("", self._absent):
            raise ValueError(f"{column} is empty")
        return value.strip()

    def _held(self, values: Values) -> Iterator[tuple[str, Any]]:  # Any: JSON
        for name, column in self._properties:
            try:
                value = find(values, column)
            except KeyError:
                continue
            if value not in (None, "", self._absent):
                yield name, value


def _found(values: Values, column: str) -> Any:  # Any: see Values
    try:
        return find(values, column)
    except KeyError:
        raise ValueError(f"{column} is missing") from None


def _pair(text: str, form: str) -> tuple[str, str]:
    name, equals, column = text.partition("=")
    if not (name and equals and column):
        raise ValueError(f"{form}, not {text!r}.")
    return name, column


def _amount(option: str, text: str, columns: Collection[str] | None) -> Amount:
    try:
        return read_amount(text, columns)
    except ValueError as error:
        raise ValueError(f"{option}: {error}") from None
