"""How a provider shows itself to its customers (contract §3.8), and what may be said there."""

import re
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model import text
from meterhouse.model.errors import FieldError, ValidationFailed

_MAX_WORDS: Final = 200
_MAX_URL: Final = 2_000
_MAX_CURRENCIES: Final = 200
_COUNTRY: Final = re.compile("[A-Z]{2}")


class Merchant(Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """Left out: not set."""

    display_name: str
    legal_name: str
    support_email: str | None = None
    support_url: str | None = None
    terms_url: str | None = None
    privacy_url: str | None = None
    country: str | None = None
    company_number: str | None = None
    tax_id: str | None = None
    vat_number: str | None = None
    default_currency: str | None = None
    supported_topup_currencies: tuple[str, ...] | None = None
    statement_descriptor: str | None = None
    logo_url: str | None = None
    icon_url: str | None = None


class _Known(Merchant, forbid_unknown_fields=True, kw_only=True, frozen=True, rename="camel"):
    """A field that is misspelled would be left out in silence."""


def read_merchant(body: bytes) -> Merchant:
    """Read a merchant from JSON. Raises ValidationFailed, naming each fault; msgspec's DecodeError."""
    said = msgspec.json.decode(body, type=_Known)
    if errors := _faults(said):
        raise ValidationFailed(errors)
    return Merchant(**msgspec.structs.asdict(said))


def _faults(said: Merchant) -> list[FieldError]:
    sentences: dict[str, str | None] = {
        "displayName": _name_fault(said.display_name),
        "legalName": _name_fault(said.legal_name),
        "supportEmail": said.support_email and text.email_fault(said.support_email),
        "country": said.country and _country_fault(said.country),
        "defaultCurrency": said.default_currency and text.currency_fault(said.default_currency),
        "supportedTopupCurrencies": _currencies_fault(said.supported_topup_currencies or ()),
        "companyNumber": text.length_fault(said.company_number or "", _MAX_WORDS),
        "taxId": text.length_fault(said.tax_id or "", _MAX_WORDS),
        "vatNumber": text.length_fault(said.vat_number or "", _MAX_WORDS),
        "statementDescriptor": text.length_fault(said.statement_descriptor or "", _MAX_WORDS),
    }
    for path, url in (
        ("supportUrl", said.support_url),
        ("termsUrl", said.terms_url),
        ("privacyUrl", said.privacy_url),
        ("logoUrl", said.logo_url),
        ("iconUrl", said.icon_url),
    ):
        sentences[path] = url and _url_fault(url)
    return [FieldError(path, sentence) for path, sentence in sentences.items() if sentence]


def _name_fault(name: str) -> str | None:
    return "must not be empty" if not name.strip() else text.length_fault(name, _MAX_WORDS)


def _url_fault(url: str) -> str | None:
    if not url.startswith(("https://", "http://")):
        return "must be an absolute URL, e.g. https://example.com/terms"
    return text.length_fault(url, _MAX_URL)


def _currencies_fault(currencies: tuple[str, ...]) -> str | None:
    if len(currencies) > _MAX_CURRENCIES or any(map(text.currency_fault, currencies)):
        return f"must be at most {_MAX_CURRENCIES} ISO 4217 codes, e.g. USD"
    return None


def _country_fault(given: str) -> str | None:
    return None if _COUNTRY.fullmatch(given) else "must be an ISO 3166 code, e.g. SE"
