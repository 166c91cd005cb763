"""How Microsoft Sentinel stores FDR events: tables CrowdStrike_*_CL of the connector CrowdStrikeS3FDR_ccp.

After Azure/Azure-Sentinel, Solutions/CrowdStrike Falcon Endpoint Protection/Data Connectors/
CrowdStrikeS3FDR_ccp: DCR.json says which event goes to which table and how columns are converted; the
definitions of the tables, which columns there are. What a table has no column for is in AdditionalFields.
Events that no table takes are not stored; they become rows of the last table here, without columns.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from converter.events.stored import Stored
from converter.shapes.crowdstrike import sensor

EMPTY = frozenset({""})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

_TABLES = {
    "CrowdStrike_Process_Events_CL": "ProcessRollup2 SyntheticProcessRollup2 ExecutableDeleted EndOfProcess",
    "CrowdStrike_Network_Events_CL": """NetworkConnectIP4 NetworkConnectIP6 NetworkReceiveAcceptIP4
        NetworkReceiveAcceptIP6""",
    "CrowdStrike_DNS_Events_CL": "DnsRequest SuspiciousDnsRequest",
    "CrowdStrike_File_Events_CL": """PeFileWritten NewExecutableWritten NewScriptWritten GenericFileWritten
        DmpFileWritten LnkFileWritten PdfFileWritten ZipFileWritten DwgFileWritten NewExecutableRenamed""",
    "CrowdStrike_Registry_Events_CL": "RegSystemConfigValueUpdate RegGenericValueUpdate",
    "CrowdStrike_Audit_Events_CL": "FileDeleteInfo FileRenameInfo FileOpenInfo FileCreateInfo",
    "CrowdStrike_Additional_Events_CL": """AsepKeyUpdate AsepValueUpdate DriverLoad
        ScriptControlScanTelemetry""",
}
_TABLE_OF = {name: table for table, names in _TABLES.items() for name in names.split()}
_EVERYWHERE = "event_simpleName timestamp aid event_platform name cid ContextProcessId ContextTimeStamp"
COLUMNS = {
    "CrowdStrike_Process_Events_CL": """UserSid ParentBaseFileName SHA256HashData MD5HashData SHA1HashData
        CommandLine IntegrityLevel ParentProcessId TargetProcessId SourceProcessId TargetFileName
        ImageFileName OriginalFilename AuthenticationId RawProcessId""",
    "CrowdStrike_Network_Events_CL": """ConnectionDirection RemotePort LocalPort Protocol LocalAddressIP4
        LocalAddressIP6 RemoteAddressIP4 RemoteAddressIP6""",
    "CrowdStrike_DNS_Events_CL": "DomainName QueryStatus IP4Records IP6Records CNAMERecords",
    "CrowdStrike_File_Events_CL": "TargetFileName SourceFileName FileOperatorSid SHA256HashData",
    "CrowdStrike_Registry_Events_CL": """RegObjectName RegValueName RegOperationType RegStringValue RegType
        RegNumericValue RegBinaryValue""",
    "CrowdStrike_Audit_Events_CL": "SourceFileName TargetFileName",
    "CrowdStrike_Additional_Events_CL": """ImageFileName SHA256HashData MD5HashData SHA1HashData
        OriginalFilename ScriptContentName RegObjectName RegValueName RegOperationType RegStringValue RegType
        RegNumericValue RegBinaryValue TargetFileName UserSid""",
}
"""Of each table the columns that events here can fill, beside those that every table has."""


def store(event: Mapping[str, Any], id: int) -> Stored:  # noqa: A002
    """Return the row for a record of Windows."""
    table, doc = row(sensor.event_of(event))
    return Stored(id, table, doc)


def view(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the record with CrowdStrike's names of host and processes, without empty elements."""
    return sensor.seen(event, EMPTY)


def row(raw: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return table and row of an FDR event.

    ``RegNumericValue`` is there under the name that a union of the tables gives it: it is int in one table
    and string in the other.
    """
    action = raw.get("event_simpleName", "")
    table = _TABLE_OF.get(action, "CrowdStrike_Additional_Events_CL")
    columns = f"{_EVERYWHERE} {COLUMNS[table] if action in _TABLE_OF else ''}".split()
    doc: dict[str, Any] = {name: value for name, value in raw.items() if name in columns}
    doc |= {"TimeGenerated": _EPOCH + timedelta(milliseconds=int(raw["timestamp"]))}
    doc["timestamp"] = int(raw["timestamp"])
    for name in ("LocalPort", "RemotePort"):
        if name in doc:
            doc[name] = int(doc[name])
    if "ContextTimeStamp" in doc:
        doc["ContextTimeStamp"] = float(doc["ContextTimeStamp"])
    if "RegNumericValue" in doc:
        number = doc.pop("RegNumericValue")
        if table == "CrowdStrike_Additional_Events_CL":
            doc["RegNumericValue_string"] = number
        elif int(number) < 2**31:  # toint() has no larger ones.
            doc["RegNumericValue_int"] = int(number)
    return table, doc
