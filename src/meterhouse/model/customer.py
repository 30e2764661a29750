"""Customers: who consumes what a provider sells. And the decisions about them, without I/O."""

from enum import StrEnum
from typing import Any, Final

import msgspec
from msgspec import Struct

from meterhouse.model import text
from meterhouse.model.errors import (
    EmailTaken,
    ExternalRefTaken,
    FieldError,
    ReferenceTaken,
    ValidationFailed,
)
from meterhouse.model.ref import Prefix, is_ref
from meterhouse.model.tenant import Environment

MAX_EXTERNAL_REF: Final = 255


class Customer(Struct, frozen=True, kw_only=True):
    """metadata: canonical JSON text of an object. Times: microseconds since 1970."""

    ref: str
    email: str
    name: str = ""
    external_ref: str | None = None
    description: str = ""
    telephone: str = ""
    metadata: str = "{}"
    created_at: int
    updated_at: int


class CustomerDetails(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a request says of a customer. Left out or null: not said. An empty text takes a value away."""

    email: str | None = None
    name: str | None = None
    external_ref: str | None = None
    description: str | None = None
    telephone: str | None = None
    metadata: dict[str, Any] | None = None  # Any: any JSON value


class NewCustomer(CustomerDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference: the customer's own ref (`cus_…`); left out, one is minted."""

    reference: str | None = None


class Deletion(StrEnum):
    """What deleting did: sandbox forgets, live hides and keeps."""

    DELETED = "deleted"
    SOFT_DELETED = "soft_deleted"
    DEACTIVATED = "deactivated"


def deletion(environment: Environment) -> Deletion:
    return Deletion.DELETED if environment is Environment.SANDBOX else Deletion.SOFT_DELETED


def check_new(new: NewCustomer) -> None:
    """Raises ValidationFailed, naming every fault."""
    errors = _faults(new)
    if new.email is None:
        errors.insert(0, FieldError("email", "is required"))
    if new.reference is not None and not is_ref(new.reference, Prefix.CUSTOMER):
        errors.append(FieldError("reference", "must be cus_ and 1 to 16 of A-Z a-z 0-9 _ -"))
    if errors:
        raise ValidationFailed(errors)


def check_details(details: CustomerDetails) -> None:
    """Raises ValidationFailed, naming every fault."""
    if errors := _faults(details):
        raise ValidationFailed(errors)


def create_or_link(
    new: NewCustomer, by_email: Customer | None, by_external_ref: Customer | None, *, ref_is_taken: bool
) -> Customer | None:
    """Return the customer to link `new.external_ref` to, or None to create one.

    The same email with an external ref means the same person (contract §3.3).
    Raises EmailTaken, ExternalRefTaken or ReferenceTaken.
    """
    if by_external_ref is not None and (by_email is None or by_email.ref != by_external_ref.ref):
        raise ExternalRefTaken
    if by_email is not None:
        if not new.external_ref or new.reference not in (None, by_email.ref):
            raise EmailTaken
        return by_email
    if ref_is_taken:
        raise ReferenceTaken
    return None


def created(new: NewCustomer, ref: str, now_us: int) -> Customer:
    blank = Customer(ref=ref, email=new.email or "", created_at=now_us, updated_at=now_us)
    return changed(blank, new, now_us)


def changed(customer: Customer, details: CustomerDetails, now_us: int) -> Customer:
    """Return the customer with what `details` says; what it does not say stays."""
    external_ref = details.external_ref
    return msgspec.structs.replace(
        customer,
        email=_or(details.email, customer.email),
        name=_or(details.name, customer.name),
        external_ref=customer.external_ref if external_ref is None else external_ref or None,
        description=_or(details.description, customer.description),
        telephone=_or(details.telephone, customer.telephone),
        metadata=customer.metadata if details.metadata is None else text.canonical(details.metadata),
        updated_at=now_us,
    )


def _or(said: str | None, was: str) -> str:
    return was if said is None else said


def _faults(details: CustomerDetails) -> list[FieldError]:
    d = details
    sentences = {
        "email": d.email is not None and text.email_fault(d.email),
        "name": d.name is not None and text.name_fault(d.name),
        "externalRef": d.external_ref is not None and text.length_fault(d.external_ref, MAX_EXTERNAL_REF),
        "description": d.description is not None and text.description_fault(d.description),
        "telephone": d.telephone is not None and text.telephone_fault(d.telephone),
        "metadata": d.metadata is not None and text.metadata_fault(d.metadata),
    }
    return [FieldError(path, sentence) for path, sentence in sentences.items() if sentence]
