"""One Sigma rule as custom detections of Defender XDR, in the form of Microsoft Graph's detectionRule.

It is the form that v1.0 of the API has. Properties of the earlier beta (``isEnabled``, ``schedule.period``,
``category``, ``mitreTechniques``, ``impactedAssets``, ``responseActions``) were removed on 1 October 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from converter.attack.table import threat
from converter.errors import Refusal
from converter.exports.base import Exporter
from converter.exports.defender import facts
from converter.exports.identity import rule_id
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.microsoft.entities import details, needed
from converter.exports.microsoft.query import Rows, duration, extended, in_one_run, rows
from converter.exports.microsoft.tactics import tactic_name
from converter.exports.wording import description

_STRINGS = re.compile(r"@\"(?:[^\"]|\"\")*\"|@'(?:[^']|'')*'|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'")


def _part(items: Sequence[ExportItem]) -> Mapping[str, str]:
    """Return a file for each query: a request of the API holds one rule.

    Raises:
        Refusal: SC210 for a query over other tables than Defender's, one that does not return what a
            detection must return, and a window that the service does not read.
    """
    return {
        query.name or "": json.dumps(_rule(item, query), indent=2, ensure_ascii=False) + "\n"
        for item in items
        for query in item.queries
    }


def _rule(item: ExportItem, query: ExportQuery) -> dict[str, Any]:
    if item.source != "defender":
        raise Refusal(
            "SC210", f"custom detections read the tables of Defender XDR, not those of {item.source}"
        )
    held = rows(item, query)
    missing = [
        name for name in facts.REQUIRED if name not in held.columns or name not in _returned(item, query)
    ]
    if missing:
        raise Refusal(
            "SC210", f"custom detections must return {' and '.join(missing)}, and the query does not"
        )
    # A continuous rule does without columns that it would have to compute, unless the rule names them.
    shown = details(held, item, query, derived=bool(item.shown))
    body = extended(query.body, held, *needed(held, [], shown))
    frequency = 0
    if not _continuous(item, query, body):
        frequency, back = _frequency(item)
        body = extended(
            in_one_run(item, query, frequency, back - item.window), held, *needed(held, [], shown)
        )
    level = str(item.rule.get("level") or "").lower()
    title = item.title + (f" ({query.name})" if query.name else "")
    about = description(item, facts.DESCRIPTION_MAX)
    template: dict[str, Any] = {
        "title": _no_column(title),
        "description": _no_column(about),
        "severity": facts.SEVERITY.get(level, facts.SEVERITY[facts.NO_LEVEL]),
        "recommendedActions": _advice(item),
        "entityMappings": _entities(held),
        "tactics": _tactics(item),
    }
    if shown:
        template["customDetails"] = shown
    return {
        "@odata.type": "#microsoft.graph.security.detectionRule",
        "id": rule_id(item, query.name),
        "displayName": title,
        "description": about,
        "status": "disabled",
        "queryCondition": {"queryText": body},
        "schedule": {"frequency": duration(frequency)},
        "detectionAction": {"alertTemplate": template},
    }


def _returned(item: ExportItem, query: ExportQuery) -> set[str]:
    """Return the required columns that rows have: a table's own, or those that a correlation names."""
    if query.alert is None:
        return set(facts.REQUIRED)
    tail = query.body.rpartition(";\n")[2]
    return {name for name in facts.REQUIRED if re.search(rf"\b{name}\b", tail)} | set(query.alert.group)


def _continuous(item: ExportItem, query: ExportQuery, body: str) -> bool:
    """Tell whether the service can run a query continuously (near real time)."""
    if query.alert is not None or len(item.tables) != 1 or item.tables[0] not in facts.CONTINUOUS_TABLES:
        return False
    code = _STRINGS.sub('""', body)
    operators = set(re.findall(r"^\| (\w+)", code, re.MULTILINE))
    functions = set(re.findall(r"\b(\w+) ?\(", code)) - {"and", "or", "where"}
    plain = not re.search(r"\blet\b|\bin~|//|\bbetween\b", code)
    return plain and operators <= facts.CONTINUOUS_OPERATORS and functions <= facts.CONTINUOUS_FUNCTIONS


def _frequency(item: ExportItem) -> tuple[int, int]:
    """Return the shortest time between two runs whose lookback covers the window, and that lookback."""
    for every, back in facts.LOOKBACKS:
        if item.window + every + facts.LATE <= back:
            return every, back
    raise Refusal("SC210", f"custom detections read 30 days at the most, and the window is {item.window} s")


def _entities(held: Rows) -> dict[str, list[dict[str, str]]]:
    found: dict[str, list[dict[str, str]]] = {}
    for kind, properties in facts.ENTITIES:
        if properties[0][1] in held.columns:
            columns = {name: column for name, column in properties if column in held.columns}
            found.setdefault(kind, []).append(columns)
    return found


def _tactics(item: ExportItem) -> list[dict[str, Any]]:
    return [
        {
            "tactic": tactic_name(tactic.name),
            "techniques": [
                {"technique": one.id, "subTechniques": [sub.id for sub in one.subtechniques]}
                if one.subtechniques
                else {"technique": one.id}
                for one in tactic.techniques
            ],
        }
        for tactic in threat(item.texts("tags"), facts.ATTACK)
    ]


def _no_column(text: str) -> str:
    """Return a text of an alert in which nothing names a column: ``{{x}}`` would be replaced by x's value.

    A rule whose query has no such column is refused, and there is no escape ("Create and manage custom
    detections rules", dynamic alert titles and descriptions).
    """
    return re.sub(r"\{(?=\{)", "{ ", text)


def _advice(item: ExportItem) -> str:
    """Return what people read who handle an alert: the known false positives."""
    found = item.texts("falsepositives")
    if not found:
        return "Find out who did this, and whether it was expected."
    return "Known false positives: " + "; ".join(" ".join(one.split()) for one in found) + "."


JSON = Exporter(("kql",), "json", _part, sources=("defender",))
