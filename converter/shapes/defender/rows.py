"""What Defender records of the things that Sysmon records: rows of its advanced hunting tables.

Written from Microsoft's table reference (MicrosoftDocs/defender-docs, ``advanced-hunting-device*-table.md``)
and from public rows (elastic/integrations ``m365_defender`` test-device.log, OTRF's SimuLand rows), not from
our field mapping. Facts that these show: device names, accounts and the paths of initiating processes are
in lower case; FolderPath ends with the file's name, but for drivers and for the target of an API call;
Protocol is ``Tcp``; an accepted connection's local end is its destination; hashes are lower-case hex;
registry roots are in full, control sets have their number, a number is bare decimal text, binary data is
left out; AdditionalFields is JSON in a text, or null.

Microsoft's parser (Azure-Sentinel, ASimRegistryEventMicrosoft365D.yaml) reads deleted keys and values from
Previous*, and the former key of a renamed one. What no public row shows is in ``pipelines/defender/
*.assumptions.yml``: how keys of a user's hive begin. Nor does one show the name of a key's default value,
which is stored as Sysmon writes it and as the empty name in turn.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from converter.shapes.windows import records

Row = dict[str, Any]
"""Columns with texts, numbers, datetimes or None."""

SCRIPT_CHANNELS = frozenset({"microsoft-windows-powershell/operational", "powershellcore/operational"})
_INTEGRITY = {
    "S-1-16-0": "Untrusted",
    "S-1-16-4096": "Low",
    "S-1-16-8192": "Medium",
    "S-1-16-12288": "High",
    "S-1-16-16384": "System",
}
_ROOTS = {
    **{"HKLM": "HKEY_LOCAL_MACHINE", "HKCU": "HKEY_CURRENT_USER"},
    "HKCR": "HKEY_LOCAL_MACHINE\\SOFTWARE\\Classes",
}
_KERNEL_FILE = "Microsoft-Windows-Kernel-File"
_PATHS = {"TargetFilename", "SourceFilename"}
_SOME = 2
_MAXIMUM_ALLOWED = 0x2000000
_FORMER = "PreviousDetails"
"""No element of Sysmon's: what `with_history` knows of a registry value."""
_NUMBER = re.compile(r"(?i)(?:DWORD \(0x([0-9a-f]+)\)|QWORD \(0x([0-9a-f]+)-0x([0-9a-f]+)\))")


def row_of(event: Mapping[str, Any], position: int) -> tuple[str, Row]:
    """Return the table and the row for a flat record of Windows.

    What Defender does not record becomes a row of DeviceEvents that no rule asks for.
    """
    data = records.event_data(event)
    computer = records.text(event.get("Computer") or "").lower()
    row: Row = {
        "Timestamp": records.utc_time(event) or records.record_time(event),
        "DeviceName": computer or None,
        "DeviceId": device_id(event),
        "ReportId": position + 1,
    }
    code = records.event_id(event)
    if records.is_sysmon(event) and code in _TABLES:
        table, fill = _TABLES[code]
        fill(row, data)
        return table, {name: value for name, value in row.items() if value is not None}
    if code == 4104 and records.channel(event).lower() in SCRIPT_CHANNELS:
        row |= {"ActionType": "AmsiScriptContent", **_more(row, ScriptContent=data.get("ScriptBlockText"))}
        return "DeviceEvents", row
    if code is None and _is_rename(event, data):
        # Renames have no record of Sysmon's: rules on them look at events of the file system, without an id.
        _rename(row, data)
        return "DeviceFileEvents", {name: value for name, value in row.items() if value is not None}
    row |= {"ActionType": "OtherAlertRelatedActivity"}
    return "DeviceEvents", {name: value for name, value in row.items() if value is not None}


def _is_rename(event: Mapping[str, Any], data: Mapping[str, str]) -> bool:
    """Tell whether a record without an id is of the file system: by its provider, or else by its paths."""
    provider = event.get("Provider_Name")
    return provider == _KERNEL_FILE if provider else bool(_PATHS & set(data))


def with_history(events: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the records of registry values with what the value held before, as the earlier ones tell."""
    held: dict[tuple[str, str], str] = {}
    found: list[Mapping[str, Any]] = []
    for event in events:
        if records.event_id(event) == 13 and event.get("Details") is not None:
            key = (str(event.get("Computer")), str(event.get("TargetObject")).lower())
            former = held.get(key)
            held[key] = records.text(event["Details"])
            event = event if former is None else {**event, _FORMER: former}
        found.append(event)
    return found


def device_id(event: Mapping[str, Any]) -> str:
    """Return Defender's id of the record's computer: 40 hexadecimal digits."""
    computer = records.text(event.get("Computer") or "").lower()
    return hashlib.sha1(computer.encode(), usedforsecurity=False).hexdigest()


def process_key(guid: str, pid: str | None) -> tuple[int, datetime]:
    """Return the id and the creation time of the process that Sysmon calls by a GUID.

    The GUID holds the second of the start; what it holds besides stands here for the part of a second
    that Defender records, so that different GUIDs are different times.
    """
    digits = re.sub(r"[^0-9a-f]", "", guid.lower())
    seconds = int(digits[12:16] + digits[8:12], 16) if len(digits) == 32 else 0
    mixed = zlib.crc32(guid.lower().encode())
    number = int(pid) if pid is not None and pid.isdigit() else mixed % 16384 * 4
    return number, datetime.fromtimestamp(seconds, UTC) + timedelta(milliseconds=mixed % 86_400_000)


def actor(data: Mapping[str, str], prefix: str = "") -> tuple[int | None, datetime | None]:
    """Return id and creation time of a process: of ``prefix`` ProcessGuid and ProcessId."""
    guid = data.get(f"{prefix}ProcessGuid") or data.get(f"{prefix}ProcessGUID")
    pid = data.get(f"{prefix}ProcessId")
    if guid:
        return process_key(guid, pid)
    return (int(pid) if pid and pid.isdigit() else None), None


def path_parts(path: str) -> tuple[str, str]:
    """Return folder and file name of a path."""
    folder, _, name = path.rpartition("\\")
    return folder, name


def _initiating(row: Row, data: Mapping[str, str], prefix: str = "") -> None:
    """Fill in the process that acts."""
    image = data.get(f"{prefix}Image")
    pid, created = actor(data, prefix)
    _process(row, image, data.get(f"{prefix}CommandLine"), data.get(f"{prefix}User"), pid, created)
    parent = data.get(f"{prefix}ParentImage")
    row["InitiatingProcessParentFileName"] = path_parts(parent.lower())[1] if parent else None


def _process(
    row: Row, image: str | None, line: str | None, user: str | None, pid: int | None, created: datetime | None
) -> None:
    row |= {
        "InitiatingProcessFolderPath": image.lower() if image else None,
        "InitiatingProcessFileName": path_parts(image.lower())[1] if image else None,
        "InitiatingProcessCommandLine": line or None,
        "InitiatingProcessId": pid,
        "InitiatingProcessCreationTime": created,
    }
    _account(row, "InitiatingProcessAccount", user)


def _account(row: Row, prefix: str, user: str | None) -> None:
    domain, backslash, name = (user or "").lower().partition("\\")
    if backslash:
        row |= {f"{prefix}Domain": domain, f"{prefix}Name": name}


def _hashes(row: Row, data: Mapping[str, str]) -> None:
    for pair in data.get("Hashes", "").split(","):
        algorithm, _, digits = pair.partition("=")
        if algorithm.upper() in {"MD5", "SHA1", "SHA256"} and digits.strip("0"):
            row[algorithm.upper()] = digits.lower()


def _more(row: Row, **properties: Any) -> Row:
    """Return AdditionalFields: JSON without blanks; signs such as ``>`` stand as they are, quotes as ``\\"``.

    No public row shows a character outside ASCII there, so rows have it as it is and as ``\\uXXXX`` in turn.
    """
    kept = {name: value for name, value in properties.items() if value is not None}
    return {"AdditionalFields": json.dumps(kept, separators=(",", ":"), ensure_ascii=_is_some(row))}


def _process_created(row: Row, data: Mapping[str, str]) -> None:
    pid, created = actor(data)
    row |= {"ActionType": "ProcessCreated", "ProcessId": pid, "ProcessCreationTime": created}
    image = data.get("Image")
    row |= {"FolderPath": image or None, "FileName": path_parts(image)[1] if image else None}
    row |= {
        "ProcessCommandLine": data.get("CommandLine") or None,
        "ProcessVersionInfoOriginalFileName": data.get("OriginalFileName") or None,
        "ProcessVersionInfoFileDescription": data.get("Description") or None,
        "ProcessVersionInfoProductName": data.get("Product") or None,
        "ProcessVersionInfoCompanyName": data.get("Company") or None,
        # Of the product: a file's version often has a build's name behind it.
        "ProcessVersionInfoProductVersion": data.get("FileVersion", "").split(" ")[0] or None,
    }
    level = data.get("IntegrityLevel", "")
    row["ProcessIntegrityLevel"] = _INTEGRITY.get(level.upper(), level) or None
    row["LogonId"] = _integer(data.get("LogonId"))
    row["CreatedProcessSessionId"] = _integer(data.get("TerminalSessionId"))
    _account(row, "Account", data.get("User"))
    _hashes(row, data)
    parent, parent_created = actor(data, "Parent")
    image = data.get("ParentImage")
    _process(row, image, data.get("ParentCommandLine"), data.get("ParentUser"), parent, parent_created)
    grandparent = data.get("GrandParentImage")
    row["InitiatingProcessParentFileName"] = path_parts(grandparent.lower())[1] if grandparent else None


def _integer(value: str | None) -> int | None:
    try:
        return int(value, 0) if value else None
    except ValueError:
        return None


def _connected(row: Row, data: Mapping[str, str]) -> None:
    accepted = data.get("Initiated", "true").lower() == "false"
    row["ActionType"] = "InboundConnectionAccepted" if accepted else "ConnectionSuccess"
    local, remote = ("Destination", "Source") if accepted else ("Source", "Destination")
    for end, name in ((local, "Local"), (remote, "Remote")):
        row[f"{name}IP"] = _address(data.get(f"{end}Ip"))
        row[f"{name}Port"] = _integer(data.get(f"{end}Port"))
    unknown = accepted or _is_some(row)
    row["RemoteUrl"] = None if unknown else data.get("DestinationHostname") or None
    row["Protocol"] = data["Protocol"].capitalize() if data.get("Protocol") else None
    _initiating(row, data)


def _is_some(row: Row) -> bool:
    return bool(row["ReportId"] % _SOME == 0)


def _address(text: str | None) -> str | None:
    try:
        address = ipaddress.ip_address(text) if text else None
    except ValueError:
        return text
    # Splunk's add-on cuts `::ffff:` off addresses, so that is how sockets for both versions are written.
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return f"::ffff:{mapped}" if mapped else str(address) if address else None


def _file(action: str) -> Callable[[Row, Mapping[str, str]], None]:
    def fill(row: Row, data: Mapping[str, str]) -> None:
        path = data.get("ImageLoaded" if action == "ImageLoaded" else "TargetFilename")
        # Sysmon does not tell a file that it created from one that it overwrote.
        kind = "FileModified" if action == "FileCreated" and _is_some(row) else action
        row |= {"ActionType": kind, "FolderPath": path or None}
        row["FileName"] = path_parts(path)[1] if path else None
        if action != "FileCreated":
            _hashes(row, data)
        _initiating(row, data)

    return fill


def _rename(row: Row, data: Mapping[str, str]) -> None:
    path, former = data.get("TargetFilename"), data.get("SourceFilename")
    row |= {"ActionType": "FileRenamed", "FolderPath": path or None}
    row["FileName"] = path_parts(path)[1] if path else None
    if former and not _is_some(row):
        row["PreviousFolderPath"], row["PreviousFileName"] = path_parts(former)
    _initiating(row, data)


def _registry(row: Row, data: Mapping[str, str]) -> None:
    kind = data.get("EventType", "")
    path = registry_path(data.get("TargetObject", ""))
    key, name = path_parts(path)
    name = "" if name == "(Default)" and not _is_some(row) else name
    if kind in {"SetValue", ""}:
        row |= {"ActionType": "RegistryValueSet", "RegistryKey": key, "RegistryValueName": name}
        row["PreviousRegistryValueName"] = name
        row["RegistryValueType"], row["RegistryValueData"] = registry_data(data.get("Details"))
        _, row["PreviousRegistryValueData"] = registry_data(data.get(_FORMER))
    elif kind == "DeleteValue":
        row |= {"ActionType": "RegistryValueDeleted", "PreviousRegistryKey": key}
        row["PreviousRegistryValueName"] = name
    elif kind == "DeleteKey":
        row |= {"ActionType": "RegistryKeyDeleted", "PreviousRegistryKey": path or None}
    elif kind == "RenameKey":
        row |= {"ActionType": "RegistryKeyRenamed", "PreviousRegistryKey": path}
        row["RegistryKey"] = registry_path(data.get("NewName", "")) or None
    else:
        row |= {"ActionType": "RegistryKeyCreated", "RegistryKey": path or None}
    _initiating(row, data)


def registry_path(path: str) -> str:
    """Return a path of Sysmon as Defender writes it."""
    root, backslash, rest = path.partition("\\")
    if root.upper() == "HKU" and backslash:
        users = "HKEY_CURRENT_USER" if rest.upper().startswith("S-1-5-21-") else "HKEY_USERS"
        path = f"{users}\\{rest}"
    elif backslash:
        path = f"{_ROOTS.get(root.upper(), root)}\\{rest}"
    return re.sub(r"(?i)(?<=\\)CurrentControlSet(?=\\|$)", "ControlSet001", path)


def registry_data(details: str | None) -> tuple[str | None, str | None]:
    """Return type and data of a registry value from Sysmon's text of it."""
    if not details:  # Sysmon writes (Empty) for an empty text.
        return None, None
    if found := _NUMBER.fullmatch(details):
        dword, high, low = found.groups()
        if dword:
            return "Dword", str(int(dword, 16))
        return "Qword", str((int(high, 16) << 32) + int(low, 16))
    if details == "Binary Data":
        return "Binary", None
    return "String", None if details == "(Empty)" else details


def _driver(row: Row, data: Mapping[str, str]) -> None:
    row |= {"ActionType": "DriverLoad"} | _target(data.get("ImageLoaded"))
    _hashes(row, data)


def _api(action: str) -> Callable[[Row, Mapping[str, str]], None]:
    def fill(row: Row, data: Mapping[str, str]) -> None:
        pid, created = actor(data, "Target")
        row |= {"ActionType": action, "ProcessId": pid, "ProcessCreationTime": created}
        row |= _target(data.get("TargetImage"))
        if action == "OpenProcessApiCall":
            granted = _integer(data.get("GrantedAccess"))
            row |= _more(row, DesiredAccess=_MAXIMUM_ALLOWED if granted and _is_some(row) else granted)
        _initiating(row, data, "Source")

    return fill


def _target(path: str | None) -> Row:
    if not path:
        return {}
    folder, name = path_parts(path)
    return {"FolderPath": folder, "FileName": name}


def _pipe(row: Row, data: Mapping[str, str]) -> None:
    operation = {"CreatePipe": "File created", "ConnectPipe": "File opened"}.get(data.get("EventType", ""))
    name = data.get("PipeName")
    path = f"\\Device\\NamedPipe{name}" if name is not None else None
    row |= {"ActionType": "NamedPipeEvent", **_more(row, PipeName=path, FileOperation=operation)}
    _initiating(row, data)


def _dns(row: Row, data: Mapping[str, str]) -> None:
    row |= {"ActionType": "DnsQueryResponse", **_more(row, DnsQueryString=data.get("QueryName"))}
    _initiating(row, data)


def _binding(row: Row, data: Mapping[str, str]) -> None:
    row["ActionType"] = "WmiBindEventFilterToConsumer"
    names = {"ESS": "Filter", "Consumer": "Consumer", "Namespace": "EventNamespace"}
    row |= _more(row, **{name: data.get(element) for name, element in names.items()})


_TABLES: dict[int, tuple[str, Callable[[Row, Mapping[str, str]], None]]] = {
    1: ("DeviceProcessEvents", _process_created),
    3: ("DeviceNetworkEvents", _connected),
    6: ("DeviceEvents", _driver),
    7: ("DeviceImageLoadEvents", _file("ImageLoaded")),
    8: ("DeviceEvents", _api("CreateRemoteThreadApiCall")),
    10: ("DeviceEvents", _api("OpenProcessApiCall")),
    11: ("DeviceFileEvents", _file("FileCreated")),
    12: ("DeviceRegistryEvents", _registry),
    13: ("DeviceRegistryEvents", _registry),
    14: ("DeviceRegistryEvents", _registry),
    17: ("DeviceEvents", _pipe),
    18: ("DeviceEvents", _pipe),
    21: ("DeviceEvents", _binding),
    22: ("DeviceEvents", _dns),
    23: ("DeviceFileEvents", _file("FileDeleted")),
}
"""By Sysmon's event id. A deletion is event 23 or 26, as Sysmon is configured: one of the two is enough."""
