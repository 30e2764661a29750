"""The texts people give to things: which characters and how many, as the contract has it.

Each check returns a sentence, or None where the text is fine.
"""

import re
from typing import Any, Final

import msgspec

MAX_NAME: Final = 100
MAX_DESCRIPTION: Final = 1_000
MAX_METADATA_BYTES: Final = 16 * 1024
_MAX_EMAIL: Final = 320  # 64 before the @, 255 after it

# The contract's \p{L}\p{N} is Python's \w without the underscore.
_NAME: Final = re.compile(r"""(?:[^\W_]|[ .,'"&/()+:\-])*""")
_DESCRIPTION: Final = re.compile(r"""(?:[^\W_]|[\s.,'"&/()+:%;?!@#_\[\]\-])*""")
# Deliberately plain: both SDKs make up addresses like auth0|5-1767225600@auto-created.local.
_EMAIL: Final = re.compile(r"[^\s@\x00-\x1f\x7f]+@[^\s@.\x00-\x1f\x7f]+(?:\.[^\s@.\x00-\x1f\x7f]+)+")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_TELEPHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_encode: Final = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


def name_fault(text: str, *, at_least: int = 0, at_most: int = MAX_NAME) -> str | None:
    if not at_least <= len(text) <= at_most:
        return f"must have {at_least} to {at_most} characters"
    if not _NAME.fullmatch(text):
        return "may have letters, digits, spaces and . , ' \" & / ( ) + : - only"
    return None


def description_fault(text: str, at_most: int = MAX_DESCRIPTION) -> str | None:
    if len(text) > at_most:
        return f"must have at most {at_most} characters"
    if not _DESCRIPTION.fullmatch(text):
        return "may have letters, digits, white space and . , ' \" & / ( ) + : % ; ? ! @ # _ [ ] - only"
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
