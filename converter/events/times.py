"""When an event happened."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

# Sysmon's UtcTime is the event's own time: its record is written up to seconds later, in another order.
_KEYS = (
    "UtcTime",
    "TimeCreated_SystemTime",
    "SystemTime",
    "TimeCreated",
    "@timestamp",
    "Timestamp",
    "timestamp",
    "TimeGenerated",
    "EventTime",
    # Zeek's.
    "ts",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?", re.ASCII)
_TIME = re.compile(
    r"\s*(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?)?\s*"
    r"(Z|UTC|[+-]\d{2}:?\d{2})?\s*",
    re.ASCII,
)
# Numbers at or above this are milliseconds since 1970: as seconds they would lie after the year 5138.
_MILLISECONDS_FROM = 100_000_000_000


def datetime_of(value: object) -> datetime | None:
    """Read a time: ISO 8601 or Sysmon's ``2020-10-19 07:30:46.319`` (UTC if no zone), or an epoch number.

    Epoch numbers (also as text) are seconds, or milliseconds from 100,000,000,000 on. Fractions finer than
    microseconds (Windows writes 100 ns) are cut.

    Returns:
        The time in UTC, or None where the value is no time.
    """
    try:
        if isinstance(value, bool):
            return None
        if isinstance(value, (int, float)):
            return _from_epoch(value)
        if not isinstance(value, str):
            return None
        found = _TIME.fullmatch(value)
        if found is None:
            return _from_epoch(float(value)) if _NUMBER.fullmatch(value) else None
        year, month, day, hour, minute, second, fraction, zone = found.groups()
        time = datetime(
            int(year),
            int(month),
            int(day),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int((fraction or "0")[:6].ljust(6, "0")),
            UTC,
        )
        return time - _offset(zone) if zone and zone[0] in "+-" else time
    except (ValueError, OverflowError, OSError):
        return None


def _from_epoch(number: float) -> datetime:
    seconds = number / 1000 if abs(number) >= _MILLISECONDS_FROM else number
    return _EPOCH + timedelta(seconds=seconds)


def _offset(zone: str) -> timedelta:
    offset = timedelta(hours=int(zone[1:3]), minutes=int(zone[-2:]))
    return -offset if zone[0] == "-" else offset


@lru_cache(maxsize=1024)
def _minute(text: str) -> int | None:
    """Return the milliseconds since 1970 of ``2020-10-19 07:30``."""
    time = datetime_of(text)
    return None if time is None else (time - _EPOCH) // _MILLISECOND


def _sysmon(text: str) -> int | None:
    """Read ``2020-10-19 07:30:46.319``, many times faster than `datetime_of`; None for another form."""
    if len(text) != 23 or text[16] != ":" or text[19] != "." or not text.isascii():
        return None
    second, fraction = text[17:19], text[20:]
    if not (second.isdigit() and fraction.isdigit() and second < "60"):
        return None
    minute = _minute(text[:16])
    return None if minute is None else minute + int(second) * 1000 + int(fraction)


def time_of(event: Mapping[str, Any]) -> int | None:
    """Return a flat event's own time in milliseconds since 1970 (UTC), or None if it has none.

    Sysmon's UtcTime goes before the time of the record; then the usual names of collectors.
    """
    own = event.get("UtcTime")
    if isinstance(own, str) and (milliseconds := _sysmon(own)) is not None:
        return milliseconds
    for key in _KEYS:
        value = event.get(key)
        if value is not None:
            time = datetime_of(value)
            if time is not None:
                return (time - _EPOCH) // _MILLISECOND
    return None
