"""Relaxations of events: what a source does not tell, or tells in another way than Sysmon.

Each changes the events as the matcher sees them, or demands a kind of event. What a source keeps of some
events only (a name that Defender did not see) it keeps here of every second event, as the shapes do.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from converter.verify.relaxations.documents import demanding
from converter.verify.relaxations.situation import Event, Relax, Relaxation, Situation

_SOME = 2
_MAXIMUM_ALLOWED = "0x2000000"
_HASH = re.compile(r"([A-Za-z0-9]+)=([0-9A-Fa-f]*)")
_BINDING = 21
_NUMBER = re.compile(r"(?i)(?:DWORD \(0x([0-9a-f]+)\)|QWORD \(0x([0-9a-f]+)-0x([0-9a-f]+)\))")


def _each(change: Callable[[Event, int], dict[str, Any]]) -> Relax:
    def relax(situation: Situation, _: str) -> Situation:
        events = (change(event, position) for position, event in enumerate(situation.events))
        return replace(situation, events=tuple(events))

    return relax


def _without(event: Event, *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


def _withheld(position: int) -> bool:
    """Tell whether the source kept less of the event: every second, the shapes count from one."""
    return (position + 1) % _SOME == 0


def _destination(event: Event, position: int) -> dict[str, Any]:
    accepted = str(event.get("Initiated", "true")).lower() == "false"
    return _without(event, "DestinationHostname") if accepted or _withheld(position) else dict(event)


def _source(event: Event, _: int) -> dict[str, Any]:
    """Of outgoing connections and accepted ones alike the name that is known is the device's own."""
    made = _without(event, "SourceHostname")
    return {**made, "SourceHostname": event["Computer"]} if event.get("Computer") else made


def _former_name(event: Event, position: int) -> dict[str, Any]:
    return _without(event, "SourceFilename") if _withheld(position) else dict(event)


def _version(event: Event, _: int) -> dict[str, Any]:
    made = _without(event, "FileVersion")
    version = str(event.get("FileVersion") or "").split(" ")[0]
    return {**made, "FileVersion": version} if version else made


def _access(event: Event, position: int) -> dict[str, Any]:
    if not event.get("GrantedAccess") or not _withheld(position):
        return dict(event)
    try:
        granted = int(str(event["GrantedAccess"]), 0)
    except ValueError:
        return dict(event)
    return {**event, "GrantedAccess": _MAXIMUM_ALLOWED} if granted else dict(event)


def _zeros(event: Event, _: int) -> dict[str, Any]:
    made = dict(event)
    for name in ("Hashes", "Hash"):
        if not isinstance(found := made.get(name), str):
            continue
        kept = [one for one in found.split(",") if not (pair := _HASH.fullmatch(one)) or pair[2].strip("0")]
        made[name] = ",".join(kept)
        if not kept:
            del made[name]
    return made


def _version_of_source(event: Event, _: int) -> dict[str, Any]:
    made = _without(event, "DestinationIsIpv6")
    return {**made, "DestinationIsIpv6": event["SourceIsIpv6"]} if "SourceIsIpv6" in event else made


def _answers(event: Event, _: int) -> dict[str, Any]:
    """The answers of one kind stand together, each ended by a semicolon, without the kind."""
    names: list[str] = []
    addresses: dict[int, list[str]] = {4: [], 6: []}
    for answer in filter(None, str(event.get("QueryResults") or "").split(";")):
        if found := re.match(r"type:\s*5\s+(\S+)", answer):
            names.append(found[1])
            continue
        try:
            address = ipaddress.ip_address(answer.strip().removeprefix("::ffff:"))
        except ValueError:
            continue
        addresses[address.version].append(str(address))
    held = ["".join(f"{one};" for one in kind) for kind in (names, *addresses.values()) if kind]
    made = _without(event, "QueryResults")
    return {**made, "QueryResults": held} if held else made


def _former_data(situation: Situation, _: str) -> Situation:
    """Details hold what the value held before, too, as the earlier events of the host tell."""
    held: dict[tuple[str, str], Any] = {}
    events: list[Event] = []
    for event in situation.events:
        if str(event.get("EventID")) == "13" and event.get("Details") is not None:
            key = (str(event.get("Computer")), str(event.get("TargetObject")).lower())
            former, held[key] = held.get(key), event["Details"]
            event = {**event, "Details": _beside(str(event["Details"]), former)}
        events.append(event)
    return replace(situation, events=tuple(events))


def _beside(new: str, former: Any) -> list[str]:
    """Return the texts of the data now and before; the type is that of the data now."""
    kind, text = _data(new)
    texts = [one for one in (text, _data(str(former))[1] if former is not None else None) if one is not None]
    if kind in ("Dword", "Qword"):
        texts = [one for one in texts if one.isdigit()]
    found = [_typed(kind, one) for one in texts]
    if kind == "Binary":
        return [*found, "Binary Data"]
    return found or ["(Empty)"]


def _data(details: str) -> tuple[str, str | None]:
    """Return the type and the text that a source keeps which writes numbers as decimals."""
    if found := _NUMBER.fullmatch(details):
        dword, high, low = found.groups()
        if dword:
            return "Dword", str(int(dword, 16))
        return "Qword", str((int(high, 16) << 32) + int(low, 16))
    if details == "Binary Data":
        return "Binary", None
    return "String", None if details == "(Empty)" else details


def _typed(kind: str, text: str) -> str:
    """Return data of a type in Sysmon's notation."""
    if not text.isdigit() or kind not in ("Dword", "Qword"):
        return text
    number = int(text)
    if kind == "Dword":
        return f"DWORD (0x{number:08x})"
    return f"QWORD (0x{number >> 32:08x}-0x{number & 0xFFFFFFFF:08x})"


def _classes(event: Event, _: int) -> dict[str, Any]:
    """Sysmon writes HKCR for HKLM\\SOFTWARE\\Classes (Microsoft Learn, Sysmon); sources write the latter."""
    path = event.get("TargetObject")
    if not isinstance(path, str) or path[:5].upper() != "HKCR\\":
        return dict(event)
    return {**event, "TargetObject": [path, f"HKLM\\SOFTWARE\\Classes\\{path[5:]}"]}


def _bindings(situation: Situation, _: str) -> Situation:
    return situation.with_docs(lambda doc: demanding(doc, EventID=_BINDING))


RELAXATIONS = (
    Relaxation(
        "host name of some connections",
        "DestinationHostname is known of some connections that the host opened, and of no others.",
        _each(_destination),
    ),
    Relaxation("own name only", "SourceHostname is the name of the device itself.", _each(_source)),
    Relaxation("former path of some", "SourceFilename is known of some of the renames.", _each(_former_name)),
    Relaxation(
        "version of the product", "FileVersion is the version of the product, one word.", _each(_version)
    ),
    Relaxation(
        "access asked for",
        "GrantedAccess is what was asked for, which may be the maximum allowed.",
        _each(_access),
    ),
    Relaxation("no hash of zeros", "Hashes of zeros are not in the list.", _each(_zeros)),
    Relaxation(
        "address version of the source",
        "DestinationIsIpv6 says what SourceIsIpv6 says.",
        _each(_version_of_source),
    ),
    Relaxation(
        "answers by kind",
        "QueryResults are texts of the names, the IPv4 and the IPv6 addresses, without Sysmon's notation.",
        _each(_answers),
    ),
    Relaxation(
        "former data beside the new",
        "Details hold what the value held before, beside what it holds.",
        _former_data,
    ),
    Relaxation(
        "keys of HKCR by both names",
        "A key below HKCR is also known by its name below HKLM\\SOFTWARE\\Classes.",
        _each(_classes),
    ),
    Relaxation(
        "bindings only",
        "Of WMI events only bindings (event 21) are there.",
        _bindings,
    ),
)
