"""Refs in bodies: one answer names all that are missing or too long."""

from collections.abc import Mapping

from meterhouse.ingest.fields import REF_LENGTH, REQUIRED
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF

Refs = Mapping[str, str | None]


def check_refs(required: Refs, optional: Refs | None = None) -> None:
    """Raises ValidationFailed, naming every ref that is not one."""
    if faults := ref_faults(required, optional):
        raise ValidationFailed(faults)


def ref_faults(required: Refs, optional: Refs | None = None) -> list[FieldError]:
    """Return what is wrong with refs, by path; optional ones may be None."""
    given = {path: ref for path, ref in (optional or {}).items() if ref is not None}
    return [
        FieldError(path, REF_LENGTH if ref else REQUIRED)
        for path, ref in {**required, **given}.items()
        if not ref or len(ref) > MAX_REF
    ]
