"""`sigconv verify`: each rule in each cell, its events in the platform's shape, its query on an engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from converter import pipelines, ruletests
from converter.columns import Columns
from converter.convert import DEFAULT, Conversion, Options, convert
from converter.engines import engine_for
from converter.engines.base import Result, Stored
from converter.errors import EngineError, Refusal, SigconvError
from converter.events import time_of
from converter.matcher import Matcher, compile_detection
from converter.matcher.matcher import Alert
from converter.matcher.section import read as section_of
from converter.pipelines import Cell
from converter.plan import BaseRule, CorrelationPlan, Fidelity
from converter.rule import Rule
from converter.rules import RuleSet
from converter.shapes import none as none_shape
from converter.shapes import shape_for
from converter.verify import foreign
from converter.verify.judge import Mark, Verdict
from converter.verify.relaxations import Situation, known, relaxed
from converter.witness import witnesses

FIRST_OF_BURST = "first of burst"
"""How the reason begins of a query whose engine uses events up (EQL sequences)."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Checked:
    """One rule in one cell."""

    rule: Rule
    cell: Cell
    status: str
    """``agrees``, ``disagrees``, ``refused`` or ``error``."""
    fidelity: str = ""
    events: int = 0
    hits: int = 0
    reason: str = ""
    detail: tuple[str, ...] = ()
    """For each disagreement: the event and both verdicts."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events that belong together, in the order of arrival."""

    name: str
    events: tuple[Event, ...]


def verify(
    rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options = DEFAULT
) -> Iterator[Checked]:
    """Verify every emitted rule in every cell.

    Args:
        rules: as loaded.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose; what is not within its fidelity is refused.
    """
    for rule in rules.emitted():
        yield from verify_rule(rules, rule, cells, tests, options)


def verify_rule(
    rules: RuleSet, rule: Rule, cells: Sequence[Cell], tests: Path, options: Options = DEFAULT
) -> Iterator[Checked]:
    """Verify one rule in every cell; see `verify`."""
    streams: list[Stream] | None = None
    for cell in cells:
        try:
            # Where the configuration says that events are is not where the shapes put them.
            conversion = convert(rules, rule, cell.proof or cell, options)
            if streams is None:
                streams = streams_of(rules, rule, tests, options)
            yield _check(rules, conversion, streams, options)
        except Refusal as refusal:
            yield Checked(rule, cell, "refused", reason=f"{refusal.code} {refusal.message}")
        except SigconvError as error:
            yield Checked(rule, cell, "error", reason=str(error))
        except Exception as error:  # A defect met with one rule must not hide the others' results.
            yield Checked(rule, cell, "error", reason=f"SC900 internal error: {error!r}")


def streams_of(rules: RuleSet, rule: Rule, tests: Path, options: Options = DEFAULT) -> list[Stream]:
    """Return the rule's own test events and its witnesses; those of an event rule as one stream."""
    streams: list[Stream] = []
    own = ruletests.find(tests, rule.relative, rule.id or rule.name)
    if own is not None:
        streams += [Stream(f"test: {test.name}", test.events) for test in own.tests]
    docs = [one.doc for one in rules.closure(rule)]
    streams += [
        Stream(made.name, tuple(made.events))
        for made in witnesses(docs, rule.doc, placeholders=options.placeholders)
    ]
    if rule.kind == "rule":
        return [Stream("all", tuple(event for stream in streams for event in stream.events))]
    return streams


def _check(
    rules: RuleSet, conversion: Conversion, streams: Sequence[Stream], options: Options = DEFAULT
) -> Checked:
    rule, cell = conversion.rule, conversion.cell
    engine = engine_for(cell.target)
    verdict = Verdict()
    for query in conversion.queries:
        engine.validate(query.text, tables_of(conversion))
    for stream in streams:
        compare(rules, conversion, stream.name, stream.events, options, verdict)
    problem = unproven(conversion) or verdict.problem(conversion.fidelity)
    if problem is None and not verdict.hits:
        problem = "no witness is a hit: this proves nothing"
    means = "relaxed rule" if relaxations_of(conversion) else "rule"
    detail = [f"{name}: {mark}: {means} selects it, query does not" for name, mark in verdict.missed]
    detail += [f"{name}: {mark}: query selects it, {means} does not" for name, mark in verdict.extra]
    return Checked(
        rule,
        cell,
        "disagrees" if problem else "agrees",
        str(conversion.fidelity),
        verdict.events,
        verdict.hits,
        problem or "; ".join(reason.text for reason in conversion.reasons),
        tuple(detail) if problem else (),
    )


def compare(
    rules: RuleSet,
    conversion: Conversion,
    name: str,
    events: Sequence[Event],
    options: Options = DEFAULT,
    verdict: Verdict | None = None,
) -> Verdict:
    """Run the queries of a rule over one stream and compare what they select with what the rule means.

    Args:
        rules: where references are resolved.
        conversion: the rule in a cell.
        name: what the stream is called in the verdict.
        events: flat events, in the order of arrival.
        options: what the user chose.
        verdict: one to add to; default: a new one.
    """
    rule, cell, plan = conversion.rule, conversion.cell, conversion.plan
    verdict = verdict or Verdict()
    seen, stored = _shaped(events, conversion)
    if cell.target == "eql" and isinstance(plan, CorrelationPlan) and _has_ties(seen):
        return verdict  # Elasticsearch orders events of equal time by its tiebreaker: docs/correlations.md
    situation = Situation(
        tuple(one.doc for one in rules.closure(rule)),
        tuple(seen),
        tuple(one.doc for one in stored),
        options.placeholders,
    )
    strict = _expected(rule, situation, cell)
    names = relaxations_of(conversion)
    expected = _expected(rule, relaxed(names, situation), cell) if names else strict
    groups = isinstance(plan, CorrelationPlan) and cell.target == "lucene"
    verdict.shown += _differences(strict, expected, groups)
    verdict.events += len(seen)
    others: list[Stored] = []
    if isinstance(plan, BaseRule):
        hits = [mark.event for mark in expected if mark.event is not None]
        chosen = [stored[event] for event in dict.fromkeys((*hits[:1], *hits[-1:]))]
        others = [replace(one, id=len(stored) + i) for i, one in enumerate(foreign.of_event(plan, chosen))]
    found, shown = _run(conversion, seen, [*stored, *others])
    verdict.foreign += [f"'{name}': an event of another kind" for mark in found if _is_foreign(mark, seen)]
    found = {mark for mark in found if not _is_foreign(mark, seen)}
    if isinstance(plan, CorrelationPlan):
        verdict.columns += shown_wrongly(plan, shown, stored)
        if expected and not verdict.others_tried and all(one.op in ("gt", "gte") for one in plan.thresholds):
            verdict.others_tried = True
            for changed in foreign.of_correlation(plan, stored):
                if _run(conversion, seen, changed)[0]:
                    verdict.foreign.append(f"'{name}': events of another kind")
    burst = any(reason.text.startswith(FIRST_OF_BURST) for reason in conversion.reasons)
    if isinstance(plan, CorrelationPlan) and burst:
        verdict.compare_first_of_burst(name, expected, found, plan.timespan_ms)
    elif groups:
        verdict.compare_groups(name, expected, {mark.group for mark in found})
    else:
        verdict.compare(name, expected, found)
    return verdict


def relaxations_of(conversion: Conversion) -> list[str]:
    """Return the relaxations that the reasons of a label name, in order."""
    return [
        reason.relaxation
        for reason in conversion.reasons
        if reason.fidelity in (Fidelity.BROADER, Fidelity.NARROWER) and known(reason.relaxation)
    ]


def unproven(conversion: Conversion) -> str | None:
    """Return the reason of a label of which no relaxation is known, or None."""
    for reason in conversion.reasons:
        if reason.fidelity in (Fidelity.BROADER, Fidelity.NARROWER) and not known(reason.relaxation):
            return f"labelled {reason.fidelity}, and no relaxation says what that means: {reason.text}"
    return None


def _differences(strict: Sequence[Mark], expected: Sequence[Mark], groups: bool) -> int:
    if groups:
        return len({mark.group for mark in strict} ^ {mark.group for mark in expected})
    return len(set(strict) ^ set(expected))


def selected(conversion: Conversion, events: Sequence[Event]) -> set[Mark]:
    """Return what the queries of a rule select of flat events, as ``alerts_of`` does.

    Raises:
        EngineError: if an engine rejects or cannot run a query.
    """
    return _run(conversion, *_shaped(events, conversion))[0]


def _run(
    conversion: Conversion, events: Sequence[Event], stored: Sequence[Stored]
) -> tuple[set[Mark], list[Result]]:
    """Return what the queries select, and their results as they are."""
    session = engine_for(conversion.cell.target).load(stored, tables_of(conversion, stored))
    results = [session.run(query.text) for query in conversion.queries]
    return alerts_of(conversion, events, stored, results), results


def _is_foreign(mark: Mark, events: Sequence[Event]) -> bool:
    return mark.event is not None and mark.event >= len(events)


def _keyed(plan: CorrelationPlan) -> set[str]:
    found: set[str] = set()
    for member in plan.members:
        found.update(name for names in (*member.group_by, *member.values) for name in names)
        if isinstance(member.source, CorrelationPlan):
            found |= _keyed(member.source)
    return found


def shown_wrongly(plan: CorrelationPlan, results: Sequence[Result], stored: Sequence[Stored]) -> list[str]:
    """Return what is wrong with the columns that alerts show: each value is one of the events'."""
    wrong: list[str] = []
    for column in plan.fields:
        if column in _keyed(plan):
            continue  # Keys and counted values have columns of their own; what stands beside may be empty.
        held = {str(one.doc[column]) for one in stored if one.doc.get(column) not in (None, "")}
        if any(isinstance(one.doc.get(column), (list, datetime)) for one in stored):
            continue
        everywhere = all(one.doc.get(column) not in (None, "") for one in stored)
        rows = [row for result in results for row in result.rows if "keys" not in row and "group" not in row]
        for row in rows:
            # A list function of SPL gives no field where no event has a value.
            shown = row.get(column)
            given = shown if isinstance(shown, list) else [shown]
            texts = [str(one) for one in given if one not in (None, "")]
            if everywhere and not texts:
                wrong.append(f"the alert shows no value of {column}")
            wrong += [
                f"the alert shows {text!r:.60} as {column}, which no event has"
                for text in texts
                if held and text not in held
            ]
    return wrong


def alerts_of(
    conversion: Conversion, events: Sequence[Event], stored: Sequence[Stored], results: Sequence[Result]
) -> set[Mark]:
    """Return what the queries of a rule selected: events, or alerts (a threshold's without their time).

    Args:
        conversion: the rule in a cell.
        events: the events that were searched, by position.
        stored: the same as the platform stores them.
        results: of each of the conversion's queries, in order.

    Raises:
        EngineError: SC404 if a query does not say which columns carry its alerts.
    """
    plan = conversion.plan
    if isinstance(plan, BaseRule):
        return {
            Mark((), _time(events[e]) if e < len(events) else 0, e)
            for result in results
            for e in result.events
        }
    rows = [
        (query, row) for query, result in zip(conversion.queries, results, strict=True) for row in result.rows
    ]
    if conversion.cell.target == "eql":
        marks = {Mark(_joined(plan, row["keys"]), _time(events[row["events"][-1]])) for _, row in rows}
        # An event that is an alert by itself: its group is in its own fields.
        for query, result in zip(conversion.queries, results, strict=True):
            columns = query.alert.group if query.alert else ()
            for one in result.events:
                keys = [stored[one].doc.get(column) for column in columns]
                marks.add(Mark(_joined(plan, keys), _time(events[one])))
        return marks
    if conversion.cell.target == "lucene":
        return {Mark(_joined(plan, list(row["group"].values())), 0) for _, row in rows}
    found = set()
    for query, row in rows:
        if query.alert is None:
            raise EngineError("SC404", "the backend does not say which columns carry the alert")
        group = _texts(row[column] for column in query.alert.group)
        found.add(Mark(group, _milliseconds(row[query.alert.last])))
    return found


def _joined(plan: CorrelationPlan, values: Sequence[Any]) -> tuple[str, ...]:
    """Return one text for each group-by key; of several columns joined as a domain and a name are."""
    held = [_held(plan, position) for position in range(len(plan.group_by))]
    if sum(map(len, held)) != len(values):
        return _texts(values)
    rest = iter(values)
    return tuple("\\".join(_text(next(rest), kind) for kind in kinds) for kinds in held)


def _held(plan: CorrelationPlan, position: int) -> list[str]:
    """Return the types of the columns that hold a group-by key."""
    member = plan.members[0]
    names, source = member.group_by[position], member.source
    if isinstance(source, CorrelationPlan):
        return _held(source, source.group_by.index(names[0]))
    return [source.columns[name].type if name in source.columns else "" for name in names]


def _text(value: Any, kind: str) -> str:
    """Return a key's text; EQL gives times in epoch milliseconds."""
    if kind == "date" and isinstance(value, int):
        moment = _EPOCH + timedelta(milliseconds=value)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return "" if value is None else str(value)


def _shaped(events: Sequence[Event], conversion: Conversion) -> tuple[list[Event], list[Stored]]:
    """Return the events as the matcher must see them on this platform, and as it stores them."""
    cell, plan = conversion.cell, conversion.plan
    if cell.source == pipelines.NONE:
        columns = _columns(plan, cell)
        seen = none_shape.view(events, cell.target, columns)
        stored = none_shape.store(events, columns, cell.target)
        if isinstance(plan, CorrelationPlan):
            stored = none_shape.with_times(stored, seen, cell.target)
        return seen, stored
    shape = shape_for(cell.source, cell.stem, pipelines.folder())
    raw = shape.history(events)
    return [shape.view(event) for event in events], [shape.store(event, i) for i, event in enumerate(raw)]


def _expected(rule: Rule, situation: Situation, cell: Cell) -> list[Mark]:
    """Return what a rule means in a situation, relaxed or not."""
    empty_is_missing = cell.target == "kql"  # Kusto's string columns have no null.
    events, placeholders = situation.events, situation.placeholders
    doc = situation.rule
    if cell.inferred and cell.logsource_checked:
        # Only events of the log sources are searched: every event is a candidate.
        situation = situation.with_docs(lambda one: {**one, "logsource": {}} if "logsource" in one else one)
    if rule.kind == "rule" and cell.inferred and cell.logsource_checked:
        matches = compile_detection(
            doc["detection"], placeholders=placeholders, empty_is_missing=empty_is_missing
        )
        return [Mark((), _time(event), i) for i, event in enumerate(events) if matches(event)]
    matcher = Matcher(situation.docs, placeholders=placeholders, empty_is_missing=empty_is_missing)

    def alerts(positions: Sequence[int]) -> list[Alert]:
        found = matcher.run([events[position] for position in positions])
        return [alert for alert in found if alert.rule in (rule.id, rule.name)]

    if rule.kind == "rule":
        return [Mark((), _time(events[e]), e) for one in alerts(range(len(events))) for e in one.events]
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
    times = [_time(event) for event in events]
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
    texts = _texts(values)
    if cell.source == pipelines.NONE:
        return texts
    key = shape_for(cell.source, cell.stem, pipelines.folder()).key
    fields = doc["correlation"].get("group-by") or []
    fields = [fields] if isinstance(fields, str) else fields
    raw = [_raw_field(doc, docs, str(field)) for field in fields]
    return tuple(key(field, text) if text else text for field, text in zip(raw, texts, strict=True))


def _raw_field(doc: Mapping[str, Any], docs: Sequence[Mapping[str, Any]], field: str) -> str:
    """Return the field of events behind a group-by key: aliases resolved, through all correlations."""
    section = doc.get("correlation")
    if not section:
        return field
    reference = next(iter([section["rules"]] if isinstance(section["rules"], str) else section["rules"]))
    inner = (section.get("aliases") or {}).get(field, {}).get(reference, field)
    found = next((one for one in docs if reference in (one.get("name"), one.get("id"))), {})
    return _raw_field(found, docs, inner)


def _columns(plan: BaseRule | CorrelationPlan, cell: Cell) -> Columns:
    if isinstance(plan, BaseRule):
        return plan.columns
    if cell.source == pipelines.NONE:
        return none_shape.correlation_columns(plan, cell.target)
    return {name: column for member in plan.members for name, column in _columns(member.source, cell).items()}


def tables_of(conversion: Conversion, stored: Iterable[Stored] = ()) -> dict[str, Columns]:
    """Return the columns of every table that the rule's query names or that has events."""
    columns = _columns(conversion.plan, conversion.cell)
    names = {one.index for one in stored}
    stack: list[BaseRule | CorrelationPlan] = [conversion.plan]
    while stack:
        one = stack.pop()
        if isinstance(one, CorrelationPlan):
            stack.extend(member.source for member in one.members)
            continue
        index = one.state.get("table") or one.state.get("index") or ()
        names.update([index] if isinstance(index, str) else index)
    return dict.fromkeys(names, columns)


def _has_ties(events: Sequence[Event]) -> bool:
    times = [_time(event) for event in events]
    return len(set(times)) < len(times)


def _time(event: Event) -> int:
    time = time_of(event)
    return -1 if time is None else time


def _texts(values: Iterable[Any]) -> tuple[str, ...]:
    return tuple("" if value is None else str(value) for value in values)


def _milliseconds(value: Any) -> int:
    """Return epoch milliseconds of a row's time: a datetime (KQL) or epoch seconds (SPL)."""
    if isinstance(value, datetime):
        moment = value if value.tzinfo else value.replace(tzinfo=UTC)
        return (moment - _EPOCH) // timedelta(milliseconds=1)
    return round(float(cast(str, value)) * 1000)
