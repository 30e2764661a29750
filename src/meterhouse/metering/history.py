"""What was used in each period of a purchase, beside what each had room for. Pure."""

from collections.abc import Mapping

from msgspec import Struct

from meterhouse.model.period import Period
from meterhouse.model.purchase import Purchase


class PeriodUse(Struct, frozen=True):
    """used, limit: billionths; limit has what rolled over in it, and is None where there is none."""

    period: Period
    used: int
    limit: int | None


def history(purchase: Purchase, used: Mapping[int, int], at: int, most: int) -> list[PeriodUse]:
    """Return the last `most` periods up to the one that holds a time, the newest first.

    used: billionths by period, as `ports.Ledger.used` answers. Once a purchase has ended, no period follows,
    but one that something was used in at the very instant of the end.
    """
    grid, terms = purchase.grid, purchase.terms
    end = at if purchase.ends_at is None else min(at, purchase.ends_at - 1)
    current = grid.period_at(max(end, purchase.started_at))
    assert current is not None  # noqa: S101 - it is not before the purchase
    last = max(current.number, *used, 0)
    found: list[PeriodUse] = []
    first = purchase.carries_from(last)
    carried = 0
    for number in range(last + 1):
        units = used.get(number, 0)
        if number == first:
            carried = 0
        if number > last - most:
            limit = None if terms.limit is None else terms.limit + carried
            found.append(PeriodUse(grid.period(number), units, limit))
        carried = terms.carries(carried, units)
    return found[::-1]
