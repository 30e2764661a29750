"""CSV with a header line; fields may hold line ends in quotes."""

import csv
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO, Final

from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines, text_of
from meterhouse.cli.importing.rows import Row, Unreadable

DELIMITERS: Final = ",;\t|"


class Table:
    """delimiter: whichever of `,` `;` tab and `|` the header has most of.

    Raises ValueError with a sentence: there is no header, or two columns share a name.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Remembered(file)
        header = self._lines.first()
        self.delimiter = max(DELIMITERS, key=header.count)
        self._reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        try:
            self.columns = tuple(name.strip() for name in next(self._reader, []))
        except csv.Error as error:
            raise ValueError(f"The first line is no CSV header: {error}.") from None
        if not any(self.columns):
            raise ValueError("There is no header line with the columns' names.")
        twice = [name for name, count in Counter(self.columns).items() if count > 1]
        if twice:
            raise ValueError(f"The header has the column {twice[0]!r} twice; which one is meant?")
        self._lines.take()

    def read(self) -> Iterator[Row | Unreadable]:
        """Yield every record but blank ones."""
        while True:
            try:
                fields = next(self._reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield Unreadable(*self._lines.take(), f"is not CSV: {error}")
                continue
            line, raw = self._lines.take()
            if fault := self._lines.fault:
                yield Unreadable(line, raw, fault)
            elif len(fields) == len(self.columns):
                yield Row(line, raw, dict(zip(self.columns, fields, strict=True)))
            elif fields:
                yield Unreadable(line, raw, f"has {len(fields)} columns, the header {len(self.columns)}")


class _Remembered:
    """Lines for `csv.reader`, which alone knows how many make a record; and what it took since last asked.

    fault: what was wrong with the lines that `take` gave.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = lines(file)
        self._ahead: tuple[int, bytes] | None = None
        self._taken: list[bytes] = []
        self._first_line = 1
        self._faults: list[str] = []
        self.fault: str | None = None

    def first(self) -> str:
        """Return the header's text, and leave it to be read."""
        self._ahead = next(self._lines, None)
        if self._ahead is None:
            raise ValueError("The file is empty.")
        text = text_of(self._ahead[1])
        if text is None:
            raise ValueError(f"The first line {fault_of(self._ahead[1])}.")
        return text

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        number, raw = next(self._lines) if self._ahead is None else self._ahead
        self._ahead = None
        if not self._taken:
            self._first_line = number
        self._taken.append(raw)
        text = text_of(raw) if len(raw) <= MAX_ROW_BYTES else None
        if text is None:
            self._faults.append(fault_of(raw))
            return "\n"
        return text + "\n"

    def take(self) -> tuple[int, bytes]:
        """Return the first line's number and the bytes of everything read since the last call."""
        raw = b"\n".join(self._taken)
        self.fault = self._faults[0] if self._faults else None
        self._taken, self._faults = [], []
        return self._first_line, raw
