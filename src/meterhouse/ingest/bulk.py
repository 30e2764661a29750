"""Bulk bodies: their bound, checked before anything is decoded, and the texts of their elements."""

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import pairwise
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model.errors import PayloadTooLarge

MAX_BULK_EVENTS: Final = 10_000
_SURELY_FEW: Final = 2 * MAX_BULK_EVENTS  # so many objects may be built before they are counted exactly
_MANY_COMMAS: Final = 20 * MAX_BULK_EVENTS
_SMALL_BYTES: Final = 64 * 1024
_LINE: Final = re.compile(rb"\S[^\r\n]*+")
_STRING: Final = rb'"(?:[^"\\]|\\.)*+"'
_TOKEN: Final = re.compile(rb"(" + _STRING + rb'|[{}\[\],:"])', re.DOTALL)
_BRACKET: Final = re.compile(rb'(?:[^"{}\[\]]++|' + _STRING + rb')*+([{}\[\]"])', re.DOTALL)
_MAX_BRACKETS: Final = 1_000_000  # so that the search takes less than two seconds
_ELEMENT_DEPTH: Final = 3  # brackets around the inside of an element: only brackets matter there
_OPENED_BY: Final = {b"}": ord("{"), b"]": ord("[")}


def check_count(events: int) -> None:
    """Raises PayloadTooLarge for more events than a bulk takes."""
    if events > MAX_BULK_EVENTS:
        raise PayloadTooLarge(f"A bulk takes at most {MAX_BULK_EVENTS} events, not {events}; send less.")


class _Seen(threading.local):
    """Objects that the decoder of this thread has met."""

    objects = 0


class _Counted(Struct, gc=False):
    """Takes the place of an event, keeps nothing of it, and stops the decoder at the first one too many."""

    def __post_init__(self) -> None:
        _seen.objects += 1
        if _seen.objects > MAX_BULK_EVENTS:
            raise PayloadTooLarge(f"A bulk takes at most {MAX_BULK_EVENTS} events; send less.")


class _CountedBulk(Struct):
    events: list[_Counted] = []
    records: list[_Counted] = []


_seen: Final = _Seen()
_lines: Final = msgspec.json.Decoder(_Counted)
_bulk: Final = msgspec.json.Decoder(_CountedBulk)


def check_elements(body: bytes) -> None:
    """Raises PayloadTooLarge where `{"events": […]}` (or `records`) has more events than a bulk takes.

    Nothing is kept of the events that are counted. A body that is not such a bulk is left to its decoder,
    which fails before it has built more events than a bulk takes.
    """
    _check(_bulk.decode, body)


def check_lines(body: bytes) -> None:
    """Raises PayloadTooLarge where NDJSON has more events than a bulk takes; see `check_elements`."""
    _check(_lines.decode_lines, body)


def _check(decode: Callable[[bytes], object], body: bytes) -> None:
    if body.count(b"{") <= _SURELY_FEW:
        return
    _seen.objects = 0
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        decode(body)


def lines_of(body: bytes) -> Sequence[bytes]:
    """Return the lines that are not blank. Raises PayloadTooLarge for more than a bulk takes events."""
    lines: list[bytes] = []
    for line in _LINE.finditer(body):
        lines.append(line[0])
        check_count(len(lines))
    return lines


def is_surely_small(body: bytes) -> bool:
    """Whether reading its elements one by one takes a few milliseconds at most."""
    return len(body) <= _SMALL_BYTES


def has_few_elements(body: bytes) -> bool:
    """Whether a list of the elements' texts is surely small."""
    return body.count(b",") <= _MANY_COMMAS


def elements_of(body: bytes, name: str) -> Sequence[bytes] | None:
    """Return the texts of the elements of the list `name` in `{"name": […]}`, which need not be valid JSON.

    An element ends at the comma or bracket that ends it, outside of strings and of brackets of its own. So a
    bad escape sequence costs one element and not the bulk. None where the text around the elements is not
    valid JSON. Raises PayloadTooLarge for more elements than a bulk takes.
    """
    try:
        cuts = _cuts(body, f'"{name}"'.encode())
        msgspec.json.decode(body[: cuts[0] + 1] + body[cuts[-1] :])  # the text around the elements
    except (ValueError, msgspec.DecodeError, RecursionError):
        return None
    elements = [body[start + 1 : end] for start, end in pairwise(cuts)]
    return elements if all(map(bytes.strip, elements)) else None


def _cuts(body: bytes, name: bytes) -> list[int]:
    """Return the positions of the list's begin, commas and end. Raises ValueError where there is none."""
    cuts: list[int] = []
    key = last = b""
    inside = False
    for text, at, depth in _structure(body):
        if (text, depth) == (b":", 1):
            key = last
        elif (text, depth, key) == (b"[", 1, name):
            if cuts:
                raise ValueError("there are two lists")
            inside = True
            cuts.append(at)
        elif inside and (text, depth) in ((b",", 2), (b"]", 1)):
            inside = depth == 2
            cuts.append(at)
            check_count(len(cuts) - 1)
        last = text
    if not cuts:
        raise ValueError("there is no list")
    return cuts


def _structure(body: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield each string, bracket, comma and colon with its position and the number of brackets around it.

    Inside an element it yields only the brackets. Raises ValueError where brackets do not match or are
    too many, or a string does not end.
    """
    opened = bytearray()
    at = brackets = 0
    while token := (_TOKEN.search if len(opened) < _ELEMENT_DEPTH else _BRACKET.match)(body, at):
        text, at = token[1], token.end()
        if text in _OPENED_BY and (not opened or opened.pop() != _OPENED_BY[text]):
            raise ValueError("brackets do not match")
        brackets += text in _OPENED_BY
        if text == b'"' or brackets > _MAX_BRACKETS or len(opened) > _MAX_BRACKETS:
            raise ValueError("a string does not end, or there are too many brackets")
        yield text, token.start(1), len(opened)
        if text in (b"{", b"["):
            opened += text
    if opened:
        raise ValueError("brackets do not match")
