"""Refs in bodies, where several are required together."""

from meterhouse.model.errors import FieldError
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF


def ref_faults(refs: dict[str, str | None]) -> list[FieldError]:
    """Return what is wrong with required refs, by path."""
    return [
        FieldError(path, f"must have 1 to {MAX_REF} characters" if ref else "is required")
        for path, ref in refs.items()
        if not ref or len(ref) > MAX_REF
    ]
