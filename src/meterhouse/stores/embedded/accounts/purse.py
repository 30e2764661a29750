"""A customer's credits as the ledger keeps them, with those that expire. Pure.

Credits that expire first are spent and reserved first; equal times go by the order of their grants. A hold
keeps the credits that it reserved beyond their expiry; they expire when it gives them back.
"""

from bisect import insort
from collections.abc import Iterator, Sequence
from itertools import takewhile

from msgspec import Struct

from meterhouse.model.credit import Expiring, MovePlace


class Lot(Struct, array_like=True):
    """Credits of one grant that expire.

    grant: the number of the movement that gave them. left: above 0. held: of them, what open holds have
    reserved, by the hold's number.
    """

    expires_at: int
    grant: int
    left: int
    held: dict[int, int]

    @property
    def free(self) -> int:
        return self.left - sum(self.held.values()) if self.held else self.left


class Purse(Struct, array_like=True):
    """credits: all of them; held: of them, what open holds have reserved.

    lots: those that expire, in the order in which they are spent.
    newest: the place of the newest movement; it is kept up while there are lots.
    """

    credits: int = 0
    held: int = 0
    lots: list[Lot] = []
    newest: MovePlace = MovePlace(0)

    def add(self, credits_: int, grant: int, expires_at: int | None) -> Sequence[Lot]:
        """Put credits in; return the lot that they are, none where they never expire."""
        self.credits += credits_
        if expires_at is None:
            return ()
        lot = Lot(expires_at, grant, credits_, {})
        insort(self.lots, lot, key=lambda each: (each.expires_at, each.grant))
        return (lot,)

    def spend(self, credits_: int) -> Sequence[Lot]:
        """Take free credits away; return the lots that are used up by it."""
        self.credits -= credits_
        return self._take(credits_) if self.lots else ()

    def expire(self, grant: int, credits_: int) -> Sequence[Lot]:
        """Take credits of one grant away; return its lot where that is used up by it."""
        self.credits -= credits_
        for place, lot in enumerate(self.lots):  # it is among the first ones
            if lot.grant == grant:
                lot.left -= credits_
                if lot.left:
                    break
                del self.lots[place]
                return (lot,)
        return ()

    def reserve(self, hold: int, credits_: int) -> None:
        """Keep free credits for a hold."""
        self.held += credits_
        for lot in self.lots:
            taken = min(lot.free, credits_)
            if taken:
                lot.held[hold] = taken
                credits_ -= taken

    def give_back(self, hold: int, credits_: int) -> None:
        """Let the credits be free that a hold reserved."""
        self.held -= credits_
        for lot in self.lots:
            lot.held.pop(hold, None)

    def due(self, at: int) -> list[int]:
        """Return the times at which lots expire, up to a time, each lot's own."""
        return [lot.expires_at for lot in self._expired(at)]

    def lapsed(self, at: int) -> list[tuple[int, int]]:
        """Return the grants of which credits have expired by a time and are free, and how many these are."""
        return [(lot.grant, free) for lot in self._expired(at) if (free := lot.free)]

    def lapsing(self, hold: int, at: int) -> int:
        """Return how many of the credits that a hold keeps have expired by a time."""
        return sum(lot.held.get(hold, 0) for lot in self._expired(at))

    def expiring(self, at: int) -> tuple[Expiring, ...]:
        """Return what expires after a time, see `model.credit.Balance`."""
        found: dict[int, int] = {}
        for lot in self.lots:
            if lot.expires_at > at:
                found[lot.expires_at] = found.get(lot.expires_at, 0) + lot.left
        return tuple(Expiring(credits_, time) for time, credits_ in found.items())

    def _expired(self, at: int) -> Iterator[Lot]:
        """Yield the lots whose time has come by then. None is taken away meanwhile."""
        return takewhile(lambda lot: lot.expires_at <= at, self.lots)

    def _take(self, credits_: int) -> list[Lot]:
        for lot in self.lots:
            taken = min(lot.free, credits_)
            lot.left -= taken
            credits_ -= taken
            if not credits_:
                break
        return self._without_used_up()

    def _without_used_up(self) -> list[Lot]:
        used_up = [lot for lot in self.lots if not lot.left]
        if used_up:
            self.lots = [lot for lot in self.lots if lot.left]
        return used_up
