"""The body all peers decode: the required fields of a usage event."""

from decimal import Decimal

from msgspec import Struct


class Body(Struct):
    type: str
    customerRef: str  # noqa: N815 - as in JSON
    units: Decimal
