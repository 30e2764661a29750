"""The checks of the fields that bodies share: one rule and one sentence for each, on every route."""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from msgspec import UNSET, Raw, UnsetType

from meterhouse.ingest.properties import read_properties
from meterhouse.model import units
from meterhouse.model.customer import MAX_EXTERNAL_REF
from meterhouse.model.errors import FieldError
from meterhouse.model.event import EPOCH, to_microseconds
from meterhouse.model.once import key_fault
from meterhouse.model.ref import MAX_CHARACTERS as MAX_REF
from meterhouse.model.ref import unknown_external
from meterhouse.model.timestamp import read_time
from meterhouse.model.units import NANO

MAX_TYPE: Final = 128
MAX_USAGE_UNITS: Final = 100_000
REQUIRED: Final = "is required"
REF_LENGTH: Final = f"must have 1 to {MAX_REF} characters"
CUSTOMER_REQUIRED: Final = "is required: the customer's reference; or send externalRef, your own id for them"
_CUSTOMER_LENGTH: Final = f"{REF_LENGTH}; send your own id for a customer as externalRef"
_EXTERNAL_LENGTH: Final = f"must have 1 to {MAX_EXTERNAL_REF} characters"
_OTHER_CUSTOMER: Final = "names another customer than customerRef; send one of them"
_UNITS_REQUIRED: Final = "is required: how much was consumed, 0 or more"
_TYPE_REQUIRED: Final = "is required, e.g. usage.api_call"
_TYPE: Final = (
    "must be two or more segments separated by dots, without white space or control characters, "
    f"at most {MAX_TYPE} characters, e.g. usage.api_call"
)
_WHOLE_UNITS: Final = (
    f"must be a whole number from 0 to {MAX_USAGE_UNITS}; for more, or for fractions, settle a hold or use "
    "/v1/sdk/meter-events"
)
_NOT_A_TIME: Final = "must be an RFC 3339 time with an offset, e.g. 2026-11-01T00:00:00Z"
_NO_OFFSET: Final = "must carry an offset (Z or +01:00); a local time could be any of 26 hours"
_BEFORE_1970: Final = "must not be before 1970-01-01T00:00:00Z"
_AHEAD: Final = "must be at most 24 hours ahead of the server's clock"
_TOO_OLD: Final = "must not be older than the server takes (METERHOUSE_USAGE_MAX_AGE_DAYS)"


class CustomerNames(Protocol):
    """The fields of a body that name a customer. customer_id: an older name of customer_ref."""

    @property
    def customer_ref(self) -> str | None: ...
    @property
    def customer_id(self) -> str | None: ...
    @property
    def external_ref(self) -> str | None: ...


class ProductNames(Protocol):
    """The fields of a body that name a product. product_reference: an older name of product_ref."""

    @property
    def product_ref(self) -> str | None: ...
    @property
    def product_reference(self) -> str | None: ...


class Fields:
    """Reads the fields of one body and collects every fault.

    A method returns the field's value. Where it adds a fault instead, its result must not be used.
    externals: the ref of each customer that the body may name by an external ref.
    """

    def __init__(self, externals: Mapping[str, str]) -> None:
        self._externals = externals
        self.faults: list[FieldError] = []

    def fault(self, path: str, sentence: str) -> None:
        self.faults.append(FieldError(path, sentence))

    def customer(self, named: CustomerNames) -> str:
        """Return a customer's ref, or `unknown_external` of an external ref that nobody has."""
        ref = named.customer_ref if named.customer_ref is not None else named.customer_id
        if ref is None and named.external_ref is None:
            self.fault("customerRef", CUSTOMER_REQUIRED)
            return ""
        if ref is not None:
            if not 0 < len(ref) <= MAX_REF:
                self.fault("customerRef", _CUSTOMER_LENGTH if ref else CUSTOMER_REQUIRED)
            elif named.customer_id not in (None, ref):
                self.fault("customerId", "differs from customerRef; send one of them")
        return self.external(named.external_ref, ref) if named.external_ref is not None else ref or ""

    def external(self, external_ref: str, ref: str | None) -> str:
        """Return the ref of the customer with this external ref; see `customer`.

        ref: the customerRef that is given beside it, None for none.
        """
        if not 0 < len(external_ref) <= MAX_EXTERNAL_REF:
            self.fault("externalRef", _EXTERNAL_LENGTH)
            return ""
        found = self._externals.get(external_ref)
        if ref not in (None, found):
            self.fault("externalRef", _OTHER_CUSTOMER)
        return unknown_external(external_ref) if found is None else found

    def product(self, named: ProductNames) -> str | None:
        return self.ref("productRef", named.product_ref, "productReference", named.product_reference)

    def ref(self, path: str, ref: str | None, alias_path: str, alias: str | None) -> str | None:
        """Return an optional ref that may be given under either of two names."""
        given = ref if ref is not None else alias
        if given is None:
            return None
        if not 0 < len(given) <= MAX_REF:
            self.fault(path, REF_LENGTH)
        elif alias not in (None, given):
            self.fault(alias_path, f"differs from {path}; send one of them")
        return given

    def type(self, given: str | None, action_type: str | None, known: dict[str, bool]) -> str:
        """Return a usage event's type; without one `usage.<actionType>` (contract §3.0).

        known: the well-formed types seen so far, which this adds to.
        """
        type_ = given if given is not None or action_type is None else f"usage.{action_type}"
        if not type_:
            self.fault("type", _TYPE_REQUIRED)
        elif not is_type(type_, known):
            self.fault("type" if given is not None else "actionType", _TYPE)
        return type_ or ""

    def units(self, path: str, value: object, default: int | None = None) -> tuple[int, int]:
        """Return whole units and billionths.

        default: billionths where the field is absent; None makes it required.
        """
        if value is UNSET or (value is None and default is not None):
            if default is None:
                self.fault(path, _UNITS_REQUIRED)
            return units.pair(default or 0)
        amount = units.split(value)
        if isinstance(amount, str):
            self.fault(path, amount)
            return 0, 0
        return amount

    def whole_units(self, value: object) -> int:
        """Return billionths: 1 unit where none are given."""
        if value is UNSET or value is None:
            return NANO
        whole = units.whole_between(value, 0, MAX_USAGE_UNITS)
        if whole is None:
            self.fault("units", _WHOLE_UNITS)
            return NANO
        return whole * NANO

    def time(self, path: str, text: str | None, latest: datetime, earliest_us: int = 0) -> int | None:
        """Return microseconds since 1970 of an RFC 3339 time, None where it is absent.

        earliest_us: the oldest time that the route takes.
        """
        if text is None:
            return None
        at = checked_time(text, latest)
        if isinstance(at, str):
            self.fault(path, at)
            return None
        if at < earliest_us:
            self.fault(path, _TOO_OLD)
        return at

    def key(self, own: str | None, header: str | None, path: str = "idempotencyKey") -> str | None:
        if fault := key_fault(own, header):
            self.fault(path, fault)
        return own if own is not None else header

    def properties(self, path: str, raw: Raw | UnsetType) -> str | None:
        """Return canonical JSON text, None where the field is absent or null."""
        if raw is UNSET:
            return None
        found = read_properties(bytes(raw))
        if isinstance(found, FieldError):
            self.fault(path + found.path.removeprefix("properties"), found.message)
            return None
        return found


def checked_time(text: str, latest: datetime, too_late: str = _AHEAD) -> int | str:
    """Return microseconds since 1970, or the sentence that refuses the time; `too_late` after `latest`."""
    time = read_time(text)
    if time is None:
        return _NOT_A_TIME
    if time.tzinfo is None:
        return _NO_OFFSET
    if time < EPOCH:
        return _BEFORE_1970
    if time > latest:
        return too_late
    return to_microseconds(time)


def is_type(text: str, known: dict[str, bool]) -> bool:
    """Whether a type is well formed. Remembers up to 10 000 of them, because few types recur often."""
    if text in known:
        return True
    segments = text.split(".")
    good = (
        len(text) <= MAX_TYPE
        and len(segments) > 1
        and all(segments)
        # isprintable() is false for separators and control characters, true for a plain space.
        and not any(c.isspace() or _is_control(c) for c in text)
    )
    if good:
        if len(known) > 10_000:
            known.clear()
        known[text] = True
    return good


def _is_control(character: str) -> bool:
    return character < " " or "\x7f" <= character <= "\x9f"
