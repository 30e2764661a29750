"""Properties: what else is known of an event, a JSON object of names and values.

Kept as canonical JSON text, names sorted, so that equal meanings are equal texts.
"""

from decimal import Decimal
from typing import Any, Final

import msgspec

from meterhouse.model.errors import FieldError
from meterhouse.model.units import plain

MAX_NAMES: Final = 64
MAX_NAME: Final = 64
MAX_DEPTH: Final = 4
MAX_BYTES: Final = 16 * 1024

_decoder = msgspec.json.Decoder(float_hook=Decimal)
_encoder = msgspec.json.Encoder(decimal_format="number", order="sorted")


def read_properties(raw: bytes) -> str | FieldError | None:
    """Return the canonical text of an object of at most 64 names, 4 levels and 16 kB, or its fault.

    None for JSON null. Numbers keep all their digits; 1.50 and 1.5 are written alike.
    """
    if len(raw) > MAX_BYTES:
        return FieldError("properties", f"must have at most {MAX_BYTES} bytes")
    try:
        value = _decoder.decode(raw)
    except (msgspec.DecodeError, RecursionError, ValueError, ArithmeticError):  # the last: exponents
        return FieldError(
            "properties", f"must be an object of at most {MAX_DEPTH} levels, its numbers finite"
        )
    if value is None:
        return None
    if not isinstance(value, dict):
        return FieldError("properties", 'must be an object, e.g. {"region": "eu"}')
    if len(value) > MAX_NAMES:
        return FieldError("properties", f"must have at most {MAX_NAMES} names")
    fault = _fault(value, "properties", 1)
    return fault or _encoder.encode(_canonical(value)).decode()


def _fault(value: Any, path: str, depth: int) -> FieldError | None:  # Any: any JSON value
    if not isinstance(value, dict | list):
        return None
    if depth > MAX_DEPTH:
        return FieldError("properties", f"must have at most {MAX_DEPTH} levels")
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        if isinstance(name, str) and not 0 < len(name) <= MAX_NAME:
            return FieldError(path, f"names must have 1 to {MAX_NAME} characters")
        if fault := _fault(member, f"{path}.{name}", depth + 1):
            return fault
    return None


def _canonical(value: Any) -> Any:  # Any: any JSON value
    if isinstance(value, dict):
        return {name: _canonical(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_canonical(member) for member in value]
    if isinstance(value, Decimal):
        return _shortest(value)
    return value


def _shortest(value: Decimal) -> Decimal | int:
    """One spelling per number. A huge exponent is left as it is: 1e400 has no place as digits."""
    if len(value.as_tuple().digits) > 28 or abs(value.adjusted()) > 28:
        return value
    return plain(value)
