"""Products: what a provider sells. And the decisions about them, without I/O."""

from decimal import Decimal
from typing import Any, Final

import msgspec
from msgspec import Struct

from meterhouse.model import text, units
from meterhouse.model.customer import Deletion
from meterhouse.model.errors import FieldError, ValidationFailed
from meterhouse.model.ref import Prefix, is_ref
from meterhouse.model.tenant import Environment
from meterhouse.model.units import Number

MAX_NAME: Final = text.MAX_NAME
MAX_PRODUCT_TYPE: Final = 100
_MAX_URL: Final = 2_000
_MAX_WORD: Final = 100
_MAX_VALIDITY_DAYS: Final = 36_500
_STATUSES: Final = ("active", "inactive", "suspended")
_TAX_BEHAVIORS: Final = ("auto", "inclusive", "exclusive")


class ProductConfig(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """validity_period: days, a whole number (19.0 is one)."""

    fulfillment_type: str | None = None
    validity_period: Number = None
    delivery_method: str | None = None


class Product(Struct, frozen=True, kw_only=True):
    """config, metadata: canonical JSON text of an object. Times: microseconds since 1970."""

    ref: str
    name: str
    description: str = ""
    image_url: str = ""
    product_type: str = ""
    status: str = "active"
    is_mcp_pay: bool = False
    tax_behavior: str = ""
    default_currency: str = ""
    config: str = "{}"
    metadata: str = "{}"
    created_at: int
    updated_at: int

    @property
    def is_active(self) -> bool:
        """Whether it is sold to somebody new."""
        return self.status == "active"


class ProductDetails(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a request says of a product. Left out or null: not said. An empty text takes a value away.

    type: what one client calls productType.
    """

    name: str | None = None
    description: str | None = None
    image_url: str | None = None
    product_type: str | None = None
    type: str | None = None
    status: str | None = None
    is_mcp_pay: bool | None = None
    tax_behavior: str | None = None
    default_currency: str | None = None
    config: ProductConfig | None = None
    metadata: dict[str, Any] | None = None  # Any: any JSON value


class NewProduct(ProductDetails, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """reference: the product's own ref (`prd_…`); left out, one is minted."""

    reference: str | None = None


class CloneDetails(Struct, frozen=True, kw_only=True, rename="camel"):
    """name: the clone's; left out, the original's with `(Copy)`. newName: what one client calls it."""

    name: str | None = None
    new_name: str | None = None


class ProductQuestion(Struct, frozen=True, kw_only=True):
    """search: part of a name or description, in any case of ASCII letters. None: any."""

    limit: int = 50
    offset: int = 0
    search: str | None = None
    status: str | None = None
    is_mcp_pay: bool | None = None


class ProductPage(Struct, frozen=True):
    """total: how many there are over all pages."""

    products: tuple[Product, ...]
    total: int


def deletion(environment: Environment, *, has_purchases: bool) -> Deletion:
    """Contract §3.4: in live, what was sold is deactivated and stays in sight."""
    if environment is Environment.SANDBOX:
        return Deletion.DELETED
    return Deletion.DEACTIVATED if has_purchases else Deletion.SOFT_DELETED


def check_new(new: NewProduct) -> None:
    """Raises ValidationFailed, naming every fault."""
    errors = _faults(new)
    if new.name is None:
        errors.insert(0, FieldError("name", "is required"))
    if new.reference is not None and not is_ref(new.reference, Prefix.PRODUCT):
        errors.append(FieldError("reference", "must be prd_ and 1 to 16 of A-Z a-z 0-9 _ -"))
    if errors:
        raise ValidationFailed(errors)


def check_details(details: ProductDetails) -> None:
    """Raises ValidationFailed, naming every fault."""
    if errors := _faults(details):
        raise ValidationFailed(errors)


def clone_name(asked: CloneDetails) -> str | None:
    """Return the name asked for, None for none. Raises ValidationFailed."""
    name = asked.name if asked.name is not None else asked.new_name
    if name is not None and (fault := text.name_fault(name, at_least=1)):
        raise ValidationFailed.of("name", fault)
    return name


def copy_name(name: str, number: int) -> str:
    """Return the name of the `number`th copy, cut so that it fits."""
    suffix = " (Copy)" if number == 1 else f" (Copy {number})"
    return name[: MAX_NAME - len(suffix)] + suffix


def created(new: NewProduct, ref: str, now_us: int) -> Product:
    blank = Product(ref=ref, name=new.name or "", created_at=now_us, updated_at=now_us)
    return changed(blank, new, now_us)


def changed(product: Product, details: ProductDetails, now_us: int) -> Product:
    """Return the product with what `details` says; what it does not say stays."""
    said = {
        name: value
        for name in ("name", "description", "image_url", "product_type", "status", "is_mcp_pay",
                     "tax_behavior", "default_currency")
        if (value := getattr(details, name)) is not None
    }  # fmt: skip
    if details.type is not None and details.product_type is None:
        said["product_type"] = details.type
    if details.config is not None:
        said["config"] = _merged(product.config, details.config)
    if details.metadata is not None:
        said["metadata"] = text.canonical(details.metadata)
    return msgspec.structs.replace(product, **said, updated_at=now_us)


def deactivated(product: Product, now_us: int) -> Product:
    """Return the product as it is once it is sold no more."""
    return msgspec.structs.replace(product, status="inactive", updated_at=now_us)


def _merged(config: str, said: ProductConfig) -> str:
    merged = msgspec.json.decode(config) | msgspec.to_builtins(said, builtin_types=(Decimal,))
    if said.validity_period is not None:
        merged["validityPeriod"] = int(said.validity_period)
    return text.canonical(merged)


def _faults(details: ProductDetails) -> list[FieldError]:
    d = details
    sentences = {
        "name": d.name is not None and text.name_fault(d.name, at_least=2),
        "description": d.description is not None and text.description_fault(d.description),
        "imageUrl": d.image_url and text.url_fault(d.image_url, _MAX_URL),
        "productType": d.product_type is not None and text.length_fault(d.product_type, MAX_PRODUCT_TYPE),
        "type": d.type is not None and text.length_fault(d.type, MAX_PRODUCT_TYPE),
        "status": d.status is not None and _choice_fault(d.status, _STATUSES),
        "taxBehavior": d.tax_behavior is not None and _choice_fault(d.tax_behavior, _TAX_BEHAVIORS),
        "defaultCurrency": d.default_currency and text.currency_fault(d.default_currency),
        "metadata": d.metadata is not None and text.metadata_fault(d.metadata),
    }
    if d.config is not None:
        sentences["config.validityPeriod"] = _validity_fault(d.config.validity_period)
        sentences["config.fulfillmentType"] = text.length_fault(d.config.fulfillment_type or "", _MAX_WORD)
        sentences["config.deliveryMethod"] = text.length_fault(d.config.delivery_method or "", _MAX_WORD)
    return [FieldError(path, sentence) for path, sentence in sentences.items() if sentence]


def _choice_fault(given: str, choices: tuple[str, ...]) -> str | None:
    return None if given in choices else f"must be one of {', '.join(choices)}"


def _validity_fault(days: Number) -> str | None:
    if days is None or units.whole_between(days, 1, _MAX_VALIDITY_DAYS):
        return None
    return f"must be a whole number of days, 1 to {_MAX_VALIDITY_DAYS}"
