"""What the routes call, in three handfuls."""

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from meterhouse.http.service import Ready
from meterhouse.metering.auto_recharge import AutoRecharges
from meterhouse.metering.checkout import Checkout
from meterhouse.metering.credits import Credits
from meterhouse.metering.customer_page import CustomerPage
from meterhouse.metering.holds import Holds
from meterhouse.metering.limits import Limits
from meterhouse.metering.payments import Payments
from meterhouse.metering.purchases import Activations, PurchaseViews
from meterhouse.metering.usage import UsageRecorder
from meterhouse.query.events import EventQueries
from meterhouse.query.meters import MeterQueries
from meterhouse.query.usage import UsageQueries


class Queries(Struct, frozen=True):
    """Everything that answers from the warehouse."""

    usage: UsageQueries
    events: EventQueries
    meters: MeterQueries


class Metering(Struct, frozen=True):
    """Everything that counts, and decides by what was counted."""

    usages: UsageRecorder
    limits: Limits
    holds: Holds
    credits: Credits
    views: PurchaseViews
    activations: Activations
    payments: Payments
    checkout: Checkout
    customer_page: CustomerPage
    auto_recharges: AutoRecharges


class Surroundings(Struct, frozen=True):
    """ready: see `service.Ready`. now: the server's clock, an aware datetime.

    public_url: where browsers reach the server; empty: where a request came to.
    """

    ready: Ready
    now: Callable[[], datetime]
    public_url: str
