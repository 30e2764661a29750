"""Refs: the short names of things, `cus_3C4D5E6F`. The prefix says of what."""

import re
import secrets
from enum import StrEnum

_ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"  # 0-9A-Z without 0 O, 1 I L, U: no look-alikes
_MINTED_CHARACTERS = 8
_READ = re.compile(r"[a-z]{2,3}_[A-Za-z0-9_-]{1,16}", re.ASCII)
MAX_CHARACTERS = 20
_UNKNOWN_EXTERNAL = "external:"


class Prefix(StrEnum):
    CUSTOMER = "cus_"
    PRODUCT = "prd_"
    PLAN = "pln_"
    PURCHASE = "pur_"
    METER = "mtr_"
    KEY = "key_"
    PROVIDER = "prv_"
    OPERATOR = "opr_"


def mint(prefix: Prefix) -> str:
    """Return a new ref; 30^8 possibilities, so the store must still refuse a taken one."""
    return prefix + "".join(secrets.choice(_ALPHABET) for _ in range(_MINTED_CHARACTERS))


def is_ref(text: str, prefix: Prefix) -> bool:
    """Whether `text` can be a ref of this kind: the prefix and 1 to 16 of `A-Za-z0-9_-`, 20 in all."""
    return len(text) <= MAX_CHARACTERS and text.startswith(prefix) and _READ.fullmatch(text) is not None


def unknown_external(external_ref: str) -> str:
    """Return the text that stands for the customer of an external ref that nobody has.

    It is never the ref of a customer.
    """
    return _UNKNOWN_EXTERNAL + external_ref


def is_unknown_external(ref: str) -> bool:
    """Whether `unknown_external` made this text."""
    return ref.startswith(_UNKNOWN_EXTERNAL)


def external_of(ref: str) -> str:
    """Return the external ref of which `unknown_external` made this text."""
    return ref.removeprefix(_UNKNOWN_EXTERNAL)
