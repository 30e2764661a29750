"""The client of an access-log line, in every form and envelope that servers write."""

import json
from io import BytesIO
from itertools import chain

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meterhouse.cli.importing.logs import AccessLog, is_access_log
from meterhouse.cli.importing.rows import Row, Unclear, Unreadable

CLIENT, OTHER = "203.0.113.7", "10.0.0.9"
REQUEST = '[30/Nov/2026:10:00:00 +0000] "GET / HTTP/1.1" 200 100'
AGENT = ' "-" "curl/8.0"'
HEADS = {
    f"{CLIENT} - -": CLIENT,
    f"{CLIENT} - ada lovelace": CLIENT,
    f"{CLIENT} adaid ada": CLIENT,
    f"{CLIENT} -": CLIENT,
    "client.example.net - -": "client.example.net",
    "client.example.net adaid ada": "client.example.net",
    "localhost - ada": "localhost",
    "2001:db8::7 - -": "2001:db8::7",
    "[2001:db8::7] - -": "2001:db8::7",
    "[2001:db8::7]:443 - -": "2001:db8::7",
    "fe80::1%eth0 - -": "fe80::1%eth0",
    "::ffff:203.0.113.7 - -": "::ffff:203.0.113.7",
    f"{CLIENT}:51234 - -": CLIENT,
    f"[{CLIENT}] - -": CLIENT,
    f"shop.example.com:443 {CLIENT} - -": CLIENT,
    f"shop.example.com {CLIENT} - -": CLIENT,
    f"shop.example.com {CLIENT} -": CLIENT,
    f"127.0.1.1:80 {CLIENT} - -": CLIENT,
    f"[2001:db8::1]:443 {CLIENT} - -": CLIENT,
    f"_default_:443 {CLIENT} - -": CLIENT,
    f"_ {CLIENT} - -": CLIENT,
    "shop.example.com:80 2001:db8::7 - -": "2001:db8::7",
    "shop.example.com [2001:db8::7] - -": "2001:db8::7",
    "shop.example.com client.example.net - -": "client.example.net",
    "shop.example.com:443 client.example.net - ada": "client.example.net",
    f"{CLIENT}, {OTHER} - -": CLIENT,
    f"{CLIENT},{OTHER},10.0.0.8 - ada": CLIENT,
    f"[{CLIENT}, {OTHER}] - -": CLIENT,
    f"{CLIENT}, {OTHER} 10.0.0.8 - -": CLIENT,
    f"shop.example.com {CLIENT}, {OTHER} - -": CLIENT,
    f"- {OTHER} - -": OTHER,
    f"{CLIENT} {CLIENT} - -": CLIENT,
    f"{CLIENT} - [{CLIENT}] - -": CLIENT,
    f"{CLIENT} - [{CLIENT}] - ada lovelace": CLIENT,
    f"{CLIENT}, {OTHER} - [{CLIENT}, {OTHER}] - -": CLIENT,
    "- - -": "-",
    "- - ada": "-",
    "unix: - -": "-",
    "unknown - -": "-",
    f"unknown, {OTHER} - -": "-",
    "shop.example.com - - -": "-",
}
UNCLEAR = [
    f"{CLIENT} {OTHER} - -",
    f"{CLIENT} {OTHER} -",
    f"127.0.1.1 {CLIENT} - -",
    f"{CLIENT} shop.example.com - -",
    f"{CLIENT} - [{OTHER}] - -",
    "client.example.net adaid ada lovelace",
    "shop.example.com client.example.net ada",
]
REFUSED = [
    "shop.example.com:443 - -", "shop.example.com:443 - - -", f"client={CLIENT} - -", f'"{CLIENT}" - -',
    f"nginx: {CLIENT} - -", "999.1.2.3 - -", "010.0.0.1 - -", "12345 - -", "a..b - -", "-host - -",
    f"junk, {CLIENT} - -", f", {CLIENT} - -", f"a=b {CLIENT} - -",
]  # fmt: skip
STAMP = "2026-11-30T10:00:00.123456789Z"
ENVELOPES = [
    "{}",
    f"{STAMP} stdout F {{}}",
    "2026-11-30T10:00:00.1+01:00 stderr F {}",
    f"{STAMP} {{}}",
    "<134>Nov 30 10:00:00 host nginx: {}",
    "<134>Nov  3 10:00:00 host nginx[12]: {}",
    "Nov 30 10:00:00 host docker/shop[12]: {}",
    "<190>Nov 30 10:00:00 nginx: {}",
    "2026-11-30T10:00:00.123456+00:00 host nginx: {}",
    "<134>1 2026-11-30T10:00:00.000Z host nginx 12 - - {}",
    '<134>1 2026-11-30T10:00:00Z host nginx - - [x a="]"][y b="\\"c"] \ufeff{}',
    "[pod/shop-1/nginx] {}",
    "nginx-1  | {}",
    f"nginx-1  | {STAMP} {{}}",
    f"{STAMP} stdout F <134>Nov 30 10:00:00 host nginx: {{}}",
]


def rows(*lines: str) -> list[Row | Unreadable]:
    read = AccessLog(BytesIO("\n".join(lines).encode())).read()
    return [row for row in read if isinstance(row, Row | Unreadable)]


def values(head: str, tail: str = AGENT) -> dict[str, object]:
    (row,) = rows(f"{head} {REQUEST}{tail}")
    assert isinstance(row, Row), row
    return dict(row.values)


@pytest.mark.parametrize(("head", "client"), HEADS.items())
def test_the_address_is_the_client(head: str, client: str) -> None:
    assert values(head)["address"] == client


@pytest.mark.parametrize("head", UNCLEAR)
def test_a_client_that_may_be_either_field_is_unclear(head: str) -> None:
    read = values(head)
    assert isinstance(read["address"], Unclear)
    assert {read["host"], read["peer"]} <= set(head.replace("[", "").replace("]", "").split())


@pytest.mark.parametrize("head", REFUSED)
def test_a_line_without_address_or_name_is_refused(head: str) -> None:
    (row,) = rows(f"{head} {REQUEST}{AGENT}")
    assert isinstance(row, Unreadable)
    assert "no address and no host name" in row.reason


def test_the_fields_around_the_client_are_columns() -> None:
    read = values(f"shop.example.com:443 {CLIENT}, {OTHER} adaid ada lovelace")
    assert [read[name] for name in ("host", "identity", "user", "peer", "forwarded")] == [
        "shop.example.com:443", "adaid", "ada lovelace", "-", f"{CLIENT}, {OTHER}",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tail", "client"),
    [
        ("", OTHER),
        (AGENT, OTHER),
        (AGENT + ' "-"', OTHER),
        (AGENT + f' "{CLIENT}"', CLIENT),
        (AGENT + f' "{CLIENT}, 10.0.0.5"', CLIENT),
        (AGENT + f' 0.003 "{CLIENT}, 10.0.0.5" "x"', CLIENT),
        (f' "{CLIENT}, 10.0.0.5"', CLIENT),
        (AGENT + ' "2001:db8::7, 10.0.0.5"', "2001:db8::7"),
        (AGENT + ' "unknown, 10.0.0.5"', "-"),
        (AGENT + ' "-" "10.0.0.2:80"', OTHER),
        (AGENT + f' "{CLIENT}" "10.0.0.2:80"', CLIENT),
        (AGENT + ' 1 "router@docker" "http://10.0.0.2:80" 3ms', OTHER),
        (AGENT + " 410 0.002 [default-svc-80] [] 10.1.2.3:80 512 0.004 200 9f8d", OTHER),
        (" - - 1 - - 0ms", OTHER),
        (' "http://10.0.0.2/" - 1 "router" - 0ms', OTHER),
    ],
)
def test_a_forwarded_list_at_the_end_begins_with_the_client(tail: str, client: str) -> None:
    read = values(f"{OTHER} - -", tail)
    assert (read["address"], read["peer"]) == (client, OTHER)


@pytest.mark.parametrize(
    "tail",
    [
        ' "junk, 10.0.0.5"',
        ' "10.0.0.2:80"',
        f' "{CLIENT}:1234, 10.0.0.5"',
        f' "for={CLIENT};proto=https"',
        f' "proto=https; For={CLIENT}, for=10.0.0.5"',
    ],
)
def test_a_forwarded_list_without_a_sure_client_is_unclear(tail: str) -> None:
    assert isinstance(values(f"{OTHER} - -", AGENT + tail)["address"], Unclear)


def test_forwarded_clients_are_counted_and_said() -> None:
    lines = [f'{OTHER} - - {REQUEST}{AGENT} "{each}"' for each in (CLIENT, "-", "junk, 10.0.0.5")]
    log = AccessLog(BytesIO("\n".join(lines).encode()))
    assert len(list(log.read())) == 3
    (note,) = log.notes()
    assert note.startswith("The client of 1 lines")


@pytest.mark.parametrize("request_", ['"-"', "-", '"- - -"', '""'])
def test_a_bare_dash_stands_for_any_field(request_: str) -> None:
    (row,) = rows(f"- - - [30/Nov/2026:10:00:00 +0000] {request_} - - - -")
    assert isinstance(row, Row)
    assert {row.values[name] for name in ("address", "path", "bytes", "agent")} == {"-"}


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_an_envelope_is_no_part_of_the_line(envelope: str) -> None:
    inside = f"shop.example.com {CLIENT} - ada {REQUEST}{AGENT}"
    (row,) = rows(envelope.format(inside))
    assert isinstance(row, Row)
    assert row.raw == envelope.format(inside).encode()
    assert row.values == rows_values(inside)
    assert is_access_log(row.raw)


def rows_values(line: str) -> dict[str, object]:
    (row,) = rows(line)
    assert isinstance(row, Row)
    return dict(row.values)


def test_lines_of_docker_are_read() -> None:
    inside = f"{CLIENT} - - {REQUEST}{AGENT}"
    record = json.dumps({"log": inside + "\n", "stream": "stdout", "time": STAMP})
    (row,) = rows(record)
    assert isinstance(row, Row)
    assert row.values == rows_values(inside)
    assert is_access_log(record.encode())
    assert not is_access_log(b'{"log": 1}')


def test_every_part_of_a_line_that_was_cut_is_refused() -> None:
    whole = f"{CLIENT} - - {REQUEST}{AGENT}"
    read = rows(
        f"{STAMP} stdout P {whole}", f"{STAMP} stderr F {whole}", f"{STAMP} stdout F {whole}",
        f"{STAMP} stdout F {whole}",
    )  # fmt: skip
    assert [isinstance(row, Row) for row in read] == [False, True, False, True]
    long = whole.removesuffix('"') + "x" * 17_000
    cut = [json.dumps({"log": text, "stream": "stdout"}) for text in (long, whole + "\n", whole + "\n")]
    assert [isinstance(row, Row) for row in rows(*cut)] == [False, False, True]


addresses = st.ip_addresses().map(str)
hosts = st.from_regex(r"[a-z][a-z0-9-]{0,9}[a-z0-9]\.example(?::[1-9][0-9]{0,3})?", fullmatch=True)


@given(addresses, hosts, st.sampled_from(ENVELOPES), st.sampled_from(["-", "ada", "ada lovelace"]))
def test_any_address_is_the_client_behind_any_host(address: str, host: str, envelope: str, user: str) -> None:
    (row,) = rows(envelope.format(f"{host} {address} - {user} {REQUEST}{AGENT}"))
    assert isinstance(row, Row)
    assert (row.values["address"], row.values["host"], row.values["user"]) == (address, host, user)


@given(st.lists(addresses, min_size=2, max_size=4), st.sampled_from([", ", ","]))
def test_the_first_of_any_list_is_the_client(listed: list[str], comma: str) -> None:
    text = comma.join(listed)
    heads = (f"{text} - - {REQUEST}{AGENT}", f'{OTHER} - - {REQUEST}{AGENT} "{text}"')
    for row in chain.from_iterable(rows(head) for head in heads):
        assert isinstance(row, Row)
        assert (row.values["address"], row.values["forwarded"]) == (listed[0], text)


@example('::%"')
@given(st.text(st.sampled_from('1a.:,-[]% "\\'), max_size=30))
def test_no_head_makes_a_customer_of_something_else(head: str) -> None:
    for row in rows(f"{head} {REQUEST}"):
        if isinstance(row, Row) and isinstance(address := row.values["address"], str):
            assert not set(address) & set(', []"\\')
