"""What tests of Defender's pipelines share: a record for each category, rules on the real engines."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from converter.backends import backend_for
from converter.engines import engine_for
from converter.pipelines.cells import cell
from converter.pipelines.prepare import prepare
from converter.plan.model import BaseRule, Reason
from converter.platforms import platform_of
from converter.rules.rule import Rule
from converter.shapes import shape_for

ROOT = Path(__file__).parent.parent.parent / "pipelines" / "defender"
TARGETS = ("eql", "lucene", "spl", "kql")
_ACTOR = {
    "ProcessId": 4242,
    "Image": r"C:\Program Files\App\app.exe",
    "CommandLine": "app.exe /run",
    "ParentImage": r"C:\Windows\System32\starter.exe",
    "User": r"EXAMPLE\alice",
    "Computer": "WS1.example.com",
    "UtcTime": "2024-05-06 07:08:09.123",
}
_SOURCE = {
    "SourceProcessId": 4242,
    "SourceImage": r"C:\Tools\tool.exe",
    "SourceCommandLine": "tool.exe -x",
    "SourceParentImage": r"C:\Windows\explorer.exe",
    "SourceUser": r"EXAMPLE\alice",
    "TargetProcessId": 700,
    "TargetImage": r"C:\Windows\System32\lsass.exe",
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
        "OriginalFileName": "app.bin",
        "Description": "The app",
        "Product": "Product of it",
        "Company": "Its maker",
        "FileVersion": "1.2.3.4 (build)",
        "Hashes": _HASHES,
        "IntegrityLevel": "High",
        "LogonId": "0x3e7",
        "TerminalSessionId": 2,
        "ParentCommandLine": "starter.exe app",
        "ParentUser": r"NT AUTHORITY\SYSTEM",
        "ParentProcessId": 99,
        "GrandParentImage": r"C:\Windows\grand.exe",
    },
    "network_connection": _ACTOR
    | {
        "EventID": 3,
        "Initiated": "true",
        "Protocol": "tcp",
        "SourceIp": "10.1.2.3",
        "SourcePort": 50000,
        "SourceHostname": "ws1.example.com",
        "DestinationIp": "192.168.7.8",
        "DestinationPort": 443,
        "DestinationHostname": "host.example.net",
    },
    "file_event": _ACTOR | {"EventID": 11, "TargetFilename": r"C:\Users\alice\new.txt"},
    "file_delete": _ACTOR | {"EventID": 23, "TargetFilename": r"C:\Users\alice\old.txt", "Hashes": _HASHES},
    "image_load": _ACTOR | {"EventID": 7, "ImageLoaded": r"C:\Windows\lib.dll", "Hashes": _HASHES},
    "registry_set": _REGISTRY | {"EventID": 13, "EventType": "SetValue", "Details": "C:\\run.exe"},
    "registry_add": _REGISTRY | {"EventID": 12, "EventType": "CreateKey"},
    "registry_delete": _REGISTRY | {"EventID": 12, "EventType": "DeleteValue"},
    "registry_rename": _REGISTRY | {"EventID": 14, "EventType": "RenameKey", "NewName": r"HKLM\SOFTWARE\New"},
    "registry_event": _REGISTRY | {"EventID": 13, "EventType": "SetValue", "Details": "C:\\run.exe"},
    "driver_load": {
        "EventID": 6,
        "ImageLoaded": r"C:\Windows\drivers\bad.sys",
        "Hashes": _HASHES,
        "Computer": "WS1.example.com",
    },
    "create_remote_thread": _SOURCE | {"EventID": 8},
    "process_access": _SOURCE | {"EventID": 10, "GrantedAccess": "0x1410"},
    "dns_query": _ACTOR | {"EventID": 22, "QueryName": "bad.example.org"},
    "pipe_created": _ACTOR | {"EventID": 17, "EventType": "CreatePipe", "PipeName": r"\evil-pipe"},
    "wmi_event": {
        "EventID": 21,
        "Consumer": r"CommandLineEventConsumer.Name=\"x\"",
        "Filter": "__EventFilter.Name=f",
        "EventNamespace": r"root\subscription",
        "Computer": "WS1.example.com",
    },
    "ps_script": {
        "EventID": 4104,
        "Channel": "Microsoft-Windows-PowerShell/Operational",
        "ScriptBlockText": 'Invoke-Thing "C:\\dir" now',
        "Computer": "WS1.example.com",
    },
}
# Another value of a field, where adding letters to the record's makes none.
OTHER: dict[str, Any] = {
    "User": r"EXAMPLE\bob",
    "ParentUser": r"EXAMPLE\bob",
    "SourceUser": r"EXAMPLE\bob",
    "IntegrityLevel": "Low",
    "LogonId": "0x3e6",
    "Hashes": _HASHES.replace("AB", "CD"),
    "SourceIp": "10.1.2.4",
    "DestinationIp": "192.168.7.9",
    "Initiated": "false",
    "Protocol": "udp",
    "GrantedAccess": "0x1000",
    "ParentImage": r"C:\Windows\System32\other.exe",
    "GrandParentImage": r"C:\Windows\other.exe",
    "SourceParentImage": r"C:\Windows\other.exe",
    "Computer": "WS2.example.com",
    "SourceHostname": "other.example.com",
    "TargetObject": r"HKLM\SOFTWARE\Vendor\Key\Other",
    "NewName": r"HKLM\SOFTWARE\Other",
    "ScriptBlockText": "harmless",
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


def rule(category: str, detection: dict[str, Any]) -> Rule:
    doc = {
        "title": "t",
        "id": "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0002",
        "logsource": {"product": "windows", "category": category},
        "detection": detection if "condition" in detection else {"s": detection, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def base(target: str, category: str, detection: dict[str, Any]) -> tuple[BaseRule, list[Reason]]:
    return prepare(rule(category, detection), cell("defender", target))


def selected(
    target: str, category: str, detection: dict[str, Any], events: list[dict[str, Any]]
) -> list[int]:
    """Return which of the records the rule's query selects, run over them as they are stored."""
    mapped, _ = base(target, category, detection)
    texts = [draft.text for draft in backend_for(target).event(mapped)]
    shape = shape_for("defender", platform_of(target).name)
    stored = [shape.store(event, position) for position, event in enumerate(events)]
    indices = {one.index for one in stored} | {mapped.state.get("table") or stored[0].index}
    tables = dict.fromkeys(indices, mapped.columns)
    engine = engine_for(target)
    session = engine.load(stored, tables)
    for text in texts:
        engine.validate(text, tables)
    return sorted({event for text in texts for event in session.run(text).events})
