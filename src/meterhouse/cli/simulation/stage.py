"""What the simulation needs on the server: its products and customers, found or made."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from typing import Final

from meterhouse.cli.simulation.company import CHAT, PRODUCTS, Company, Customer, Product
from meterhouse_sdk import Conflict, Meterhouse, ProductNotFound

_AT_ONCE: Final = 8
_NOTE: Final = "demoFirstDay"


def first_day(client: Meterhouse, today: date) -> date:
    """Return the company's first day: that of its first run, which a product's metadata keeps.

    So that another run, another day, sends the same events for the same minutes.
    """
    noted = _found_or_made(client, CHAT, today)
    try:
        return date.fromisoformat(noted)
    except ValueError:
        return today


def set_up(client: Meterhouse, company: Company, today: date, made: Callable[[], None]) -> dict[str, str]:
    """Return the customers' refs by external ref. made: is called once for each."""
    for product in PRODUCTS:
        _found_or_made(client, product, today)

    def ref_of(customer: Customer) -> str:
        email = f"{customer.external_ref}@demo.local"
        found = client.ensure_customer(customer.external_ref, email=email, name=customer.name)
        made()
        return found.reference

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        refs = threads.map(ref_of, company.customers)
        return {customer.external_ref: ref for customer, ref in zip(company.customers, refs, strict=True)}


def _found_or_made(client: Meterhouse, product: Product, today: date) -> str:
    """Return the product's note of the first day, "" when it has none."""
    try:
        found = client.get_product(product.ref)
    except ProductNotFound:
        try:
            found = client.create_product(
                reference=product.ref, name=product.name, product_type="api", metadata={_NOTE: str(today)}
            )
        except Conflict:  # another demo was faster
            found = client.get_product(product.ref)
    return str((found.metadata or {}).get(_NOTE, ""))
