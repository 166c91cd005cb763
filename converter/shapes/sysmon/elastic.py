"""How Elastic stores Sysmon's events: Elastic Agent's windows integration, and winlogbeat.

Written from what the vendor's ingest pipelines do, not from our field mapping: elastic/integrations
``packages/windows/data_stream/sysmon_operational`` (``elasticsearch/ingest_pipeline/default.yml``) and
elastic/beats ``x-pack/winlogbeat/module/sysmon/ingest/sysmon.yml``. The tests hold records and documents that
these projects publish. Documents are flat: dotted field name to value or list of values.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from converter.events.stored import Stored
from converter.shapes.windows import elastic, records
from converter.shapes.windows.command_line import split_arguments
from converter.shapes.windows.dns_status import DNS_STATUS

AGENT_INDEX = "logs-windows.sysmon_operational-default"
WINLOGBEAT_INDEX = "winlogbeat-default"

EMPTY = frozenset({"", "-", "{00000000-0000-0000-0000-000000000000}"})
"""What the first processor drops from event_data."""

# Event id to event.category and event.type. Since package 3 event 7 is also a library start
# (test-image-loaded-failed-signature.json-expected.json).
_CATEGORIES: dict[int, tuple[tuple[str, ...], tuple[str, ...]]] = {
    1: (("process",), ("start",)),
    2: (("file",), ("change",)),
    3: (("network",), ("start", "connection", "protocol")),
    4: (("process",), ("change",)),
    5: (("process",), ("end",)),
    6: (("driver",), ("start",)),
    7: (("process", "library"), ("change", "start")),
    8: (("process",), ("change",)),
    9: (("process",), ("access",)),
    10: (("process",), ("access",)),
    11: (("file",), ("creation",)),
    12: (("configuration", "registry"), ("change",)),
    13: (("configuration", "registry"), ("change",)),
    14: (("configuration", "registry"), ("change",)),
    15: (("file",), ("access",)),
    16: (("configuration",), ("change",)),
    17: (("file",), ("creation",)),
    18: (("file",), ("access",)),
    19: (("process",), ("info",)),
    20: (("process",), ("change",)),
    21: (("process",), ("access",)),
    22: (("network",), ("connection", "protocol", "info")),
    23: (("file",), ("deletion",)),
    24: ((), ("change",)),
    25: (("process",), ("change",)),
    26: (("file",), ("deletion",)),
    27: (("file",), ("creation",)),
    28: (("file",), ("deletion",)),
    29: (("file",), ("creation",)),
    255: (("process",), ()),
}
_PROCESS_HASHES = {1, 23, 24, 25}
_FILE_HASHES = {6, 7, 15, 26, 29}

# The rename processors: they take the element out of event_data. In the pipeline's order: the first
# that finds its target empty wins.
_RENAMED = {
    "RuleName": "rule.name",
    "ProcessGuid": "process.entity_id",
    "Image": "process.executable",
    "SourceProcessGuid": "process.entity_id",
    "SourceProcessGUID": "process.entity_id",
    "SourceImage": "process.executable",
    "Destination": "process.executable",
    "CommandLine": "process.command_line",
    "CurrentDirectory": "process.working_directory",
    "ParentProcessGuid": "process.parent.entity_id",
    "ParentImage": "process.parent.executable",
    "ParentCommandLine": "process.parent.command_line",
    "TargetFilename": "file.path",
    "Device": "file.path",
    "PipeName": "file.name",
    "ImageLoaded": "file.path",
    "Protocol": "network.transport",
    "DestinationPortName": "network.protocol",
    "SourcePortName": "network.protocol",
    "SourceHostname": "source.domain",
    "DestinationHostname": "destination.domain",
    "QueryName": "dns.question.name",
    "TargetProcessGuid": "winlog.event_data.TargetProcessGUID",
}
_LONGS = {
    "ProcessId": "process.pid",
    "SourceProcessId": "process.pid",
    "SourceThreadId": "process.thread.id",
    "ParentProcessId": "process.parent.pid",
    "SourcePort": "source.port",
    "DestinationPort": "destination.port",
}
_PE = {
    "Company": "company",
    "Description": "description",
    "FileVersion": "file_version",
    "Product": "product",
}
_BOOLEANS = {"Archived": "sysmon.file.archived", "IsExecutable": "sysmon.file.is_executable"}
# The clean-up processor takes these out, whether or not they were converted.
_REMOVED = (
    *_LONGS,
    *_BOOLEANS,
    *("SourceIp", "SourcePortName", "DestinationIp", "DestinationPortName", "RuleName", "User"),
    *("Initiated", "SourceIsIpv6", "DestinationIsIpv6", "QueryStatus", "QueryResults", "UtcTime"),
    *("Hash", "Hashes", "TargetObject"),
)


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the document that Elastic Agent's windows integration stores for a record."""
    if not records.is_sysmon(event):
        return Stored(id, elastic.index_of(event), _other(event))
    return Stored(id, AGENT_INDEX, _document(event, winlogbeat=False))


def store_winlogbeat(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the document that winlogbeat's sysmon module stores for a record."""
    if not records.is_sysmon(event):
        return Stored(id, WINLOGBEAT_INDEX, _other(event))
    return Stored(id, WINLOGBEAT_INDEX, _document(event, winlogbeat=True))


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record without the elements that the ingest drops as empty.

    Those are '', and of Sysmon's records also '-' and the null GUID.
    """
    return records.without(event, EMPTY if records.is_sysmon(event) else frozenset({""}))


def _other(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document of another log's record."""
    return _header(event, records.record_time(event)) | elastic.fields(event)


def _document(event: Mapping[str, Any], winlogbeat: bool) -> dict[str, Any]:
    data = {name: value for name, value in records.event_data(event).items() if value not in EMPTY}
    code = records.event_id(event) or 0
    doc = _header(event, records.utc_time(event) or records.record_time(event))
    category, kind = _CATEGORIES.get(code, ((), ()))
    doc |= {"event.category": list(category)} if category else {}
    doc |= {"event.type": list(kind)} if kind else {}
    if winlogbeat:
        doc |= {"event.module": "sysmon", "host.name": records.text(event.get("Computer", ""))}
    doc |= elastic.message(data)
    if code == 25 and "Type" in data:
        doc["message"] = data.pop("Type")
    if code == 255 and "ID" in data:
        doc["error.code"] = data.pop("ID")
    _hashes(doc, data, code, winlogbeat)
    _file_and_process(doc, data, code)
    _network(doc, data, code)
    _user(doc, data)
    if code in {12, 13, 14} and "TargetObject" in data:
        _registry(doc, data["TargetObject"], data.get("Details"))
    for name, target in _BOOLEANS.items():
        if data.get(name, "").lower() in {"true", "false"}:
            doc[target] = data[name].lower() == "true"
    if "QueryStatus" in data:
        doc["sysmon.dns.status"] = DNS_STATUS.get(data["QueryStatus"], data["QueryStatus"])
    for name in (*_REMOVED, *(("Details",) if winlogbeat else ())):
        data.pop(name, None)
    return doc | _left_over(data)


def _header(event: Mapping[str, Any], time: datetime) -> dict[str, Any]:
    doc: dict[str, Any] = {
        "@timestamp": _iso(time),
        "event.created": _iso(records.record_time(event)),
        "event.kind": "event",
        "event.provider": records.provider(event),
        "winlog.provider_name": records.provider(event),
        "winlog.channel": records.channel(event),
    }
    if (code := records.event_id(event)) is not None:
        doc |= {"event.code": str(code), "winlog.event_id": str(code)}
    if event.get("Computer"):
        doc["winlog.computer_name"] = records.text(event["Computer"])
        # The agent's own name for the host; most often the first label of the record's, lower-cased.
        doc["host.name"] = records.text(event["Computer"]).split(".")[0].lower()
    return doc


def _left_over(data: Mapping[str, str]) -> dict[str, Any]:
    return {f"winlog.event_data.{name}": value for name, value in data.items() if value not in EMPTY}


def _hashes(doc: dict[str, Any], data: dict[str, str], code: int, winlogbeat: bool) -> None:
    found = {}
    for pair in (data.get("Hash") or data.get("Hashes") or "").split(","):
        algorithm, equals, value = pair.partition("=")
        if equals and value.strip("0"):
            found[algorithm.lower()] = value.lower()
    if code in (_PROCESS_HASHES | {26} if winlogbeat else _PROCESS_HASHES):
        place = "process"
    elif code in _FILE_HASHES:
        place = "file"
    else:
        return
    for algorithm, value in found.items():
        doc[f"{place}.pe.imphash" if algorithm == "imphash" else f"{place}.hash.{algorithm}"] = value


def _file_and_process(doc: dict[str, Any], data: dict[str, str], code: int) -> None:
    holder = "file" if code == 7 else "process"
    if "OriginalFileName" in data:
        doc[f"{holder}.pe.original_file_name"] = data.pop("OriginalFileName")
    doc |= {f"{holder}.pe.{field}": data[name] for name, field in _PE.items() if name in data}
    for name, target in _RENAMED.items():
        if name in data and target not in doc:
            doc[target] = data.pop(name)
    for name, target in _LONGS.items():
        if data.get(name, "").lstrip("-").isdigit():
            doc[target] = int(data[name])
    for owner in ("process", "process.parent"):
        if line := doc.get(f"{owner}.command_line"):
            doc[f"{owner}.args"] = split_arguments(line)
            doc[f"{owner}.args_count"] = len(doc[f"{owner}.args"])
        name = doc.get(f"{owner}.executable", "").rpartition("\\")
        if name[1] and name[2]:
            doc[f"{owner}.name"] = name[2]
    if "Signature" in data:
        doc["file.code_signature.subject_name"] = data["Signature"]
    if "SignatureStatus" in data:
        doc["file.code_signature.status"] = data["SignatureStatus"]
        if data["SignatureStatus"] == "Valid":
            doc["file.code_signature.valid"] = True
    directory, slash, name_in_path = doc.get("file.path", "").rpartition("\\")
    if slash:
        doc |= {"file.name": name_in_path, "file.directory": directory}
        if "." in doc["file.path"]:
            doc["file.extension"] = doc["file.path"].rpartition(".")[2]


def _network(doc: dict[str, Any], data: Mapping[str, str], code: int) -> None:
    for name, target in (("SourceIp", "source.ip"), ("DestinationIp", "destination.ip")):
        if name in data and _is_ip(data[name]):
            doc[target] = data[name]
    if data.get("Initiated") in {"true", "false"}:
        doc["network.direction"] = "egress" if data["Initiated"] == "true" else "ingress"
    if data.get("SourceIsIpv6") in {"true", "false"}:
        doc["network.type"] = "ipv6" if data["SourceIsIpv6"] == "true" else "ipv4"
    if code == 22:
        doc["network.protocol"] = "dns"
    answers, addresses = [], []
    for answer in filter(None, data.get("QueryResults", "").split(";")):
        if answer.startswith("type:"):
            answers += answer.split()[2:3]
        elif _is_ip(plain := answer.removeprefix("::ffff:")):
            addresses.append(plain)
    if answers or addresses:
        doc["dns.answers.data"] = answers + addresses
    if addresses:
        doc["dns.resolved_ip"] = addresses


def _user(doc: dict[str, Any], data: Mapping[str, str]) -> None:
    parts = data.get("User", "").split("\\")
    if len(parts) == 2 and all(parts):
        doc |= {"user.domain": parts[0], "user.name": parts[1]}


def _registry(doc: dict[str, Any], path: str, details: str | None) -> None:
    tokens = path.rstrip("\\").split("\\")
    doc |= {"registry.path": path, "registry.value": tokens[-1]}
    if hive := _HIVES.get(tokens[0]):
        doc["registry.hive"] = hive
        if len(tokens) > 1:
            doc["registry.key"] = "\\".join(tokens[1:])
    if not details:
        return
    kind, _, number = details.partition(" ")
    digits = number.strip("()").lower()
    digits = digits if re.fullmatch("0x[0-9a-f]+(-0x[0-9a-f]+)?", digits) else ""
    if kind.upper() == "DWORD" and len(digits) == 10 and digits.startswith("0x"):
        doc |= {"registry.data.type": "SZ_DWORD", "registry.data.strings": [str(int(digits, 16))]}
    elif kind.upper() == "QWORD" and len(digits) == 21 and "-" in digits:
        high, low = (int(part, 16) for part in digits.split("-"))
        # The pipeline shifts by 8, not by 32.
        doc |= {"registry.data.type": "SZ_QWORD", "registry.data.strings": [str((high << 8) + low)]}
    else:
        binary = details == "Binary Data"
        doc |= {
            "registry.data.type": "REG_BINARY" if binary else "REG_SZ",
            "registry.data.strings": [details],
        }


_HIVES = {
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKCR": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
    "HKCC": "HKCC",
    "HKEY_CURRENT_USER": "HKCU",
    "HKCU": "HKCU",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKLM": "HKLM",
    "HKEY_USERS": "HKU",
    "HKU": "HKU",
}


def _is_ip(value: str) -> bool:
    try:
        ipaddress.ip_address(value)
    except ValueError:
        return False
    return True


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
