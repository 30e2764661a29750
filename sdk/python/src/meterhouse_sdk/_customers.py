"""Customers: whoever consumes. Writes carry an idempotency key made once for the call."""

import re
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, Final
from urllib.parse import quote

import msgspec

from meterhouse_sdk._answers import Customer, Deleted, read
from meterhouse_sdk._errors import Conflict, CustomerNotFound
from meterhouse_sdk._protocol import Operation, Request, segment
from meterhouse_sdk._publish import new_key

_CUSTOMERS: Final = "/v1/sdk/customers"
_NOT_IN_EMAILS: Final = re.compile(r"[\s@%\x00-\x1f\x7f]")
_MAX_LOCAL: Final = 255  # characters of an email before the @; the server takes 320 in all
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def create_customer(  # noqa: PLR0913 - the fields of a customer
    *,
    email: str,
    name: str | None = None,
    external_ref: str | None = None,
    reference: str | None = None,
    description: str | None = None,
    telephone: str | None = None,
    metadata: Mapping[str, Any] | None = None,  # Any: JSON
    idempotency_key: str | None = None,
) -> Operation[Customer]:
    """Create a customer, or link `external_ref` to the one that has this email.

    reference: your own ref (`cus_` and 1 to 16 of A-Z a-z 0-9 _ -); None: the server mints one.
    external_ref: your own id for the customer, 1 to 255 characters, unique.
    telephone: E.164, e.g. +46701234567.

    Raises ValidationFailed; EmailTaken: another customer has the email and no external_ref was given;
    ExternalRefTaken, ReferenceTaken. Nothing was written then.
    """
    reply = yield Request(
        "POST",
        _CUSTOMERS,
        repeatable=True,
        body=_body(
            email=email,
            name=name,
            externalRef=external_ref,
            reference=reference,
            description=description,
            telephone=telephone,
            metadata=metadata,
        ),
        idempotency_key=idempotency_key or new_key(),
    )
    return read(reply, Customer)


def get_customer(customer_ref: str) -> Operation[Customer]:
    """Return a customer with its active purchases. Raises CustomerNotFound."""
    reply = yield Request("GET", _path(customer_ref), repeatable=True)
    return read(reply, Customer)


def find_customer(*, external_ref: str | None = None, email: str | None = None) -> Operation[Customer | None]:
    """Return the customer with this external ref or this email, or None when there is none.

    Raises TypeError unless exactly one of them is given.
    """
    if (external_ref is None) == (email is None):
        raise TypeError("find_customer takes exactly one of external_ref and email")
    params = (("externalRef", external_ref),) if external_ref is not None else (("email", email or ""),)
    try:
        reply = yield Request("GET", _CUSTOMERS, repeatable=True, params=params)
    except CustomerNotFound:
        return None
    return read(reply, Customer)


def update_customer(  # noqa: PLR0913 - the fields of a customer
    customer_ref: str,
    *,
    email: str | None = None,
    name: str | None = None,
    external_ref: str | None = None,
    description: str | None = None,
    telephone: str | None = None,
    metadata: Mapping[str, Any] | None = None,  # Any: JSON
) -> Operation[Customer]:
    """Change what is given and leave the rest; "" takes a value away. Return the whole customer.

    Raises CustomerNotFound, ValidationFailed, EmailTaken, ExternalRefTaken: nothing was changed.
    """
    reply = yield Request(
        "PATCH",
        _path(customer_ref),
        repeatable=True,
        body=_body(
            email=email,
            name=name,
            externalRef=external_ref,
            description=description,
            telephone=telephone,
            metadata=metadata,
        ),
        idempotency_key=new_key(),
    )
    return read(reply, Customer)


def delete_customer(customer_ref: str) -> Operation[Deleted]:
    """Delete a customer: for good in sandbox, hidden in live. Its events stay.

    Publishing to it raises CustomerNotFound from then on; so does deleting it again.
    """
    reply = yield Request("DELETE", _path(customer_ref), repeatable=True, idempotency_key=new_key())
    return read(reply, Deleted)


def ensure_customer(
    external_ref: str, *, email: str | None = None, name: str | None = None
) -> Operation[Customer]:
    """Return the customer with this external ref; create it first where there is none.

    Calls at the same time, from any process, return the same customer. `email` and `name` are used only
    for creating; without an email a placeholder below `auto-created.local` is made of the external ref.
    A customer that has the email already gets the external ref and is returned.
    """
    found = yield from find_customer(external_ref=external_ref)
    if found is not None:
        return found
    try:
        return (
            yield from create_customer(
                email=email or _placeholder_email(external_ref), name=name, external_ref=external_ref
            )
        )
    except Conflict:
        found = yield from find_customer(external_ref=external_ref)  # somebody else was faster
        if found is None:
            raise
        return found


def _placeholder_email(external_ref: str) -> str:
    """Return a different one for each external ref, whatever characters it has and however long it is."""
    local = _NOT_IN_EMAILS.sub(lambda found: quote(found[0], safe=""), external_ref)
    if len(local) > _MAX_LOCAL:
        local = sha256(external_ref.encode("utf-8", "replace")).hexdigest()
    return f"{local}@auto-created.local"


def _path(customer_ref: str) -> str:
    return f"{_CUSTOMERS}/{segment(customer_ref)}"


def _body(**fields: object) -> bytes:
    return _encode({name: value for name, value in fields.items() if value is not None})
