"""Leases: blocks of units held on the server, handed out here one by one. No I/O and no clock.

A unit is handed out only while the block's hold keeps it from everybody else. What is settled after the hold
has ended may lie beyond the limit (docs/paywall.md).
"""

import heapq
import threading
from dataclasses import dataclass

from meterhouse_sdk._terms import Share, Terms


@dataclass(slots=True, eq=False)
class Lease:
    """One block. taken = running + used, at most `units`.

    serves_until: seconds by the caller's clock; afterwards nothing more is handed out.
    """

    customer_ref: str
    terms: Terms
    hold_ref: str
    units: int
    serves_until: float
    action: str
    running: int = 0
    used: int = 0
    failures: int = 0  # attempts to settle it
    is_over: bool = False

    @property
    def share(self) -> Share:
        return self.terms.share(self.customer_ref)

    @property
    def left(self) -> int:
        return 0 if self.is_over else self.units - self.running - self.used


class Leases:
    """All blocks of this process that are not settled. For threads.

    Whoever gets a lease from `ended` or `due` has to settle it: nobody else will get it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._serving: dict[Share, Lease] = {}
        self._unsettled: set[Lease] = set()
        self._due: list[tuple[float, int, Lease]] = []
        self._added = 0

    def take(self, share: Share, now: float) -> Lease | None:
        """Hand out one unit; None: there is none."""
        with self._lock:
            lease = self._serving.get(share)
            if lease is None or now >= lease.serves_until or lease.left == 0:
                return None
            lease.running += 1
            return lease

    def add(self, lease: Lease) -> None:
        """Serve this block from now on; the one before it, if any, is only waited for."""
        with self._lock:
            self._serving[lease.share] = lease
            self._unsettled.add(lease)
            self._push(lease.serves_until, lease)

    def ended(self, lease: Lease, *, used: bool) -> Lease | None:
        """Note that a unit was used, or is free again. Return the lease if it is to be settled now."""
        with self._lock:
            lease.running -= 1
            lease.used += used
            is_done = lease.running == 0 and (lease.is_over or lease.used == lease.units)
            return self._handed_over(lease) if is_done else None

    def due(self, now: float) -> list[Lease]:
        """Return the leases whose time is over and of which no unit is in use; of the others, serve none."""
        found = []
        with self._lock:
            while self._due and self._due[0][0] <= now:
                lease = heapq.heappop(self._due)[2]
                if lease not in self._unsettled:
                    continue
                lease.is_over = True
                if lease.running == 0:
                    found.append(self._handed_over(lease))
        return found

    def again(self, lease: Lease, at: float) -> None:
        """Take back a lease that could not be settled; it is due at a time."""
        with self._lock:
            self._unsettled.add(lease)
            self._push(at, lease)

    def next_due(self) -> float | None:
        """Return when `due` has to be asked again; None: when a lease was added."""
        with self._lock:
            return self._due[0][0] if self._due else None

    def all(self) -> list[Lease]:
        """Return every lease, for settling at the end. Units in use count as used: they were let in."""
        with self._lock:
            leases = list(self._unsettled)
            for lease in leases:
                lease.used, lease.running = lease.used + lease.running, 0
                self._handed_over(lease)
        return leases

    def _push(self, at: float, lease: Lease) -> None:
        self._added += 1
        heapq.heappush(self._due, (at, self._added, lease))

    def _handed_over(self, lease: Lease) -> Lease:
        lease.is_over = True
        self._unsettled.discard(lease)
        if self._serving.get(lease.share) is lease:
            del self._serving[lease.share]
        return lease
