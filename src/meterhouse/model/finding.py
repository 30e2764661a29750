"""What `meterhouse doctor` finds, in a line each."""

from enum import StrEnum

from msgspec import Struct


class Health(StrEnum):
    """A warning is a risk, not a fault. UNSEEN: it could not be looked at, and may be either."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    UNSEEN = "not looked at"


class Finding(Struct, frozen=True):
    """subject: what was looked at. remedy: what to do, a sentence; empty where nothing is to be done."""

    subject: str
    health: Health
    sentence: str
    remedy: str = ""
