"""What a value of an event is as text, as a number and as a time.

An event is a flat mapping from field name to value: text, number, boolean, null or a list of these.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

Event = Mapping[str, Any]

_ASCII_UPPER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE = re.compile(r"[+-]?\d+", re.ASCII)
# A fraction finer than microseconds (Windows writes 100 ns) is cut: datetime cannot hold it.
_TIME = re.compile(
    r"(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*"
    r"(Z|UTC|[+-]\d{2}:?\d{2})?",
    re.ASCII,
)
# Epoch numbers at or above this are milliseconds: in seconds they would lie after the year 5138.
_MILLISECONDS_FROM = 100_000_000_000


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


def datetime_of(value: object) -> datetime | None:
    """Read a time: ISO 8601 or Sysmon's ``2020-10-19 07:30:46.319``, without zone UTC, or an epoch number.

    Epoch numbers (also as text) are seconds, or milliseconds from 100,000,000,000 on.

    Returns:
        The time in UTC, or None where the value is no time.
    """
    number = number_of(value)
    try:
        if number is not None:
            seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
            return datetime.fromtimestamp(seconds, UTC)
        found = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
        if found is None:
            return None
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        text = f"{year}-{month}-{day}T{hour or '00'}:{minute or '00'}:{second or '00'}"
        text += "." + (fraction or "0")[:6].ljust(6, "0")
        return datetime.fromisoformat(text + _offset(zone)).astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _offset(zone: str | None) -> str:
    if zone in (None, "Z", "UTC"):
        return "+00:00"
    return zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
