"""What Sentinel and Defender share; each fact with its source. Data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LATE = 1500
"""Seconds that an event may come in late: a run reads so much more."""


MAPPINGS_MAX = 5
"""Entity mappings of a rule: five in the validation of Azure-Sentinel, ten in the service."""


DETAILS_MAX = 20


DETAIL_NAME_MAX = 20
"""Custom details of a rule, and characters of a detail's name (ScheduledTemplateInternalModel)."""


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
computer, so its host is the sensor's id. Sources: Microsoft's "Entity types reference" for the identifiers,
and Azure-Sentinel's EntityMappingIdentifiers for those that are required. A FullName may be with or without
the domain."""


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
