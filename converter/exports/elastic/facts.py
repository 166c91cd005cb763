"""What is known about Elastic Security; each fact with its source. Data, no behaviour."""

from __future__ import annotations

SEVERITY = {
    "informational": ("low", 21),
    "low": ("low", 21),
    "medium": ("medium", 47),
    "high": ("high", 73),
    "critical": ("critical", 99),
}
"""Sigma level -> severity and risk score. Elastic has no level below low. The scores are those that Kibana
fills in for each severity; its ranges are 0-21, 22-47, 48-73 and 74-100 (Kibana's API, RiskScore)."""
NO_LEVEL = "medium"
"""The level of a rule that says none."""

ATTACK = "18"
"""The version of ATT&CK of a rule's `threat`: elastic/detection-rules checks it against 18.1 (its etc/ holds
attack-v18.1.0.json.gz), and gives stacks from 9.5 on rules with 19 (attack.py, MITRE_V19_MIN_STACK)."""

LATE = 240
"""Seconds that a run looks back beyond the windows, for events that arrive late: Elastic's own prebuilt rules
run every 5 minutes and look back 9 (elastic/detection-rules)."""
MAX_SIGNALS = 100
"""Alerts of one run: Elastic's default (Kibana's API, MaxSignals)."""
IMPORT_BYTES = 10_000_000
"""Of one file: Kibana's maxRuleImportPayloadBytes is 10 MiB by default, for the whole request."""
IMPORT_RULES = 10_000
"""Of one file: Kibana's maxRuleImportExportSize by default."""
MOST_SUPPRESSED_BY = 3
"""Fields that alerts are suppressed by at the most (Kibana's API, AlertSuppressionGroupBy)."""
INGESTED = "event.ingested"
"""The time by which rules about single events look back, so that a late event is not missed. Elastic sets it
on all its own rules but EQL sequences, which it would put out of step (elastic/detection-rules, pull request
1907 and issue 3311). Where an event lacks it, @timestamp counts."""

PACKAGES = {
    "logs-windows.": ("windows", "^3.0.0"),
    "logs-system.": ("system", "^2.0.0"),
    "logs-m365_defender.": ("m365_defender", "^5.0.0"),
    "logs-crowdstrike.": ("crowdstrike", "^3.0.0"),
    "logs-endpoint.": ("endpoint", "^9.0.0"),
}
"""How a data stream's name begins -> Fleet package and the versions that fit. Each has one integration, and
is then named without (Kibana's API, RelatedIntegration). Kibana's form takes x.y.z, ^x.y.z and ~x.y.z,
so these are the current majors (elastic/detection-rules, detection_rules/etc/integration-manifests.json.gz
of 21 August 2026: windows 3.4.0, system 2.12.0, m365_defender 5.5.0, crowdstrike 3.3.0, endpoint 9.5.0). It
only shows them: with another version a rule runs all the same. m365_defender keeps the ids of processes from
3.6.0 on."""

_ECS = """
@timestamp message labels tags agent client cloud code_signature container data_stream destination device dll
dns ecs email error event faas file geo group hash host http interface log network observer orchestrator
organization os package process registry related rule server service source span threat tls trace transaction
url user user_agent vlan volume vulnerability x509
"""
ECS = frozenset(_ECS.split())
"""The field sets of the Elastic Common Schema 8.17 (elastic.co/guide/en/ecs). Kibana works out `ecs` of
required fields itself; it is written for readers, and as the schema of elastic/detection-rules demands it."""
