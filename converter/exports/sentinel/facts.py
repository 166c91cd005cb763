"""What is known about Microsoft Sentinel's analytics rules; each fact with its source. Data, no behaviour."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from converter.exports.microsoft.facts import DEVICE_COLUMNS, FDR_COLUMNS

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
FILE_RULES_MAX = 50
"""Rules of one template: what the portal exports and imports at a time."""


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
