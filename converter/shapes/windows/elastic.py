"""How Elastic stores records of other Windows logs than Sysmon's: PowerShell's, and those left as they are.

From the vendor's ingest pipelines in elastic/integrations, ``elasticsearch/ingest_pipeline/default.yml`` of
``packages/windows/data_stream/powershell_operational`` and of ``packages/system/data_stream/system`` (which
changes nothing). winlogbeat's module powershell does the same. Documents are flat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from converter.shapes.windows import records
from converter.shapes.windows.command_line import split_arguments

INDICES = {
    "System": "logs-system.system-default",
    "Microsoft-Windows-PowerShell/Operational": "logs-windows.powershell_operational-default",
    "PowerShellCore/Operational": "logs-windows.powershell_operational-default",
}
"""Channel to index; records of other channels are the Forwarded Events stream's."""
FORWARDED_INDEX = "logs-windows.forwarded-default"

# The rename processors, in the pipeline's order: they take the element out of event_data.
_RENAMED = {
    "HostID": "process.entity_id",
    "HostApplication": "process.command_line",
    "HostName": "process.title",
    "ShellID": "powershell.id",
    "EngineVersion": "powershell.engine.version",
    "PipelineID": "powershell.pipeline_id",
    "RunspaceID": "powershell.runspace_id",
    "RunspaceId": "powershell.runspace_id",
    "HostVersion": "powershell.process.executable_version",
    "CommandPath": "powershell.command.path",
    "CommandName": "powershell.command.name",
    "CommandType": "powershell.command.type",
    "ScriptBlockId": "powershell.file.script_block_id",
    "ScriptBlockText": "powershell.file.script_block_text",
    "Path": "file.path",
}
_LONGS = {"MessageNumber": "powershell.sequence", "MessageTotal": "powershell.total"}
_REMOVED = ("SequenceNumber", "User", "ConnectedUser", "ContextInfo", "Severity", *_LONGS, "Payload")


def index_of(event: Mapping[str, Any]) -> str:
    """Return the index of the agent's data stream for the record's channel."""
    return INDICES.get(records.channel(event), FORWARDED_INDEX)


def fields(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that the record's ``Data`` elements become; empty ones become none."""
    data = {name: value for name, value in records.event_data(event).items() if value}
    doc = message(data)
    if "powershell" in index_of(event):
        doc |= _powershell(data)
    return doc | {f"winlog.event_data.{name}": value for name, value in data.items()}


def message(data: dict[str, str]) -> dict[str, Any]:
    """Take the rendered message out of the elements: winlogbeat and Elastic's agent write ``message``.

    It is no element of the record; flat records of other collectors have it as ``Message``.
    """
    return {"message": data.pop("Message")} if "Message" in data else {}


def _powershell(data: dict[str, str]) -> dict[str, Any]:
    """Return PowerShell's fields, and take their elements out of the data."""
    for line in data.get("ContextInfo", "").split("\n"):
        name, equals, value = line.partition("=")
        if equals and value.strip():
            data["".join(name.split())] = value.strip()
    doc: dict[str, Any] = {"event.category": ["process"], "event.type": ["info"]}
    for name, target in _RENAMED.items():
        if name in data and target not in doc:
            doc[target] = data.pop(name)
    for name, target in _LONGS.items():
        if data.get(name, "").isdigit():
            doc[target] = int(data[name])
    parts = data.get("User", "").split("\\")
    if len(parts) == 2:
        doc |= {"user.domain": parts[0], "user.name": parts[1]}
    if written := doc.get("process.command_line"):
        doc["process.args"] = split_arguments(written)
    directory, slash, file = doc.get("file.path", "").rpartition("\\")
    if slash:
        doc |= {"file.name": file, "file.directory": directory}
        if "." in doc["file.path"]:
            doc["file.extension"] = doc["file.path"].rpartition(".")[2]
    for name in _REMOVED:
        data.pop(name, None)
    return doc
