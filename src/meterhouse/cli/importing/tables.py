"""CSV with a header line; fields may hold line ends in quotes."""

import csv
import re
from typing import BinaryIO, Final

from meterhouse.cli.importing.lines import MAX_ROW_BYTES, fault_of, lines, text_of
from meterhouse.cli.importing.rows import Blank, Columns, Read, Row, Unreadable

DELIMITERS: Final = ",;\t|"
_QUOTED: Final = re.compile(r'"(?:[^"]|"")*"')
_SEPARATOR_LINE: Final = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # a spreadsheet's own first line


class Table:
    """delimiter: named by a first line `sep=;`, else whichever of `,` `;` tab and `|` the header has most of.

    Columns without a name are left out, and so are empty cells to the right of the header's.
    Raises ValueError with a sentence: there is no header.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = _Remembered(file)
        header = self._lines.first()
        if said := _SEPARATOR_LINE.fullmatch(header):
            self._lines.drop()
            header = self._lines.first()
        unquoted = _QUOTED.sub("", header)
        self.delimiter = said[1] if said else max(DELIMITERS, key=unquoted.count)
        self._reader = csv.reader(self._lines, delimiter=self.delimiter, strict=True)
        try:
            self._header = [name.strip() for name in next(self._reader, [])]
        except csv.Error as error:
            raise ValueError(f"The first line is no CSV header: {error}.") from None
        if not any(self._header):
            raise ValueError("There is no header line with the columns' names.")
        self._named = max(i for i, name in enumerate(self._header, 1) if name)
        self.columns = Columns(tuple(filter(None, self._header)))
        self._lines.take()

    def read(self) -> Read:
        """Yield every record."""
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
            elif not any(map(str.strip, fields)):
                yield Blank(line)
            elif len(fields) < self._named or any(map(str.strip, fields[len(self._header) :])):
                yield Unreadable(line, raw, f"has {len(fields)} columns, the header {len(self._header)}")
            else:
                yield Row(line, raw, dict(zip(self._header, fields, strict=False)))


class _Remembered:
    """Lines for `csv.reader`, which alone knows how many of them make a record.

    fault: the first fault of the lines that `take` gave.
    """

    def __init__(self, file: BinaryIO) -> None:
        self._lines = lines(file)
        self._ahead: tuple[int, bytes] | None = None
        self._taken: list[bytes] = []
        self._first_line = 1
        self._faults: list[str] = []
        self.fault: str | None = None

    def first(self) -> str:
        """Return the next line's text, and leave it to be read. Raises ValueError with a sentence."""
        self._ahead = next(self._lines, None)
        if self._ahead is None:
            raise ValueError("The file has no header." if self._first_line > 1 else "The file is empty.")
        number, raw = self._ahead
        text = text_of(raw) if len(raw) <= MAX_ROW_BYTES else None
        if text is None:
            raise ValueError(f"Line {number}, which should be the header, {fault_of(raw)}.")
        return text

    def drop(self) -> None:
        """Pass over the line that `first` gave."""
        self._ahead = None

    def __iter__(self) -> "_Remembered":
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
