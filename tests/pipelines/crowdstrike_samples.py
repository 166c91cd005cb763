"""What tests of CrowdStrike's pipelines share: a record for each category, rules on the real engines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from converter.backends import backend_for
from converter.engines import engine_for
from converter.pipelines.cells import Cell, cell
from converter.pipelines.prepare import prepare
from converter.plan.model import BaseRule, Reason
from converter.platforms import platform_of
from converter.rules.rule import Rule
from converter.shapes import shape_for

ROOT = Path(__file__).parent.parent.parent / "pipelines" / "crowdstrike"
TARGETS = ("eql", "lucene", "spl", "kql")
_ACTOR = {
    "ProcessId": 4242,
    "Image": r"C:\Program Files\App\app.exe",
    "User": r"NT AUTHORITY\SYSTEM",
    "Computer": "WS1.example.com",
    "UtcTime": "2024-05-06 07:08:09.123",
}
_HASHES = f"MD5={'AB' * 16},SHA256={'AB' * 32},IMPHASH={'00' * 16}"
_REGISTRY = _ACTOR | {"TargetObject": r"HKLM\SOFTWARE\Vendor\Key\Name"}

# Category to a record that has all fields, and the category's kind of event.
EVENTS: dict[str, dict[str, Any]] = {
    "process_creation": _ACTOR
    | {
        "EventID": 1,
        "CommandLine": "app.exe /run",
        "ParentImage": r"C:\Windows\System32\starter.exe",
        "OriginalFileName": "app.bin",
        "Hashes": _HASHES,
        "IntegrityLevel": "High",
        "LogonId": "0x3e7",
    },
    "network_connection": _ACTOR
    | {
        "EventID": 3,
        "Initiated": "true",
        "Protocol": "tcp",
        "SourceIp": "10.1.2.3",
        "SourcePort": 50000,
        "SourceIsIpv6": "false",
        "DestinationIp": "192.168.7.8",
        "DestinationPort": 443,
        "DestinationIsIpv6": "false",
    },
    "dns_query": _ACTOR
    | {
        "EventID": 22,
        "QueryName": "bad.example.org",
        "QueryStatus": "0",
        "QueryResults": "type:  5 alias.example.org;::ffff:10.9.8.7;",
    },
    "file_event": _ACTOR | {"EventID": 11, "TargetFilename": r"C:\Users\alice\new.txt"},
    "file_executable_detected": _ACTOR
    | {"EventID": 29, "TargetFilename": r"C:\Users\alice\new.exe", "Hashes": _HASHES},
    "file_delete": _ACTOR | {"EventID": 23, "TargetFilename": r"C:\Users\alice\old.txt"},
    "file_rename": {
        "Provider_Name": "Microsoft-Windows-Kernel-File",
        "SourceFilename": r"C:\Users\alice\old.txt",
        "TargetFilename": r"C:\Users\alice\new.dll",
        "Computer": "WS1.example.com",
    },
    "image_load": _ACTOR
    | {
        "EventID": 7,
        "ImageLoaded": r"C:\Windows\lib.dll",
        "OriginalFileName": "lib.bin",
        "Hashes": _HASHES,
        "Signed": "true",
        "SignatureStatus": "Valid",
    },
    "driver_load": {
        "EventID": 6,
        "ImageLoaded": r"C:\Windows\drivers\bad.sys",
        "Hashes": _HASHES,
        "Computer": "WS1.example.com",
    },
    "registry_set": _REGISTRY | {"EventID": 13, "EventType": "SetValue", "Details": "C:\\run.exe"},
    "registry_add": _REGISTRY | {"EventID": 12, "EventType": "CreateKey"},
    "registry_delete": _REGISTRY | {"EventID": 12, "EventType": "DeleteValue"},
    "registry_rename": _REGISTRY | {"EventID": 14, "EventType": "RenameKey"},
    "registry_event": _REGISTRY | {"EventID": 13, "EventType": "SetValue", "Details": "C:\\run.exe"},
    "ps_script": {
        "EventID": 4104,
        "Channel": "Microsoft-Windows-PowerShell/Operational",
        "Provider_Name": "Microsoft-Windows-PowerShell",
        "ScriptBlockText": 'Invoke-Thing "C:\\dir" now',
        "Path": r"C:\scripts\thing.ps1",
        "Computer": "WS1.example.com",
    },
}
# Another value of a field, where adding letters to the record's makes none.
OTHER: dict[str, Any] = {
    "User": r"NT AUTHORITY\NETWORK SERVICE",
    "Image": r"C:\Program Files\App\other.exe",
    "ParentImage": r"C:\Windows\System32\other.exe",
    "TargetFilename": r"C:\Users\alice\other.exe",
    "SourceFilename": r"C:\Users\alice\other.exe",
    "ImageLoaded": r"C:\Windows\other.sys",
    "IntegrityLevel": "Low",
    "LogonId": "0x3e6",
    "Hashes": _HASHES.replace("AB", "CD"),
    "SourceIp": "10.1.2.4",
    "DestinationIp": "192.168.7.9",
    "Initiated": "false",
    "Protocol": "udp",
    "QueryStatus": "9003",
    "QueryResults": "::ffff:10.9.8.6;",
    "Signed": "false",
    "SignatureStatus": "Expired",
    "Computer": "WS2.example.com",
    "TargetObject": r"HKLM\SOFTWARE\Vendor\Key\Other",
    "ScriptBlockText": "harmless",
    "Path": r"C:\scripts\other.ps1",
}


@cache
def fields(platform: str) -> dict[str, list[str]]:
    """Return category -> fields that the pipeline lets pass."""
    items = yaml.safe_load((ROOT / f"{platform}.yml").read_text())["transformations"]
    return {
        item["rule_conditions"][0]["category"]: [one for one in item["fields"] if one != "EventID"]
        for item in items
        if item["type"] == "require_fields"
    }


def other(field: str, value: Any) -> Any:
    if field in OTHER:
        return OTHER[field]
    return value + 1 if isinstance(value, int) else f"x{value}"


def asked(category: str, field: str, value: Any) -> dict[str, Any]:
    """Return the selection that asks for a value as rules do."""
    if field == "Hashes":
        return {"Hashes|contains": value.split(",")[1]}
    if field == "QueryResults":
        return {"QueryResults|contains": "10.9.8.7" if "10.9.8.7" in value else "10.9.8.6"}
    if field == "ParentImage" or (field == "Image" and category not in ("process_creation", "image_load")):
        return {f"{field}|endswith": "\\" + value.rpartition("\\")[2]}
    if field in ("Image", "TargetFilename", "SourceFilename", "ImageLoaded"):
        return {field: "?" + value[1:]}
    if field == "ScriptBlockText":
        return {"ScriptBlockText|contains": value}
    return {field: value}


def around(category: str, field: str) -> list[dict[str, Any]]:
    """Return records: one that holds the sample's value, and others that a rule on it must not select."""
    held = EVENTS[category]
    miss = held | {field: other(field, held[field])}
    if field in ("SourceIsIpv6", "DestinationIsIpv6"):
        miss = held | {"SourceIp": "fe80::1", "DestinationIp": "fe80::2"}
    if field == "EventType":
        miss = held | (
            {"EventType": "DeleteKey", "EventID": 12}
            if category != "registry_rename"
            else {"EventType": "DeleteKey", "EventID": 24}
        )
    elsewhere = held | {"EventID": 24, "Channel": "Microsoft-Windows-Sysmon/Operational"}
    elsewhere |= {"Provider_Name": "Microsoft-Windows-Sysmon"}
    header = ("EventID", "Computer", "UtcTime", "Channel", "EventType")
    nothing = {name: held[name] for name in header if name in held}
    always = field in ("EventType", "Initiated", "SourceIsIpv6", "DestinationIsIpv6")
    return [held, miss, elsewhere, *([] if always else [nothing])]


def rule(category: str, detection: dict[str, Any]) -> Rule:
    doc = {
        "title": "t",
        "id": "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0003",
        "logsource": {"product": "windows", "category": category},
        "detection": detection if "condition" in detection else {"s": detection, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def base(target: str, category: str, detection: dict[str, Any]) -> tuple[BaseRule, list[Reason]]:
    return prepare(rule(category, detection), cell("crowdstrike", target))


def run(mapped: BaseRule, target: str, stored: list[Any]) -> list[int]:
    """Return which of the stored events the rule's query selects."""
    texts = [draft.text for draft in backend_for(target).event(mapped)]
    read = mapped.state.get("table") or []
    indices = {one.index for one in stored} | {*([read] if isinstance(read, str) else read)}
    tables = dict.fromkeys(sorted(indices), mapped.columns)
    engine = engine_for(target)
    session = engine.load(stored, tables)
    for text in texts:
        engine.validate(text, tables)
    return sorted({event for text in texts for event in session.run(text).events})


def selected(
    target: str, category: str, detection: dict[str, Any], events: list[dict[str, Any]]
) -> list[int]:
    """Return which of the records the rule's query selects, run over them as they are stored."""
    return selected_by(cell("crowdstrike", target), category, detection, events)


def selected_by(
    where: Cell, category: str, detection: dict[str, Any], events: list[dict[str, Any]]
) -> list[int]:
    """Return the same for a cell whose pipeline may be another."""
    mapped, _ = prepare(rule(category, detection), where)
    shape = shape_for("crowdstrike", platform_of(where.target).name)
    return run(mapped, where.target, [shape.store(event, position) for position, event in enumerate(events)])
