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

LATE = 300
"""Seconds between an event's time and the end of the time that a run of a correlation judges."""
EVENT_PERIOD = 1800
"""Seconds that a run of a rule about single events reads. It judges those that came in since the last run, so
this is how late an event may come in, and the run."""
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

ENTITIES: tuple[tuple[str, tuple[tuple[str, tuple[str, ...]], ...]], ...] = (
    ("Host", (("FullName", ("Computer", "DeviceName")),)),
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
    ("Account", (("Name", ("UserName",)), ("Sid", ("UserSid",)))),
    ("Process", (("CommandLine", ("ProcessCommandLine", "CommandLine")), ("ProcessId", ("ProcessId",)))),
    (
        "Process",
        (("CommandLine", ("InitiatingProcessCommandLine",)), ("ProcessId", ("InitiatingProcessId",))),
    ),
    ("RegistryKey", (("Key", ("RegistryKey", "TargetObject", "RegObjectName")),)),
    ("IP", (("Address", ("DestinationIp", "RemoteIP", "RemoteAddressIP4", "IpAddress")),)),
    ("IP", (("Address", ("SourceIp",)),)),
    ("File", (("Name", ("FileName",)), ("Directory", ("FolderPath",)))),
    ("File", (("Name", ("TargetFilename", "TargetFileName", "FilePath")),)),
    ("File", (("Name", ("ImageLoaded",)),)),
)
"""Entity -> identifiers with the columns that hold them, in order of worth. The first identifier decides
whether an entity is there. Identifiers: Microsoft's "Entity types reference"; those that are required:
Azure-Sentinel, EntityMappingIdentifiers. FullName of a host or account may be with or without its domain."""
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
WHOLE_TABLES = frozenset({"Event", "WindowsEvent", "SecurityEvent"})
"""Tables whose columns are exactly those of the pipeline's list."""

CONNECTORS: Mapping[str, tuple[tuple[str, str], ...]] = MappingProxyType(
    {
        "SecurityEvent": (("SecurityEvents", "SecurityEvent"), ("WindowsSecurityEvents", "SecurityEvent")),
        "WindowsEvent": (("WindowsForwardedEvents", "WindowsEvent"),),
        **{table: (("MicrosoftThreatProtection", table),) for table in DEVICE_COLUMNS},
    }
)
"""Table -> data connectors and their data types (Azure-Sentinel, ValidConnectorIds.json). The table Event is
filled by data collection rules, without a connector."""
