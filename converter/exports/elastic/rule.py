"""One Sigma rule as detection rules of Elastic Security, in the form of Kibana's API.

The fields are those of Kibana's OpenAPI schema of detection rules (elastic/kibana, security_solution,
common/api/detection_engine/model/rule_schema). Why no alert is raised twice though lookbacks overlap:

- `query`, and `eql` without a sequence: an alert's id is made from the id of its event, and an id is
  written once (elastic/kibana pull requests 51200 and 119045). No suppression is needed.
- `eql` with a sequence: the id is made from the ids of all its events. A run that begins in the middle of a
  burst can pair the events otherwise, so alerts of one group are also suppressed for as long as runs overlap.
- `threshold`: events up to the last alert of a group are not counted again (getThresholdBucketFilters). While
  a burst goes on each run would still raise an alert for the new events, so here, too, a group is suppressed.

Suppression needs a Platinum licence, for sequences Elastic 8.18; elsewhere the rule runs without it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from converter.attack.table import threat
from converter.errors import Refusal
from converter.exports.elastic import facts, texts
from converter.exports.identity import rule_id
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.wording import described
from converter.plan.model import Fidelity

_FIDELITIES = (Fidelity.EXACT, Fidelity.ASSUMED, Fidelity.BROADER, Fidelity.NARROWER)
TARGETS = ("eql", "lucene")


def rules(items: Sequence[ExportItem]) -> list[tuple[str, dict[str, Any]]]:
    """Return the detection rules of a Sigma rule: one for each query of the language that says it best.

    Each comes with the query's name, "" where the rule needs one query only.

    One language only: the same rule in both would raise each alert twice. Of equal fidelity EQL is taken.

    Raises:
        Refusal: SC210 if the query is no query string (``--lucene-form dsl``).
    """
    item = min(items, key=lambda one: (_FIDELITIES.index(one.fidelity), TARGETS.index(one.target)))
    return [(query.name or "", _rule(item, query)) for query in item.queries]


def _rule(item: ExportItem, query: ExportQuery) -> dict[str, Any]:
    what = _what(item, query)
    level = str(item.rule.get("level") or facts.NO_LEVEL).lower()
    severity, risk = facts.SEVERITY.get(level, facts.SEVERITY[facts.NO_LEVEL])
    tactics = threat(item.texts("tags"), item.attack or facts.ATTACK)
    rule: dict[str, Any] = {
        "rule_id": rule_id(item, query.name),
        "name": item.title + (f" ({query.name})" if query.name else ""),
        "description": described(item),
        "severity": severity,
        "risk_score": risk,
        "version": _version(item),
        "enabled": False,
        "author": texts.authors(item),
        "license": str(item.rule.get("license") or ""),
        "tags": texts.tags(item, tactics),
        "references": item.texts("references"),
        "false_positives": item.texts("falsepositives"),
        "note": texts.note(item, query),
        "setup": texts.setup(item, what["type"], is_sequence(query)),
        "threat": [_threat(tactic) for tactic in tactics],
        "interval": _span(item.interval),
        "from": f"now-{_span(item.lookback + facts.LATE)}",
        "to": "now",
        "max_signals": facts.MAX_SIGNALS,
        **({"index": list(item.indices)} if item.indices else {}),
        **what,
        "required_fields": _required(item, what["type"]),
        "related_integrations": _integrations(item),
        "exceptions_list": [],
        "actions": [],
    }
    if item.shown or item.usual:
        rule["investigation_fields"] = {"field_names": list(item.shown or item.usual)}
    if item.correlation is None and item.source != "none":
        rule["timestamp_override"] = facts.INGESTED
    suppression = _suppression(item, what["type"])
    if suppression:
        rule["alert_suppression"] = suppression
    return {key: value for key, value in rule.items() if value != ""}


def _what(item: ExportItem, query: ExportQuery) -> dict[str, Any]:
    """Return type, language, query and threshold."""
    if item.target == "eql":
        return {"type": "eql", "language": "eql", "query": query.body}
    if query.extra.get("type") == "threshold":
        threshold = {"cardinality": [], **query.extra["threshold"]}
        what = {"type": "threshold", "language": "lucene", "query": query.extra["query"]}
        # Kibana's ThresholdRuleOptionalFields has filters too.
        filters = {"filters": query.extra["filters"]} if "filters" in query.extra else {}
        return {**what, **filters, "threshold": threshold}
    if query.extension == "json":
        raise Refusal(
            "SC210",
            "a detection rule holds a query string, no body of the query DSL: leave out --lucene-form dsl",
        )
    what = {"type": "query", "language": "lucene", "query": query.body}
    # Filters say in plain words that case does not matter: they can be read and tuned in Kibana, and keep the
    # n-grams of wildcard fields, which a regex that begins with a star does not.
    return {**what, **query.extra} if "filters" in query.extra else what


def is_sequence(query: ExportQuery) -> bool:
    """Tell whether an EQL query is a sequence."""
    return re.match(r"sequence\b", query.body) is not None


def _version(item: ExportItem) -> int:
    """Return the day of the rule's last change as a number, such as 20261121: it rises, without a clock."""
    for key in ("modified", "date"):
        digits = re.sub(r"\D", "", str(item.rule.get(key) or ""))
        if len(digits) == 8:
            return int(digits)
    return 1


def _threat(tactic: Any) -> dict[str, Any]:
    return {
        "framework": "MITRE ATT&CK",
        "tactic": {"id": tactic.id, "name": tactic.name, "reference": tactic.url},
        "technique": [
            {
                "id": technique.id,
                "name": technique.name,
                "reference": technique.url,
                "subtechnique": [
                    {"id": sub.id, "name": sub.name, "reference": sub.url} for sub in technique.subtechniques
                ],
            }
            for technique in tactic.techniques
        ],
    }


def _span(seconds: int) -> str:
    """Return a time in the largest unit of s, m and h that fits; the API of suppression knows no d."""
    for size, unit in ((3600, "h"), (60, "m")):
        if seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _required(item: ExportItem, kind: str) -> list[dict[str, Any]]:
    """Return the fields that a query reads, with their types in Elasticsearch."""
    found = {name: column.type for name, column in item.fields.items()}
    if kind == "eql" and any(state.get("eql_category") for state in item.states):
        found.setdefault("event.category", "keyword")
    return [
        {"name": name, "type": kind, "ecs": name.partition(".")[0] in facts.ECS}
        for name, kind in sorted(found.items())
        if name
    ]


def _integrations(item: ExportItem) -> list[dict[str, str]]:
    found = {
        package: {"package": package, "version": version}
        for index in item.indices
        for prefix, (package, version) in facts.PACKAGES.items()
        if index.startswith(prefix)
    }
    return list(found.values())


def _suppression(item: ExportItem, kind: str) -> dict[str, Any] | None:
    """Return the suppression of a correlation's alerts: one for each group while lookbacks overlap."""
    if item.correlation is None:
        return None
    amount = _span(item.lookback + facts.LATE)
    duration = {"value": int(amount[:-1]), "unit": amount[-1]}
    if kind == "threshold":
        return {"duration": duration}
    # An alert of a sequence has the fields whose values its events share.
    shared = [name for name in item.group_by if all(name in group for group in item.groups)]
    if not shared or len(shared) < len(item.group_by) or len(shared) > facts.MOST_SUPPRESSED_BY:
        return None
    return {"group_by": shared, "duration": duration, "missing_fields_strategy": "doNotSuppress"}
