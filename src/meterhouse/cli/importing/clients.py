"""The client of an access-log line: the fields before the time, and lists of forwarded addresses."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from msgspec import Struct

from meterhouse.cli.importing.rows import Unclear

ABSENT: Final = "-"
_WITHOUT_CLIENT: Final = (ABSENT, "unix:", "unknown")  # nginx behind a socket; a proxy that hides the client
_OCTET: Final = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_IPV4: Final = re.compile(rf"(?!0\d){_OCTET}(?:\.(?!0\d){_OCTET}){{3}}", re.ASCII)
_IPV6: Final = re.compile(r"([0-9A-Fa-f:.]+)(?:%[A-Za-z0-9_.-]{1,64})?")  # its zone (RFC 4007 §11)
_WITH_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:\[\]]+):\d{1,5}", re.ASCII)
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME: Final = re.compile(rf"(?=.{{1,253}}$)(?=.*[A-Za-z])(?:{_LABEL}\.)*(?!\d+\.?$){_LABEL}\.?", re.ASCII)
_VIRTUAL_HOST: Final = re.compile(r"[\w.*-]+", re.ASCII)
_FORWARDED: Final = re.compile(r"^(?:[a-z]+=[^;]*; ?)*for=", re.IGNORECASE)  # RFC 7239
_NOT_CLEAR: Final = (
    "the client is not clear: it may be in {!r} at the end of the line; "
    "--customer peer takes the address that connected"
)
# A list in brackets, a list with commas, or one word.
_FIELD: Final = re.compile(r" *(\[[^\]]*\](?::\d+)?(?=\s|$)|[^\s,]*(?:,\s*[^\s,]+)+|\S+)")


class Head(Struct, frozen=True):
    """The fields before the time. A field that the line does not have is `-`.

    host: the virtual host. address: the client. peer: the other end of the connection, a proxy perhaps.
    forwarded: the list of addresses that the client was taken from.
    """

    address: str | Unclear
    identity: str
    user: str
    host: str = ABSENT
    peer: str = ABSENT
    forwarded: str = ABSENT


def read_head(text: str) -> Head:
    """Find the client. Raises ValueError with the end of a sentence: none of the fields can be one."""
    first, rest = _field(text)
    second, after = _field(rest)
    if second == ABSENT and _IPV4.fullmatch(first):  # nearly every line
        return _one_field(first, rest)
    third, user = _field(after)
    if _first_address(second) is not None:
        return _two_fields(first, second, after)
    if third == ABSENT and user.strip() and (second != ABSENT or _NAME.fullmatch(first)):
        return _two_fields(first, second, after)  # a field, the client (a name, or none), "-", the user
    if not _is_client(first):
        missing = "; the client's address is missing" if _port_cut(first) and second == ABSENT else ""
        raise ValueError(f"begins with {first[:60]!r}, which is no address and no host name{missing}")
    if _NAME.fullmatch(first) and second != ABSENT and ("." in second or user.strip()):
        return _either(first, second, after)
    return _one_field(first, rest)


def with_forwarded(head: Head, field: str, place: int) -> Head | None:
    """Return the head with the client of a quoted field; None where the field forwards no addresses.

    place: the field's among the quoted ones, from 0; an address with a port after the first is an upstream.
    """
    items = _items(field)
    if _FORWARDED.search(field):
        unclear = Unclear(_NOT_CLEAR.format(field[:60]))
        return Head(unclear, head.identity, head.user, head.host, head.peer, field)
    if not any(map(_address, items)) or (place and _port_cut(items[0])):
        return None
    client = _first_address(field)
    if items[0].lower() in _WITHOUT_CLIENT:
        address: str | Unclear = ABSENT
    elif client is None or _port_cut(items[0]):
        address = Unclear(_NOT_CLEAR.format(field[:60]))
    else:
        address = client
    return Head(address, head.identity, head.user, head.host, head.peer, field)


def _one_field(client: str, rest: str) -> Head:
    """The client is the first field."""
    again, after = _repeated(rest)
    if again is not None and set(_items(again)) != set(_items(client)):
        return _either(client, again, after)
    address = _client(client)
    identity, user = _identity(rest if again is None else after)
    if len(_items(client)) > 1:
        return Head(address, identity, user, forwarded=client)
    return Head(address, identity, user, peer=address)


def _two_fields(first: str, second: str, rest: str) -> Head:
    """Of two fields before the user, the first is a virtual host or a forwarded list."""
    if first == ABSENT:
        return _one_field(second, rest)
    if len(_items(first)) > 1:
        return Head(_client(first), *_identity(rest), peer=_client(second), forwarded=first)
    if _first_address(first) is not None and not _port_cut(first):
        return _one_field(second, rest) if first == second else _either(first, second, rest)
    if _first_address(first) is None and not _VIRTUAL_HOST.fullmatch(_port_cut(first) or first):
        raise ValueError(f"begins with {first[:60]!r}, which is no address and no host name")
    head = _one_field(second, rest)
    return Head(head.address, head.identity, head.user, first, head.peer, head.forwarded)


def _either(first: str, second: str, rest: str) -> Head:
    unclear = Unclear(
        f"the client is not clear: the line begins with {first[:60]!r} and {second[:60]!r}; "
        "--customer host takes the first, --customer peer the second"
    )
    return Head(unclear, *_identity(rest), host=first, peer=_items(second)[0])


def _identity(rest: str) -> tuple[str, str]:
    """Return identity and user; a format with one field has only the user, who may contain spaces."""
    first, user = _field(rest)
    return (first, user.strip(" ")) if user.strip() else (ABSENT, first or ABSENT)


def _repeated(rest: str) -> tuple[str | None, str]:
    """Return the client that older ingress controllers repeat, `addr - [addr] - user`, and the rest."""
    again, after = _field(_field(rest)[1])
    if again.startswith("[") and _field(after)[1].strip() and _first_address(again) is not None:
        return again, after
    return None, rest


def _field(text: str) -> tuple[str, str]:
    found = _FIELD.match(text)
    return (found[1], text[found.end() :]) if found else ("", "")


def _items(field: str) -> list[str]:
    if field.startswith("[") and field.endswith("]"):
        field = field[1:-1]
    return [item.strip() for item in field.split(",")]


def _client(field: str) -> str:
    """Return the client that a field names: of a list the first. Raises ValueError as `read_head`."""
    items = _items(field)
    if items[0].lower() in _WITHOUT_CLIENT:
        return ABSENT
    if (client := _address(items[0])) is not None:
        return client
    if len(items) > 1 or not _NAME.fullmatch(items[0]):
        raise ValueError(f"has {items[0][:60]!r} for a client, which is no address and no host name")
    return items[0]


def _is_client(field: str) -> bool:
    return (
        field in _WITHOUT_CLIENT
        or "," in field
        or _first_address(field) is not None
        or _NAME.fullmatch(field) is not None
    )


def _first_address(field: str) -> str | None:
    return _address(_items(field)[0])


def _port_cut(field: str) -> str | None:
    found = _WITH_PORT.fullmatch(field)
    return found[1] if found else None


@lru_cache(16_384)
def _address(text: str) -> str | None:
    """Return an IP address as it is written, without brackets and port, or None."""
    text = _port_cut(text) or text
    if text.startswith("[") and text.endswith("]"):
        text = text[1:-1]
    if _IPV4.fullmatch(text):
        return text
    found = _IPV6.fullmatch(text)
    if found is None:
        return None
    try:
        IPv6Address(found[1])
    except AddressValueError:
        return None
    return text
