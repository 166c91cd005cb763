"""One Sigma rule as scheduled analytics rules of Microsoft Sentinel, before it is written as ARM or YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converter.attack.table import threat
from converter.errors import Refusal
from converter.exports.identity import rule_id
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.microsoft import facts as shared_facts
from converter.exports.microsoft.entities import Entity, details, entities, needed
from converter.exports.microsoft.query import extended, in_one_run, rows
from converter.exports.microsoft.tactics import tactic_name
from converter.exports.sentinel import facts
from converter.exports.wording import cut, description

TARGETS = ("kql",)


@dataclass(frozen=True, slots=True)
class Analytic:
    """An analytics rule."""

    item: ExportItem
    name: str
    """Of the query, "" where the rule needs one query only."""
    id: str
    title: str
    description: str
    severity: str
    query: str
    near_real_time: bool
    """Whether it runs each minute over what came in (kind NRT), without frequency and period."""
    frequency: int
    """Seconds between two runs."""
    period: int
    """Seconds that a run reads."""
    tactics: list[str]
    techniques: list[str]
    """Techniques, and sub-techniques in place of their techniques."""
    entities: list[Entity]
    details: dict[str, str]


def analytics(items: Sequence[ExportItem]) -> list[Analytic]:
    """Return the analytics rules of a Sigma rule: one for each of its queries.

    Raises:
        Refusal: SC210 for a query that is too long or a window that Sentinel does not read.
    """
    return [_analytic(item, query) for item in items for query in item.queries]


def _analytic(item: ExportItem, query: ExportQuery) -> Analytic:
    if not item.tables:
        raise Refusal(
            "SC210",
            "no table is configured: the workspace has none of the name 'Events'",
            hint="[tool.sigconv.source.none.kusto] table",
        )
    near = item.near_real_time and near_real_time(item, query)
    frequency, period = _schedule(item, query)
    reach = period - item.window
    body = query.body if near else in_one_run(item, query, frequency, reach)
    held = rows(item, query)
    made = ""
    found: list[Entity] = []
    shown: dict[str, str] = {}
    for derived in (True, False):  # A query that becomes too long does without further columns.
        found, shown = entities(held, item, derived=derived), details(held, item, query, derived=derived)
        inside, parts = needed(held, found, shown)
        if query.alert is not None and "TimeGenerated" not in held.columns:
            inside.append(("TimeGenerated", query.alert.last))
        made = extended(body, held, inside, parts)
        if len(made) <= facts.QUERY_MAX:
            break
    else:
        raise Refusal(
            "SC210", f"Sentinel takes queries of {facts.QUERY_MAX} characters, and this one has {len(made)}"
        )
    tactics = threat(item.texts("tags"), facts.ATTACK)
    level = str(item.rule.get("level") or "").lower()
    return Analytic(
        item=item,
        name=query.name or "",
        id=rule_id(item, query.name),
        title=cut(item.title + (f" ({query.name})" if query.name else ""), facts.NAME_MAX),
        description=description(item, facts.DESCRIPTION_MAX),
        severity=facts.SEVERITY.get(level, facts.SEVERITY[facts.NO_LEVEL]),
        query=made,
        near_real_time=near,
        frequency=frequency,
        period=period,
        tactics=[tactic_name(one.name) for one in tactics],
        techniques=sorted(
            {sub.id for one in tactics for tech in one.techniques for sub in tech.subtechniques or (tech,)}
        ),
        entities=found,
        details=shown,
    )


def near_real_time(item: ExportItem, query: ExportQuery) -> bool:
    """Tell whether a query can be a rule that runs each minute: one about single events of one table."""
    return query.alert is None and len(item.tables) == 1 and "union " not in query.body


def _schedule(item: ExportItem, query: ExportQuery) -> tuple[int, int]:
    """Return frequency and period in seconds, whole minutes."""
    frequency = item.interval
    if query.alert is not None and _period(item, frequency) >= facts.LONG_PERIOD:
        frequency = facts.LONG_FREQUENCY
    period = _period(item, frequency)
    if period > facts.PERIOD_MAX:
        raise Refusal("SC210", f"Sentinel reads 14 days at the most, and the window needs {period} s")
    return frequency, period


def _period(item: ExportItem, frequency: int) -> int:
    late = (
        facts.LATE_FROM_DEVICES if set(item.tables) & set(shared_facts.DEVICE_COLUMNS) else shared_facts.LATE
    )
    return -(-(item.window + frequency + late) // 60) * 60
