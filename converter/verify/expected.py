"""What a rule means in a situation, by the reference matcher: what a query must select."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from converter.engines import ENGINES
from converter.events import time_of
from converter.matcher import Matcher, compile_detection
from converter.matcher.correlation_section import read as section_of
from converter.matcher.matcher import Alert
from converter.pipelines import cells
from converter.pipelines.cells import Cell
from converter.project import stock_pipelines
from converter.rules.rule import Rule
from converter.shapes import shape_for
from converter.verify.judge import Mark
from converter.verify.relaxations import Situation

Event = Mapping[str, Any]


def expected_marks(rule: Rule, situation: Situation, cell: Cell) -> list[Mark]:
    """Return what a rule means in a situation, relaxed or not."""
    empty_is_missing = ENGINES[cell.target].empty_is_missing
    events, placeholders = situation.events, situation.placeholders
    doc = situation.rule
    if cell.inferred and cell.logsource_checked:
        # Only events of the log sources are searched: every event is a candidate.
        situation = situation.with_docs(lambda one: {**one, "logsource": {}} if "logsource" in one else one)
    if rule.kind == "rule" and cell.inferred and cell.logsource_checked:
        matches = compile_detection(
            doc["detection"], placeholders=placeholders, empty_is_missing=empty_is_missing
        )
        return [Mark((), milliseconds_of(event), i) for i, event in enumerate(events) if matches(event)]
    matcher = Matcher(situation.docs, placeholders=placeholders, empty_is_missing=empty_is_missing)

    def alerts(positions: Sequence[int]) -> list[Alert]:
        found = matcher.run([events[position] for position in positions])
        return [alert for alert in found if alert.rule in (rule.id, rule.name)]

    if rule.kind == "rule":
        return [
            Mark((), milliseconds_of(events[e]), e) for one in alerts(range(len(events))) for e in one.events
        ]
    return [
        Mark(_group(doc, situation.docs, alert.group, cell), alert.time_ms or 0)
        for positions in _slices(situation)
        for alert in alerts(positions)
    ]


def _slices(situation: Situation) -> list[tuple[int, ...]]:
    """Return the positions of the events that are looked at together: all, or those of each run."""
    events = situation.events
    if situation.interval_ms is None:
        return [tuple(range(len(events)))]
    interval = situation.interval_ms
    span = section_of(situation.rule).timespan_ms
    times = [milliseconds_of(event) for event in events]
    found: dict[tuple[int, ...], None] = {}
    edges = sorted({-(-time // interval) * interval for time in times if time >= 0})
    edges += [(time + span) // interval * interval for time in times if time >= 0]
    for run in sorted(set(edges)):
        found[tuple(i for i, time in enumerate(times) if run - span <= time <= run)] = None
    return list(found)


def _group(
    doc: Mapping[str, Any], docs: Sequence[Mapping[str, Any]], values: Sequence[Any], cell: Cell
) -> tuple[str, ...]:
    """Return a group's texts as the platform has them."""
    known = texts(values)
    if cell.source == cells.NONE:
        return known
    key = shape_for(cell.source, cell.stem, stock_pipelines.folder()).key
    fields = doc["correlation"].get("group-by") or []
    fields = [fields] if isinstance(fields, str) else fields
    raw = [_raw_field(doc, docs, str(field)) for field in fields]
    return tuple(key(field, text) if text else text for field, text in zip(raw, known, strict=True))


def _raw_field(doc: Mapping[str, Any], docs: Sequence[Mapping[str, Any]], field: str) -> str:
    """Return the field of events behind a group-by key: aliases resolved, through all correlations."""
    section = doc.get("correlation")
    if not section:
        return field
    reference = next(iter([section["rules"]] if isinstance(section["rules"], str) else section["rules"]))
    inner = (section.get("aliases") or {}).get(field, {}).get(reference, field)
    found = next((one for one in docs if reference in (one.get("name"), one.get("id"))), {})
    return _raw_field(found, docs, inner)


def milliseconds_of(event: Event) -> int:
    """Return when an event happened, in epoch milliseconds; -1 if it does not say."""
    time = time_of(event)
    return -1 if time is None else time


def texts(values: Iterable[Any]) -> tuple[str, ...]:
    """Return the texts of a group's values; a missing one is empty."""
    return tuple("" if value is None else str(value) for value in values)
