"""The files that analytics rules travel in: ARM templates, and YAML as in Azure-Sentinel's repository."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from converter.exports.base import Exporter, Part
from converter.exports.item import ExportItem
from converter.exports.microsoft.query import duration, span
from converter.exports.sentinel import facts
from converter.exports.sentinel.rule import TARGETS, Analytic, analytics

_SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
_WORKSPACE = "Microsoft.OperationalInsights/workspaces/providers"


def _arm(items: Sequence[ExportItem]) -> str:
    return _template([_resource(one) for one in analytics(items)])


def _arm_whole(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    """Return one template, or as many as the portal needs to take them."""
    resources = [one for part in parts for one in json.loads(part.text)["resources"]]
    size = facts.FILE_RULES_MAX
    files = [resources[n : n + size] for n in range(0, len(resources), size)]
    if len(files) == 1:
        return {"rules.json": _template(files[0])}
    return {f"rules-{number}.json": _template(found) for number, found in enumerate(files, 1)}


def _template(resources: Sequence[Any]) -> str:
    document = {
        "$schema": _SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {
            "workspace": {
                "type": "string",
                "metadata": {"description": "Name of the Log Analytics workspace"},
            }
        },
        "resources": list(resources),
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _resource(one: Analytic) -> dict[str, Any]:
    """Return an analytics rule as the portal exports one."""
    provider = f"resourceId('{_WORKSPACE}', parameters('workspace'), 'Microsoft.SecurityInsights')"
    return {
        "id": f"[concat({provider}, '/alertRules/{one.id}')]",
        "name": f"[concat(parameters('workspace'), '/Microsoft.SecurityInsights/{one.id}')]",
        "type": f"{_WORKSPACE}/alertRules",
        "kind": _kind(one),
        "apiVersion": facts.API_VERSION,
        "properties": literal(_properties(one)),
    }


def _kind(one: Analytic) -> str:
    return "NRT" if one.near_real_time else "Scheduled"


def _properties(one: Analytic) -> dict[str, Any]:
    found: dict[str, Any] = {
        "displayName": one.title,
        "description": one.description,
        "severity": one.severity,
        "enabled": False,
        "query": one.query,
        **(
            {}
            if one.near_real_time
            else {
                "queryFrequency": duration(one.frequency),
                "queryPeriod": duration(one.period),
                "triggerOperator": "GreaterThan",
                "triggerThreshold": 0,
            }
        ),
        "suppressionEnabled": False,
        "suppressionDuration": "PT5H",
        "tactics": one.tactics,
        # The service takes techniques only, no sub-techniques.
        "techniques": list(dict.fromkeys(key.partition(".")[0] for key in one.techniques)),
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        "incidentConfiguration": {
            "createIncident": True,
            "groupingConfiguration": {
                "enabled": bool(one.entities),
                "reopenClosedIncident": False,
                "lookbackDuration": duration(min(max(one.period, 3600), 7 * 86_400)),
                "matchingMethod": "AllEntities" if one.entities else "AnyAlert",
                "groupByEntities": [],
                "groupByAlertDetails": [],
                "groupByCustomDetails": [],
            },
        },
    }
    return found | _alert(one)


def _alert(one: Analytic) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if one.details:
        found["customDetails"] = one.details
    if one.entities:
        found["entityMappings"] = [
            {
                "entityType": entity.type,
                "fieldMappings": [
                    {"identifier": identifier, "columnName": column}
                    for identifier, column in entity.columns.items()
                ],
            }
            for entity in one.entities
        ]
    return found


def literal(value: Any) -> Any:
    """Return a value in which Azure Resource Manager sees no expression: ``[x]`` is written ``[[x]``."""
    if isinstance(value, str):
        return f"[{value}" if value.startswith("[") and value.endswith("]") else value
    if isinstance(value, list):
        return [literal(one) for one in value]
    if isinstance(value, dict):
        return {key: literal(one) for key, one in value.items()}
    return value


_STATUS = {"deprecated": "Deprecated", "unsupported": "Deprecated"}
"""Sigma status -> status of a template; others are ``Available``."""


def _yaml(items: Sequence[ExportItem]) -> Mapping[str, str]:
    """Return a file for each query: a file holds one rule."""
    return {one.name: _dump(_document(one)) for one in analytics(items)}


def _document(one: Analytic) -> dict[str, Any]:
    item = one.item
    connectors: dict[str, list[str]] = {}
    for table in item.tables:
        for connector, kind in facts.CONNECTORS.get(table, ()):
            connectors.setdefault(connector, []).append(kind)
    return {
        "id": one.id,
        "name": one.title,
        "description": one.description,
        "severity": one.severity,
        "status": _STATUS.get(str(item.rule.get("status") or ""), "Available"),
        "requiredDataConnectors": [
            {"connectorId": connector, "dataTypes": list(dict.fromkeys(kinds))}
            for connector, kinds in connectors.items()
        ],
        **(
            {}
            if one.near_real_time
            else {
                "queryFrequency": span(one.frequency),
                "queryPeriod": span(one.period),
                "triggerOperator": "gt",
                "triggerThreshold": 0,
            }
        ),
        "tactics": one.tactics,
        "relevantTechniques": one.techniques,
        "tags": ["Sigma", *item.texts("tags")],
        "query": one.query,
        "eventGroupingSettings": {"aggregationKind": "AlertPerResult"},
        **_alert(one),
        "version": _version(item),
        "kind": _kind(one),
    }


def _version(item: ExportItem) -> str:
    """Return the day of the rule's last change as a version: 1.0.20261121."""
    for key in ("modified", "date"):
        digits = re.sub(r"\D", "", str(item.rule.get(key) or ""))
        if len(digits) == 8:
            return f"1.0.{digits}"
    return "1.0.0"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and items of lists indented as the repository has them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def _dump(document: Mapping[str, Any]) -> str:
    return yaml.dump(dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=4096)


ARM = Exporter(TARGETS, "json", _arm, _arm_whole)
YAML = Exporter(TARGETS, "yaml", _yaml)
