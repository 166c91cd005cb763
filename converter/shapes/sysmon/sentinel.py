"""How Microsoft Sentinel stores Sysmon's events: table ``Event``, and table ``WindowsEvent``.

``Event`` is where the Azure Monitor Agent's Windows event rules write: EventData is the record's XML as
text, inside a DataItem element, entities escaped. ``WindowsEvent`` comes from the Forwarded Events
connector: EventData is dynamic, one property per named Data element. Columns: Azure Monitor's table
reference (``event``, ``windowsevent``); the XML's frame: published samples of EventData, in
``tests/shapes/data/microsoft.yml``. It is well-formed XML, as Microsoft's own parser reads it with
``parse_xml`` (Azure-Sentinel, ``Parsers/Sysmon``); samples show no quotes or line ends inside of values,
which XML may write as they are or as entities: every second record here has entities, decimal or
hexadecimal. A column's text is cut at 64 KB (Azure Monitor's service limits). In both tables, TimeGenerated
is the time of the record, not UtcTime. The tables' own column Type (their name) is left out: Sysmon's
events 20 and 25 have a Data element of that name, which a query puts in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

from converter.events.stored import Stored
from converter.shapes.windows import records

EVENT = "Event"
WINDOWS_EVENT = "WindowsEvent"
EMPTY = frozenset({""})
LONGEST = 64 * 1024
"""Bytes of a column's text that Azure Monitor keeps."""

_ENTITIES: tuple[dict[str, str], ...] = (
    {},
    {'"': "&quot;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;"},
    {},
    {'"': "&quot;", "\r": "&#xD;", "\n": "&#xA;"},
)
"""What may be written as an entity beside ``& < >``; one set for each record in turn."""
_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
_SERVICE_ID = "00000000-0000-0000-0000-000000000001"


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row of table ``Event``."""
    time = records.record_time(event)
    data = records.event_data(event)
    doc = {
        "TimeGenerated": time,
        "Source": records.provider(event),
        "EventLog": records.channel(event),
        "Computer": records.text(event.get("Computer") or ""),
        "EventID": records.event_id(event) or 0,
        "EventLevel": 4,
        "EventLevelName": "Information",
        "UserName": "NT AUTHORITY\\SYSTEM",
        "SourceSystem": "OpsManager",
        "EventData": _kept(
            f'<DataItem Type="System.XmlData" time="{time.isoformat()}" '
            f'sourceHealthServiceId="{_SERVICE_ID}">'
            f"{event_data(data, id)}</DataItem>"
        ),
        "ParameterXml": _kept("".join(f"<Param>{escape(value)}</Param>" for value in data.values())),
        "RenderedDescription": _kept("\r\n".join(f"{name}: {value}" for name, value in data.items())),
    }
    return Stored(id, EVENT, doc)


def store_windows_event(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row of table ``WindowsEvent``; the dynamic EventData is a mapping of texts."""
    doc = {
        "TimeGenerated": records.record_time(event),
        "Provider": records.provider(event),
        "Channel": records.channel(event),
        "Computer": records.text(event.get("Computer") or ""),
        "EventID": records.event_id(event) or 0,
        "EventLevel": 4,
        "EventLevelName": "Information",
        "EventRecordId": records.text(event.get("EventRecordID") or ""),
        "EventData": {name: value for name, value in records.event_data(event).items() if name != "Binary"},
    }
    return Stored(id, WINDOWS_EVENT, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record without empty ``Data`` elements: Kusto's strings cannot be missing."""
    return records.without(event, EMPTY)


def event_data(data: Mapping[str, str], position: int) -> str:
    """Return a record's elements as XML; the position of the record tells how entities are written."""
    elements = "".join(_element(name, value, position) for name, value in data.items())
    return f'<EventData xmlns="{_NAMESPACE}">{elements}</EventData>'


def _kept(text: str) -> str:
    """Return a column's text as it is stored: cut where it is longer than `LONGEST`."""
    return text.encode()[:LONGEST].decode(errors="ignore")


def _element(name: str, value: str, position: int) -> str:
    written = escape(value, _ENTITIES[position % len(_ENTITIES)])
    if name == "Binary":  # Beside the Data elements of classic records, in an element of its own.
        return f"<Binary>{written}</Binary>"
    return f"<Data Name={quoteattr(name)}>{written}</Data>"
