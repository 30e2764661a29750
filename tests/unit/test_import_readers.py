"""Rows of access logs, CSV and NDJSON; what is no row says why, and the rows after it are read."""

import gzip
from collections.abc import Sequence
from contextlib import suppress
from io import BufferedReader, BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterhouse.cli.importing import logs
from meterhouse.cli.importing.formats import Format, guess, guess_time, open_rows
from meterhouse.cli.importing.lines import MAX_ROW_BYTES
from meterhouse.cli.importing.rows import Blank, Columns, Row, Unreadable, find
from meterhouse.cli.importing.streams import text_bytes

APACHE = (
    b'192.0.2.7 - ada [17/May/2015:10:05:03 +0200] "GET /a?b=1 HTTP/1.1" 200 203023'
    b' "http://example.com/" "Mozilla/5.0 (X11)"'
)
NGINX = b'192.0.2.8 - - [17/May/2015:10:05:03 +0000] "POST /\\xc3\\xa5 HTTP/2.0" 204 0 "-" "say \\x22hi\\x22"'


def opened(data: bytes) -> BufferedReader:
    return text_bytes(BufferedReader(BytesIO(data)))


def read(data: bytes, format_: Format) -> Sequence[Row | Unreadable | Blank]:
    return list(open_rows(opened(data), format_).rows)


def values(data: bytes, format_: Format) -> list[dict[str, object]]:
    return [dict(row.values) for row in read(data, format_) if isinstance(row, Row)]


def raws(data: bytes, format_: Format) -> list[bytes]:
    return [row.raw for row in read(data, format_) if isinstance(row, Row)]


def reasons(data: bytes, format_: Format) -> list[tuple[int, str]]:
    return [(row.line, row.reason) for row in read(data, format_) if isinstance(row, Unreadable)]


def test_a_line_of_apache_is_read_column_by_column() -> None:
    assert values(APACHE, Format.APACHE) == [
        {
            "address": "192.0.2.7",
            "identity": "-",
            "user": "ada",
            "time": "17/May/2015:10:05:03 +0200",
            "request": "GET /a?b=1 HTTP/1.1",
            "method": "GET",
            "path": "/a?b=1",
            "protocol": "HTTP/1.1",
            "status": "200",
            "bytes": "203023",
            "referer": "http://example.com/",
            "agent": "Mozilla/5.0 (X11)",
            "host": "-",
            "peer": "192.0.2.7",
            "forwarded": "-",
        }
    ]


def test_what_nginx_escapes_is_undone() -> None:
    (row,) = values(NGINX, Format.NGINX)
    assert (row["path"], row["agent"], row["bytes"]) == ("/å", 'say "hi"', "0")


def test_what_apache_escapes_is_undone() -> None:
    line = APACHE.replace(b"Mozilla/5.0 (X11)", b'a \\"b\\" \\\\ \\t')
    assert values(line, Format.APACHE)[0]["agent"] == 'a "b" \\ \t'


@pytest.mark.parametrize(
    "line",
    [
        APACHE.rpartition(b' "http')[0],
        APACHE.replace(b"203023", b"-"),
        APACHE.replace(b" ada ", b" ada lovelace "),
        APACHE.replace(b"GET /a?b=1 HTTP/1.1", b"-"),
        APACHE.replace(b"GET /a?b=1 HTTP/1.1", b"\\x16\\x03\\x01"),
        APACHE + b' "10.0.0.1" 0.003',
        APACHE.removesuffix(b'"'),
    ],
    ids=["common", "no bytes", "user with a space", "no request", "TLS", "more columns", "agent cut off"],
)
def test_a_line_that_is_a_little_different_is_read_too(line: bytes) -> None:
    assert len(values(line, Format.APACHE)) == 1


def test_a_line_that_is_none_of_an_access_log_costs_itself_alone() -> None:
    data = b"\n".join([APACHE, b"", b"[notice] restarting", b"\xff\xfe", NGINX])
    assert len(values(data, Format.NGINX)) == 2
    assert [line for line, _ in reasons(data, Format.NGINX)] == [3, 4]
    assert reasons(data, Format.NGINX)[1][1] == "is not UTF-8"


def test_csv_knows_its_columns_and_the_line_each_record_begins_on() -> None:
    data = b'\xef\xbb\xbfTime,Note,Units\r\n1,"two\r\nlines",3\r\n\r\n4,,6'
    rows = read(data, Format.CSV)
    assert open_rows(opened(data), Format.CSV).columns == Columns(("Time", "Note", "Units"))
    assert [(row.line, row.values) for row in rows if isinstance(row, Row)] == [
        (2, {"Time": "1", "Note": "two\nlines", "Units": "3"}),
        (5, {"Time": "4", "Note": "", "Units": "6"}),
    ]


def test_line_ends_are_no_part_of_a_row() -> None:
    unix = raws(b'a,b\n1,"2\n3"\n4,5\n', Format.CSV)
    windows = raws(b'a,b\r\n1,"2\r\n3"\r\n4,5', Format.CSV)
    assert unix == windows == [b'1,"2\n3"', b"4,5"]


@pytest.mark.parametrize("delimiter", [b",", b";", b"\t", b"|"])
def test_the_delimiter_is_seen_in_the_header(delimiter: bytes) -> None:
    assert values(delimiter.join([b"a", b"b"]) + b"\n" + delimiter.join([b"1", b"2"]), Format.CSV) == [
        {"a": "1", "b": "2"}
    ]


def test_records_that_are_not_csv_say_why_and_cost_themselves_alone() -> None:
    data = b'a,b\n1,2,3\n4\n"x"y,5\n\xff,6\n7,8\n'
    assert values(data, Format.CSV) == [{"a": "7", "b": "8"}]
    assert [line for line, _ in reasons(data, Format.CSV)] == [2, 3, 4, 5]
    assert reasons(data, Format.CSV)[0][1] == "has 3 columns, the header 2"


def test_a_quote_that_never_closes_is_said() -> None:
    assert len(reasons(b'a,b\n1,"2\n3,4\n', Format.CSV)) == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"", "empty"), (b"\n1,2\n", "no header"), (b"\xff\n", "UTF-8")],
)
def test_a_csv_without_a_usable_header_is_refused_with_a_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        open_rows(opened(data), Format.CSV)


def test_ndjson_keeps_digits_and_finds_what_is_nested() -> None:
    data = b'{"usage":{"tokens":0.1234567890123456789},"a.b":1}\n\n[1]\n{"x":\n'
    (row,) = values(data, Format.NDJSON)
    assert str(find(row, "usage.tokens")) == "0.1234567890123456789"
    assert find(row, "a.b") == 1
    with pytest.raises(KeyError):
        find(row, "usage.words")
    assert [line for line, _ in reasons(data, Format.NDJSON)] == [3, 4]


LINES = [format_ for format_ in Format if format_ is not Format.JSON]


@pytest.mark.parametrize("format_", LINES)
def test_a_line_without_end_neither_fills_the_memory_nor_becomes_a_row(format_: Format) -> None:
    good = {Format.CSV: b"a,b\n1,2\n", Format.NDJSON: b'{"a":1}\n'}.get(format_, APACHE + b"\n")
    data = good + b"x" * (3 * MAX_ROW_BYTES) + b"\n" + good.splitlines(keepends=True)[-1]
    assert len(values(data, format_)) == 2
    found = [row for row in read(data, format_) if isinstance(row, Unreadable)]
    assert [row.reason for row in found] == [f"is longer than {MAX_ROW_BYTES} bytes"]
    assert len(found[0].raw) <= MAX_ROW_BYTES + 1


@pytest.mark.parametrize("format_", Format)
@given(data=st.binary(max_size=200))
def test_no_bytes_make_a_reader_fail(format_: Format, data: bytes) -> None:
    prefix = b"a,b\n" if format_ is Format.CSV else b""
    with suppress(EOFError):  # an array of JSON that does not end
        for row in open_rows(BufferedReader(BytesIO(prefix + data)), format_).rows:
            assert isinstance(row, Row | Blank) or row.reason


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("usage.csv", b"{", Format.CSV),
        ("usage.tsv", b"", Format.CSV),
        ("usage.jsonl", b"", Format.NDJSON),
        ("usage.ndjson.gz", b"", Format.NDJSON),
        ("access.log", APACHE, Format.APACHE),
        ("access.log.1", APACHE + b"\r\n", Format.APACHE),
        ("nginx-access.log", NGINX, Format.NGINX),
        ("-", b'\n{"a":1}\n', Format.NDJSON),
        ("data.txt", b"time;units\n", Format.CSV),
    ],
)
def test_a_format_is_guessed_with_a_reason(name: str, data: bytes, expected: Format) -> None:
    found = guess(name, opened(data))
    assert found.format is expected
    assert found.reason


def test_a_format_that_cannot_be_guessed_is_asked_for() -> None:
    with pytest.raises(ValueError, match="--format"):
        guess("notes", opened(b"hello\n"))


def test_guessing_takes_nothing_from_the_file() -> None:
    file = opened(APACHE)
    guess("access.log", file)
    assert file.read() == APACHE


def test_a_file_compressed_with_gzip_is_read_as_what_it_holds() -> None:
    file = opened(gzip.compress(APACHE))
    assert guess("access.log.2.gz", file).format is Format.APACHE
    assert len(list(open_rows(file, Format.APACHE).rows)) == 1


def test_the_column_of_the_time_is_guessed_or_asked_for() -> None:
    assert guess_time(Columns(("id", "TIMESTAMP", "date"))) == "TIMESTAMP"
    assert guess_time(None) == "timestamp"
    with pytest.raises(ValueError, match=r"--timestamp COLUMN. There are: id, when"):
        guess_time(Columns(("id", "when")))


def test_the_columns_of_a_log_are_those_it_promises() -> None:
    assert tuple(values(NGINX, Format.NGINX)[0]) == logs.COLUMNS
