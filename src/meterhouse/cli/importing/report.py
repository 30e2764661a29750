"""The outcome of an import: every row is counted, and the refused rows are kept."""

import decimal
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.cli.importing.rows import Row, Unreadable
from meterhouse.model.units import written

_SHOWN: Final = 10
_SHOWN_TYPES: Final = 50
_EXACT: Final = decimal.Context(prec=60, traps=[decimal.Inexact])


class Refusal(Struct, frozen=True):
    r"""A row of which an event was not imported. row: its text; bytes that are not UTF-8 become `\xff`."""

    line: int
    reason: str
    row: str


class Became(Struct):
    """Of the events of one type. units: of those that were stored now."""

    stored: int = 0
    present: int = 0
    refused: int = 0
    units: Decimal = Decimal(0)


class Report:
    """keep: is told of every refusal. counted: the rows' `line` counts these."""

    def __init__(self, keep: Callable[[Refusal], object]) -> None:
        self._keep = keep
        self.counted = "line"
        self.rows = 0
        """Rows that were read, without blank and skipped ones."""
        self.blank = 0
        self.unreadable = 0
        self.refused = 0
        """Rows of which at least one event was refused."""
        self.skipped = 0
        self.last_line = 0
        """Everything up to this line is settled."""
        self.types: dict[str, Became] = {}
        self.first: list[Refusal] = []

    def stored(self, type_: str, units: Decimal) -> None:
        became = self._of(type_)
        became.stored += 1
        became.units = _EXACT.add(became.units, units)

    def present(self, type_: str) -> None:
        """It was imported before."""
        self._of(type_).present += 1

    def refuse(self, type_: str) -> None:
        self._of(type_).refused += 1

    def unread(self, row: Row | Unreadable, reason: str) -> None:
        """Note a row that could not be made into events."""
        self.rows += 1
        self.unreadable += 1
        self._note(row, reason)

    def settled(self, row: Row, reasons: list[str]) -> None:
        """Note a row whose events were sent. reasons: of the refused ones."""
        self.rows += 1
        if reasons:
            self.refused += 1
            self._note(row, "; ".join(dict.fromkeys(reasons)))

    def problems(self) -> Iterator[str]:
        """Yield lines about the refused rows; nothing when there is none."""
        faulty = self.unreadable + self.refused
        if not faulty:
            return
        yield f"{self.unreadable} rows could not be read, {self.refused} were refused."
        for refusal in self.first:
            yield f"  {self.counted} {refusal.line}: {refusal.reason}"
        if faulty > len(self.first):
            yield f"  and {faulty - len(self.first)} more"

    def table(self) -> Iterator[tuple[str, ...]]:
        """Yield a line of cells for each type; for those with the fewest events one line, without units."""
        by_events = sorted(self.types.items(), key=lambda pair: -_events(pair[1]))
        shown = dict(by_events[:_SHOWN_TYPES])
        for type_, became in self.types.items():
            if type_ in shown:
                yield (
                    type_,
                    str(became.stored),
                    str(became.present),
                    str(became.refused),
                    written(became.units),
                )
        if rest := [became for _, became in by_events[_SHOWN_TYPES:]]:
            sums = (sum(getattr(each, name) for each in rest) for name in ("stored", "present", "refused"))
            yield f"{len(rest)} other types", *map(str, sums), ""

    def _note(self, row: Row | Unreadable, reason: str) -> None:
        refusal = Refusal(row.line, reason, row.raw.decode("utf-8", "backslashreplace"))
        self._keep(refusal)
        if len(self.first) < _SHOWN:
            self.first.append(refusal)

    def _of(self, type_: str) -> Became:
        return self.types.setdefault(type_, Became())


def _events(became: Became) -> int:
    return became.stored + became.present + became.refused


def refusal_line(refusal: Refusal) -> bytes:
    """Return the line of the file of rejects."""
    return msgspec.json.encode(refusal) + b"\n"
