"""How Splunk stores the records of Windows' logs: as rendered XML, whose fields its add-ons extract.

Source ``XmlWinEventLog:<channel>``, sourcetype ``XmlWinEventLog``. `windows_xml` writes the record as Windows
does; `splunk_extraction` runs the extractions of Splunk_TA_windows and, over Sysmon's channel, of the Splunk
Add-on for Sysmon. So fields hold entities as they are, the provider's name has its quotes, and an empty
element makes no field. ``_time`` is TimeCreated, not UtcTime.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converter.events.stored import Stored
from converter.shapes.windows import record_xml, records, splunk_extraction

SOURCETYPE = "XmlWinEventLog"
EMPTY = frozenset({""})
_BLOCKS = ("System_Props_Xml", "EventData_Xml", "UserData_Xml")


def store(
    event: Mapping[str, Any],
    id: int,  # noqa: A002
    addons: Sequence[str] = splunk_extraction.ADDONS,
) -> Stored:
    """Return the fields that a search sees for a record; ``_time`` is epoch seconds as float."""
    raw = record_xml.render(event)
    source = f"XmlWinEventLog:{records.channel(event)}"
    fields = splunk_extraction.of_xml(raw, source, SOURCETYPE, addons)
    doc: dict[str, Any] = {name: value for name, value in fields.items() if name not in _BLOCKS}
    doc |= {
        "_raw": raw,
        "_time": records.record_time(event).timestamp(),
        "source": source,
        "sourcetype": SOURCETYPE,
    }
    if event.get("Computer"):
        doc["host"] = records.text(event["Computer"]).split(".")[0]
    return Stored(id, SOURCETYPE, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record without empty elements, of which Splunk makes no field."""
    return records.without(event, EMPTY)


def key(field: str, value: str) -> str:
    """Return the text by which Splunk knows a value that events are grouped by: with its entities."""
    return record_xml.escape(value)
