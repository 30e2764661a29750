"""The sequence of every paywall (contract §5.1): may a call run, and how is it recorded.

checked, or leased -> the call runs -> ended
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meterhouse_sdk._customers import ensure_customer, find_customer
from meterhouse_sdk._error import MeterhouseError
from meterhouse_sdk._errors import CustomerNotFound, PaymentRequired, Unavailable
from meterhouse_sdk._gate import gate_of
from meterhouse_sdk._lease import Lease, Leases
from meterhouse_sdk._limits import check_limits, release, reserving, settle
from meterhouse_sdk._metering import track
from meterhouse_sdk._metering_answers import LimitCheck
from meterhouse_sdk._new_usage import NewUsage, Outcome, to_body
from meterhouse_sdk._protocol import Operation, RetryPolicy
from meterhouse_sdk._publish import new_key
from meterhouse_sdk._terms import Customer, OnUntracked, Terms

ANONYMOUS: Final = "anonymous"  # nobody's ref: the server refuses it
_ASKED_METER: Final = "requests"  # what the hosted service's clients ask for; the customer's plan decides
_KNOWN_CUSTOMERS: Final = 100_000
_SETTLING: Final = RetryPolicy(max_retries=2**63, first_wait_seconds=0.5, longest_wait_seconds=30.0)
_logger: Final = logging.getLogger("meterhouse_sdk")


@dataclass(frozen=True, slots=True)
class Admission:
    """A call that may run. `action` is the name of the plan's meter, as the server says it."""

    customer_ref: str
    terms: Terms
    action: str
    lease: Lease | None = None


class Paywall:
    """The customers and leases that a client knows, and the operations on them. For threads.

    clock: seconds, for leases. now: the time, for usages.
    """

    def __init__(self, clock: Callable[[], float], now: Callable[[], datetime]) -> None:
        self.leases = Leases()
        self.clock = clock
        self._now = now
        self._customers: dict[Customer, str] = {}

    def checked(self, terms: Terms, customer: Customer) -> Operation[Admission]:
        """Ask the server. Raises PaymentRequired, after recording that the call was refused."""

        def asked(customer_ref: str) -> Operation[LimitCheck]:
            return check_limits(
                customer_ref=customer_ref,
                product_ref=terms.product_ref,
                meter_name=_ASKED_METER,
                include_checkout_session=True,
            )

        customer_ref, limits = yield from self._answered(customer, asked)
        admission = Admission(customer_ref, terms, limits.meter_name or _ASKED_METER)
        if not limits.within_limits:
            raise (yield from self._refusal(admission, limits))
        return admission

    def served(self, terms: Terms, customer: Customer) -> Admission | None:
        """Hand out a unit of a lease; None: there is none."""
        customer_ref = self._known(customer)
        if customer_ref is None:
            return None
        lease = self.leases.take(terms.share(customer_ref), self.clock())
        return None if lease is None else Admission(customer_ref, terms, lease.action, lease)

    def leased(self, terms: Terms, customer: Customer) -> Operation[Admission]:
        """Hand out a unit of a lease, of a new one if need be. One call for a customer at a time.

        Raises PaymentRequired, after recording that the call was refused. Raises Unavailable: the server
        answered when the hold may have ended.
        """
        served = self.served(terms, customer)
        if served is not None:
            return served
        started = self.clock()
        customer_ref, limits = yield from self._answered(customer, lambda ref: _block(terms, ref))
        action = limits.meter_name or _ASKED_METER
        if limits.hold_ref is None or limits.reserved_units is None:
            raise (yield from self._refusal(Admission(customer_ref, terms, action), limits))
        if self.clock() >= started + terms.hold_seconds:  # late, after retries
            raise Unavailable(f"hold {limits.hold_ref} may have ended before the answer came; nothing ran")
        serves_until = started + terms.lease_seconds
        units = int(limits.reserved_units)
        lease = Lease(customer_ref, terms, limits.hold_ref, units, serves_until, action, running=1)
        self.leases.add(lease)
        return Admission(customer_ref, terms, action, lease)

    def ended(self, admission: Admission, outcome: Outcome | None, duration_ms: int) -> Operation[None]:
        """Record the outcome of a call; None: it sold nothing, and nothing is recorded.

        A usage that the server does not take is logged and handed over; nothing is raised.
        """
        lease = admission.lease
        if lease is not None:
            done = self.leases.ended(lease, used=outcome == "success")
            yield from self.settled([] if done is None else [done])
        if outcome is not None and (lease is None or outcome != "success"):
            yield from self._track(admission, outcome, duration_ms)

    def settled(self, leases: Sequence[Lease]) -> Operation[None]:
        """Book what was used of leases. Those that the server cannot take now are due again later."""
        for row, lease in enumerate(leases):
            try:
                yield from _settling(lease)
            except Unavailable as error:
                lease.failures += 1
                wait_seconds = _SETTLING.wait_seconds(lease.failures, None) or 0.0
                self.leases.again(lease, self.clock() + wait_seconds)
                _logger.warning("lease %s is not settled and waits: %s", lease.hold_ref, error)
            except MeterhouseError as error:
                _hand_over(self._usage_of(lease), error, lease.terms.on_untracked)
            except BaseException:  # interrupted
                for left in leases[row:]:
                    self.leases.again(left, self.clock())
                raise

    def closed(self) -> Operation[None]:
        """Book what was used of every lease. What the server cannot take now is only in the log."""
        yield from self.settled(self.leases.all())
        for lease in self.leases.all():
            _logger.error(
                "%s units of lease %s are not booked; call settle(%r, %s)",
                lease.used,
                lease.hold_ref,
                lease.hold_ref,
                lease.used,
            )

    def _refusal(self, admission: Admission, limits: LimitCheck) -> Operation[PaymentRequired]:
        """Record that a call may not run; return what to raise."""
        yield from self._track(admission, "paywall", None)
        return PaymentRequired(gate_of(limits, admission.terms.product_ref))

    def _track(self, admission: Admission, outcome: Outcome, duration_ms: int | None) -> Operation[None]:
        key = new_key()
        usage = NewUsage(
            customer_ref=admission.customer_ref,
            product_ref=admission.terms.product_ref,
            outcome=outcome,
            duration=duration_ms,
            metadata={"action": admission.action, "requestId": key},
            timestamp=self._now(),
            idempotency_key=key,
        )
        try:
            yield from track(usage)
        except MeterhouseError as error:
            _hand_over(usage, error, admission.terms.on_untracked)
        except BaseException as error:  # interrupted, or the client was closed
            _hand_over(usage, error, None)
            raise

    def _usage_of(self, lease: Lease) -> NewUsage:
        return NewUsage(
            customer_ref=lease.customer_ref,
            units=lease.used,
            product_ref=lease.terms.product_ref,
            timestamp=self._now(),
            idempotency_key=lease.hold_ref,
        )

    def _answered(
        self, customer: Customer, ask: Callable[[str], Operation[LimitCheck]]
    ) -> Operation[tuple[str, LimitCheck]]:
        """Ask about a customer; return its ref and the answer. Raises CustomerNotFound."""
        customer_ref = self._known(customer) or (yield from self._named(customer.given or ""))
        self._remember(customer, customer_ref)
        try:
            return customer_ref, (yield from ask(customer_ref))
        except CustomerNotFound:
            self._forget(customer_ref)
            found = (yield from self._with_such_a_name(customer)) if customer_ref == customer.given else None
            if found is None:
                raise
        self._remember(customer, found)
        return found, (yield from ask(found))

    def _known(self, customer: Customer) -> str | None:
        """Return the ref of a customer that needs no request; None: it has to be found first."""
        if not customer.given:
            return ANONYMOUS
        is_ref = customer.given.startswith("cus_") and not customer.is_external
        return self._customers.get(customer, customer.given if is_ref else None)

    def _named(self, external_ref: str) -> Operation[str]:
        return (yield from ensure_customer(external_ref)).reference

    def _with_such_a_name(self, customer: Customer) -> Operation[str | None]:
        """Return the customer whose own id looks like a ref of ours, as ids of other billing systems do."""
        found = yield from find_customer(external_ref=customer.given)
        return None if found is None else found.reference

    def _remember(self, customer: Customer, customer_ref: str) -> None:
        if customer_ref in {customer.given, ANONYMOUS}:
            return
        if len(self._customers) >= _KNOWN_CUSTOMERS:
            self._customers.clear()
        self._customers[customer] = customer_ref

    def _forget(self, customer_ref: str) -> None:
        """It was deleted: the next call that names it gets a new one."""
        for given in [given for given, known in list(self._customers.items()) if known == customer_ref]:
            self._customers.pop(given, None)


def _block(terms: Terms, customer_ref: str) -> Operation[LimitCheck]:
    """Reserve a block, or what is left where that is less, or at least one unit."""

    def reserved(units: int) -> Operation[LimitCheck]:
        return (
            yield from reserving(
                customer_ref=customer_ref,
                product_ref=terms.product_ref,
                units=units,
                ttl_seconds=terms.hold_seconds,
                include_checkout_session=units == 1,
            )
        )

    wanted = terms.lease_units or 1
    limits = yield from reserved(wanted)
    left = min(int(limits.remaining), wanted)
    if limits.hold_ref is None and wanted > 1 and left > 1:
        limits = yield from reserved(left)
    if limits.hold_ref is None and wanted > 1:
        limits = yield from reserved(1)
    return limits


def _settling(lease: Lease) -> Operation[None]:
    if not lease.used:
        yield from release(lease.hold_ref)
        return
    booked = yield from settle(
        lease.hold_ref, lease.used, metadata={"action": lease.action, "calls": lease.used}
    )
    if booked.over_limit_units:  # others had them after the hold had ended; no caller sees the answer
        _logger.warning(
            "%s of the %s units of lease %s are beyond the limit of %s",
            booked.over_limit_units,
            booked.units,
            booked.hold_ref,
            lease.customer_ref,
        )


def _hand_over(usage: NewUsage, error: BaseException, on_untracked: OnUntracked | None) -> None:
    """Give a usage that the server did not take to `on_untracked`, and to the log in any case."""
    reason = str(error) or "interrupted"
    _logger.error("a usage was not tracked: %s: %s", reason, to_body(usage).decode())
    if on_untracked is None or not isinstance(error, MeterhouseError):
        return
    try:
        on_untracked(usage, error)
    except Exception:
        _logger.exception("on_untracked failed")
