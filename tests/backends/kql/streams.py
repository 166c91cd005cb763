"""Correlations over small streams: the plan as `convert` makes it, the matcher's alerts, and the engine's."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sigma.rule import SigmaRule

from converter.backends.kql import KqlBackend
from converter.engines.kql import KqlEngine
from converter.events.stored import Stored
from converter.matcher import Matcher
from converter.plan.columns import Column
from converter.plan.model import BaseRule, CorrelationPlan, Member, Threshold
from tests.support import condition_of

EPOCH = 10**12
COLUMNS = {
    "TimeGenerated": Column("datetime"),
    "a": Column("long"),
    "b": Column("long"),
    "c": Column("long"),
    "kind": Column("string"),
    "host": Column("string"),
    "peer": Column("string"),
    "v": Column("long"),
    "w": Column("string"),
}
STATE = {"table": "Events", "time_field": "TimeGenerated"}
Alerts = set[tuple[tuple[str, ...], int]]


def base(name: str, selection: dict[str, Any] | None = None) -> dict[str, Any]:
    """A base rule that selects events in which the field of its name is 1."""
    detection = {"s": selection or {name: 1}, "condition": "s"}
    return {"title": name, "name": name, "logsource": {"category": "t"}, "detection": detection}


def correlation(kind: str, condition: Any = None, name: str = "top", **more: Any) -> dict[str, Any]:
    section = {"type": kind, "rules": ["a", "b"], "group-by": ["host"], "timespan": "4s", **more}
    if condition is not None:
        section["condition"] = condition
    return {"title": name, "name": name, "correlation": section}


def plan(rule: dict[str, Any], docs: list[dict[str, Any]]) -> CorrelationPlan:
    """Return the plan of a correlation among rules."""
    section = rule["correlation"]
    condition = section.get("condition", {})
    fields = condition.get("field", []) if isinstance(condition, dict) else []
    fields = fields if isinstance(fields, list) else [fields]
    members = []
    for name in section["rules"]:
        doc = next(doc for doc in docs if doc["name"] == name)
        keys = [section.get("aliases", {}).get(key, {}).get(name, key) for key in section["group-by"]]
        source = plan(doc, docs) if "correlation" in doc else _base(doc)
        members.append(
            Member(name, source, tuple((key,) for key in keys), tuple((field,) for field in fields))
        )
    return CorrelationPlan(
        rule,
        rule["name"],
        section["type"],
        tuple(members),
        tuple(section["group-by"]),
        _milliseconds(section["timespan"]),
        tuple(
            Threshold(op, value)
            for op, value in (condition.items() if isinstance(condition, dict) else ())
            if op not in ("field", "percentile")
        ),
        condition.get("percentile") if isinstance(condition, dict) else None,
        _expression(condition) if isinstance(condition, str) else None,
        tuple(rule.get("fields", ())),
    )


def _milliseconds(timespan: str) -> int:
    return int(timespan[:-1]) * {"s": 1_000, "m": 60_000}[timespan[-1]]


def _expression(text: str) -> Any:
    words = text.split()
    if len(words) == 1:
        return text
    if words[0] == "not":
        return ("not", words[1])
    left, operator, right = words[0], words[1], " ".join(words[2:])
    return (operator, left, _expression(right))


def _base(doc: dict[str, Any]) -> BaseRule:
    rule = SigmaRule.from_dict(doc)
    return BaseRule(doc["name"], condition_of(rule), STATE, COLUMNS)


def query(rule: dict[str, Any], docs: list[dict[str, Any]]) -> Any:
    (draft,) = KqlBackend().correlation(plan(rule, docs))
    return draft


def result(draft: Any, stream: list[dict[str, Any]]) -> tuple[Any, ...]:
    """Return the rows of a query over a stream."""
    stored = []
    for i, event in enumerate(stream):
        time = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
        stored.append(Stored(i, "Events", {**event, "TimeGenerated": time}))
    return KqlEngine().load(stored, {"Events": COLUMNS}).run(draft.text).rows


def run(draft: Any, stream: list[dict[str, Any]]) -> Alerts:
    """Return (group, time in ms) of each row; two rows for one alert are an error."""
    stored = [
        Stored(
            i, "Events", {**event, "TimeGenerated": datetime.fromtimestamp(event["timestamp"] / 1000, UTC)}
        )
        for i, event in enumerate(stream)
    ]
    rows = KqlEngine().load(stored, {"Events": COLUMNS}).run(draft.text).rows
    found = [
        (tuple(str(row[key]) for key in draft.alert.group), round(row[draft.alert.last].timestamp() * 1000))
        for row in rows
    ]
    assert len(found) == len(set(found)), rows
    for row in rows:
        assert row[draft.alert.first] <= row[draft.alert.last]
        assert row[draft.alert.count] is not None
    return set(found)


def expected(rule: dict[str, Any], docs: list[dict[str, Any]], stream: list[dict[str, Any]]) -> Alerts:
    """Return the matcher's alerts of the rule."""
    matcher = Matcher([*docs, rule], lateness_ms=None)
    alerts = [alert for i, event in enumerate(stream) for alert in matcher.feed(i, event)]
    alerts += matcher.finish()
    return {(alert.group, alert.time_ms) for alert in alerts if alert.rule == rule["name"]}
