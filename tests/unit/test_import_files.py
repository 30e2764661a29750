"""Files as other tools write them: compressed, with byte order marks, blank rows, arrays, CloudEvents."""

import codecs
import gzip
import json
from collections.abc import Callable
from io import BufferedReader, BytesIO

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from meterhouse.cli.importing.formats import Format, Opened, guess, open_rows
from meterhouse.cli.importing.lines import MAX_ROW_BYTES
from meterhouse.cli.importing.rows import Blank, Columns, Row, Unreadable
from meterhouse.cli.importing.streams import DAMAGED, text_bytes

CSV = "time,who,n\n2026-11-30,Åsa,1\n"
NDJSON = '{"time": "2026-11-30", "who": "Åsa", "n": 1}\n'
LOG = '192.0.2.7 - - [17/May/2015:10:05:03 +0200] "GET / HTTP/1.1" 200 7\n'
TEXTS = {
    "usage.csv": CSV,
    "usage.txt": CSV,
    "usage.ndjson": NDJSON,
    "-": NDJSON,
    "x.json": f"[{NDJSON}]",
    "a.log": LOG,
}
MARKED: dict[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 marked": lambda text: codecs.BOM_UTF8 + text.encode(),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32"),
}


def compressed_in_frames(data: bytes) -> bytes:
    half = len(data) // 2
    return b"".join(zstandard.compress(part) for part in (data[:half], data[half:]))


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "zstd": zstandard.compress,
    "zstd frames": compressed_in_frames,
}


def opened(data: bytes, name: str = "-") -> Opened:
    file = text_bytes(BufferedReader(BytesIO(data)))
    return open_rows(file, guess(name, file).format)


def read(data: bytes, name: str = "-") -> list[Row | Unreadable | Blank]:
    return list(opened(data, name).rows)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("mark", MARKED)
@pytest.mark.parametrize("pack", PACKED)
def test_a_file_is_the_same_in_every_encoding_and_compression(name: str, mark: str, pack: str) -> None:
    assert read(PACKED[pack](MARKED[mark](TEXTS[name])), name) == read(TEXTS[name].encode(), name)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"PK\x03\x04" + bytes(20), "spreadsheet"),
        (b"BZh91AY", "bzip2"),
        (b"\xfd7zXZ\x00", "xz"),
        (CSV.encode("utf-16-le"), "without a byte order mark"),
        (CSV.encode("utf-16-be"), "without a byte order mark"),
        (b"PAR1\x15\x04", "Parquet"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_the_remedy(data: bytes, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        opened(data, "usage.csv")


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize("cut", [1, 5, 400])
def test_a_compressed_file_that_is_cut_off_is_damaged(pack: Callable[[bytes], bytes], cut: int) -> None:
    rows = "".join(f"2026-11-30,{hash(str(n))},{n}\n" for n in range(500))
    with pytest.raises(DAMAGED):
        read(pack((CSV + rows).encode())[:-cut], "usage.csv")


def test_half_a_character_of_utf_16_is_damaged() -> None:
    with pytest.raises(OSError, match="it is not UTF-16-LE"):
        read(CSV.encode("utf-16-le").join([codecs.BOM_UTF16_LE, b"x"]), "usage.csv")


def test_rows_without_text_are_blank() -> None:
    data = b'a,b,c\r\n1,2,3\r\n,,\r\n   \r\n , ,\r\n\r\n"","",""\r\n,,,,,\r\n4,5,6\r\n'
    assert [type(row) for row in read(data, "x.csv")] == [Row, *[Blank] * 6, Row]
    assert read(b'{"a": 1}\n\n  \n', "x.ndjson")[1:] == [Blank(2), Blank(3)]
    assert read(LOG.encode() + b" \n", "-")[1:] == [Blank(2)]


def test_unnamed_columns_and_empty_cells_do_not_matter() -> None:
    table = opened(b"a,,b,,\n1,x,2,y,z\n1,x,2\n1,x,2,,,,\n1,x\n1,x,2,,,z\n", "x.csv")
    assert table.columns == Columns(("a", "b"))
    rows = list(table.rows)
    assert [(row.values["a"], row.values["b"]) for row in rows if isinstance(row, Row)] == [("1", "2")] * 3
    assert [(row.line, row.reason) for row in rows if isinstance(row, Unreadable)] == [
        (5, "has 2 columns, the header 5"),
        (6, "has 6 columns, the header 5"),
    ]


cells = st.sampled_from(["", " ", "1", "x y", 'a"b', "c,d", "e\nf"])


@given(st.lists(st.lists(cells, max_size=5), max_size=8))
def test_every_record_of_a_csv_file_is_a_row_or_blank_or_unreadable(records: list[list[str]]) -> None:
    def written(record: list[str]) -> str:
        return ",".join('"' + cell.replace('"', '""') + '"' for cell in record) + "\n"

    rows = read(("a,b,\n" + "".join(map(written, records))).encode(), "x.csv")
    assert len(rows) == len(records)
    for record, row in zip(records, rows, strict=True):
        if not any(map(str.strip, record)):
            assert isinstance(row, Blank)
        elif len(record) >= 2 and not any(map(str.strip, record[3:])):
            assert isinstance(row, Row)
            assert [row.values["a"], row.values["b"]] == record[:2]
        else:
            assert isinstance(row, Unreadable)


@pytest.mark.parametrize(
    ("header", "columns"),
    [("sep=;\na;b,c", ("a", "b,c")), ('"a;b;c",d', ("a;b;c", "d")), ("a\tb", ("a", "b"))],
)
def test_the_separator_is_the_one_that_the_file_means(header: str, columns: tuple[str, ...]) -> None:
    assert opened(f"{header}\n1;2\n".encode(), "x.csv").columns == Columns(columns)


def test_a_file_that_only_names_its_separator_has_no_header() -> None:
    with pytest.raises(ValueError, match="is empty"):
        opened(b"sep=;\n", "x.csv")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
)


@settings(max_examples=30)
@given(
    items=st.lists(st.dictionaries(st.text(max_size=5), values, max_size=3), max_size=4),
    indent=st.sampled_from([None, 2]),
    ascii_=st.booleans(),
)
def test_the_items_of_an_array_are_rows(
    items: list[dict[str, object]], indent: int | None, *, ascii_: bool
) -> None:
    text = json.dumps(items, indent=indent, ensure_ascii=ascii_)
    one_by_one = "\n".join(json.dumps(item, indent=indent, ensure_ascii=ascii_) for item in items)
    for data in (text, one_by_one):
        rows = list(open_rows(BufferedReader(BytesIO(data.encode())), Format.JSON).rows)
        assert [row.values for row in rows if isinstance(row, Row)] == items
        assert [row.line for row in rows] == list(range(1, len(items) + 1))


def test_a_bad_item_of_an_array_costs_itself_alone() -> None:
    items = (b'{"a": 1}', b'{"a": "\\ud83d"}', b'{"a": "\xff"}', b"[1]", b"7", b'{"a": NaN}', b'{"b": 2}')
    rows = read(b"[" + b", ".join(items) + b"]", "-")
    assert [isinstance(row, Row) for row in rows] == [True, *[False] * 5, True]
    assert [row.raw for row in rows if isinstance(row, Unreadable)] == list(items[1:6])


def test_text_that_is_no_json_ends_the_file_with_a_reason() -> None:
    first, second = read(b'[{"a": 1}, {"b": oops}, {"c": 3}]', "-")
    assert isinstance(first, Row)
    assert isinstance(second, Unreadable)
    assert (second.line, second.reason.endswith("nothing after it was read")) == (2, True)
    with pytest.raises(EOFError, match="does not end"):
        read(b'[{"a": 1},', "-")


def test_items_larger_than_a_read_are_whole_and_huge_ones_are_refused() -> None:
    items: list[dict[str, object]] = [{"n": n, "text": "x" * (n * 90_000)} for n in range(12)]
    rows = read(msgspec.json.encode(items), "-")
    assert [row.values for row in rows if isinstance(row, Row)] == items
    big = {"text": "x" * (3 * MAX_ROW_BYTES)}
    (_, last) = read(msgspec.json.encode([{"n": 1}, big, {"n": 2}]), "-")
    assert isinstance(last, Unreadable)
    assert len(last.raw) <= MAX_ROW_BYTES


EVENT = {"specversion": "1.0", "id": "a", "source": "svc", "type": "call"}


@pytest.mark.parametrize(
    ("text", "format_"),
    [
        (json.dumps(EVENT) + "\n" + json.dumps(EVENT), Format.NDJSON),
        (json.dumps(EVENT), Format.NDJSON),
        (json.dumps(EVENT, indent=2), Format.JSON),
        (json.dumps([EVENT, EVENT]), Format.JSON),
        ("\n\n[\n" + json.dumps(EVENT) + "]", Format.JSON),
        ("7\n" + json.dumps(EVENT), None),
    ],
)
def test_cloud_events_are_recognised_by_the_first_row(text: str, format_: Format | None) -> None:
    file = text_bytes(BufferedReader(BytesIO(text.encode())))
    format_ = format_ or Format.NDJSON
    if not text.startswith("7"):
        assert guess("-", file).format is format_
    events = open_rows(file, format_)
    assert events.cloud_events
    assert sum(isinstance(row, Row) for row in events.rows) == text.count("specversion")


@pytest.mark.parametrize("name", EVENT)
def test_an_object_without_a_required_attribute_is_no_cloud_event(name: str) -> None:
    for value in ({}, {name: ""}, {name: 7}):
        row = {key: each for key, each in EVENT.items() if key != name} | value
        assert not opened(json.dumps(row).encode()).cloud_events
