"""What is known about Defender XDR's custom detections; each fact with its source. Data, no behaviour."""

from __future__ import annotations

SEVERITY = {
    "informational": "informational",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "critical": "high",
}
"""Sigma level -> severity of an alert (microsoft.graph.security.alertTemplate: the four values)."""
NO_LEVEL = "medium"

ATTACK = "18"
"""The version of ATT&CK of the Defender portal, whose coverage page is Sentinel's."""

LOOKBACKS = ((3_600, 4 * 3_600), (3 * 3_600, 12 * 3_600), (12 * 3_600, 48 * 3_600), (86_400, 30 * 86_400))
"""Seconds between two runs -> seconds that a run reads: hourly 4 hours, every 3 hours 12, every 12 hours 48,
daily 30 days. The service fixes them (Microsoft's "Create and manage custom detections rules")."""
LATE = 3_600
"""Seconds that an event may come in late at the least: the lookback covers the window, the time between two
runs and this. Devices report when they are online again."""
DESCRIPTION_MAX = 5_000
"""Characters; Graph's reference names no limit, Sentinel's is this."""

REQUIRED = ("Timestamp", "DeviceId", "ReportId")
"""Columns that the result must have for rules over Device tables (the same page)."""

_TABLES = """
DeviceEvents DeviceFileEvents DeviceImageLoadEvents DeviceLogonEvents DeviceNetworkEvents DeviceProcessEvents
DeviceRegistryEvents
"""
CONTINUOUS_TABLES = frozenset(_TABLES.split())
"""Tables of devices that a rule can watch continuously (the same page). It reads one of them, without join,
union, externaldata and comments."""
CONTINUOUS_OPERATORS = frozenset({"where", "extend", "project"})
_FUNCTIONS = """
case extract iif in isempty isnotempty isnotnull isnull not split strcat strlen substring tobool todatetime
todouble toint tolong tolower toreal toupper
"""
CONTINUOUS_FUNCTIONS = frozenset(_FUNCTIONS.split())
"""What such a query may use is what transformations at ingestion may use (Azure Monitor, "Supported KQL
features"). `not` is not on that list, which names no logical operators at all; in~ is missing there.
tostring() and parse_json() are on it, but people who deploy rules report that the service refuses tostring()
of a part of a dynamic value in continuous rules (github.com/SCStelz/security-investigator, the skill
detection-authoring, February 2026): an hourly rule is surely taken."""

ENTITIES = (
    ("hosts", (("deviceIdColumn", "DeviceId"), ("nameColumn", "DeviceName"))),
    (
        "accounts",
        (("nameColumn", "AccountName"), ("ntDomainColumn", "AccountDomain"), ("sidColumn", "AccountSid")),
    ),
    (
        "accounts",
        (
            ("nameColumn", "InitiatingProcessAccountName"),
            ("ntDomainColumn", "InitiatingProcessAccountDomain"),
            ("sidColumn", "InitiatingProcessAccountSid"),
        ),
    ),
    ("files", (("sha1Column", "SHA1"), ("sha256Column", "SHA256"), ("nameColumn", "FileName"))),
    ("ips", (("addressColumn", "RemoteIP"),)),
    ("ips", (("addressColumn", "DestinationIp"),)),
    ("registryValues", (("keyColumn", "RegistryKey"), ("valueNameColumn", "RegistryValueName"))),
)
"""Entity -> properties of its mapping and the columns that hold them; the first decides whether it is there
(microsoft.graph.security.entityMappingConfiguration)."""
