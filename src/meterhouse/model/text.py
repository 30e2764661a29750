"""The texts people give to things: their lengths are the contract's, and any script may be used.

Each check returns a sentence, or None where the text is fine. HTML, CSV and log writers
escape what they write; these checks do not do it for them.
"""

import re
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 1_000
MAX_URL: Final = 2_000
MAX_METADATA_BYTES: Final = 16 * 1024
_MAX_EMAIL: Final = 320  # 64 before the @, 255 after it

# Lone surrogates cannot be written as UTF-8. The two separators end a line, as a line feed does.
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_CONTROL_BUT_WHITE_SPACE: Final = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
# White space, default-ignorable characters (joiners, fillers, selectors, tags) and the blank of braille.
_SHOWS_NOTHING: Final = re.compile(
    r"[\s\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u2800"
    r"\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e0fff]+"
)
# Deliberately plain: both SDKs make up addresses like auth0|5-1767225600@auto-created.local.
_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@.\x00-\x1f\x7f]+(?:\.[^\s@.\x00-\x1f\x7f]+)+")
_TELEPHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def name_fault(text: str, *, at_least: int = 0, at_most: int = MAX_NAME) -> str | None:
    """An empty text has no fault where `at_least` is 0: it takes a name away."""
    if not at_least <= len(text) <= at_most:
        return f"must have {at_least} to {at_most} characters"
    return _unshowable_fault(text, _CONTROL)


def description_fault(text: str, at_most: int = MAX_DESCRIPTION) -> str | None:
    """A description may have several lines, and be empty."""
    if len(text) > at_most:
        return f"must have at most {at_most} characters"
    return _unshowable_fault(text, _CONTROL_BUT_WHITE_SPACE)


def _unshowable_fault(text: str, controls: re.Pattern[str]) -> str | None:
    if controls.search(text):
        return "must not have control characters"
    if _SHOWS_NOTHING.fullmatch(text):
        return "must show something: white space and invisible characters alone do not"
    return None


def email_fault(text: str) -> str | None:
    if len(text) > _MAX_EMAIL or not _EMAIL.fullmatch(text):
        return "must be an email address, e.g. ada@example.com"
    return None


def telephone_fault(text: str) -> str | None:
    if text and not _TELEPHONE.fullmatch(text):
        return "must be in E.164 form, e.g. +46701234567, or empty"
    return None


def length_fault(text: str, most: int) -> str | None:
    if len(text) > most:
        return f"must have at most {most} characters"
    return "must not have control characters" if _CONTROL.search(text) else None


def url_fault(url: str, at_most: int = MAX_URL) -> str | None:
    """Pages send browsers to these addresses: http and https only, and such as every browser reads alike."""
    sentence = f"must be an http or https address of at most {at_most} characters"
    if len(url) > at_most or not url.isprintable() or any(each in url for each in " \\"):
        return sentence
    try:
        parts = urlsplit(url)
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:  # of a port or an IPv6 address
        return sentence
    return None if is_address else sentence


def currency_fault(text: str) -> str | None:
    if len(text) == 3 and text.isascii() and text.isalpha():
        return None
    return "must be an ISO 4217 code, e.g. USD"


def metadata_fault(metadata: Any) -> str | None:  # Any: any JSON value, or a struct
    if len(canonical(metadata)) > MAX_METADATA_BYTES:
        return f"must have at most {MAX_METADATA_BYTES} bytes as JSON"
    return None


def canonical(value: Any) -> str:  # Any: any JSON value
    """Return one JSON text per meaning: names sorted, numbers with all their digits."""
    return _encode(value).decode()
