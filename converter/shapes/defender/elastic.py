"""How Elastic's integration m365_defender stores Defender's events, from the streaming API's records.

Written from what the vendor's ingest does, not from our field mapping: elastic/integrations
``packages/m365_defender/data_stream/event/elasticsearch/ingest_pipeline/pipeline_device.yml``, with the
change of 2.14.1 to the executable of API calls. The tests hold records and documents that the project
publishes. The option to keep duplicate fields is off, as it is by default. Documents are flat: dotted field
name to value or list of values.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from converter.events.stored import Stored
from converter.shapes.defender import kusto
from converter.shapes.windows import records
from converter.shapes.windows.command_line import split_arguments

INDEX = "logs-m365_defender.event-default"
M = "m365_defender.event."

_CATEGORY = {
    "DeviceProcessEvents": "process",
    "DeviceFileEvents": "file",
    "DeviceImageLoadEvents": "library",
    "DeviceNetworkEvents": "network",
    "DeviceRegistryEvents": "registry",
}
# event.action where it is not the ActionType in lower case.
_ACTIONS = {
    "file": {
        "FileCreated": "creation",
        "FileDeleted": "deletion",
        "FileModified": "modification",
        "FileRenamed": "rename",
    },
    "registry": {"RegistryKeyCreated": "creation", "RegistryValueSet": "modification"},
    "process": {"ProcessCreated": "start"},
}
# Events of DeviceEvents whose initiating process is the process, not its parent: of the pipeline's list those
# that can be of interest here.
_OWN = frozenset(
    {"NamedPipeEvent", "DnsQueryResponse", "DpapiAccessed", "LdapSearch", "PowerShellCommand"}
    | {"OtherAlertRelatedActivity"}
)
_REMOTE_CALLS = frozenset({"CreateRemoteThreadApiCall", "OpenProcessApiCall", "ReadProcessMemoryApiCall"})
_HIVES = {
    "HKEY_CURRENT_USER": "HKCU",
    "HKEY_LOCAL_MACHINE": "HKLM",
    "HKEY_USERS": "HKU",
    "HKEY_CLASSES_ROOT": "HKCR",
    "HKEY_CURRENT_CONFIG": "HKCC",
}
_PE = {
    "CompanyName": "company",
    "FileDescription": "description",
    "OriginalFileName": "original_file_name",
    "ProductName": "product",
    "ProductVersion": "file_version",
}
_HASHES = ("MD5", "SHA1", "SHA256")
Properties = Mapping[str, Any]


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the document that the integration stores for what Defender makes of a record."""
    return Stored(id, INDEX, document(*kusto.streamed(event, id)))


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record as Defender spells it; creation times to the millisecond."""
    return kusto.seen(event, _milliseconds)


def document(category: str, properties: Properties) -> dict[str, Any]:
    """Return the document of a record of the streaming API.

    Args:
        category: ``AdvancedHunting-DeviceProcessEvents`` and the like.
        properties: the record's properties; null and missing are the same.
    """
    given = {name: value for name, value in properties.items() if value not in (None, "")}
    table = category.removeprefix("AdvancedHunting-")
    action = str(given.get("ActionType", ""))
    kind = _kind(table, action)
    doc: dict[str, Any] = {M + "category": category, "event.kind": "event"}
    doc["event.category"] = [kind]
    if "Timestamp" in given:
        doc["@timestamp"] = _time(given["Timestamp"])
    doc["event.action"] = _action(kind, action)
    _host(doc, given)
    _users(doc, given, kind)
    _process(doc, given, kind, own=table != "DeviceEvents" or action in _OWN)
    _files(doc, given, table, kind)
    more = _additional(given)
    if kind == "api":
        _call(doc, given, action, more)
    if kind == "registry":
        _registry(doc, given)
    if kind == "network":
        _network(doc, given, action, more)
    for name, target in (("PreviousFolderPath", "folder_path"), ("PreviousFileName", "file_name")):
        if name in given:
            doc[f"{M}previous.{target}"] = given[name]
    for owner in ("process", "process.parent"):
        if line := doc.get(f"{owner}.command_line"):
            doc[f"{owner}.args"] = split_arguments(line)
    return {name: value for name, value in doc.items() if value is not None}


def _kind(table: str, action: str) -> str:
    if table != "DeviceEvents":
        return _CATEGORY.get(table, "host")
    if action.lower().endswith("apicall"):
        return "api"
    return "driver" if "driverload" in action.lower() else "host"


def _action(kind: str, action: str) -> str | None:
    if kind == "driver" or action == "ImageLoaded":
        return "load"
    named = _ACTIONS.get(kind, {}).get(action)
    if named or kind == "file":
        return named
    return action.lower().replace(" ", "-") or None


def _host(doc: dict[str, Any], given: Properties) -> None:
    doc |= {"host.name": _lower(given.get("DeviceName")), "host.id": given.get("DeviceId")}
    for name, target in (("ReportId", "report_id"), ("LogonId", "logon.id")):
        doc[M + target] = str(given[name]) if name in given else None
    doc[M + "process.integrity_level"] = given.get("ProcessIntegrityLevel")
    doc[M + "process.id"] = given.get("ProcessId")
    doc[M + "remote.url"] = given.get("RemoteUrl")
    for name in ("domain", "name"):
        doc[f"{M}initiating_process.account_{name}"] = given.get(
            f"InitiatingProcessAccount{name.capitalize()}"
        )


def _users(doc: dict[str, Any], given: Properties, kind: str) -> None:
    for name in ("Domain", "Name"):
        value = given.get(f"RequestAccount{name}") if name == "Name" else None
        value = value or given.get(f"Account{name}") or given.get(f"RequestAccount{name}")
        if value is None and kind in {"library", "registry", "network", "driver", "api"}:
            value = given.get(f"InitiatingProcessAccount{name}")
        doc[f"user.{name.lower()}"] = value


def _process(doc: dict[str, Any], given: Properties, kind: str, own: bool) -> None:
    """Map the processes: InitiatingProcess* is process.parent for new processes and some others."""
    acts = kind in {"api", "driver"} or (kind != "process" and own)
    owner = "process" if acts else "process.parent"
    before = "InitiatingProcess"
    actor = {name[len(before) :]: value for name, value in given.items() if name.startswith(before)}
    doc |= {
        f"{owner}.command_line": actor.get("CommandLine"),
        f"{owner}.pid": actor.get("Id"),
        f"{owner}.start": _time(actor.get("CreationTime")),
        f"{owner}.name": actor.get("FileName"),
        f"{owner}.executable": actor.get("FolderPath"),
    }
    above = "process.parent" if acts else "process.parent.group_leader"
    doc |= {
        f"{above}.name": actor.get("ParentFileName"),
        f"{above}.pid": actor.get("ParentId"),
        f"{above}.start": _time(actor.get("ParentCreationTime")),
    }
    if not (acts and kind == "library"):
        doc |= {f"{owner}.pe.{to}": actor.get(f"VersionInfo{name}") for name, to in _PE.items()}
        doc |= {f"{owner}.hash.{name.lower()}": actor.get(name) for name in _HASHES}
    if not acts:
        doc |= {"process.executable": given.get("FolderPath"), "process.name": given.get("FileName")}
        doc |= {f"process.hash.{name.lower()}": given.get(name) for name in _HASHES}
    # What says Process* is always about process.
    own_fields = {"command_line": "ProcessCommandLine", "pid": "ProcessId"}
    for to, name in own_fields.items():
        doc[f"process.{to}"] = given.get(name, doc.get(f"process.{to}"))
    doc["process.start"] = _time(given.get("ProcessCreationTime")) or doc.get("process.start")
    for name, to in _PE.items():
        doc[f"process.pe.{to}"] = given.get(f"ProcessVersionInfo{name}", doc.get(f"process.pe.{to}"))


def _files(doc: dict[str, Any], given: Properties, table: str, kind: str) -> None:
    path = given.get("FolderPath")
    if kind != "process" and table != "DeviceEvents":
        doc |= {f"file.hash.{name.lower()}": given.get(name) for name in _HASHES}
        doc |= {"file.path": path, "file.name": given.get("FileName")}
        directory, separator, name = str(path or "").rpartition("\\")
        if separator:
            doc |= {"file.directory": directory, "file.name": given.get("FileName") or name}
            doc["file.extension"] = str(path).rpartition(".")[2] if "." in str(path) else None
    if kind in {"library", "driver"}:
        doc |= {f"dll.hash.{name.lower()}": given.get(name) for name in _HASHES}
        doc["dll.name"] = given.get("FileName")
        doc["dll.path"] = path if kind == "library" else f"{path or ''}\\{given.get('FileName', '')}"


def _call(doc: dict[str, Any], given: Properties, action: str, more: Mapping[str, Any]) -> None:
    doc["process.Ext.api.parameters.desired_access_numeric"] = more.get("DesiredAccess")
    if action in _REMOTE_CALLS:
        doc["Target.process.name"] = given.get("FileName")
        doc["Target.process.executable"] = f"{given.get('FolderPath', '')}\\{given.get('FileName', '')}"


def _registry(doc: dict[str, Any], given: Properties) -> None:
    key = given.get("RegistryKey") or given.get("PreviousRegistryKey")
    value = given.get("RegistryValueName") or given.get("PreviousRegistryValueName")
    hive = None
    if key:
        hive = _HIVES.get(key.split("\\")[0])
        short = key.replace("HKEY_CURRENT_USER\\", "").replace("HKEY_LOCAL_MACHINE\\", "")
        doc |= {"registry.hive": hive, "registry.key": short}
        if value is not None:
            doc["registry.path"] = f"{hive or ''}\\{short}\\{value}"
    doc["registry.value"] = value
    data = [given[name] for name in ("RegistryValueData", "PreviousRegistryValueData") if name in given]
    doc["registry.data.strings"] = list(dict.fromkeys(data)) or None
    doc["registry.data.type"] = given.get("RegistryValueType")
    doc[M + "previous.registry_key"] = given.get("PreviousRegistryKey")


def _network(doc: dict[str, Any], given: Properties, action: str, more: Mapping[str, Any]) -> None:
    ends = {"source": "Local", "destination": "Remote"}
    if more.get("direction") == "In":
        ends = {"source": "Remote", "destination": "Local"}
    for name, end in ends.items():
        doc[f"{name}.ip"] = given.get(f"{end}IP") if given.get(f"{end}IP") != "-" else None
        doc[f"{name}.port"] = given.get(f"{end}Port")
    # The pipeline sets the source's port once more without asking for the direction.
    doc["source.port"] = given.get("LocalPort", doc["source.port"])
    doc["network.protocol"] = "dns" if "dns" in action.lower() else _lower(given.get("Protocol"))
    if "dnsconnectioninspected" in action.lower():
        doc["dns.question.name"] = more.get("query")


def _additional(given: Properties) -> Mapping[str, Any]:
    more = given.get("AdditionalFields")
    found = json.loads(more) if isinstance(more, str) else more
    return found if isinstance(found, Mapping) else {}


def _lower(value: Any) -> str | None:
    return None if value is None else str(value).lower()


def _time(value: Any) -> str | None:
    moment = records.parse_time(value) if value else None
    return _milliseconds(moment) if moment else None


def _milliseconds(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
