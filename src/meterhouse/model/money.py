"""Money in minor units of a currency: how many make a major one, and how an amount is written for people."""

from decimal import Decimal
from typing import Final

_NO_DIGITS: Final = frozenset((
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "MGA", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
    "XAF", "XOF", "XPF",
))  # fmt: skip
_THREE_DIGITS: Final = frozenset(("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"))
_MOST_PLACES: Final = -12  # with more, decimals would be rounded before anybody could tell
_SYMBOLS: Final = {
    "AUD": "A$", "BRL": "R$", "CAD": "CA$", "CNY": "CN¥", "CZK": "Kč", "DKK": "kr", "EUR": "€", "GBP": "£",
    "HKD": "HK$", "ILS": "₪", "INR": "₹", "JPY": "¥", "KRW": "₩", "MXN": "MX$", "NOK": "kr", "NZD": "NZ$",
    "PLN": "zł", "SEK": "kr", "SGD": "S$", "THB": "฿", "TRY": "₺", "UAH": "₴", "USD": "$", "VND": "₫",
    "ZAR": "R",
}  # fmt: skip


def minor_digits(currency: str) -> int:
    """Return how many decimal places a currency has: 2 for USD, 0 for JPY. ISO 4217, upper case."""
    if currency in _NO_DIGITS:
        return 0
    return 3 if currency in _THREE_DIGITS else 2


def symbol(currency: str) -> str:
    """Return the currency's symbol; its code where it has none of its own."""
    return _SYMBOLS.get(currency, currency)


def to_minor(major: Decimal, currency: str) -> int | None:
    """Return the minor units of an amount below 10^15; None where it has too many decimal places."""
    exponent = major.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _MOST_PLACES:
        return None
    minor = major.scaleb(minor_digits(currency))
    return int(minor) if minor == minor.to_integral_value() else None


def to_major(minor: Decimal | int, currency: str) -> Decimal:
    return Decimal(minor).scaleb(-minor_digits(currency))


def formatted(minor: int, currency: str) -> str:
    """Return an amount for people: "$5.00", "¥500", "5.00 kr"."""
    digits = minor_digits(currency)
    amount = f"{to_major(minor, currency):,.{digits}f}"
    sign = symbol(currency)
    return f"{amount} {sign}" if sign[-1].isalpha() else f"{sign}{amount}"
