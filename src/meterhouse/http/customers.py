"""Customers over HTTP: the contract's routes (solvapay.md §3.3), and the list for dashboards."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter
from msgspec import Raw, Struct

from meterhouse.http.purchase_answer import PurchaseAnswer, purchase_answer
from meterhouse.http.render import iso
from meterhouse.metering.credits import Credits
from meterhouse.metering.purchases import PurchaseView, PurchaseViews
from meterhouse.model import customer as rules
from meterhouse.model.customer import Customer, CustomerDetails, Deletion, NewCustomer
from meterhouse.model.errors import CustomerNotFound, ValidationFailed
from meterhouse.model.once import Once
from meterhouse.model.page import CustomerPlace, CustomerQuestion, CustomerSort
from meterhouse.model.tenant import Caller, Environment
from meterhouse.ports import Customers
from meterhouse.query.cursors import read_cursor, write_cursor


class CustomerAnswer(Struct, kw_only=True, rename="camel", omit_defaults=True):
    """purchases: the active ones."""

    reference: str
    name: str
    email: str
    purchases: tuple[PurchaseAnswer, ...]
    created_at: str
    updated_at: str
    external_ref: str | None = None
    description: str = ""
    telephone: str = ""
    metadata: Raw | None = None


class ListedCustomer(CustomerAnswer, kw_only=True, rename="camel", omit_defaults=True):
    """credits: the balance; heldCredits: of it, reserved by open holds."""

    credits: int
    held_credits: int


class CustomersAnswer(Struct, rename="camel"):
    """next_cursor: null at the end."""

    customers: tuple[ListedCustomer, ...]
    next_cursor: str | None


class DeletionAnswer(Struct):
    """action: sandbox deletes; live hides, or deactivates what was sold."""

    action: Deletion
    success: bool = True


class CustomerRoutes:
    def __init__(self, customers: Customers, views: PurchaseViews, credits_: Credits) -> None:
        self._customers = customers
        self._credits = credits_
        self._views = views

    async def create(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        data: JSONBody[NewCustomer],
    ) -> CustomerAnswer:
        """Create a customer, or link an external ref to the one who has this email."""
        rules.check_new(data)
        once = Once.of("createCustomer", key, data)
        return await self._answer(caller, await self._customers.create(caller, data, once))

    async def find(
        self,
        caller: NamedDependency[Caller],
        reference: Annotated[str | None, QueryParameter()] = None,
        external_ref: Annotated[str | None, QueryParameter(name="externalRef")] = None,
        email: Annotated[str | None, QueryParameter()] = None,
    ) -> CustomerAnswer:
        """Find the customer with this reference, external ref or email; give one of the three."""
        scope_id = caller.scope.id
        match reference, external_ref, email:
            case str(), None, None:
                customer = await self._customers.get(scope_id, reference)
            case None, str(), None:
                customer = await self._customers.with_external_ref(scope_id, external_ref)
            case None, None, str():
                customer = await self._customers.with_email(scope_id, email)
            case _:
                raise ValidationFailed.of("", "Must provide exactly one of reference, externalRef, or email")
        if customer is None:
            raise CustomerNotFound
        return await self._answer(caller, customer)

    async def get(self, caller: NamedDependency[Caller], reference: FromPath[str]) -> CustomerAnswer:
        """Get a customer."""
        customer = await self._customers.get(caller.scope.id, reference)
        if customer is None:
            raise CustomerNotFound.named(reference)
        return await self._answer(caller, customer)

    async def change(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
        data: JSONBody[CustomerDetails],
    ) -> CustomerAnswer:
        """Change what the body says, leave the rest."""
        rules.check_details(data)
        once = Once.of("updateCustomer", key, reference, data)
        return await self._answer(caller, await self._customers.change(caller, reference, data, once))

    async def delete(
        self,
        caller: NamedDependency[Caller],
        key: NamedDependency[str | None],
        reference: FromPath[str],
    ) -> DeletionAnswer:
        """Delete a customer; the events stay."""
        once = Once.of("deleteCustomer", key, reference)
        if caller.scope.environment is Environment.SANDBOX and await self._customers.get(
            caller.scope.id, reference
        ):
            await self._credits.forget(caller.scope.id, reference)
        return DeletionAnswer(await self._customers.delete(caller, reference, once))

    async def page(
        self,
        caller: NamedDependency[Caller],
        search: Annotated[str, QueryParameter(max_length=200)] = "",
        sort: Annotated[CustomerSort, QueryParameter()] = CustomerSort.NEWEST,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 50,
        cursor: Annotated[str | None, QueryParameter()] = None,
    ) -> CustomersAnswer:
        """List customers; `search` looks in name, email, externalRef and reference."""
        place = read_cursor(cursor, CustomerPlace, "customers", search, sort)
        question = CustomerQuestion(search=search, sort=sort, limit=limit, after=place)
        page = await self._customers.page(caller.scope.id, question)
        return CustomersAnswer(
            await self._listed(caller.scope.id, page.customers),
            None if page.next is None else write_cursor(page.next, "customers", search, sort),
        )

    async def _listed(self, scope_id: int, customers: Sequence[Customer]) -> tuple[ListedCustomer, ...]:
        """However many customers a page has, the stores are asked as often as for one."""
        refs = [customer.ref for customer in customers]
        active = await self._views.active_of_each(scope_id, refs)
        balances = await self._credits.balances(scope_id, refs)
        return tuple(
            ListedCustomer(
                **msgspec.structs.asdict(customer_answer(customer, active[customer.ref])),
                credits=balances[customer.ref].credits,
                held_credits=balances[customer.ref].held,
            )
            for customer in customers
        )

    async def _answer(self, caller: Caller, customer: Customer) -> CustomerAnswer:
        return customer_answer(customer, await self._views.active_of(caller.scope.id, customer.ref))


def customer_answer(customer: Customer, active: Sequence[PurchaseView]) -> CustomerAnswer:
    """active: the customer's purchases that give access now."""
    return CustomerAnswer(
        reference=customer.ref,
        name=customer.name,
        email=customer.email,
        purchases=tuple(map(purchase_answer, active)),
        created_at=iso(customer.created_at),
        updated_at=iso(customer.updated_at),
        external_ref=customer.external_ref,
        description=customer.description,
        telephone=customer.telephone,
        metadata=msgspec.Raw(customer.metadata),
    )
