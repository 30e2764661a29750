"""The sockets of Meterhouse: small Protocols whose docstrings are promises.

    EventLog    the durable, ordered record of every accepted event: the source of truth
    Ledger      running totals, balances and holds: exact and current, a fold over the log
    Catalog     providers, keys, customers, products, plans, purchases…, with an audit of every write
    Warehouse   events laid out for questions; can be rebuilt from the log

Each has an embedded adapter in `meterhouse.stores.embedded`; every adapter passes tests/contract.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from meterhouse.model.credit import Balance, CreditMove, CreditQuestion
from meterhouse.model.customer import Customer, CustomerDetails, Deletion, NewCustomer
from meterhouse.model.event import Event, LogRecord, Receipt, Submission
from meterhouse.model.hold import Hold
from meterhouse.model.hosted import Hosted, NewHosted
from meterhouse.model.key import ApiKey, IssuedKey
from meterhouse.model.ledger import Account, Outcomes, Recording
from meterhouse.model.merchant import Merchant
from meterhouse.model.meter import Meter, MeterDetails, NewMeter
from meterhouse.model.once import Once
from meterhouse.model.operator import Failures, Operator, Session
from meterhouse.model.page import AuditPage, AuditPlace, CustomerPage, CustomerQuestion
from meterhouse.model.plan import Plan
from meterhouse.model.plan_body import NewPlan, PlanDetails
from meterhouse.model.product import NewProduct, Product, ProductDetails, ProductPage, ProductQuestion
from meterhouse.model.purchase import Activation, Purchase, PurchaseQuestion, Sale
from meterhouse.model.question import EventOrder, Filter, PageMark, UsageQuestion, UsageRow
from meterhouse.model.tally import KeptRejection, TallyHour
from meterhouse.model.tenant import Caller, Environment, Provider, Scope


class EventLog(Protocol):
    """The durable, ordered record of every accepted event: the source of truth."""

    async def append(self, submission: Submission) -> Receipt:
        """Store the events and the tally of the rejections durably, all or nothing.

        When this returns, the events are on disk. An event whose idempotency key is in the log
        already, in the same scope and for the same kind of event, is not stored again: the receipt
        names the event that has the key, and whether it means the same (`model.identity`).
        Two equal keys in one submission: the first is stored, the second is its repeat.

        Raises LogUnavailable or Overloaded: nothing of the submission was stored.
        """
        ...

    async def read(self, after: int, limit_events: int) -> Sequence[LogRecord]:
        """Return the records after a position, in order; empty when there are none.

        At least one, then as many as fit into `limit_events`. Positions are 1, 2, 3, … without a gap.
        """
        ...

    async def wait(self, after: int) -> None:
        """Return once there is something after a position."""
        ...


class Ledger(Protocol):
    """Running totals, credit balances and holds: exact and current. Whatever changes them is in the log.

    Its clock never steps back: what has expired stays so. Every answer is as of now, with the holds whose
    time has come given back, whether or not anything has written that down yet.
    """

    async def record(self, recording: Recording) -> Sequence[Outcomes]:
        """Decide the actions one after another, each on what those before it left, and store what was
        decided with the events it is about, durably, in one transaction. One outcome for each, in order.

        An action whose idempotency key was used before is not done again and has the first outcome; what
        stored nothing, as a reserve that got nothing, burns no key.
        Raises IdempotencyConflict, or what `decide` raises for a single action: nothing was stored.
        Raises LogUnavailable or Overloaded: nothing was stored, the same may be recorded again.
        """
        ...

    async def standing(self, scope_id: int, customer_ref: str, product_ref: str) -> Account:
        """Return the account of a customer's current purchase of a product; without one, the balance."""
        ...

    async def of_purchases(self, scope_id: int, purchases: Sequence[Purchase]) -> Sequence[Account]:
        """Return the account of each purchase, in the period that is now, or the last of one that ended."""
        ...

    async def used(self, scope_id: int, purchase_ref: str) -> Mapping[int, int]:
        """Return what was used in each period of a purchase, billionths by the period's number; a period
        in which nothing was used may be missing."""
        ...

    async def balance(self, scope_id: int, customer_ref: str) -> Balance:
        """Return a customer's balance; 0 for one who never had any."""
        ...

    async def balances(self, scope_id: int, customer_refs: Collection[str]) -> Mapping[str, Balance]:
        """Return the balance of each customer, as `balance` does."""
        ...

    async def hold(self, scope_id: int, number: int) -> Hold | None:
        """Return a hold of the scope, None for none."""
        ...

    async def paid_holds(self, scope_id: int, customer_ref: str) -> Sequence[int]:
        """Return the numbers of the open holds that reserve a customer's credits."""
        ...

    async def due_holds(self) -> Sequence[tuple[int, int]]:
        """Return scope and number of holds whose time has come and that are not written down as expired,
        at most a thousand."""
        ...

    async def credit_moves(self, scope_id: int, question: CreditQuestion) -> Sequence[CreditMove]:
        """Return movements of a balance, the newest first."""
        ...


class Directory(Protocol):
    """What ingestion asks the catalog. Adapters may remember a yes; a no is always looked up."""

    async def known_customers(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        """Return those of `refs` that are customers of the scope now."""
        ...

    async def known_products(self, scope_id: int, refs: Collection[str]) -> Collection[str]:
        """Return those of `refs` that are products of the scope now."""
        ...


class Identities(Protocol):
    """Who owns which API key. Keys are known by their SHA-256 alone."""

    async def key_caller(self, key_sha256: bytes) -> Caller | None:
        """Return who owns an unrevoked key, and notes its use (written at most once a minute)."""
        ...


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
        """Delete a product and its plans, see `Customers.delete`. Raises ProductNotFound."""
        ...

    async def page(self, scope_id: int, question: ProductQuestion) -> ProductPage:
        """Return products, the newest first."""
        ...


class Purchases(Protocol):
    """The purchases of every scope. For writes and `once`, see `Customers`."""

    async def activate(self, caller: Caller, sale: Sale) -> Activation:
        """Give a customer a plan, from now on, in the place of what it has of the plan's product.

        Nothing is done where it has the plan already, or, with Origin.FREE_DEFAULT, any plan of the product.
        A plan with a trial that is not paid for begins with it, once for each customer.
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

    async def matching(self, scope_id: int, question: PurchaseQuestion) -> Sequence[Purchase]:
        """Return purchases, ended ones too, the newest first."""
        ...

    async def current(self, scope_id: int, customer_refs: Collection[str]) -> Sequence[Purchase]:
        """Return what each of the customers bought last of each product, the newest first.

        It may have ended, and nothing else gives access.
        """
        ...


class HostedSessions(Protocol):
    """Links to hosted pages. Ids are secrets, known by their SHA-256 alone."""

    async def open(self, scope_id: int, new: NewHosted) -> str:
        """Return the id of a new session: 32 hexadecimal digits, good for 15 minutes."""
        ...

    async def find(self, session_id: str) -> Hosted | None:
        """Return a session, ended ones too for a day; see `Hosted.status_at`."""
        ...

    def now(self) -> int:
        """Return the time that sessions expire by, microseconds since 1970."""
        ...

    async def use(self, session_id: str) -> bool:
        """End a session that is active. False: it was not, nothing is done."""


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
        """Put a meter away; it can still be asked. Again is a no-op. Raises MeterNotFound, DefaultMeter."""
        ...


class Keys(Protocol):
    """The API keys of every scope. For writes and `once`, see `Customers`."""

    async def create(self, caller: Caller, name: str, once: Once | None = None) -> IssuedKey:
        """Make a key to the caller's scope. Only this result has its secret.

        Repeated through `once`, the result has none: secrets are not kept.
        """
        ...

    async def all(self, scope_id: int) -> Sequence[ApiKey]:
        """Return the scope's keys, revoked ones too, the newest first."""
        ...

    async def revoke(self, caller: Caller, ref: str, once: Once | None = None) -> ApiKey:
        """Let a key open nothing any more, in every process within a second. Again is a no-op.

        Raises KeyNotFound.
        """
        ...


class Providers(Protocol):
    """The tenants."""

    async def create(self, name: str, actor: str) -> Provider:
        """Make a provider with both its scopes, and the default meters in each. Raises ProviderNameTaken."""
        ...

    async def all(self) -> Sequence[Provider]:
        """Return every provider, the oldest first."""
        ...

    async def scope(self, name: str, environment: Environment) -> Scope:
        """Return the scope of the provider with this name or ref. Raises ProviderNotFound."""
        ...

    async def merchant(self, provider_ref: str) -> Merchant:
        """Return how a provider shows itself; what was never set is its name. Raises ProviderNotFound."""
        ...

    async def show_as(self, caller: Caller, merchant: Merchant) -> None:
        """Set how the caller's provider shows itself, in both environments."""
        ...


class Operators(Protocol):
    """Who signs in with an email and a password. Emails are compared in lower case, over all providers."""

    async def create(self, provider: str, email: str, password_hash: str, actor: str) -> Operator:
        """Make an operator of the provider with this name or ref. Raises ProviderNotFound, OperatorTaken."""
        ...

    async def all(self) -> Sequence[Operator]: ...

    async def change_password(self, email: str, password_hash: str, actor: str) -> None:
        """Change the password and end the operator's sessions. Raises OperatorNotFound."""
        ...

    async def remove(self, email: str, actor: str) -> None:
        """Remove an operator and end their sessions. Raises OperatorNotFound."""
        ...

    async def password_hash(self, email: str) -> str | None: ...

    async def failures(self, email: str) -> Failures:
        """Return the wrong passwords in a row, none once an hour has passed since the last."""
        ...

    async def note_failure(self, email: str) -> Failures:
        """Count a wrong password, also for an email nobody has. `Sessions.open_for` forgets them."""
        ...


class Sessions(Protocol):
    """Who is signed in, and the links that let them in. Secrets are known by their SHA-256 alone."""

    async def add_link(self, provider: str, link_sha256: bytes, actor: str) -> None:
        """Let a secret open one session of the provider, within 15 minutes. Raises ProviderNotFound."""
        ...

    async def open_with_link(self, link_sha256: bytes, sha256: bytes) -> Session:
        """Open a session and use up the link.

        Raises NotSignedIn: the link is unknown, used or expired; these cannot be told apart.
        """
        ...

    async def open_for(self, email: str, sha256: bytes) -> Session:
        """Open a session for an operator whose password was right. Raises NotSignedIn: there is none."""
        ...

    async def find(self, sha256: bytes) -> Session | None:
        """Return a session that is open, and note its use (written at most once a minute)."""
        ...

    async def end(self, sha256: bytes) -> None:
        """Let a session open nothing any more, in every process within a second. Again is a no-op."""
        ...


class Audit(Protocol):
    """Who wrote what in the catalog. Entries are added by the writes themselves, and never change."""

    async def page(self, scope_id: int, limit: int, after: AuditPlace | None = None) -> AuditPage:
        """Return the newest entries, or those that come after a place."""
        ...


class Tally(Protocol):
    """What came in and what became of it."""

    async def hours(self, scope_id: int, start: int, end: int) -> Sequence[TallyHour]:
        """Return the hours from `start` to before `end` (hours since 1970) that had events, in order."""
        ...

    async def rejections(self, scope_id: int) -> Sequence[KeptRejection]:
        """Return the scope's last 1000 rejections, the newest first."""
        ...


@dataclass(frozen=True, slots=True)
class Catalog:
    """Everything a deployment knows of providers and what belongs to them."""

    providers: Providers
    keys: Keys
    customers: Customers
    products: Products
    purchases: Purchases
    hosted: HostedSessions
    plans: Plans
    meters: Meters
    operators: Operators
    sessions: Sessions
    audit: Audit
    tally: Tally
    directory: Directory
    identities: Identities


class Warehouse(Protocol):
    """Events laid out for questions. A consumer of the log, and can be made again from it."""

    name: str

    async def position(self) -> int:
        """Return the log position up to which events are in every answer."""
        ...

    async def insert(self, records: Sequence[LogRecord]) -> None:
        """Add records that follow on `position`, all or none. Those at or before it are skipped; where the
        first of the others is not the next one, nothing is added: they come again, with what is missing."""
        ...

    async def usage(self, question: UsageQuestion) -> Sequence[UsageRow]:
        """Return one row over everything (group None), one for each group, and one for each of a group's
        buckets that is not empty; groups by value descending, the rest of them (`other`) last.

        Raises QueryTooLarge, WarehouseUnavailable.
        """
        ...

    async def events(
        self, matching: Filter, order: EventOrder, after: PageMark | None, limit: int
    ) -> Sequence[Event]:
        """Return up to `limit` events, newest first, starting after a mark. Raises WarehouseUnavailable."""
        ...

    async def event(self, scope_id: int, event_number: int) -> Event | None:
        """Return one event of the scope, of any kind. Raises WarehouseUnavailable."""
        ...

    async def time_span(self, matching: Filter) -> tuple[int, int] | None:
        """Return when the first and the last matching event happened; None when there are none."""
        ...
