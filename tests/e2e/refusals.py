"""Requests that a server refuses, one of each kind that costs it something to refuse."""

import gzip
import json
from collections.abc import Mapping

import httpx
from msgspec import Struct

EVENT = b'{"type":"usage.api_call","customerRef":"cus_3C4D5E6F","units":1}'
MEGABYTE = 1024 * 1024
_BULK = "/v1/sdk/events/bulk"
_NDJSON = {"content-type": "application/x-ndjson"}
_GZIP = {"content-encoding": "gzip"}


class Refusal(Struct, frozen=True):
    """A request, and the status that refuses it. keyed: with an API key."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = {}
    path: str = _BULK
    method: str = "POST"
    keyed: bool = True

    def send(self, client: httpx.Client) -> None:
        """Raises AssertionError for any other status."""
        headers = {"authorization": client.headers["authorization"]} if self.keyed else {"authorization": ""}
        answer = client.request(
            self.method, self.path, content=self.body, headers={**headers, **self.headers}
        )
        assert answer.status_code == self.status, answer.text[:500]


def _list(element: bytes, count: int, name: bytes = b"events") -> bytes:
    return b'{"' + name + b'":[' + b",".join([element] * count) + b"]}"


def _key(key: str, units: int) -> bytes:
    return json.dumps(json.loads(EVENT) | {"idempotencyKey": key, "units": units}).encode()


def first_use(client: httpx.Client) -> None:
    """Use the idempotency key that the conflict repeats with another meaning."""
    client.post("/v1/sdk/events", content=_key("taken", 1)).raise_for_status()


REFUSALS: Mapping[str, Refusal] = {
    "many_empty_lines_of_gzip": Refusal(413, gzip.compress(b"{}\n" * 3_400_000), _NDJSON | _GZIP),
    "many_lines_ended_by_cr": Refusal(413, gzip.compress(b"1\r" * 5_000_000), _NDJSON | _GZIP),
    "many_empty_events": Refusal(413, gzip.compress(_list(b"{}", 3_400_000)), _GZIP),
    "many_numbers_for_events": Refusal(413, gzip.compress(_list(b"1", 5_000_000)), _GZIP),
    "many_usages": Refusal(400, gzip.compress(_list(b"{}", 3_400_000)), _GZIP, path="/v1/sdk/usages/bulk"),
    "many_meter_events": Refusal(
        413, gzip.compress(_list(b"{}", 3_400_000)), _GZIP, path="/v1/sdk/meter-events/bulk"
    ),
    "many_records": Refusal(
        413, gzip.compress(_list(b"{}", 3_400_000, b"records")), _GZIP, path="/v1/sdk/meter-events/bulk"
    ),
    "one_event_too_many": Refusal(413, _list(EVENT, 10_001)),
    "usages_all_wrong": Refusal(400, _list(b'{"units":-1}', 1_000), path="/v1/sdk/usages/bulk"),
    "body_too_large": Refusal(413, b" " * (10 * MEGABYTE + 1)),
    "body_too_large_unpacked": Refusal(413, gzip.compress(b" " * (200 * MEGABYTE)), _GZIP),
    "broken_gzip": Refusal(400, gzip.compress(_list(EVENT, 5_000))[:-20], _GZIP),
    "not_gzip": Refusal(400, b"no gzip" * 1_000, _GZIP),
    "nested_deeply": Refusal(400, b"[" * 100_000),
    "nested_deeply_in_an_event": Refusal(400, b'{"properties":' + b"[" * 200_000, path="/v1/sdk/events"),
    "not_json": Refusal(400, b'{"events":[' + b"{]" * MEGABYTE),
    "not_utf_8": Refusal(400, b'{"name":"' + b"\xff" * 200_000 + b'"}', path="/v1/sdk/customers"),
    "another_type": Refusal(415, b"a,b\n" * 100_000, {"content-type": "text/csv"}),
    "no_key": Refusal(401, _list(EVENT, 1_000), keyed=False),
    "same_key_other_meaning": Refusal(409, _key("taken", 2), path="/v1/sdk/events"),
    "wrong_customer": Refusal(400, b'{"email":5}', path="/v1/sdk/customers"),
    "unknown_path": Refusal(404, b"{}" * 50_000, path="/v1/nothing"),
    "unknown_customer": Refusal(404, b"", path="/v1/sdk/customers/cus_nobody", method="GET"),
}
