"""A plain event of each kind, into which witnesses put their values.

Sysmon's fields by event id are those of its own schema (learn.microsoft.com, Sysmon, "Events"; seen in
public logs). The values are plausible, so that every platform can store them, and unlike what rules look for.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

from converter.matcher.logsource import CHANNELS, SYSMON_EVENT_IDS
from converter.witness import plausible

START = datetime(2024, 3, 5, 10, 0, 0, tzinfo=UTC)

_GUID = "{6d1a2f30-8c47-65e6-%02x01-000000000700}"
_HASHES = (
    "SHA1=0A1B2C3D4E5F60718293A4B5C6D7E8F901234567,MD5=0123456789ABCDEF0123456789ABCDEF,"
    "SHA256=00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF,"
    "IMPHASH=FEDCBA9876543210FEDCBA9876543210"
)
_IMAGE = "D:\\Depot\\Quartz\\qz7.exe"
_USER = "QUARTZ\\mira"
_WHO = {"ProcessGuid": _GUID % 1, "ProcessId": 4120, "Image": _IMAGE}
_FILE = {"TargetFilename": "D:\\Depot\\Quartz\\qz7.dat", "CreationUtcTime": "2024-03-05 09:00:00.000"}
_SIGNED = {"Signed": "true", "Signature": "Quartz Ltd", "SignatureStatus": "Valid"}
_FILE_INFO = {
    "FileVersion": "7.1.0.0",
    "Description": "Quartz agent",
    "Product": "Quartz",
    "Company": "Quartz Ltd",
    "OriginalFileName": "qz7.exe",
}
_CONNECTION = {
    "Protocol": "tcp",
    "Initiated": "true",
    "SourceIsIpv6": "false",
    "SourceIp": "192.0.2.10",
    "SourceHostname": "qz-host",
    "SourcePort": 50123,
    "SourcePortName": "-",
    "DestinationIsIpv6": "false",
    "DestinationIp": "198.51.100.20",
    "DestinationHostname": "qz-peer",
    "DestinationPort": 8123,
    "DestinationPortName": "-",
}
_ACCESS = {
    "SourceProcessGUID": _GUID % 1,
    "SourceProcessId": 4120,
    "SourceThreadId": 4128,
    "SourceImage": _IMAGE,
    "TargetProcessGUID": _GUID % 2,
    "TargetProcessId": 5240,
    "TargetImage": "D:\\Depot\\Quartz\\qz8.exe",
    "GrantedAccess": "0x7777",
    "CallTrace": "D:\\Depot\\Quartz\\qz9.dll+1a2b",
    "SourceUser": _USER,
    "TargetUser": "QUARTZ\\nora",
}
_THREAD = {
    "SourceProcessGuid": _GUID % 1,
    "SourceProcessId": 4120,
    "SourceImage": _IMAGE,
    "TargetProcessGuid": _GUID % 2,
    "TargetProcessId": 5240,
    "TargetImage": "D:\\Depot\\Quartz\\qz8.exe",
    "NewThreadId": 4242,
    "StartAddress": "0x00007FF6A1B2C3D4",
    "StartModule": "D:\\Depot\\Quartz\\qz9.dll",
    "StartFunction": "QzStart",
    "SourceUser": _USER,
    "TargetUser": "QUARTZ\\nora",
}
_REGISTRY = {"TargetObject": "HKLM\\QUARTZ\\Depot\\Level", "User": _USER}
_DELETED = {"TargetFilename": "D:\\Depot\\Quartz\\qz7.dat", "Hashes": _HASHES}
_LIBRARY = {"ImageLoaded": "D:\\Depot\\Quartz\\qz9.dll", **_FILE_INFO, "Hashes": _HASHES, **_SIGNED}
_QUERY = {"QueryName": "depot.quartz.test", "QueryStatus": "0", "QueryResults": "198.51.100.20;"}
_WMI = {"Operation": "Created", "User": _USER}

_DATA: Mapping[int, Mapping[str, Any]] = {
    1: {
        **_WHO,
        **_FILE_INFO,
        "CommandLine": "qz7.exe idle",
        "CurrentDirectory": "D:\\Depot\\",
        "User": _USER,
        "LogonGuid": _GUID % 3,
        "LogonId": "0x7a7a7",
        "TerminalSessionId": 1,
        "IntegrityLevel": "Medium",
        "Hashes": _HASHES,
        "ParentProcessGuid": _GUID % 4,
        "ParentProcessId": 3110,
        "ParentImage": "D:\\Depot\\Quartz\\qz6.exe",
        "ParentCommandLine": "qz6.exe idle",
        "ParentUser": _USER,
    },
    2: {**_WHO, **_FILE, "PreviousCreationUtcTime": "2024-03-05 08:00:00.000", "User": _USER},
    3: {**_WHO, "User": _USER, **_CONNECTION},
    4: {"State": "Started", "Version": "15.0", "SchemaVersion": "4.90"},
    5: {**_WHO, "User": _USER},
    6: {"ImageLoaded": "D:\\Depot\\Quartz\\qz9.sys", "Hashes": _HASHES, **_SIGNED},
    7: {
        **_WHO,
        "ImageLoaded": "D:\\Depot\\Quartz\\qz9.dll",
        **_FILE_INFO,
        "Hashes": _HASHES,
        **_SIGNED,
        "User": _USER,
    },
    8: _THREAD,
    9: {**_WHO, "Device": "\\Device\\HarddiskVolume7", "User": _USER},
    10: _ACCESS,
    11: {**_WHO, **_FILE, "User": _USER},
    12: {"EventType": "CreateKey", **_WHO, **_REGISTRY},
    13: {"EventType": "SetValue", **_WHO, **_REGISTRY, "Details": "DWORD (0x00000077)"},
    14: {"EventType": "RenameKey", **_WHO, **_REGISTRY, "NewName": "HKLM\\QUARTZ\\Depot\\Stage"},
    15: {**_WHO, **_FILE, "Hash": _HASHES, "Contents": "-", "User": _USER},
    16: {"Configuration": "D:\\Depot\\sysmon.xml", "ConfigurationFileHash": "SHA256=00112233"},
    17: {"EventType": "CreatePipe", **_WHO, "PipeName": "\\qz7", "User": _USER},
    18: {"EventType": "ConnectPipe", **_WHO, "PipeName": "\\qz7", "User": _USER},
    19: {
        "EventType": "WmiFilterEvent",
        **_WMI,
        "EventNamespace": "root\\quartz",
        "Name": "qz7",
        "Query": "select qz7",
    },
    20: {
        "EventType": "WmiConsumerEvent",
        **_WMI,
        "Name": "qz7",
        "Type": "Quartz",
        "Destination": "D:\\Depot\\qz7.txt",
    },
    21: {
        "EventType": "WmiBindingEvent",
        **_WMI,
        "Consumer": "qz7",
        "Filter": "qz8",
    },
    22: {
        **_WHO,
        "QueryName": "depot.quartz.test",
        "QueryStatus": "0",
        "QueryResults": "198.51.100.20;",
        "User": _USER,
    },
    23: {**_WHO, "User": _USER, **_DELETED, "IsExecutable": "false", "Archived": "true"},
    24: {
        **_WHO,
        "Session": 1,
        "ClientInfo": "user: qz7",
        "Hashes": _HASHES,
        "Archived": "true",
        "User": _USER,
    },
    25: {**_WHO, "Type": "Image is replaced", "User": _USER},
    26: {
        **_WHO,
        "User": _USER,
        "TargetFilename": "D:\\Depot\\Quartz\\qz7.dat",
        "Hashes": _HASHES,
        "IsExecutable": "false",
    },
    27: {**_WHO, "User": _USER, **_DELETED},
    28: {
        **_WHO,
        "User": _USER,
        "TargetFilename": "D:\\Depot\\Quartz\\qz7.dat",
        "Hashes": _HASHES,
        "IsExecutable": "true",
    },
    29: {**_WHO, "User": _USER, "TargetFilename": "D:\\Depot\\Quartz\\qz7.exe", "Hashes": _HASHES},
    255: {"ID": "QzState", "Description": "Quartz state"},
}

_POWERSHELL = ("Microsoft-Windows-PowerShell/Operational", "Microsoft-Windows-PowerShell")
_CLASSIC = ("Windows PowerShell", "PowerShell")
# Channel, provider and event id of what other logs record (Sigma specification, appendix "Taxonomy").
_LOGS: Mapping[str, tuple[tuple[str, str], int]] = {
    "ps_module": (_POWERSHELL, 4103),
    "ps_script": (_POWERSHELL, 4104),
    "ps_classic_start": (_CLASSIC, 400),
    "ps_classic_provider_start": (_CLASSIC, 600),
    "ps_classic_script": (_CLASSIC, 800),
}
_TRACED = ("file_access", "file_rename")

NUMBERS = frozenset(
    {
        "ProcessId",
        "ParentProcessId",
        "SourceProcessId",
        "TargetProcessId",
        "SourceThreadId",
        "NewThreadId",
        "SourcePort",
        "DestinationPort",
        "TerminalSessionId",
        "Session",
        "QueryStatus",
        "EventID",
    }
)
BOOLEANS = frozenset({"Initiated", "SourceIsIpv6", "DestinationIsIpv6", "Signed", "IsExecutable", "Archived"})
ADDRESSES = frozenset({"SourceIp", "DestinationIp", "IpAddress"})
NEUTRAL_ADDRESS = "192.0.2.100"
USERS = frozenset({"User", "ParentUser", "SourceUser", "TargetUser"})
FIXED = frozenset(
    {"UtcTime", "CreationUtcTime", "PreviousCreationUtcTime", "Channel", "Provider_Name", "LogonGuid"}
)
"""Fields whose values Sysmon or the event log sets: times, GUIDs and the log's own names."""


def event_ids(logsource: Mapping[str, Any]) -> tuple[int, ...]:
    """Return Sysmon's event ids of a logsource, or none if it is not one of Sysmon's on Windows."""
    if str(logsource.get("product") or "windows").lower() != "windows":
        return ()
    category = str(logsource.get("category") or "").lower()
    if not category and str(logsource.get("service") or "").lower() == "sysmon":
        return (1,)
    return SYSMON_EVENT_IDS.get(category, ())


def sysmon_event(event_id: int) -> dict[str, Any]:
    """Return a flat Sysmon record with all fields that Sysmon writes for the event id, but its time."""
    return {
        "EventID": event_id,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": "qz-host.quartz.test",
        "RuleName": "-",
        **_DATA[event_id],
    }


def log_event(logsource: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a record of a log other than Sysmon's says of itself; nothing for an unknown logsource."""
    if str(logsource.get("product") or "windows").lower() != "windows":
        return {}
    category = str(logsource.get("category") or "").lower()
    if category in _TRACED:
        return {"Provider_Name": "Microsoft-Windows-Kernel-File", "Computer": "qz-host.quartz.test"}
    if not category and (known := channels(logsource)):
        return {"Channel": known[0], "Computer": "qz-host.quartz.test"}
    if category not in _LOGS:
        return {}
    (channel, provider), event_id = _LOGS[category]
    return {
        "EventID": event_id,
        "Channel": channel,
        "Provider_Name": provider,
        "Computer": "qz-host.quartz.test",
    }


def channels(logsource: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the channels of a log source on Windows, as they are written."""
    if str(logsource.get("product") or "windows").lower() != "windows":
        return ()
    category = str(logsource.get("category") or "").lower()
    if category in ("ps_module", "ps_script"):
        return CHANNELS["powershell"]
    return CHANNELS.get(str(logsource.get("service") or "").lower(), ()) if not category else ()


def neutral(field: str) -> str:
    """Return a plain text for a field that no event of `sysmon_event` has."""
    return NEUTRAL_ADDRESS if field in ADDRESSES else "qz"


def storable(field: str, value: Any) -> bool:
    """Tell whether Sysmon could write the value into the field: platforms give it that type."""
    if field in FIXED:
        return False
    text = str(value)
    if field in NUMBERS:
        return text.isascii() and text.isdigit() and len(text) < 10
    if field in BOOLEANS:
        return text in ("true", "false")
    if field in USERS:
        return text.count("\\") == 1 and not text.startswith("\\") and not text.endswith("\\")
    if field in ADDRESSES:
        try:
            ip_address(text)
        except ValueError:
            return False
    return plausible.holds(field, text)


def stamp(milliseconds: int, *, sysmon: bool) -> dict[str, str]:
    """Return the time field of an event at `milliseconds` after `START`."""
    time = START + timedelta(milliseconds=milliseconds)
    text = time.strftime("%Y-%m-%d %H:%M:%S.") + f"{time.microsecond // 1000:03d}"
    return {"UtcTime": text} if sysmon else {"@timestamp": text.replace(" ", "T") + "Z"}
