"""How a provider shows itself to its customers (contract §3.8), and what may be said there."""

import re
from typing import Final

import msgspec
from msgspec import Struct

from meterhouse.model import text
from meterhouse.model.credit import CREDITS_PER_MINOR_UNIT
from meterhouse.model.errors import FieldError, ValidationFailed

_MAX_WORDS: Final = 200
_MAX_CURRENCIES: Final = 200
_MAX_CREDITS: Final = 1_000_000
_CURRENCY: Final = "USD"
"""The currency of a seller who has named none."""
_COUNTRY: Final = re.compile("[A-Z]{2}")


class Merchant(Struct, kw_only=True, frozen=True, rename="camel", omit_defaults=True):
    """Left out: not set.

    credits_per_minor_unit: by currency, upper case, how many credits one minor unit of it buys.
    """

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
    credits_per_minor_unit: dict[str, int] | None = None

    @property
    def topup_currencies(self) -> tuple[str, ...]:
        """The currencies in which credits are sold, upper case; the first is the default one."""
        said = (self.default_currency, *(self.supported_topup_currencies or ()))
        return tuple(dict.fromkeys(each.upper() for each in said if each)) or (_CURRENCY,)

    def credits_for(self, amount: int, currency: str) -> int:
        """Return the credits that an amount of minor units buys: 100 each, or what the seller has set."""
        said = self.credits_per_minor_unit or {}
        return amount * said.get(currency, CREDITS_PER_MINOR_UNIT)


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
        "displayName": text.name_fault(said.display_name, at_least=1, at_most=_MAX_WORDS),
        "legalName": text.name_fault(said.legal_name, at_least=1, at_most=_MAX_WORDS),
        "supportEmail": said.support_email and text.email_fault(said.support_email),
        "country": said.country and _country_fault(said.country),
        "defaultCurrency": said.default_currency and text.currency_fault(said.default_currency),
        "supportedTopupCurrencies": _currencies_fault(said.supported_topup_currencies or ()),
        "creditsPerMinorUnit": _rates_fault(said.credits_per_minor_unit or {}),
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
        sentences[path] = url and text.url_fault(url)
    return [FieldError(path, sentence) for path, sentence in sentences.items() if sentence]


def _currencies_fault(currencies: tuple[str, ...]) -> str | None:
    if len(currencies) > _MAX_CURRENCIES or any(map(text.currency_fault, currencies)):
        return f"must be at most {_MAX_CURRENCIES} ISO 4217 codes, e.g. USD"
    return None


def _rates_fault(rates: dict[str, int]) -> str | None:
    if len(rates) > _MAX_CURRENCIES or any(
        text.currency_fault(currency) or not currency.isupper() or not 1 <= rate <= _MAX_CREDITS
        for currency, rate in rates.items()
    ):
        return f'must map ISO 4217 codes to whole numbers, 1 to {_MAX_CREDITS}, e.g. {{"EUR": 108}}'
    return None


def _country_fault(given: str) -> str | None:
    return None if _COUNTRY.fullmatch(given) else "must be an ISO 3166 code, e.g. SE"
