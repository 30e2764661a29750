"""What became of the rows of an import: every one is counted, and those refused are kept for whoever asks."""

import decimal
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.cli.importing.rows import Row, Unreadable

_SHOWN: Final = 10
_EXACT: Final = decimal.Context(prec=60, traps=[decimal.Inexact])


class Refusal(Struct, frozen=True):
    r"""A row that was not imported whole. row: its text; bytes that are no UTF-8 are written as `\xff`."""

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
    """keep: is told of every refusal."""

    def __init__(self, keep: Callable[[Refusal], object]) -> None:
        self._keep = keep
        self.rows = 0
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
        """Note a row whose events were sent, and why some were refused."""
        self.rows += 1
        if reasons:
            self.refused += 1
            self._note(row, "; ".join(dict.fromkeys(reasons)))

    def problems(self) -> Iterator[str]:
        """Yield lines about what was refused; nothing when all is well."""
        faulty = self.unreadable + self.refused
        if not faulty:
            return
        yield f"{self.unreadable} rows could not be read, {self.refused} were refused."
        for refusal in self.first:
            yield f"  line {refusal.line}: {refusal.reason}"
        if faulty > len(self.first):
            yield f"  and {faulty - len(self.first)} more"

    def _note(self, row: Row | Unreadable, reason: str) -> None:
        refusal = Refusal(row.line, reason, row.raw.decode("utf-8", "backslashreplace"))
        self._keep(refusal)
        if len(self.first) < _SHOWN:
            self.first.append(refusal)

    def _of(self, type_: str) -> Became:
        return self.types.setdefault(type_, Became())


def refusal_line(refusal: Refusal) -> bytes:
    """Return the line of the file of rejects."""
    return msgspec.json.encode(refusal) + b"\n"
