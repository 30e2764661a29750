"""Products, and how the provider shows itself. Writes carry an idempotency key made once for the call."""

from collections.abc import Mapping
from typing import Any, Final, Literal
from urllib.parse import quote

import msgspec

from meterhouse_sdk._answers import Deleted, Merchant, PlatformConfig, Product, ProductPage, read
from meterhouse_sdk._protocol import Operation, Request
from meterhouse_sdk._publish import new_key

_PRODUCTS: Final = "/v1/sdk/products"
_encode: Final = msgspec.json.Encoder(decimal_format="number").encode


def create_product(  # noqa: PLR0913 - the fields of a product
    *,
    name: str,
    reference: str | None = None,
    description: str | None = None,
    product_type: str | None = None,
    image_url: str | None = None,
    config: Mapping[str, Any] | None = None,  # Any: JSON
    metadata: Mapping[str, Any] | None = None,  # Any: JSON
    idempotency_key: str | None = None,
) -> Operation[Product]:
    """Create a product. `name` has 2 to 100 characters and is unique.

    reference: your own ref (`prd_` and 1 to 16 of A-Z a-z 0-9 _ -); None: the server mints one.

    Raises ValidationFailed, ProductNameTaken, ReferenceTaken: nothing was written.
    """
    reply = yield Request(
        "POST",
        _PRODUCTS,
        repeatable=True,
        body=encoded(
            name=name,
            reference=reference,
            description=description,
            productType=product_type,
            imageUrl=image_url,
            config=config,
            metadata=metadata,
        ),
        idempotency_key=idempotency_key or new_key(),
    )
    return read(reply, Product)


def list_products(
    *,
    limit: int = 50,
    offset: int = 0,
    search: str | None = None,
    status: Literal["active", "inactive"] | None = None,
) -> Operation[ProductPage]:
    """Return up to `limit` (1 to 100) products, the newest first. `search`: part of name or description."""
    params = [("limit", str(limit)), ("offset", str(offset))]
    params += [(name, text) for name, text in (("search", search), ("status", status)) if text is not None]
    reply = yield Request("GET", _PRODUCTS, repeatable=True, params=tuple(params))
    return read(reply, ProductPage)


def get_product(product_ref: str) -> Operation[Product]:
    """Return a product with its plans. Raises ProductNotFound."""
    reply = yield Request("GET", _path(product_ref), repeatable=True)
    return read(reply, Product)


def update_product(  # noqa: PLR0913 - the fields of a product
    product_ref: str,
    *,
    name: str | None = None,
    description: str | None = None,
    product_type: str | None = None,
    image_url: str | None = None,
    config: Mapping[str, Any] | None = None,  # Any: JSON
    metadata: Mapping[str, Any] | None = None,  # Any: JSON
) -> Operation[Product]:
    """Change what is given and leave the rest. Return the whole product.

    Raises ProductNotFound, ValidationFailed, ProductNameTaken: nothing was changed.
    """
    reply = yield Request(
        "PUT",
        _path(product_ref),
        repeatable=True,
        body=encoded(
            name=name,
            description=description,
            productType=product_type,
            imageUrl=image_url,
            config=config,
            metadata=metadata,
        ),
        idempotency_key=new_key(),
    )
    return read(reply, Product)


def delete_product(product_ref: str) -> Operation[Deleted]:
    """Delete a product: for good in sandbox; in live hidden, or deactivated where it was bought.

    Raises ProductNotFound, also for one that is deleted already.
    """
    reply = yield Request("DELETE", _path(product_ref), repeatable=True, idempotency_key=new_key())
    return read(reply, Deleted)


def clone_product(
    product_ref: str, *, name: str | None = None, idempotency_key: str | None = None
) -> Operation[Product]:
    """Copy a product and its plans under new refs. Without a name it is called `… (Copy)`.

    Raises ProductNotFound, ValidationFailed, ProductNameTaken: nothing was written.
    """
    reply = yield Request(
        "POST",
        f"{_path(product_ref)}/clone",
        repeatable=True,
        body=encoded(name=name),
        idempotency_key=idempotency_key or new_key(),
    )
    return read(reply, Product)


def merchant() -> Operation[Merchant]:
    """Return what the provider shows of itself to its customers."""
    reply = yield Request("GET", "/v1/sdk/merchant", repeatable=True)
    return read(reply, Merchant)


def platform_config() -> Operation[PlatformConfig]:
    """Return the provider and environment of the key, and the values that a browser may see."""
    reply = yield Request("GET", "/v1/sdk/platform-config", repeatable=True)
    return read(reply, PlatformConfig)


def _path(product_ref: str) -> str:
    return f"{_PRODUCTS}/{quote(product_ref, safe='')}"


def encoded(**fields: object) -> bytes:
    """Return the fields that are not None as a JSON body."""
    return _encode({name: value for name, value in fields.items() if value is not None})
