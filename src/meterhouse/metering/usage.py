"""Meter events: bytes in, counted and debited in one transaction, and the result of each."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from meterhouse.ingest.accept import Ingest
from meterhouse.ingest.body import MAX_AHEAD
from meterhouse.ingest.careful import carefully
from meterhouse.ingest.customers import refs_of_externals
from meterhouse.ingest.usage_body import (
    DEFAULT_METER,
    Known,
    MeterEventBody,
    read_meter_event,
    read_usage,
)
from meterhouse.ingest.usage_decode import (
    decode_meter_event,
    decode_meter_events,
    decode_usage,
    decode_usages,
)
from meterhouse.metering.decide import decide
from meterhouse.model.errors import CustomerNotFound, FieldError, MeterArchived, Refused, ValidationFailed
from meterhouse.model.event import to_microseconds
from meterhouse.model.ledger import Recording, Skipped, Track, Tracked
from meterhouse.model.once import row_key
from meterhouse.ports import Directory, Ledger, Meters


class _Named(Protocol):
    @property
    def meter_name(self) -> str | None: ...
    @property
    def external_ref(self) -> str | None: ...


class UsageRecorder:
    """now: the server's clock. max_age_days: how far back a usage record may lie, 0 for any time.

    Every method counts what it refuses in the tally, and raises ValidationFailed, IdempotencyConflict, or
    Unavailable; after any of them nothing was stored.
    """

    def __init__(
        self,
        ledger: Ledger,
        directory: Directory,
        meters: Meters,
        ingest: Ingest,
        now: Callable[[], datetime],
        max_age_days: int,
    ) -> None:
        self._ledger = ledger
        self._directory = directory
        self._meters = meters
        self._ingest = ingest
        self._now = now
        self._max_age_days = max_age_days

    async def track(self, scope_id: int, body: bytes, header_key: str | None) -> Tracked:
        """Record one usage (contract §3.1). A repeat answers the first one's number, as a duplicate."""
        try:
            usage = decode_usage(body)
            known = await self._known(scope_id, (usage,), self._max_age_days)
            read = read_usage(usage, header_key, known)
            if not isinstance(read, Track):
                raise ValidationFailed(read)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        (tracked,) = await self._record((read,), len(body))
        return tracked

    async def track_bulk(self, scope_id: int, body: bytes, header_key: str | None) -> Sequence[Tracked]:
        """Record 1 to 1000 usages in order, all or none."""
        try:
            usages = await carefully(body, partial(decode_usages, explain=False), decode_usages)
            known = await self._known(scope_id, usages, self._max_age_days)
            actions = _all(
                [
                    read_usage(usage, row_key(usage.idempotency_key, header_key, i), known)
                    for i, usage in enumerate(usages)
                ]
            )
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        return await self._record(actions, len(body))

    async def meter_event(self, scope_id: int, body: bytes, header_key: str | None) -> Tracked:
        """Record one event for a named meter. Also raises MeterArchived, CustomerNotFound."""
        try:
            event = decode_meter_event(body)
            known = await self._known(scope_id, (event,), 0)
            read = read_meter_event(event, header_key, known)
            if not isinstance(read, Track):
                raise _meter_error(read)
            if not await self._directory.known_customers(scope_id, (read.customer_ref,)):
                raise CustomerNotFound.named(read.customer_ref)
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        (tracked,) = await self._record((read,), len(body))
        return tracked

    async def meter_events(self, scope_id: int, body: bytes, header_key: str | None) -> int:
        """Record events for named meters, all or none; return how many were new.

        Also raises MeterArchived, CustomerNotFound.
        """
        try:
            name, events = await carefully(
                body, partial(decode_meter_events, explain=False), decode_meter_events
            )
            known = await self._known(scope_id, events, 0)
            actions = _all(
                [
                    read_meter_event(each, row_key(each.idempotency_key, header_key, i), known)
                    for i, each in enumerate(events)
                ],
                name,
            )
            refs = {action.customer_ref for action in actions}
            if len(await self._directory.known_customers(scope_id, refs)) < len(refs):
                raise CustomerNotFound("One or more customers not found")
        except Refused as error:
            await self._ingest.refuse(scope_id, error)
        recorded = await self._record(actions, len(body))
        return sum(each.debit is not Skipped.DUPLICATE for each in recorded)

    async def _record(self, actions: tuple[Track, ...], size: int) -> list[Tracked]:
        outcomes = await self._ledger.record(Recording(actions, decide, size))
        return [outcome for outcome in outcomes if isinstance(outcome, Tracked)]

    async def _known(self, scope_id: int, bodies: Sequence[_Named], age_days: int) -> Known:
        """Look up, once for all events, the meters and the external refs that they name.

        age_days: how many days back an event may lie, 0 for any number.
        """
        names = {body.meter_name for body in bodies if body.meter_name}
        if any(isinstance(body, MeterEventBody) for body in bodies):
            names.add(DEFAULT_METER)
        meters = {name: meter for name in names if (meter := await self._meters.named(scope_id, name))}
        externals = await refs_of_externals(self._directory, scope_id, bodies)
        now = self._now()
        earliest = to_microseconds(now - timedelta(days=age_days)) if age_days else 0
        return Known(scope_id, meters, externals, now + MAX_AHEAD, earliest)


def _all(read: Sequence[Track | list[FieldError]], name: str = "events") -> tuple[Track, ...]:
    """Return the actions. Raises ValidationFailed with every fault of every event. name: of their list."""
    faults = [
        FieldError(f"{name}.{i}.{fault.path}", fault.message)
        for i, each in enumerate(read)
        if not isinstance(each, Track)
        for fault in each
    ]
    if faults:
        raise ValidationFailed(faults)
    return tuple(each for each in read if isinstance(each, Track))


def _meter_error(faults: Sequence[FieldError]) -> Refused:
    """The contract has an answer of its own for a meter that takes no events."""
    if [fault.path for fault in faults] == ["meterName"]:
        return MeterArchived()
    return ValidationFailed(faults)
