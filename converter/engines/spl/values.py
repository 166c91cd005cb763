"""Values of fields: text, number, boolean, null (None) or several (a list)."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Any

Row = dict[str, Any]
"""One event or result: field to value. A field that is null is not in it."""

_NUMBER = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/\d{1,3}", re.ASCII)


def number(value: Any) -> int | float | None:
    """Return the number that a value is or that its whole text reads as; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value) if _WHOLE.fullmatch(value) else float(value)
    return None


def text(value: Any) -> str:
    """Return a value's text; whole floats are written without a fraction."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "True" if value else "False"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)


def each(value: Any) -> list[Any]:
    """Return the values of a field."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


@lru_cache(maxsize=4096)
def network(written: str) -> IPv4Network | IPv6Network | None:
    """Return the network that a text in CIDR notation names, or None if it is none."""
    if not _CIDR.fullmatch(written):
        return None
    try:
        return ip_network(written, strict=False)
    except ValueError:
        return None


def within(address: str, net: IPv4Network | IPv6Network) -> bool:
    """Tell whether a text is an address of the network; an address of the other version never is."""
    try:
        return ip_address(address) in net
    except ValueError:
        return False


def ordered(left: Any, right: Any) -> tuple[Any, Any]:
    """Return both as numbers if both are, else both as text (numeric or lexicographic comparison)."""
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one, other
    return text(left), text(right)


COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}
