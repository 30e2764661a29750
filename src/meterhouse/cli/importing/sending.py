"""Drafts to the server: finds or makes their customers, publishes them in bulk, notes each outcome."""

import re
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from urllib.parse import quote

from msgspec import Struct

from meterhouse.cli.importing.mapping import Draft
from meterhouse.cli.importing.report import Report
from meterhouse.cli.importing.rows import Row
from meterhouse.model.ref import Prefix, is_ref
from meterhouse_sdk import EventResult, Meterhouse, NewEvent, Refused, ValidationFailed

_AT_ONCE: Final = 8
_REMEMBERED: Final = 500_000  # some 100 MB; beyond it they are asked for again
_NOT_IN_EMAILS: Final = re.compile(r"[\s@%\x00-\x1f\x7f]")


class Pending(Struct, frozen=True):
    """A row and its events, in the order of the file."""

    row: Row
    drafts: Sequence[Draft]


class Fault(Struct, frozen=True):
    """reason: why there is no such customer."""

    reason: str


class Customers:
    """Refs of the customers that a file names.

    A name is an external ref; without `create`, one that looks like a ref (`cus_…`) is that ref.
    create: make a customer of an external ref that nobody has, at `<external ref>@imported.local`.
    """

    def __init__(self, client: Meterhouse, *, create: bool) -> None:
        self._client = client
        self._create = create
        self._known: dict[str, str | Fault] = {}

    def look_up(self, names: Iterable[str]) -> None:
        """Make `of` know these. Raises MeterhouseError: the server does not answer."""
        wanted = set(names)
        if len(self._known) + len(wanted) > _REMEMBERED:
            self._known.clear()
        missing = sorted(wanted - self._known.keys())
        if not missing:
            return
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            self._known.update(zip(missing, threads.map(self._found, missing), strict=True))

    def of(self, name: str) -> str | Fault:
        return self._known[name]

    def _found(self, name: str) -> str | Fault:
        if not self._create and is_ref(name, Prefix.CUSTOMER):
            return name
        try:
            if self._create:
                return self._client.ensure_customer(name, email=email_of(name)).reference
            found = self._client.find_customer(external_ref=name)
        except Refused as error:
            return Fault(f"customer {name!r:.60}: {error}")
        if found is None:
            return Fault(
                f"customer {name!r:.60}: nobody has this external ref; --create-customers makes them"
            )
        return found.reference


def email_of(external_ref: str) -> str:
    """Return an address of its own for each external ref, whatever characters it has."""
    return _NOT_IN_EMAILS.sub(lambda found: quote(found[0], safe=""), external_ref) + "@imported.local"


def send(client: Meterhouse, customers: Customers, batch: Sequence[Pending], report: Report) -> None:
    """Publish the events of some rows, and note their outcomes.

    Raises MeterhouseError: some may be stored, none is noted; sending them again counts none twice.
    """
    customers.look_up(draft.customer for pending in batch for draft in pending.drafts)
    events: list[NewEvent] = []
    faults: list[str | None] = []
    for pending in batch:
        for draft in pending.drafts:
            made = _event(draft, customers.of(draft.customer))
            faults.append(made if isinstance(made, str) else None)
            if isinstance(made, NewEvent):
                events.append(made)
    results = iter(client.create_events(events).results if events else ())
    fault = iter(faults)
    for pending in batch:
        reasons = [
            reason
            for draft in pending.drafts
            if (reason := _noted(draft, next(fault) or next(results), report)) is not None
        ]
        report.settled(pending.row, reasons)


def _event(draft: Draft, customer: str | Fault) -> NewEvent | str:
    if isinstance(customer, Fault):
        return customer.reason
    try:
        return NewEvent(
            type=draft.type,
            customer_ref=customer,
            units=draft.units,
            product_ref=draft.product,
            timestamp=draft.timestamp,
            idempotency_key=draft.key,
            properties=draft.properties,
        )
    except ValidationFailed as error:
        return "; ".join(map(str, error.errors))


def _noted(draft: Draft, result: EventResult | str, report: Report) -> str | None:
    """Count the event under its type; return why it was refused."""
    if isinstance(result, EventResult):
        if result.status == "stored":
            report.stored(draft.type, draft.units)
            return None
        if result.status == "duplicate":
            report.present(draft.type)
            return None
    report.refuse(draft.type)
    if isinstance(result, str):
        return result
    if result.code == "idempotency_conflict":
        return (
            f"{draft.type}: idempotency_conflict: the key {draft.key[:60]!r} was imported before with "
            "another meaning (other options, units, customer or time)"
        )
    return "; ".join(map(str, result.errors)) or result.code or "refused"
