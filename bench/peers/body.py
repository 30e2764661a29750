"""The bodies all peers decode: the fields that are required of each."""

from decimal import Decimal

from msgspec import Struct


class Body(Struct):
    """A usage event."""

    type: str
    customerRef: str  # noqa: N815 - as in JSON
    units: Decimal


class Usage(Struct):
    """A meter event."""

    customerRef: str  # noqa: N815 - as in JSON
    productRef: str  # noqa: N815 - as in JSON
    units: Decimal


class Limit(Struct):
    """A limit check."""

    customerRef: str  # noqa: N815 - as in JSON
    productRef: str  # noqa: N815 - as in JSON
    meterName: str  # noqa: N815 - as in JSON
