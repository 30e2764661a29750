"""What is sold to whom: customers, products, plans, purchases, and the pages they are bought on."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from typing import Protocol

from meterhouse.model.customer import Customer, CustomerDetails, Deletion, NewCustomer
from meterhouse.model.hosted import Choice, Hosted, NewHosted
from meterhouse.model.meter import Meter, MeterDetails, NewMeter
from meterhouse.model.once import Once
from meterhouse.model.page import CustomerPage, CustomerQuestion
from meterhouse.model.plan import Plan
from meterhouse.model.plan_body import NewPlan, PlanDetails
from meterhouse.model.product import NewProduct, Product, ProductDetails, ProductPage, ProductQuestion
from meterhouse.model.purchase import Purchase, PurchaseQuestion, Sale
from meterhouse.model.tenant import Caller


class Customers(Protocol):
    """The customers of every scope. What they are given has passed the checks of `model.customer`.

    Every write of the catalog (here and below) is on disk, with its audit entry, when it returns.
    It takes place in the caller's scope, and a ref of another scope is as unknown as one that never was.
    With `once`, the same key and fingerprint in the same scope return the first result again and
    write nothing; another fingerprint raises IdempotencyConflict. What is refused burns no key.
    Every write raises LogUnavailable when the disk refuses: nothing was written.
    """

    async def create(self, caller: Caller, new: NewCustomer, once: Once | None = None) -> Customer:
        """Create a customer, or link an external ref to the one with this email.

        Raises what `model.customer.create_or_link` raises.
        """
        ...

    async def get(self, scope_id: int, ref: str) -> Customer | None: ...

    async def of_refs(self, scope_id: int, refs: Collection[str]) -> Mapping[str, Customer]:
        """Return those of `refs` that are customers of the scope, by ref."""
        ...

    async def with_external_ref(self, scope_id: int, external_ref: str) -> Customer | None: ...

    async def with_email(self, scope_id: int, email: str) -> Customer | None:
        """Emails are compared as they are written: two spellings are two customers."""
        ...

    async def change(
        self, caller: Caller, ref: str, details: CustomerDetails, once: Once | None = None
    ) -> Customer:
        """Raises CustomerNotFound, EmailTaken, ExternalRefTaken."""
        ...

    async def delete(self, caller: Caller, ref: str, once: Once | None = None) -> Deletion:
        """Hide a customer; in sandbox, forget it, so that its ref is free again. Its events stay.

        Raises CustomerNotFound.
        """
        ...

    async def page(self, scope_id: int, question: CustomerQuestion) -> CustomerPage:
        """Return customers in order. One created or deleted meanwhile never repeats or skips another."""
        ...


class Products(Protocol):
    """The products of every scope. For writes and `once`, see `Customers`."""

    async def create(self, caller: Caller, new: NewProduct, once: Once | None = None) -> Product:
        """Raises ProductNameTaken, ReferenceTaken."""
        ...

    async def get(self, scope_id: int, ref: str) -> Product | None: ...

    async def of_refs(self, scope_id: int, refs: Collection[str]) -> Mapping[str, Product]:
        """Return those of `refs` that are products of the scope, by ref."""
        ...

    async def change(
        self, caller: Caller, ref: str, details: ProductDetails, once: Once | None = None
    ) -> Product:
        """Raises ProductNotFound, ProductNameTaken."""
        ...

    async def clone(self, caller: Caller, ref: str, name: str | None, once: Once | None = None) -> Product:
        """Copy a product and its plans under new refs.

        Without a name it gets the first of `(Copy)`, `(Copy 2)`, … that is free.

        Raises ProductNotFound, ProductNameTaken.
        """
        ...

    async def delete(self, caller: Caller, ref: str, once: Once | None = None) -> Deletion:
        """Delete a product and its plans, see `Customers.delete`. In sandbox its purchases end with it.

        In live one that was sold stays, inactive and its plans with it: nothing more is sold, and what was
        bought goes on. Raises ProductNotFound.
        """
        ...

    async def page(self, scope_id: int, question: ProductQuestion) -> ProductPage:
        """Return products, the newest first."""
        ...


class Plans(Protocol):
    """The plans of every product. What they are given has passed `model.plan_checks`.

    For writes and `once`, see `Customers`. Every write raises ProductNotFound; where the product has no
    such plan, PlanNotFound; ValidationFailed for a meter that is none a limit can be kept by, and as
    `model.plan_change` does. A plan that becomes the default ends in the same transaction that another was.
    """

    async def create(self, caller: Caller, product_ref: str, new: NewPlan, once: Once | None = None) -> Plan:
        """Raises ReferenceTaken: a plan of any product of the scope has the ref."""
        ...

    async def get(self, scope_id: int, ref: str) -> Plan | None: ...

    async def of_product(self, scope_id: int, product_ref: str, *, hidden: bool) -> Sequence[Plan]:
        """Return the plans of a product in the order they were created; with `hidden`, hidden ones too."""
        ...

    async def of_products(
        self, scope_id: int, product_refs: Collection[str], *, hidden: bool
    ) -> Mapping[str, Sequence[Plan]]:
        """Return the plans of each product, as `of_product` does."""
        ...

    async def default_of(self, scope_id: int, product_ref: str) -> Plan | None:
        """Return the product's default plan, None where there is none or it is not active."""
        ...

    async def change(
        self, caller: Caller, product_ref: str, ref: str, details: PlanDetails, once: Once | None = None
    ) -> Plan: ...

    async def delete(self, caller: Caller, product_ref: str, ref: str, once: Once | None = None) -> Deletion:
        """See `Customers.delete`. What was bought of the plan goes on."""
        ...


class Purchases(Protocol):
    """The purchases of every scope. For writes and `once`, see `Customers`."""

    async def activate(self, caller: Caller, sale: Sale, once: Once | None = None) -> Purchase:
        """Give a customer a plan, from now on, in the place of what it has of the plan's product.

        Returns the purchase that it has now. A repeat by `once` answers the first activation, also where
        another plan took its place since. What it has of the plan already stays, or, with
        Origin.FREE_DEFAULT, of any plan of the product; see `model.purchase.paid` for when it is paid for. A
        plan with a trial that is not paid for begins with it. A purchase of it that the customer once had
        goes on, unless this one is paid for: see `model.purchase.resumed`. Raises PurchaseNotReactivable: it
        cannot be had again, and nothing was done.
        """
        ...

    async def activated(self, scope_id: int, once: Once) -> Purchase | None:
        """Return what a key was activated with, as it was then; None for a key that is new.

        Raises IdempotencyConflict.
        """
        ...

    async def get(self, scope_id: int, ref: str) -> Purchase | None: ...

    async def cancel(
        self, caller: Caller, ref: str, reason: str | None, once: Once | None = None
    ) -> Purchase:
        """Raises PurchaseNotFound, PurchaseNotCancellable."""
        ...

    async def reactivate(self, caller: Caller, ref: str, once: Once | None = None) -> Purchase:
        """Raises PurchaseNotFound, PurchaseNotReactivable."""
        ...

    def matching(self, scope_id: int, question: PurchaseQuestion) -> AsyncIterator[Sequence[Purchase]]:
        """Yield purchases, ended ones too, the newest first: a hundred at a time, since a provider may have
        millions. One that is made meanwhile is left out; one that changes meanwhile is as it was, or is."""
        ...

    async def current(self, scope_id: int, customer_refs: Collection[str]) -> Sequence[Purchase]:
        """Return what each of the customers bought last of each product, the newest first.

        It may have ended, and nothing else gives access.
        """
        ...


SessionIds = Callable[[int], str]
"""Returns the id of a key's session. The number counts how often it was opened again, 0 at first."""


class HostedSessions(Protocol):
    """Links to hosted pages. Ids are secrets, known by their SHA-256 alone."""

    async def open(
        self, scope_id: int, new: NewHosted, once: Once | None = None, ids: SessionIds | None = None
    ) -> str:
        """Return the id of a new session: 32 hexadecimal digits, good for 15 minutes.

        A repeat by `once` returns the first id, also of a session that was used; of one that has expired, it
        opens a new session with another id. ids: given with `once`, since the store keeps no ids: the
        caller can compute them again, and nobody can guess them. Raises IdempotencyConflict, also for other
        ids than before.
        """
        ...

    async def find(self, session_id: str) -> Hosted | None:
        """Return a session, ended ones too for a day; see `Hosted.status_at`."""
        ...

    def now(self) -> int:
        """Return the time that sessions expire by, microseconds since 1970."""
        ...

    async def choose(self, session_id: str, choice: Choice) -> Hosted | None:
        """Keep what the customer has chosen, in the place of what was. None: the session is not active."""
        ...

    async def use(self, session_id: str) -> bool:
        """End a session that is active. False: it was not, nothing is done."""


class Meters(Protocol):
    """The meters of every scope. For writes and `once`, see `Customers`."""

    async def create(self, caller: Caller, new: NewMeter, once: Once | None = None) -> Meter:
        """Raises MeterNameTaken, ReferenceTaken, and what `model.meter.check_sources` raises."""
        ...

    async def get(self, scope_id: int, ref: str) -> Meter | None: ...

    async def named(self, scope_id: int, name: str) -> Meter | None: ...

    async def all(self, scope_id: int) -> Sequence[Meter]:
        """Return the scope's meters, archived ones too: the default ones, then the others, each by name."""
        ...

    async def change(
        self, caller: Caller, ref: str, details: MeterDetails, once: Once | None = None
    ) -> Meter:
        """Raises MeterNotFound."""
        ...

    async def archive(self, caller: Caller, ref: str, once: Once | None = None) -> Meter:
        """Put a meter away; it can still be asked. Again is a no-op. Raises MeterNotFound,
        DefaultMeter, MeterCounted.

        The plans that measure it become inactive: none is sold any more, and what was bought goes on.
        """
        ...
