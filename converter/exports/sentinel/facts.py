"""What is known about Microsoft Sentinel's analytics rules; each fact with its source. Data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

SEVERITY = {
    "informational": "Informational",
    "low": "Low",
    "medium": "Medium",
    "high": "High",
    "critical": "High",
}
"""Sigma level -> severity. Sentinel has none above High (schema of Microsoft.SecurityInsights/alertRules)."""
NO_LEVEL = "medium"
"""The level of a rule that says none."""

ATTACK = "18"
"""The version of ATT&CK that Microsoft's "Understand security coverage by the MITRE ATT&CK framework" names
("currently aligned to the MITRE ATT&CK framework, version 18"). Its tactics are those of the schema's
enumeration. The service refuses a technique that serves none of a rule's tactics (Azure-Sentinel,
NoTechniquesWithoutMatchingTactics)."""
API_VERSION = "2025-09-01"
"""Of Microsoft.SecurityInsights/alertRules (Azure/azure-resource-manager-schemas)."""

LATE = 1500
"""Seconds that an event may come in late: a run reads so much more."""
LATE_FROM_DEVICES = 4 * 3_600 - 300
"""The same for Defender's tables: devices report when they are online again, hours later. Defender's own
hourly rules read four hours ("Create and manage custom detections rules")."""
PERIOD_MAX = 14 * 86_400
"""Seconds (Azure-Sentinel, ScheduledTemplateInternalModel: 5 minutes to 14 days)."""
LONG_PERIOD = 2 * 86_400
LONG_FREQUENCY = 3600
"""A rule that reads two days or more runs at most hourly (Microsoft's "Create a custom analytics rule")."""

QUERY_MAX = 10_000
NAME_MAX = 256
DESCRIPTION_MAX = 5000
"""Characters (Azure-Sentinel, ScheduledTemplateInternalModel and AnalyticsTemplateInternalModelBase)."""
MAPPINGS_MAX = 5
"""Entity mappings of a rule: five in the validation of Azure-Sentinel, ten in the service."""
DETAILS_MAX = 20
DETAIL_NAME_MAX = 20
"""Custom details of a rule, and characters of a detail's name (ScheduledTemplateInternalModel)."""
FILE_RULES_MAX = 50
"""Rules of one template: what the portal exports and imports at a time."""

Identifiers = tuple[tuple[str, tuple[str, ...]], ...]
ENTITIES: tuple[tuple[str, Identifiers], ...] = (
    ("Host", (("FullName", ("Computer", "DeviceName")),)),
    ("Host", (("HostName", ("aid",)),)),
    ("Account", (("Name", ("AccountName",)), ("NTDomain", ("AccountDomain",)), ("Sid", ("AccountSid",)))),
    (
        "Account",
        (
            ("Name", ("InitiatingProcessAccountName",)),
            ("NTDomain", ("InitiatingProcessAccountDomain",)),
            ("Sid", ("InitiatingProcessAccountSid",)),
        ),
    ),
    (
        "Account",
        (("Name", ("TargetUserName",)), ("NTDomain", ("TargetDomainName",)), ("Sid", ("TargetUserSid",))),
    ),
    (
        "Account",
        (("Name", ("SubjectUserName",)), ("NTDomain", ("SubjectDomainName",)), ("Sid", ("SubjectUserSid",))),
    ),
    ("Account", (("FullName", ("User", "SourceUser")),)),
    ("Account", (("Name", ("UserName",)), ("Sid", ("UserSid", "FileOperatorSid")))),
    ("Account", (("Sid", ("UserSid", "FileOperatorSid")),)),
    (
        "Process",
        (
            ("CommandLine", ("ProcessCommandLine", "CommandLine")),
            ("ProcessId", ("ProcessId", "RawProcessId")),
        ),
    ),
    (
        "Process",
        (("CommandLine", ("InitiatingProcessCommandLine",)), ("ProcessId", ("InitiatingProcessId",))),
    ),
    ("Process", (("ProcessId", ("ProcessId", "SourceProcessId")),)),
    ("RegistryKey", (("Key", ("RegistryKey", "TargetObject", "RegObjectName")),)),
    ("IP", (("Address", ("DestinationIp", "RemoteIP", "RemoteAddressIP4", "IpAddress")),)),
    ("IP", (("Address", ("SourceIp",)),)),
    ("File", (("Name", ("FileName",)), ("Directory", ("FolderPath/Parent",)))),
    *(
        ("File", (("Name", (f"{path}/Name",)), ("Directory", (f"{path}/Folder",))))
        for path in (
            *("TargetFilename", "TargetFileName", "FilePath", "ImageLoaded", "Image", "ImageFileName"),
            *("SourceImage", "ProcessName", "InitiatingProcessFolderPath"),
        )
    ),
)
"""Entity -> identifiers with the columns that hold them, in order of worth. The first identifier decides
whether an entity is there; ``Image/Folder`` is a part of a column (`PARTS`). FDR's tables have no name of a
computer: its sensor's id stands for it. Identifiers: Microsoft's "Entity types reference"; those that are
required: Azure-Sentinel, EntityMappingIdentifiers. FullName of a host or account may be with or without its
domain."""
PARTS: Mapping[str, str] = MappingProxyType(
    {
        "Name": r'extract(@"^(?:.*\\)?(.*)$", 1, {0})',
        "Folder": r'extract(@"^(.*)\\.*$", 1, {0})',
        "Parent": r'iff({0} endswith strcat(@"\", FileName), '
        "substring({0}, 0, strlen({0}) - strlen(FileName) - 1), {0})",
    }
)
"""Part of a column -> its expression: a path's name and folder, and a folder where the path of Defender has
the name, too ("Folder containing the file", but published events hold the whole path). Sentinel's entity has
both apart ("Entity types reference": name "without path", directory "full path to the file")."""
XML_FIELD = """\
let EventDataField = (data: string, name: string) {
    replace_strings(
        extract(strcat(@'<Data Name="', name, @'">([^<]*)'), 1, data),
        dynamic(["&lt;", "&gt;", "&quot;", "&apos;", "&#9;", "&#10;", "&#13;", "&amp;"]),
        dynamic(["<", ">", "\\"", "'", "\\t", "\\n", "\\r", "&"]))
};
"""
"""A field of the XML in ``Event.EventData``, for queries that do not have the function already."""
NO_DETAILS = frozenset({"Source", "EventLog", "Provider", "Channel", "EventSourceName", "event_platform"})
"""Columns that a query compares and that say nothing of an event: all events of a kind have the same."""
NOT_OF_EVENT = frozenset({"UserName"})
"""Columns of the table Event that no entity is made of: UserName is who wrote the record."""

_DEVICE = """
Timestamp DeviceId DeviceName ReportId InitiatingProcessAccountName InitiatingProcessAccountDomain
InitiatingProcessAccountSid InitiatingProcessCommandLine InitiatingProcessId InitiatingProcessFolderPath
"""
DEVICE_COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        table: frozenset([*_DEVICE.split(), *more.split()])
        for table, more in {
            "DeviceProcessEvents": "AccountName AccountDomain AccountSid FileName FolderPath "
            "ProcessCommandLine ProcessId SHA1 SHA256",
            "DeviceNetworkEvents": "RemoteIP RemotePort RemoteUrl LocalIP LocalPort",
            "DeviceFileEvents": "FileName FolderPath SHA1 SHA256",
            "DeviceImageLoadEvents": "FileName FolderPath SHA1 SHA256",
            "DeviceRegistryEvents": "RegistryKey RegistryValueName RegistryValueData",
            "DeviceEvents": "AccountName AccountDomain AccountSid FileName FolderPath ProcessCommandLine "
            "ProcessId RemoteIP RemotePort RemoteUrl LocalIP LocalPort RegistryKey "
            "RegistryValueName SHA1 SHA256",
        }.items()
    }
)
"""Columns of Defender's tables that matter here (Microsoft's table reference, defender-docs): the pipeline's
column list is that of all tables together."""
_FDR = "TimeGenerated timestamp event_simpleName aid aip cid UserName ContextProcessId"
FDR_COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        f"CrowdStrike_{table}_Events_CL": frozenset([*_FDR.split(), *more.split()])
        for table, more in {
            "Process": "UserSid ImageFileName CommandLine ParentBaseFileName OriginalFilename RawProcessId "
            "TargetProcessId SHA256HashData MD5HashData",
            "Network": "RemoteAddressIP4 RemoteAddressIP6 RemotePort LocalAddressIP4 LocalPort",
            "DNS": "DomainName QueryStatus IP4Records IP6Records CNAMERecords",
            "File": "TargetFileName SourceFileName FileOperatorSid SHA256HashData",
            "Registry": "RegObjectName RegValueName RegStringValue RegOperationType",
            "Additional": "",
            "Audit": "",
        }.items()
    }
)
"""Columns of the tables of CrowdStrike's Falcon Data Replicator that matter here (Azure-Sentinel, Solutions/
CrowdStrike Falcon Endpoint Protection/Data Connectors/CrowdStrikeS3FDR_ccp, CrowdStrike_*_CL.json). Of the
tables Additional and Audit, which hold events of many kinds, those that all have."""
TABLE_COLUMNS: Mapping[str, frozenset[str]] = MappingProxyType({**DEVICE_COLUMNS, **FDR_COLUMNS})
WHOLE_TABLES = frozenset({"Event", "WindowsEvent", "SecurityEvent"})
"""Tables whose columns are exactly those of the pipeline's list."""

CONNECTORS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "SecurityEvent": (("SecurityEvents", "SecurityEvent"), ("WindowsSecurityEvents", "SecurityEvent")),
        "WindowsEvent": (("WindowsForwardedEvents", "WindowsEvent"),),
        "Event": (("SecurityEvents", "SecurityEvent"), ("WindowsSecurityEvents", "SecurityEvent")),
        **{table: (("MicrosoftThreatProtection", table),) for table in DEVICE_COLUMNS},
        **{table: (("CrowdStrikeFalconS3CCPDefinition", table),) for table in FDR_COLUMNS},
    }
)
"""Table -> data connectors and their data types (Azure-Sentinel, ValidConnectorIds.json). No connector of
that list fills the table Event; the repository's own rules about Sysmon name the two of security events
(Solutions/ Endpoint Threat Protection Essentials, DumpingLSASSProcessIntoaFile.yaml). FDR's is the id in its
solution's DataConnectorDefinition.json."""
