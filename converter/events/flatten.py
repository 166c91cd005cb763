"""Flatten an event as exporters write it into the fields that Sigma rules name.

Sigma specification 2.1, "Field Usage": attributes of the ``System`` section are joined to their element by
an underscore (``Provider_Name``), data fields keep their name, and spaces in names are left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

# The event's identity: a data field of the same name (an audit event about a channel) does not replace it.
_IDENTITY = frozenset({"EventID", "Channel", "Computer", "Provider_Name"})
# Names that collectors (NXLog, winlogbeat) give to parts of the System section.
_COLLECTOR_NAMES = {
    "SourceName": "Provider_Name",
    "ProviderGuid": "Provider_Guid",
    "Hostname": "Computer",
    "ExecutionProcessID": "Execution_ProcessID",
}
_WINLOG_NAMES = {
    "channel": "Channel",
    "event_id": "EventID",
    "provider_name": "Provider_Name",
    "provider_guid": "Provider_Guid",
    "computer_name": "Computer",
    "record_id": "EventRecordID",
}


def flatten(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event as one level of fields.

    Reads Windows events as XML converters give them (``Event.System``, ``EventData``, ``UserData``, also
    below another key), winlogbeat documents, and lines that are flat already. Values stay as they are.
    """
    inner = event.get("Event")
    if isinstance(inner, Mapping) and isinstance(inner.get("System"), Mapping):
        return _with_short_names(_windows(inner))
    if isinstance(event.get("System"), Mapping) and ("EventData" in event or "UserData" in event):
        return _with_short_names(_windows(event))
    if isinstance(event.get("winlog"), Mapping):
        return _with_short_names(_winlogbeat(event))
    flat = dict(event)
    if "Channel" in flat or "EventID" in flat or "SourceName" in flat:
        if isinstance(flat.get("EventID"), Mapping):
            flat["EventID"] = _plain(flat["EventID"])
        for name, field in _COLLECTOR_NAMES.items():
            if name in flat:
                flat.setdefault(field, flat[name])
    return _with_short_names(flat)


def _windows(event: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in event["System"].items():
        if isinstance(value, Mapping):
            if _has_text(value):
                flat[name] = _plain(value)
            for attribute, inner in _attributes(value):
                flat[f"{name}_{attribute}"] = inner
        else:
            flat[name] = value
    for name, value in _data(event.get("EventData")):
        if name not in _IDENTITY or name not in flat:
            flat[name] = value
    for section in _sections(event.get("UserData")):
        for name, value in section.items():
            if name not in ("#attributes", "xmlns") and (name not in _IDENTITY or name not in flat):
                flat[name] = _plain(value)
    return flat


def _sections(user_data: Any) -> Iterator[Mapping[str, Any]]:
    """`UserData` holds one element, named by the provider, that holds the fields."""
    if isinstance(user_data, Mapping):
        for value in user_data.values():
            if isinstance(value, Mapping):
                yield value


def _data(section: Any) -> Iterator[tuple[str, Any]]:
    """Yield the fields of `EventData`: as keys, or as a list of named `Data`; what has no name is `Data`."""
    if not isinstance(section, Mapping):
        return
    for name, value in section.items():
        if name in ("#attributes", "xmlns"):
            continue
        if name != "Data":
            yield name, _plain(value)
            continue
        unnamed: list[Any] = []
        for item in value if isinstance(value, list) else [value]:
            label = _label(item)
            if label is not None:
                yield label, _plain(item)
            elif isinstance(plain := _plain(item), list):
                unnamed.extend(plain)
            else:
                unnamed.append(plain)
        if unnamed:
            yield "Data", unnamed[0] if len(unnamed) == 1 else unnamed


def _label(item: Any) -> str | None:
    if not isinstance(item, Mapping):
        return None
    for attribute, value in _attributes(item):
        if attribute == "Name":
            return str(value)
    return None


def _attributes(element: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield an element's attributes; converters write them below `#attributes`, with `@`, or plainly."""
    for name, value in element.items():
        if name == "#attributes" and isinstance(value, Mapping):
            yield from value.items()
        elif name not in ("#text", "text", "xmlns"):
            yield name.removeprefix("@"), value


def _has_text(element: Mapping[str, Any]) -> bool:
    return "#text" in element or "text" in element


def _plain(value: Any) -> Any:
    """Return an element's text; an element with attributes only has none."""
    if isinstance(value, Mapping) and (_has_text(value) or "#attributes" in value or "Name" in value):
        return value.get("#text", value.get("text"))
    return value


def _winlogbeat(event: Mapping[str, Any]) -> dict[str, Any]:
    winlog = event["winlog"]
    flat = {key: value for key, value in event.items() if not isinstance(value, Mapping)}
    for name, field in _WINLOG_NAMES.items():
        if name in winlog:
            flat[field] = winlog[name]
    for name in ("user_data", "event_data"):
        section = winlog.get(name)
        if isinstance(section, Mapping):
            flat.update(
                {key: value for key, value in section.items() if key not in _IDENTITY or key not in flat}
            )
    return flat


def _with_short_names(flat: dict[str, Any]) -> dict[str, Any]:
    for name in [name for name in flat if " " in name]:
        flat.setdefault(name.replace(" ", ""), flat[name])
    return flat
