"""One Sigma rule as scheduled analytics rules of Microsoft Sentinel, before it is written as ARM or YAML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from converter.errors import Refusal
from converter.exports.attack import threat
from converter.exports.identity import rule_id
from converter.exports.item import ExportItem, ExportQuery
from converter.exports.sentinel import facts
from converter.exports.sentinel.entities import Entity, details, entities, needed
from converter.exports.sentinel.query import extended, in_one_run, rows

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
    frequency, period = _schedule(item, query)
    held = rows(item, query)
    found, shown = entities(held, item), details(held, item)
    columns = needed(held, found, shown)
    if query.alert is not None and "TimeGenerated" not in held.columns:
        columns.append(("TimeGenerated", query.alert.last))
    body = extended(in_one_run(item, query, frequency, facts.LATE), columns)
    if len(body) > facts.QUERY_MAX:
        raise Refusal(
            "SC210", f"Sentinel takes queries of {facts.QUERY_MAX} characters, and this one has {len(body)}"
        )
    tactics = threat(item.texts("tags"), facts.ATTACK)
    level = str(item.rule.get("level") or "").lower()
    return Analytic(
        item=item,
        name=query.name or "",
        id=rule_id(item, query.name),
        title=_short(item.title + (f" ({query.name})" if query.name else ""), facts.NAME_MAX),
        description=_short(
            str(item.rule.get("description") or "").strip() or item.title, facts.DESCRIPTION_MAX
        ),
        severity=facts.SEVERITY.get(level, facts.SEVERITY[facts.NO_LEVEL]),
        query=body,
        frequency=frequency,
        period=period,
        tactics=[tactic_name(one.name) for one in tactics],
        techniques=sorted(
            {sub.id for one in tactics for tech in one.techniques for sub in tech.subtechniques or (tech,)}
        ),
        entities=found,
        details=shown,
    )


def tactic_name(name: str) -> str:
    """Return Microsoft's name of a tactic: CommandAndControl."""
    return "".join(word[0].upper() + word[1:] for word in name.split())


def _schedule(item: ExportItem, query: ExportQuery) -> tuple[int, int]:
    """Return frequency and period in seconds, whole minutes."""
    if query.alert is None:
        return item.interval, facts.EVENT_PERIOD
    frequency = item.interval
    if _period(item, frequency) >= facts.LONG_PERIOD:
        frequency = facts.LONG_FREQUENCY
    period = _period(item, frequency)
    if period > facts.PERIOD_MAX:
        raise Refusal("SC210", f"Sentinel reads 14 days at the most, and the window needs {period} s")
    return frequency, period


def _period(item: ExportItem, frequency: int) -> int:
    return -(-(item.window + frequency + facts.LATE) // 60) * 60


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
