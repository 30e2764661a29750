"""Pages of what the catalog lists: the questions, and the places where a page ends."""

from enum import StrEnum
from typing import Annotated

from msgspec import Meta, Struct

from meterhouse.model.audit import AuditEntry
from meterhouse.model.customer import Customer

Whole = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
"""What a store can compare with. Places come back from clients, who may have made them up."""


class CustomerSort(StrEnum):
    NEWEST = "-createdAt"
    OLDEST = "createdAt"
    NAME = "name"
    NAME_DESCENDING = "-name"
    EMAIL = "email"
    EMAIL_DESCENDING = "-email"


class CustomerPlace(Struct, frozen=True, array_like=True):
    """The customer a page ended with: its value of what the list is sorted by, and its ref."""

    value: str | Whole
    ref: str


class CustomerQuestion(Struct, frozen=True, kw_only=True):
    """search: part of a name, email, externalRef or ref, in any case of ASCII letters; "" finds all."""

    search: str = ""
    sort: CustomerSort = CustomerSort.NEWEST
    limit: int = 50
    after: CustomerPlace | None = None


class CustomerPage(Struct, frozen=True):
    """next: where to go on, None at the end."""

    customers: tuple[Customer, ...]
    next: CustomerPlace | None


class AuditPlace(Struct, frozen=True, array_like=True):
    """The entry a page ended with."""

    id: Whole


class AuditPage(Struct, frozen=True):
    """Newest first. next: where to go on, None at the end."""

    entries: tuple[AuditEntry, ...]
    next: AuditPlace | None
