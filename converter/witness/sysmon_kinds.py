"""Sysmon's kinds of registry, pipe and WMI events: which id they have, and which of them have data.

Microsoft Learn, Sysmon, "Events" 12 to 14 and 17 to 21. Other sources have no event of a kind that the id
excludes, nor data of a key, so no event of a witness is one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

KINDS: Mapping[int, tuple[str, ...]] = {
    12: ("CreateKey", "DeleteKey", "DeleteValue"),
    13: ("SetValue",),
    14: ("RenameKey",),
    17: ("CreatePipe",),
    18: ("ConnectPipe",),
    19: ("WmiFilterEvent",),
    20: ("WmiConsumerEvent",),
    21: ("WmiBindingEvent",),
}
_ID = {kind: event_id for event_id, kinds in KINDS.items() for kind in kinds}
_REGISTRY = (12, 13, 14)
_SET = 13
_CONNECTION = 3
_ADDRESSES = {
    "Source": ("192.0.2.10", "2001:db8::10"),
    "Destination": ("198.51.100.20", "2001:db8::20"),
}
"""Of each end an address of version 4 and one of version 6."""


def _address_versions(made: dict[str, Any], looked_at: Collection[str]) -> None:
    """Make an address and the flag that says its version go together; what the rule looks at stays."""
    for end, addresses in _ADDRESSES.items():
        flag, name = f"{end}IsIpv6", f"{end}Ip"
        six = ":" in str(made.get(name, ""))
        if flag not in made or name not in made or str(made[flag]).lower() == str(six).lower():
            continue
        if flag in looked_at and name not in looked_at:
            made[name] = addresses[str(made[flag]).lower() == "true"]
        else:
            made[flag] = str(six).lower()


def consistent(event: Mapping[str, Any], looked_at: Collection[str]) -> dict[str, Any]:
    """Return the event with an id, a kind and data that go together.

    Args:
        event: a flat record of Sysmon; others are returned as they are.
        looked_at: fields of the rule: its kind decides the id, and its data decides the kind.
    """
    made = dict(event)
    event_id = made.get("EventID")
    if event_id == _CONNECTION:
        _address_versions(made, looked_at)
    if not isinstance(event_id, int) or event_id not in KINDS:
        return made
    if event_id in _REGISTRY and event_id != _SET and "Details" in made:
        if "EventType" in looked_at:
            event_id = _ID.get(str(made.get("EventType")), event_id)
        elif "Details" in looked_at:
            event_id = _SET
        if event_id != _SET:
            del made["Details"]
    # Sysmon always says the kind.
    kind = made["EventType"] = made.get("EventType") or KINDS[event_id][0]
    if kind in _ID and kind not in KINDS[event_id]:
        if "EventType" in looked_at:
            event_id = _ID[kind]
            if event_id in (12, 14):
                made.pop("Details", None)
        else:
            made["EventType"] = KINDS[event_id][0]
    made["EventID"] = event_id
    return made
