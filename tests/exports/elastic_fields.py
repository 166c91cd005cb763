"""What Kibana takes as a detection rule, as a JSON schema of ours.

The names of the fields, their types, limits and choices are facts of the documentation of the API, taken
from two files under the Elastic License 2.0 that are not copied here:

- elastic/kibana, x-pack/solutions/security/plugins/security_solution/common/api/detection_engine/model/
  rule_schema: rule_schemas.schema.yaml, common_attributes.schema.yaml, threshold_attributes.schema.yaml
  (read on 2026-11-21);
- elastic/detection-rules, detection_rules/etc/api_schemas/8.15: 8.15.{eql,query,threshold}.json, what the
  repository's own validation demands of a rule in TOML (patterns of names, ids and references; no version).
"""

from __future__ import annotations

from typing import Any

TEXT = {"type": "string"}
FULL = {"type": "string", "minLength": 1}
TEXTS = {"type": "array", "items": TEXT}


def record(required: str, optional: str = "", **fields: Any) -> dict[str, Any]:
    """Return an object whose keys are all known."""
    names = [*required.split(), *optional.split()]
    properties = {name: fields.get(name, TEXT) for name in names}
    return {
        "type": "object",
        "properties": properties,
        "required": required.split(),
        "additionalProperties": False,
    }


def pattern(text: str) -> dict[str, Any]:
    return {"type": "string", "pattern": text}


def listed(item: Any, **limits: int) -> dict[str, Any]:
    return {"type": "array", "items": item, **limits}


def at_least(least: int) -> dict[str, Any]:
    return {"type": "integer", "minimum": least}


PAGE = "https://attack.mitre.org/"
SUB = record("id name reference", reference=pattern(f"^{PAGE}techniques/T[0-9]+/[0-9]+/$"))
TECHNIQUE = record(
    "id name reference",
    "subtechnique",
    reference=pattern(f"^{PAGE}techniques/T[0-9]+/$"),
    subtechnique=listed(SUB),
)
THREAT = record(
    "framework tactic",
    "technique",
    framework={"const": "MITRE ATT&CK"},
    tactic=record("id name reference", reference=pattern(f"^{PAGE}tactics/TA[0-9]+/$")),
    technique=listed(TECHNIQUE),
)
DURATION = record("value unit", value=at_least(1), unit={"enum": ["s", "m", "h"]})
SUPPRESSION = record(
    "group_by missing_fields_strategy",
    "duration",
    group_by=listed(FULL, minItems=1, maxItems=3),
    missing_fields_strategy={"enum": ["doNotSuppress", "suppress"]},
    duration=DURATION,
)
THRESHOLD = record(
    "field value",
    "cardinality",
    field=listed(FULL, maxItems=5),
    value=at_least(1),
    cardinality=listed(record("field value", value=at_least(0))),
)
COMMON: dict[str, Any] = {
    "rule_id": FULL,
    "name": FULL,
    "description": FULL,
    "severity": {"enum": ["low", "medium", "high", "critical"]},
    "risk_score": {"type": "integer", "minimum": 0, "maximum": 100},
    "version": at_least(1),
    "enabled": {"type": "boolean"},
    "author": TEXTS,
    "license": TEXT,
    "tags": TEXTS,
    "references": TEXTS,
    "false_positives": TEXTS,
    "note": TEXT,
    "setup": TEXT,
    "threat": listed(THREAT),
    "interval": pattern(r"^[1-9]\d*[mshd]$"),
    "from": pattern(r"^now-[1-9]\d*[mshd]$"),
    "to": TEXT,
    "max_signals": at_least(1),
    "index": TEXTS,
    "query": TEXT,
    "exceptions_list": listed({}),
    "actions": listed({}),
    "required_fields": listed(record("name type", "ecs", name=FULL, type=FULL, ecs={"type": "boolean"})),
    "related_integrations": listed(
        record(
            "package version",
            "integration",
            package=FULL,
            version=pattern(r"^[\^~]?\d+\.\d+\.\d+$"),
            integration=FULL,
        )
    ),
    "investigation_fields": record("field_names", field_names=listed(FULL, minItems=1)),
    "timestamp_override": FULL,
}
# RuleFilterArray is any array; a filter is packages/kbn-es-query's Filter: a query, negated or not.
FILTERS = listed(
    record(
        "meta query",
        meta=record("negate", negate={"type": "boolean"}),
        query={"type": "object", "minProperties": 1, "maxProperties": 1},
    ),
    minItems=1,
)
KINDS: dict[str, dict[str, Any]] = {
    "eql": {"type": {"const": "eql"}, "language": {"const": "eql"}, "alert_suppression": SUPPRESSION},
    "query": {
        "type": {"const": "query"},
        "language": {"enum": ["lucene", "kuery"]},
        "filters": FILTERS,
        "alert_suppression": SUPPRESSION,
    },
    "threshold": {
        "type": {"const": "threshold"},
        "language": {"enum": ["lucene", "kuery"]},
        "filters": FILTERS,
        "threshold": THRESHOLD,
        "alert_suppression": record("duration", duration=DURATION),
    },
}
REQUIRED = ["rule_id", "name", "description", "risk_score", "severity", "type", "query", "language"]


def kibana(kind: str) -> dict[str, Any]:
    """Return the schema of a rule of a type as Kibana imports it."""
    more = ["threshold"] if kind == "threshold" else []
    return {
        "type": "object",
        "properties": {**COMMON, **KINDS[kind]},
        "required": [*REQUIRED, *more],
        "additionalProperties": False,
    }


def repository(kind: str) -> dict[str, Any]:
    """Return the schema of `[rule]` of a TOML file of elastic/detection-rules."""
    schema = kibana(kind)
    fields = dict(schema["properties"])
    del fields["version"]
    fields |= {
        "rule_id": pattern("^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
        "name": pattern(r"^[a-zA-Z0-9].+?[a-zA-Z0-9\[\]()]$"),
        "risk_score": {"type": "integer", "minimum": 1, "maximum": 100},
        "required_fields": listed(record("ecs name type", name=FULL, type=FULL, ecs={"type": "boolean"})),
    }
    if kind == "threshold":
        cardinality = listed(record("field value", value=at_least(1)))
        fields["threshold"] = record(
            "field value", "cardinality", field=listed(FULL), value=at_least(1), cardinality=cardinality
        )
    return {**schema, "properties": fields, "required": [*schema["required"], "author"]}


DATE = pattern(r"^\d{4}/\d{2}/\d{2}$")
METADATA = record(
    "creation_date updated_date",
    "integration maturity min_stack_version min_stack_comments",
    creation_date=DATE,
    updated_date=DATE,
    integration=listed(FULL, minItems=1),
    maturity={"enum": ["development", "experimental", "beta", "production", "deprecated"]},
)
