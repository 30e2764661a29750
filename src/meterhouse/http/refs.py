"""Refs in bodies and queries: customers by either of their names, and faults of length."""

from collections.abc import Mapping
from typing import Annotated, Protocol

from litestar.params import QueryParameter
from msgspec import Struct

from meterhouse.ingest.fields import CUSTOMER_REQUIRED, REF_LENGTH, REQUIRED, Fields
from meterhouse.model.errors import CustomerNotFound, FieldError, ValidationFailed
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.ref import is_unknown_external
from meterhouse.model.tenant import Caller
from meterhouse.ports import Directory

Refs = Mapping[str, str | None]
CustomerRef = Annotated[str | None, QueryParameter(name="customerRef", max_length=MAX_REF)]
ExternalRef = Annotated[str | None, QueryParameter(name="externalRef")]


class CustomerBody(Struct, rename="camel"):
    """customerRef, externalRef: either names the customer; both must name the same one."""

    customer_ref: str | None = None
    external_ref: str | None = None


class NamesCustomer(Protocol):
    """A body with the fields of `CustomerBody`."""

    customer_ref: str | None
    external_ref: str | None


class CustomerNames:
    """Finds customers by the seller's own ids (design §6)."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def resolve(self, caller: Caller, body: NamesCustomer) -> None:
        """Put the customer's ref into a body that has an external ref.

        Raises ValidationFailed as `ref` does; CustomerNotFound: nobody has the external ref.
        """
        body.customer_ref = await self.existing_ref(caller, body.customer_ref, body.external_ref)

    async def existing_ref(
        self, caller: Caller, customer_ref: str | None, external_ref: str | None
    ) -> str | None:
        """Return the customer's ref, None without either name. Raises as `resolve` does."""
        ref = await self.ref(caller, customer_ref, external_ref)
        if ref is not None and is_unknown_external(ref):
            raise CustomerNotFound.named(ref)
        return ref

    async def ref(self, caller: Caller, customer_ref: str | None, external_ref: str | None) -> str | None:
        """Return the customer's ref, `unknown_external` where nobody has the external ref.

        None without either name. Raises ValidationFailed: the external ref is empty, too long, or another
        customer's than `customer_ref`.
        """
        if external_ref is None:
            return customer_ref
        fields = Fields(await self._directory.refs_of_externals(caller.scope.id, (external_ref,)))
        ref = fields.external(external_ref, customer_ref)
        if fields.faults:
            raise ValidationFailed(fields.faults)
        return ref


def check_refs(required: Refs, optional: Refs | None = None) -> None:
    """Raises ValidationFailed, naming every ref that is missing or too long."""
    if faults := ref_faults(required, optional):
        raise ValidationFailed(faults)


def ref_faults(required: Refs, optional: Refs | None = None) -> list[FieldError]:
    """Return the faults of refs, by path; optional ones may be None."""
    given = {path: ref for path, ref in (optional or {}).items() if ref is not None}
    return [
        FieldError(path, REF_LENGTH if ref else CUSTOMER_REQUIRED if path == "customerRef" else REQUIRED)
        for path, ref in {**required, **given}.items()
        if not ref or len(ref) > MAX_REF
    ]
