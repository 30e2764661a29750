"""How times are written in answers."""

from meterhouse.model.event import from_microseconds


def iso(microseconds: int) -> str:
    """Return the time as the contract writes it: milliseconds, always three digits, and Z."""
    return from_microseconds(microseconds).isoformat(timespec="milliseconds").replace("+00:00", "Z")
