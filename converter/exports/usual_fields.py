"""What an analyst wants to see of an event of a rule that names no ``fields``, by log source.

The names are Sigma's (specification 2.1, appendix "Taxonomy"), and so Sysmon's: each is a field of the
events of its category in Sysmon's own schema (learn.microsoft.com, Sysmon, "Events"); those of services are
fields of the events that rules for them are about. Import formats show them as columns of the platform that
has them.
"""

from __future__ import annotations

from collections.abc import Mapping

_WHO = ("Computer", "User", "Image", "ProcessId")
_BOTH = ("Computer", "SourceUser", "SourceImage", "SourceProcessId", "TargetUser", "TargetImage")
_REGISTRY = (*_WHO, "EventType", "TargetObject")
_CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "process_creation": (*_WHO, "CommandLine", "ParentImage", "ParentCommandLine", "Hashes"),
    "process_termination": _WHO,
    "process_access": (*_BOTH, "GrantedAccess", "CallTrace"),
    "process_tampering": (*_WHO, "Type"),
    "create_remote_thread": (*_BOTH, "StartModule", "StartFunction"),
    "network_connection": (
        *_WHO,
        *("Initiated", "Protocol", "SourceIp", "DestinationIp", "DestinationHostname", "DestinationPort"),
    ),
    "dns_query": (*_WHO, "QueryName", "QueryResults"),
    "file_event": (*_WHO, "TargetFilename"),
    "file_change": (*_WHO, "TargetFilename"),
    "file_rename": (*_WHO, "SourceFilename", "TargetFilename"),
    "file_delete": (*_WHO, "TargetFilename", "Hashes"),
    "file_delete_detected": (*_WHO, "TargetFilename", "Hashes"),
    "file_block_executable": (*_WHO, "TargetFilename", "Hashes"),
    "file_block_shredding": (*_WHO, "TargetFilename", "Hashes"),
    "file_executable_detected": (*_WHO, "TargetFilename", "Hashes"),
    "create_stream_hash": (*_WHO, "TargetFilename", "Hash", "Contents"),
    "image_load": (*_WHO, "ImageLoaded", "Hashes", "Signed", "Signature"),
    "driver_load": ("Computer", "ImageLoaded", "Hashes", "Signed", "Signature"),
    "registry_event": _REGISTRY,
    "registry_add": _REGISTRY,
    "registry_delete": _REGISTRY,
    "registry_set": (*_REGISTRY, "Details"),
    "registry_rename": (*_REGISTRY, "NewName"),
    "pipe_created": (*_WHO, "EventType", "PipeName"),
    "raw_access_thread": (*_WHO, "Device"),
    "wmi_event": ("Computer", "User", "EventType", "Operation", "Name", "Consumer", "Filter", "Destination"),
    "ps_script": ("Computer", "Path"),
}
_SERVICES: Mapping[str, tuple[str, ...]] = {
    "security": (
        *("Computer", "SubjectUserName", "SubjectDomainName", "TargetUserName", "TargetDomainName"),
        *("LogonType", "IpAddress", "WorkstationName", "ProcessName", "ObjectName", "ServiceName"),
    ),
}


def usual_fields(logsource: Mapping[str, object]) -> tuple[str, ...]:
    """Return the fields for a log source of Windows; of one that is not in the tables the host alone."""
    category, service = (str(logsource.get(key) or "").lower() for key in ("category", "service"))
    return _CATEGORIES.get(category) or _SERVICES.get(service) or ("Computer",)
