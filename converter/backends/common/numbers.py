"""How a rule's number is written in a query."""

from __future__ import annotations

from decimal import Decimal

from converter.errors import Refusal

_LONG = 2**63


def numeral(number: int | float) -> str:
    """Return a number's digits, never with an exponent: the text that a field of strings holds."""
    return str(number) if isinstance(number, int) else f"{Decimal(repr(number)):f}".removesuffix(".0")


def whole(number: int | float) -> int | float:
    """Return the number if it is no whole number that the platform's long (64 bits) cannot hold.

    Raises:
        Refusal: SC203.
    """
    if isinstance(number, int) and not -_LONG <= number < _LONG:
        raise Refusal("SC203", f"the number {number} has more than the 64 bits of a long")
    return number
