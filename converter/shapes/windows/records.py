"""What the shapes of Windows event logs share: the parts of a flat record, its texts and its times.

A flat record is what `match` reads: keys of ``System`` (EventID, Channel, Provider_Name, Computer,
TimeCreated ...) and of ``EventData`` on one level, values as text, int or bool.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

SYSMON = "Microsoft-Windows-Sysmon"
SYSMON_CHANNEL = "Microsoft-Windows-Sysmon/Operational"

SYSTEM_KEYS = frozenset(
    {
        "@timestamp",
        "ActivityID",
        "Channel",
        "Computer",
        "Correlation",
        "Correlation_ActivityID",
        "EventID",
        "EventRecordID",
        "Execution_ProcessID",
        "Execution_ThreadID",
        "Keywords",
        "Level",
        "Opcode",
        "Provider_Guid",
        "Provider_Name",
        "Qualifiers",
        "Security_UserID",
        "SystemTime",
        "Task",
        "TimeCreated",
        "TimeCreated_SystemTime",
    }
)
"""Keys of a flat record that come from the record's header; every other key is a ``Data`` element."""

_TIME_KEYS = ("TimeCreated", "TimeCreated_SystemTime", "SystemTime")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

WRITE_DELAY = {3: timedelta(milliseconds=1500)}
"""How much later than UtcTime Sysmon writes a record, by event id, where the record has no time of its
own: network connections come one to two seconds late (seen in public logs), the rest at once."""


def text(value: Any) -> str:
    """Return a value as the rendered XML of the event log has it."""
    if isinstance(value, str):  # Nearly all are.
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def event_id(event: Mapping[str, Any]) -> int | None:
    """Return EventID as a number, or None if there is none."""
    try:
        return int(text(event.get("EventID", "")))
    except ValueError:
        return None


def is_sysmon(event: Mapping[str, Any]) -> bool:
    """Say whether Sysmon wrote the record; one that names neither provider nor channel counts as Sysmon's."""
    if event.get("Provider_Name"):
        return bool(event["Provider_Name"] == SYSMON)
    return "sysmon" in str(event.get("Channel") or SYSMON_CHANNEL).lower()


def provider(event: Mapping[str, Any]) -> str:
    """Return the provider; Sysmon's where a record of Sysmon does not name it."""
    return text(event.get("Provider_Name") or (SYSMON if is_sysmon(event) else ""))


def channel(event: Mapping[str, Any]) -> str:
    """Return the channel; Sysmon's where a record of Sysmon does not name it."""
    return text(event.get("Channel") or (SYSMON_CHANNEL if is_sysmon(event) else ""))


def event_data(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the ``Data`` elements with their texts; a null value is an element that is not there."""
    data = {key: text(value) for key, value in event.items() if key not in SYSTEM_KEYS and value is not None}
    if event_id(event) != 4:  # Only event 4 has an element of that name: elsewhere it is the header's.
        data.pop("Version", None)
    return data


def parse_time(value: Any) -> datetime | None:
    """Return a moment in UTC from Sysmon's or the event log's notation, or None if it is neither.

    Sysmon writes ``2019-03-18 16:57:48.250``, the log ``2019-03-18T16:57:48.250123400Z``.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    written = str(value).strip().replace(" UTC", "").replace("Z", "+00:00")
    head, dot, rest = written.partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        written = f"{head}.{digits[:6].ljust(6, '0')}{rest[len(digits) :]}"
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def utc_time(event: Mapping[str, Any]) -> datetime | None:
    """Return the event's own time (Sysmon's UtcTime), or None."""
    return parse_time(event["UtcTime"]) if event.get("UtcTime") else None


def record_time(event: Mapping[str, Any]) -> datetime:
    """Return the record's time: TimeCreated, else UtcTime and `WRITE_DELAY`, else the epoch.

    A record with neither may have its time under a collector's name, ``@timestamp``.
    """
    for key in _TIME_KEYS:
        if event.get(key) and (moment := parse_time(event[key])):
            return moment
    own = utc_time(event)
    if own is not None:
        return own + WRITE_DELAY.get(event_id(event) or 0, timedelta())
    return parse_time(event.get("@timestamp") or "") or _EPOCH


def without(event: Mapping[str, Any], empty: frozenset[str]) -> dict[str, Any]:
    """Return the record without the ``Data`` elements whose text is one of ``empty``.

    Nor has it an EventID that is no number: each record has one, so no platform has a place for another.
    """
    return {
        key: value
        for key, value in event.items()
        if (key in SYSTEM_KEYS and (key != "EventID" or event_id(event) is not None))
        or (key not in SYSTEM_KEYS and value is not None and text(value) not in empty)
    }
