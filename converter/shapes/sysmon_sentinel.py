"""How Microsoft Sentinel stores Sysmon's events: table ``Event``, and table ``WindowsEvent``.

``Event`` is where the Azure Monitor Agent's Windows event rules write: EventData is the record's XML as text,
inside a DataItem element, entities escaped. ``WindowsEvent`` comes from the Forwarded Events connector:
EventData is dynamic, one property per named Data element. Columns: Azure Monitor's table reference
(``event``, ``windowsevent``); the XML's frame: published samples of EventData. In both, TimeGenerated is the
record's time, not UtcTime. The tables' own column Type (their name) is left out: Sysmon's events 20 and 25
have a Data element of that name, which a query puts in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from converter.engines.base import Stored
from converter.shapes import windows

EVENT = "Event"
WINDOWS_EVENT = "WindowsEvent"
EMPTY = frozenset({""})

_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
_SERVICE_ID = "00000000-0000-0000-0000-000000000001"


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row of table ``Event``."""
    time = windows.record_time(event)
    data = windows.event_data(event)
    doc = {
        "TimeGenerated": time,
        "Source": windows.provider(event),
        "EventLog": windows.channel(event),
        "Computer": windows.text(event.get("Computer") or ""),
        "EventID": windows.event_id(event) or 0,
        "EventLevel": 4,
        "EventLevelName": "Information",
        "UserName": "NT AUTHORITY\\SYSTEM",
        "SourceSystem": "OpsManager",
        "EventData": (
            f'<DataItem Type="System.XmlData" time="{time.isoformat()}" '
            f'sourceHealthServiceId="{_SERVICE_ID}">'
            f'<EventData xmlns="{_NAMESPACE}">{"".join(map(_element, data.items()))}</EventData></DataItem>'
        ),
        "ParameterXml": "".join(f"<Param>{escape(value)}</Param>" for value in data.values()),
        "RenderedDescription": "\r\n".join(f"{name}: {value}" for name, value in data.items()),
    }
    return Stored(id, EVENT, doc)


def store_windows_event(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row of table ``WindowsEvent``; the dynamic EventData is a mapping of texts."""
    doc = {
        "TimeGenerated": windows.record_time(event),
        "Provider": windows.provider(event),
        "Channel": windows.channel(event),
        "Computer": windows.text(event.get("Computer") or ""),
        "EventID": windows.event_id(event) or 0,
        "EventLevel": 4,
        "EventLevelName": "Information",
        "EventRecordId": windows.text(event.get("EventRecordID") or ""),
        "EventData": {name: value for name, value in windows.event_data(event).items() if name != "Binary"},
    }
    return Stored(id, WINDOWS_EVENT, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record without empty ``Data`` elements: Kusto's strings cannot be missing."""
    return windows.without(event, EMPTY)


def _element(item: tuple[str, str]) -> str:
    name, value = item
    if name == "Binary":  # Beside the Data elements of classic records, in an element of its own.
        return f"<Binary>{escape(value)}</Binary>"
    return f"<Data Name={quoteattr(name)}>{escape(value)}</Data>"
