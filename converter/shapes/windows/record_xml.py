"""A record as Windows renders it in XML, which is what a forwarder with ``renderXml = true`` sends.

Seen in splunk/attack_data (datasets/attack_techniques/T1552.004/certutil_exe_certificate_extraction/
certutil_exe_certificate_extraction.raw) and in the records of splunk/security_content's data_sources: one
line, attributes in apostrophes, ``&``, ``<`` and ``>`` of a text as entities, quotes as they are
(sysmon_eventid_1.yml: ``"C:\\Windows\\system32\\cmd.exe" /c "reg save HKLM\\sam ... &amp; reg save``).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.shapes.windows import records

_NAMESPACE = "http://schemas.microsoft.com/win/2004/08/events/event"
_CLEARED = "http://manifests.microsoft.com/win/2004/08/windows/eventlog"
_HEADER_VERSION = "3"
# Sysmon writes each element of an event's schema (4.90), filled or not. These are the ones by whose names
# searches find the events.
_ALWAYS: Mapping[int, tuple[str, ...]] = {
    1: ("ParentCommandLine",),
    2: ("PreviousCreationUtcTime",),
    3: ("DestinationPort",),
    6: ("ImageLoaded",),
    7: ("ImageLoaded",),
    8: ("StartAddress",),
    10: ("GrantedAccess",),
    **dict.fromkeys((12, 13, 14), ("TargetObject",)),
    **dict.fromkeys((17, 18), ("PipeName",)),
    22: ("QueryName",),
}


def escape(text: str) -> str:
    """Return a text as it stands between two tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def attribute(text: str) -> str:
    """Return a text as it stands between two apostrophes."""
    return escape(text).replace("'", "&apos;")


def render(event: Mapping[str, Any]) -> str:
    """Return the XML of a flat record."""
    system = [f"<Provider Name='{attribute(records.provider(event))}'/>"]
    if (code := records.event_id(event)) is not None:
        qualifiers = event.get("Qualifiers")
        opened = "" if qualifiers is None else f" Qualifiers='{attribute(records.text(qualifiers))}'"
        system.append(f"<EventID{opened}>{code}</EventID>")
    system.append(f"<Version>{_HEADER_VERSION}</Version>")
    system += [
        f"<{name}>{escape(records.text(event[name]))}</{name}>"
        for name in ("Level", "Task", "Opcode", "Keywords")
        if event.get(name) is not None
    ]
    created = records.record_time(event).isoformat(timespec="microseconds").replace("+00:00", "000Z")
    system.append(f"<TimeCreated SystemTime='{created}'/>")
    if event.get("EventRecordID") is not None:
        system.append(f"<EventRecordID>{escape(records.text(event['EventRecordID']))}</EventRecordID>")
    system += ["<Correlation/>", f"<Channel>{escape(records.channel(event))}</Channel>"]
    if event.get("Computer"):
        system.append(f"<Computer>{escape(records.text(event['Computer']))}</Computer>")
    return f"<Event xmlns='{_NAMESPACE}'><System>{''.join(system)}</System>{_data(event)}</Event>"


def _data(event: Mapping[str, Any]) -> str:
    data = {name: escape(value) for name, value in records.event_data(event).items()}
    code = records.event_id(event)
    if records.is_sysmon(event) and code is not None:
        data |= {name: "" for name in _ALWAYS.get(code, ()) if name not in data}
    if code in (104, 1102) and records.provider(event) == "Microsoft-Windows-Eventlog":
        # splunk/security_content, data_sources/windows_event_log_security_1102.yml.
        inside = "".join(f"<{name}>{value}</{name}>" for name, value in data.items())
        return f"<UserData><LogFileCleared xmlns='{_CLEARED}'>{inside}</LogFileCleared></UserData>"
    elements = [
        f"<Binary>{value}</Binary>" if name == "Binary" else f"<Data Name='{attribute(name)}'>{value}</Data>"
        for name, value in data.items()
    ]
    return f"<EventData>{''.join(elements)}</EventData>"
