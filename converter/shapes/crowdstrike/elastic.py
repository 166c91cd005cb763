"""How Elastic stores FDR events: the crowdstrike integration, data stream fdr.

After elastic/integrations packages/crowdstrike/data_stream/fdr/elasticsearch/ingest_pipeline (default.yml,
categorize.yml, inbound_network.yml, outbound_network.yml at 0a4de859). Only what the pipelines do with the
properties of `crowdstrike_events` is followed; every property that they do not rename stays below
``crowdstrike``.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from converter.events.stored import Stored
from converter.shapes.crowdstrike import sensor
from converter.shapes.windows.command_line import split_arguments

INDEX = "logs-crowdstrike.fdr-default"
EMPTY = frozenset({"", "-", "none"})
"""Texts that the last script removes, wherever they stand."""

_CATEGORIES = {
    "ProcessRollup2": "process",
    "SyntheticProcessRollup2": "process",
    "NetworkConnectIP4": "network",
    "NetworkConnectIP6": "network",
    "NetworkReceiveAcceptIP4": "network",
    "NetworkReceiveAcceptIP6": "network",
    "DnsRequest": "network",
    "DriverLoad": "driver",
    "ClassifiedModuleLoad": "library",
    "ExecutableDeleted": "file",
    "FileDeleteInfo": "file",
    "FileRenameInfo": "file",
    "NewExecutableRenamed": "file",
    "AsepKeyUpdate": "registry",
    "AsepValueUpdate": "registry",
    "RegGenericValueUpdate": "registry",
    "RegSystemConfigValueUpdate": "registry",
}
_MORE = {
    "RegSystemConfigValueUpdate": ["host", "configuration"],
    "ScriptControlScanTelemetry": ["malware", "file"],
}
_LEVELS = {
    "0": "UNTRUSTED",
    "4096": "LOW",
    "8192": "MEDIUM",
    "8448": "MEDIUM_PLUS",
    "12288": "HIGH",
    "16384": "SYSTEM",
    "20480": "PROTECTED",
}
_TRANSPORTS = {"0": "hopopt", "1": "icmp", "2": "igmp", "6": "tcp", "17": "udp", "58": "ipv6-icmp"}
_DATA_TYPES = dict(
    enumerate(
        (
            *("REG_NONE", "REG_SZ", "REG_EXPAND_SZ", "REG_BINARY", "REG_DWORD", "REG_DWORD_BIG_ENDIAN"),
            *("REG_LINK", "REG_MULTI_SZ", "REG_RESOURCE_LIST", "REG_FULL_RESOURCE_DESCRIPTOR"),
            *("REG_RESOURCE_REQUIREMENTS_LIST", "REG_QWORD"),
        )
    )
)
_REMOVED = ("timestamp", "DomainName", "ConnectionDirection", "event_platform")


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the document for a record of Windows."""
    return Stored(id, INDEX, document(sensor.event_of(event)))


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record with CrowdStrike's names of host and processes, without what the ingest removes."""
    return sensor.seen(event, EMPTY)


def document(raw: Mapping[str, str]) -> dict[str, Any]:
    """Return the flat document that the ingest makes of an FDR event."""
    left: dict[str, Any] = dict(raw)
    action = raw.get("event_simpleName", "")
    time = _iso(int(raw["timestamp"]))
    doc: dict[str, Any] = {"@timestamp": time, "event.created": time, "event.action": action}
    category = "file" if action.endswith("Written") else _CATEGORIES.get(action)
    categories = [*([category] if category else []), *_MORE.get(action, [])]
    doc |= {"event.category": categories} if categories else {}
    systems = {"Win": "windows", "Lin": "linux", "Mac": "macos"}
    doc |= {"host.os.type": systems[raw["event_platform"]]} if raw.get("event_platform") in systems else {}
    if "aid" in left:
        doc |= {"host.id": left.pop("aid"), "observer.serial_number": raw["aid"]}
    hashes = {
        name.removesuffix("HashData").lower(): left[name]
        for name in ("MD5HashData", "SHA1HashData", "SHA256HashData")
        if left.get(name, "").strip("0")
    }
    for name in ("MD5HashData", "SHA1HashData", "SHA256HashData"):
        if not left.get(name, "").strip("0"):
            left.pop(name, None)
    _process(doc, left, action, category, hashes)
    if category in ("library", "driver"):
        _module(doc, left, action, category)
    _registry(doc, left)
    _user(doc, left, category)
    _network(doc, left)
    if "dnsrequest" in action.lower() and "DomainName" in left:
        doc |= {"dns.question.name": left["DomainName"], "dns.type": "query", "network.protocol": "dns"}
    _file(doc, left, action, hashes)
    for name in _REMOVED:
        left.pop(name, None)
    if "ContextTimeStamp" in left:
        left["ContextTimeStamp"] = _iso(round(float(left["ContextTimeStamp"]) * 1000))
    doc |= {f"crowdstrike.{name}": value for name, value in left.items()}
    return {name: value for name, value in doc.items() if value != [] and str(value) not in EMPTY}


def _process(
    doc: dict[str, Any], left: dict[str, Any], action: str, category: str | None, hashes: Mapping[str, str]
) -> None:
    if "CommandLine" in left:
        line = doc["process.command_line"] = left.pop("CommandLine")
        doc["process.args"] = [one for one in split_arguments(line) if one]
    if category not in ("library", "driver") and "ImageFileName" in left:
        doc["process.executable"] = left.pop("ImageFileName")
        if doc["process.executable"].startswith("\\"):
            doc["process.name"] = doc["process.executable"].rpartition("\\")[2]
    if "RawProcessId" in left:
        doc["process.pid"] = int(left.pop("RawProcessId"))
    renamed = {
        "TargetProcessId": "process.entity_id",
        "ParentProcessId": "process.parent.entity_id",
        "ParentBaseFileName": "process.parent.name",
    }
    doc |= {target: left.pop(name) for name, target in renamed.items() if name in left}
    if category == "network" and left.get("ContextBaseFileName"):
        doc["process.name"] = left["ContextBaseFileName"]
    if left.get("ContextProcessId"):
        doc.setdefault("process.entity_id", left["ContextProcessId"])
    if left.get("ContextThreadId"):
        doc["process.thread.id"] = int(left.pop("ContextThreadId"))
    if "Process" in action or "Service" in action:
        doc |= {f"process.hash.{name}": value for name, value in hashes.items()}
    if left.get("IntegrityLevel") in _LEVELS:
        doc["process.Ext.token.integrity_level_name"] = _LEVELS[left["IntegrityLevel"]]
    if category == "process" and left.get("OriginalFilename"):
        doc["process.pe.original_file_name"] = left["OriginalFilename"]


def _module(doc: dict[str, Any], left: dict[str, Any], action: str, category: str) -> None:
    if left.get("OriginalFilename"):
        doc["dll.pe.original_file_name"] = left["OriginalFilename"]
    for name, target in (("MD5HashData", "md5"), ("SHA256HashData", "sha256")):
        if name in left:
            doc[f"dll.hash.{target}"] = left.pop(name)
    if "ImageFileName" in left:
        doc["dll.name"] = left["ImageFileName"].rpartition("\\")[2]
        if action == "ClassifiedModuleLoad" or category == "driver":
            doc["dll.path"] = left.pop("ImageFileName")
    if category == "library" and "TargetImageFileName" in left:
        doc["process.executable"] = left.pop("TargetImageFileName")
        doc["process.name"] = doc["process.executable"].rpartition("\\")[2]
    kind, level = left.get("ImageSignatureType"), left.get("ImageSignatureLevel")
    if action == "ClassifiedModuleLoad" and kind and level:
        doc["dll.code_signature.exists"] = kind != "0"
        doc["dll.code_signature.trusted"] = kind != "0" and int(level) >= 2


def _registry(doc: dict[str, Any], left: Mapping[str, Any]) -> None:
    if left.get("RegStringValue"):
        doc["registry.data.strings"] = [left["RegStringValue"]]
    key, value = left.get("RegObjectName"), left.get("RegValueName")
    if key:
        doc["registry.path"] = f"{key}\\{value}" if value else key
        doc["registry.key"] = key
        for root in ("\\REGISTRY\\USER\\", "\\REGISTRY\\MACHINE\\"):
            doc["registry.key"] = doc["registry.key"].removeprefix(root)
    if value:
        doc["registry.value"] = value
    kind = left.get("RegType", "")
    if kind.isdigit() and int(kind) in _DATA_TYPES:
        doc["registry.data.type"] = _DATA_TYPES[int(kind)]


def _user(doc: dict[str, Any], left: dict[str, Any], category: str | None) -> None:
    if "UserSid" in left:
        doc["user.id"] = left.pop("UserSid")
    elif category == "file" and left.get("FileOperatorSid"):
        doc["user.id"] = left["FileOperatorSid"]
    if "UserName" in left:
        doc["user.name"] = left.pop("UserName")


def _network(doc: dict[str, Any], left: dict[str, Any]) -> None:
    directions = {"0": "outbound", "1": "inbound"}
    direction = directions.get(left.get("ConnectionDirection", ""))
    if left.get("ConnectionDirection"):
        doc["network.direction"] = direction or "unknown"
    local, remote = ("destination", "source") if direction == "inbound" else ("source", "destination")
    for end, name in ((local, "Local"), (remote, "Remote")):
        for version in ("IP4", "IP6"):
            if f"{name}Address{version}" in left:
                address = left[f"{name}Address{version}"].split()[0]
                doc.setdefault(f"{end}.ip", address)
                if name == "Remote":
                    del left[f"{name}Address{version}"]
                else:
                    left[f"{name}Address{version}"] = [address]
        if f"{name}Port" in left:
            doc[f"{end}.port"] = int(left.pop(f"{name}Port"))
    if "Protocol" in left:
        number = doc["network.iana_number"] = left.pop("Protocol")
        doc |= {"network.transport": _TRANSPORTS[number]} if number in _TRANSPORTS else {}


def _file(doc: dict[str, Any], left: dict[str, Any], action: str, hashes: Mapping[str, str]) -> None:
    renamed = action in ("NewExecutableRenamed", "FileRenameInfo")
    if renamed and left.get("SourceFileName"):
        doc["file.Ext.original.path"] = left["SourceFileName"]
    if "SourceFileName" in left:
        doc["file.path"] = left.pop("SourceFileName")
    elif "TargetFileName" in left:
        doc["file.path"] = left.pop("TargetFileName")
    if renamed and left.get("TargetFileName"):
        doc["file.path"] = left["TargetFileName"]
    if file := doc.get("file.path"):
        directory, slash, name = file.removesuffix("\\").rpartition("\\")
        if slash:
            doc |= {"file.directory": directory, "file.name": name}
            if "." in name:
                doc["file.extension"] = name.rpartition(".")[2]
    if any(word in action for word in ("File", "Directory", "Executable")):
        doc |= {f"file.hash.{name}": value for name, value in hashes.items()}
    if action.endswith("Written"):
        if left.get("ContextBaseFileName"):
            doc["process.name"] = left["ContextBaseFileName"]
        if left.get("ContextImageFileName"):
            doc["process.executable"] = left["ContextImageFileName"]
    if "Size" in left:
        doc["file.size"] = int(left.pop("Size"))


def _iso(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds // 1000, UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{milliseconds % 1000:03d}Z"
