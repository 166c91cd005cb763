"""How Splunk stores Sysmon's events: the Splunk Add-on for Sysmon over rendered XML.

Source ``XmlWinEventLog:Microsoft-Windows-Sysmon/Operational``, sourcetype ``XmlWinEventLog``. The add-on's
search-time extractions (``REPORT-sysmon`` in its props.conf: sysmon-eventid, sysmon-created, sysmon-record,
sysmon-channel, sysmon-computer, sysmon-data ...) give EventCode, TimeCreated, RecordID, EventChannel,
Computer and one field per named ``Data`` element; ``EventID`` is an alias of EventCode; the provider's name
is extracted as ``Name``. All values are text. An extraction that finds an empty text makes no field
(transforms.conf, ``KEEP_EMPTY_VALS``, false by default). ``_time`` is TimeCreated, not UtcTime.

Assumed, not found in public material: that entities in the XML are unescaped in fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.engines.base import Stored
from converter.shapes import windows

SOURCETYPE = "XmlWinEventLog"
EMPTY = frozenset({""})


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the fields that a search sees for a record; ``_time`` is epoch seconds as float."""
    time = windows.record_time(event)
    doc: dict[str, Any] = {
        "_time": time.timestamp(),
        "source": f"XmlWinEventLog:{windows.channel(event)}",
        "sourcetype": SOURCETYPE,
        "Name": windows.provider(event),
        "Channel": windows.channel(event),
        "EventChannel": windows.channel(event),
        "TimeCreated": time.isoformat(timespec="microseconds").replace("+00:00", "000Z"),
    }
    if (code := windows.event_id(event)) is not None:
        doc |= {"EventCode": str(code), "EventID": str(code)}
    if event.get("Computer"):
        doc |= {
            "Computer": windows.text(event["Computer"]),
            "host": windows.text(event["Computer"]).split(".")[0],
        }
    if event.get("EventRecordID") is not None:
        doc["RecordID"] = windows.text(event["EventRecordID"])
    for name, value in windows.event_data(event).items():
        if value in EMPTY or name == "Binary":  # Not a Data element but one of its own.
            continue
        # Events 19 and 20 have a Data element Name beside the provider's: both are extracted.
        doc[name] = [doc[name], value] if name == "Name" else value
    return Stored(id, SOURCETYPE, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record without empty ``Data`` elements, of which Splunk makes no field."""
    return windows.without(event, EMPTY)
