"""The audit of writes in the catalog: actor, action and time. Entries never change; old ones are deleted."""

from enum import StrEnum
from hashlib import sha256
from typing import Any, Final

from msgspec import Struct, json
from msgspec.structs import asdict

_TIMES: Final = ("created_at", "updated_at")
_MAX_VALUE: Final = 1_000  # characters of JSON: metadata may have 16 times as many
_SHOWN: Final = 200


class Action(StrEnum):
    PROVIDER_CREATED = "provider.created"
    PROVIDER_UPDATED = "provider.updated"
    CUSTOMER_CREATED = "customer.created"
    CUSTOMER_LINKED = "customer.linked"
    CUSTOMER_UPDATED = "customer.updated"
    CUSTOMER_DELETED = "customer.deleted"
    PRODUCT_CREATED = "product.created"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_CLONED = "product.cloned"
    PRODUCT_DELETED = "product.deleted"
    PURCHASE_CREATED = "purchase.created"
    PURCHASE_PAID = "purchase.paid"
    PURCHASE_EXPIRED = "purchase.expired"
    PURCHASE_CANCELLED = "purchase.cancelled"
    PURCHASE_REACTIVATED = "purchase.reactivated"
    PAYMENT_CREATED = "payment.created"
    PAYMENT_SUCCEEDED = "payment.succeeded"
    AUTO_RECHARGE_SAVED = "auto_recharge.saved"
    AUTO_RECHARGE_DISABLED = "auto_recharge.disabled"
    AUTO_RECHARGE_FAILED = "auto_recharge.failed"
    PLAN_CREATED = "plan.created"
    PLAN_UPDATED = "plan.updated"
    PLAN_ARCHIVED = "plan.archived"
    METER_CREATED = "meter.created"
    METER_UPDATED = "meter.updated"
    METER_ARCHIVED = "meter.archived"
    KEY_CREATED = "key.created"
    KEY_REVOKED = "key.revoked"
    OPERATOR_CREATED = "operator.created"
    OPERATOR_PASSWORD_CHANGED = "operator.password_changed"  # noqa: S105 - no password
    OPERATOR_BARRED = "operator.barred"
    OPERATOR_REMOVED = "operator.removed"
    LINK_CREATED = "link.created"
    SESSION_OPENED = "session.opened"
    SESSION_ENDED = "session.ended"


class AuditEntry(Struct, frozen=True, kw_only=True):
    """One write. id: increases with time.

    actor: see `tenant.Caller`. at: microseconds since 1970.
    changes: JSON text of `{field: [before, after]}`.
    """

    id: int
    at: int
    actor: str
    action: Action
    ref: str
    changes: str


class Write(Struct, frozen=True):
    """A write, as it is noted. before, after: None where the thing was not, or is no more."""

    action: Action
    ref: str
    before: Struct | None
    after: Struct | None

    def changes(self) -> str:
        """Return JSON text of `{field: [before, after]}`, of the fields that differ.

        Of a long value it has the begin, the length and the SHA-256 of its JSON.
        """
        old: dict[str, Any] = {} if self.before is None else asdict(self.before)  # Any: fields of any noun
        new: dict[str, Any] = {} if self.after is None else asdict(self.after)
        changed = {
            name: (_bounded(old.get(name)), _bounded(new.get(name)))
            for name in old | new
            if name not in _TIMES and old.get(name) != new.get(name)
        }
        return json.encode(changed).decode()


def _bounded(value: Any) -> Any:  # Any: a field of any noun
    text = json.encode(value)
    if len(text) <= _MAX_VALUE:
        return value
    shown = value if isinstance(value, str) else text.decode()
    return f"{shown[:_SHOWN]}… ({len(text)} bytes, SHA-256 {sha256(text).hexdigest()})"
