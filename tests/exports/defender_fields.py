"""The detectionRule of Microsoft Graph v1.0 as JSON Schema.

Written from the reference of Microsoft Graph (microsoftgraph/microsoft-graph-docs-contrib, CC-BY-4.0, pages
security-detectionrule, -alerttemplate, -entitymappingconfiguration, -...entitymapping, -mitretactic,
-ruleschedule) and the models of PyPI msgraph-beta-sdk 1.66.0 (MIT), which the service's metadata is generated
into. What those mark as removed on 2026-10-01 is not here.
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string", "minLength": 1}


def _object(properties: dict[str, Any], required: list[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required or [],
        "additionalProperties": False,
    }


def _mappings(*columns: str) -> dict[str, Any]:
    found = _object(dict.fromkeys(columns, TEXT)) | {"minProperties": 1}
    return {"type": "array", "items": found, "minItems": 1}


ENTITIES = {
    "accounts": _mappings(
        "aadUserIdColumn",
        "dnsDomainColumn",
        "nameColumn",
        "ntDomainColumn",
        "sidColumn",
        "upnColumn",
        "upnSuffixColumn",
    ),
    "files": _mappings("nameColumn", "sha1Column", "sha256Column"),
    "hosts": _mappings(
        "deviceIdColumn", "dnsDomainColumn", "nameColumn", "netBiosNameColumn", "ntDomainColumn"
    ),
    "ips": _mappings("addressColumn", "scopeColumn"),
    "processes": _mappings("sha1Column", "sha256Column"),
    "registryValues": _mappings("keyColumn", "valueNameColumn"),
}
TACTIC = _object(
    {
        "tactic": TEXT,
        "techniques": {
            "type": "array",
            "items": _object(
                {
                    "technique": {"type": "string", "pattern": r"^T\d{4}$"},
                    "subTechniques": {
                        "type": "array",
                        "items": {"type": "string", "pattern": r"^T\d{4}\.\d{3}$"},
                    },
                },
                ["technique"],
            ),
        },
    },
    ["tactic"],
)
RULE = _object(
    {
        "@odata.type": {"const": "#microsoft.graph.security.detectionRule"},
        "id": TEXT,
        "displayName": TEXT,
        "description": TEXT,
        "status": {"enum": ["enabled", "disabled"]},
        "queryCondition": _object({"queryText": TEXT}, ["queryText"]),
        "schedule": _object({"frequency": {"enum": ["PT0S", "PT1H", "PT3H", "PT12H", "P1D"]}}, ["frequency"]),
        "detectionAction": _object(
            {
                "alertTemplate": _object(
                    {
                        "title": TEXT,
                        "description": TEXT,
                        "severity": {"enum": ["informational", "low", "medium", "high"]},
                        "recommendedActions": TEXT,
                        "entityMappings": _object(ENTITIES) | {"minProperties": 1},
                        "tactics": {"type": "array", "items": TACTIC},
                        "customDetails": {"type": "object", "additionalProperties": TEXT},
                    },
                    ["title", "description", "severity", "entityMappings"],
                )
            },
            ["alertTemplate"],
        ),
    },
    ["displayName", "status", "queryCondition", "schedule", "detectionAction"],
)
