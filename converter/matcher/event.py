"""What a value of an event is as text and as a number.

An event is a flat mapping from field name to value: text, number, boolean, null or a list of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

Event = Mapping[str, Any]

_ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)


def fold(text: str) -> str:
    """Lower the ASCII letters only: Sigma ignores case, and platforms disagree on all other letters."""
    return text.lower() if text.isascii() else text.translate(_ASCII_UPPER)


def text_of(value: object) -> str:
    """Return the text of one value that is not null: booleans as JSON writes them, objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)


def values_of(value: object) -> Iterator[object]:
    """Yield the values of a field that are not null; a list is a field with several values."""
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from values_of(item)
    elif value is not None:
        yield value


def number_of(value: object) -> int | float | None:
    """Return the number that a value is or that its whole text is; else None (booleans are no numbers)."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    if isinstance(value, str) and _NUMBER.fullmatch(value):
        return int(value) if _WHOLE.fullmatch(value) else float(value)
    return None


def numeral(number: int | float) -> str:
    """Return a number as it is written in decimal: no exponent, and no fraction that is zero."""
    return str(number) if isinstance(number, int) else f"{Decimal(repr(number)):f}".removesuffix(".0")
