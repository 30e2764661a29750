"""Usage per period of a purchase over HTTP. Ours: the contract answers the current one alone."""

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from msgspec import UNSET, Raw, Struct, UnsetType

from meterhouse.http.render import exact, iso, iso_or_unset
from meterhouse.metering.history import PeriodUse
from meterhouse.metering.purchases import PurchaseViews
from meterhouse.model.errors import PurchaseNotFound
from meterhouse.model.tenant import Caller
from meterhouse.ports import Purchases


class PeriodAnswer(Struct, rename="camel", omit_defaults=True, kw_only=True):
    """periodEnd: left out where it never ends. limitUnits: with what rolled over, left out for any number."""

    period_start: str
    period_end: str | UnsetType = UNSET
    used: Raw
    limit_units: Raw | UnsetType = UNSET


class PeriodsAnswer(Struct, rename="camel"):
    """periods: the newest first, the current one too."""

    purchase_ref: str
    periods: tuple[PeriodAnswer, ...]


class PeriodRoutes:
    def __init__(self, purchases: Purchases, views: PurchaseViews) -> None:
        self._purchases = purchases
        self._views = views

    async def of_purchase(
        self,
        caller: NamedDependency[Caller],
        reference: FromPath[str],
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 12,
    ) -> PeriodsAnswer:
        """List what was used in each of a purchase's last periods."""
        purchase = await self._purchases.get(caller.scope.id, reference)
        if purchase is None:
            raise PurchaseNotFound
        periods = await self._views.periods_of(caller.scope.id, purchase, limit)
        return PeriodsAnswer(reference, tuple(map(_answer, periods)))


def _answer(use: PeriodUse) -> PeriodAnswer:
    return PeriodAnswer(
        period_start=iso(use.period.start),
        period_end=iso_or_unset(use.period.end),
        used=exact(use.used),
        limit_units=UNSET if use.limit is None else exact(use.limit),
    )
