"""Correlations as one search: the base rules joined by OR, then running statistics in the order of time.

No subsearch, no join, no append, no transaction (all have silent limits) and no bin (fixed windows lose what
straddles them). `streamstats` without a window keeps at most max_stream_window (limits.conf, [stats|sistats],
10,000) events, but for the results of a transforming command: running sums come after a `stats`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from converter.backends.spl.correlation import column_clashes, sliding_counts, temporal, temporal_ordered
from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.first_commands import Rows, key, value
from converter.backends.spl.correlation.stages import Lane, Stage, lanes, stages
from converter.backends.spl.keywords import keyword_reasons
from converter.backends.spl.text import listed_field
from converter.errors import Refusal
from converter.plan.model import AlertColumns, CorrelationPlan, Draft, Fidelity, Reason

WINDOW = Reason(
    Fidelity.EXACT,
    "streamstats over events keeps max_stream_window of them (limits.conf, [stats|sistats], 10,000): "
    "raise it if a search has more",
)
NO_KEY = '"-"'
"""Of a stage without this key: a group needs a value in every column, and whether an empty text is one is not
documented."""
_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)


def draft(plan: CorrelationPlan) -> Draft:
    """Return the search that gives one row for each group and completing time.

    Raises:
        Refusal: SC201, SC203, SC204, SC205.
    """
    found = stages(plan)
    ways = lanes(found)
    rows = Rows(found)
    script = Script(found, list(plan.fields), rows.search())
    _slots(found, ways)
    _read(script, rows, ways)
    for position, stage in enumerate(found, 1):
        _judge(script, stage, left=len(found) - position)
    alert = _alert(script, found[-1])
    text = script.text()
    reasons = [WINDOW] * _streams_events(text)
    for source, _ in rows.rules.values():
        # What a lost or an added event does depends on the condition of the correlation: narrower is safe.
        reasons += [
            replace(one, fidelity=Fidelity.NARROWER) if one.fidelity == Fidelity.BROADER else one
            for one in keyword_reasons(source.condition, source.columns)
        ]
    column_clashes.check(found, text)
    return Draft(text, reasons=tuple(dict.fromkeys(reasons)), alert=alert)


def _streams_events(text: str) -> bool:
    """Tell whether a running statistic without a window of its own reads events.

    Search Reference, "streamstats": over the results of a transforming command the limit does not hold, and a
    given window is its own.
    """
    before = re.split(r"\n\| stats ", text, maxsplit=1)[0]
    return re.search(r"\n\| streamstats (?!window=)", before) is not None


def _slots(found: Sequence[Stage], ways: Sequence[Lane]) -> None:
    """Give each group-by key its column; a key that a correlation hands on keeps its column."""
    for stage in reversed(found):
        if stage.parent is None:
            stage.slots = [f"key_{number + 1}" for number in range(len(stage.plan.group_by))]
            continue
        above, step = stage.parent
        handed = {names[0]: above.slots[at] for at, names in reversed(list(enumerate(step.member.group_by)))}
        free = (name for number in range(1, 1000) if (name := f"key_{number}") not in above.slots)
        stage.slots = [handed.get(name) or next(free) for name in stage.plan.group_by]
    # A key that all events have in one and the same field needs no column of its own.
    for slot in {slot for stage in found for slot in stage.slots}:
        columns = {
            lane.keys[lane.stage.slots.index(slot)] if slot in lane.stage.slots else () for lane in ways
        }
        only = columns.pop()
        plain = all(key(only, lane.columns) == only[0] for lane in ways) if len(only) == 1 else False
        if not columns and plain and _WORD.fullmatch(only[0]):
            for stage in found:
                stage.slots = [only[0] if name == slot else name for name in stage.slots]


def _test(lane: Lane) -> str:
    columns = [step.column for step in lane.steps]
    return f"isnotnull({columns[0]})" if len(columns) == 1 else f"isnotnull(coalesce({', '.join(columns)}))"


def _read(script: Script, rows: Rows, ways: Sequence[Lane]) -> None:
    """Emit the commands that give each event its time, its rules, its keys and its value."""
    several = len(ways) > 1
    names = [step.member.name for lane in ways for step in lane.steps]
    apart = not several or (rows.parts is not None and len(set(names)) == len(names))
    # Rules whose events are counted alike need not be told apart.
    told = several or script.nested or ways[0].stage.ordered
    if not told:
        script.add(*rows.filter())
    assignments = [f"time_ms={rows.time()}"]
    if told:
        assignments += [
            f"{step.column}=if({rows.condition(step)}, time_ms, null())"
            for lane in ways
            for step in lane.steps
        ]
    if not apart:
        _expand(script, rows, ways, assignments)
        assignments = []
    if script.nested:
        pairs = [f"{_place(lane, ways, apart)}, {lane.stage.label}" for lane in ways]
        assignments.append(f"stage=case({', '.join(pairs)})")
    if not apart:
        assignments += _numbers(ways)
    assignments += _keys(script.stages, ways, apart)
    assignments += _values(script, ways, apart)
    if assignments:
        script.add("eval " + ", ".join(assignments))
    if not apart and _shared(ways):
        # An event that two lanes put into one group is one.
        script.merge(rows=["row"])
    elif (
        apart
        and told
        and not rows.exact
        and not script.nested
        and ways[0].stage.plan.type != "temporal_ordered"
    ):
        # Elsewhere a row that no rule has seen has no stage, or no place in a chain.
        columns = ", ".join(step.column for lane in ways for step in lane.steps)
        script.add(f"where isnotnull({columns if ',' not in columns else f'coalesce({columns})'})")
    elif not told and rows.timed():
        script.add("where isnotnull(time_ms)")
    if script.numbered:
        if apart:
            script.add("streamstats count as row")
        script.unnumber()


def _shared(ways: Sequence[Lane]) -> bool:
    """Tell whether several lanes lead into one stage."""
    return len({id(lane.stage) for lane in ways}) < len(ways)


def _place(lane: Lane, ways: Sequence[Lane], apart: bool) -> str:
    return _test(lane) if apart else f"lane={ways.index(lane) + 1}"


def _expand(script: Script, rows: Rows, ways: Sequence[Lane], assignments: list[str]) -> None:
    """Make a row of each lane that takes an event in."""
    places = ", ".join(f'if({_test(lane)}, "{number}", null())' for number, lane in enumerate(ways, 1))
    script.add("eval " + ", ".join([*assignments, f"lane=mvappend({places})"]))
    if not rows.exact or rows.timed():
        script.add("where isnotnull(lane)")
    if script.numbered or _shared(ways):
        script.add("streamstats count as row")
    script.add("mvexpand lane")
    script.add(
        "eval "
        + ", ".join(
            f"{step.column}=if(lane={number}, {step.column}, null())"
            for number, lane in enumerate(ways, 1)
            for step in lane.steps
        )
    )


def _numbers(ways: Sequence[Lane]) -> list[str]:
    """Number the rows of an event anew where they hold values of different fields: they are not one."""
    pairs = []
    for place, lane in enumerate(ways):
        before = dict.fromkeys(one.values for one in ways[:place] if one.stage is lane.stage)
        if before and lane.values not in before:
            pairs.append(f'lane={place + 1}, row.".{len(before)}"')
        elif len(before) > 1 and (number := list(before).index(lane.values)):
            pairs.append(f'lane={place + 1}, row.".{number}"')
    return [f"row=case({', '.join(pairs)}, true(), row)"] if pairs else []


def _keys(found: Sequence[Stage], ways: Sequence[Lane], apart: bool) -> list[str]:
    slots = list(dict.fromkeys(slot for stage in found for slot in stage.slots))
    assignments = []
    for slot in slots:
        pairs = []
        for lane in ways:
            if slot in lane.stage.slots:
                names = lane.keys[lane.stage.slots.index(slot)]
                pairs.append((_place(lane, ways, apart), key(names, lane.columns)))
        if len({expression for _, expression in pairs}) == 1 and len(pairs) == len(ways):
            if pairs[0][1] != slot:
                assignments.append(f"{slot}={pairs[0][1]}")
            continue
        text = ", ".join(f"{test}, {expression}" for test, expression in pairs)
        # A stage without this key: a group needs a value in every column.
        assignments.append(f"{slot}=case({text}{'' if len(pairs) == len(ways) else ', true(), ' + NO_KEY})")
    return assignments


def _values(script: Script, ways: Sequence[Lane], apart: bool) -> list[str]:
    having = [lane for lane in ways if lane.stage.plan.type.startswith("value_")]
    if not having:
        return []
    each = [value(lane.values, lane.stage.plan.type != "value_count", lane.columns) for lane in having]
    if len(set(each)) == 1 and len(having) == len(ways):
        return [f"value={each[0]}"]
    pairs = [f"{_place(lane, ways, apart)}, {one}" for lane, one in zip(having, each, strict=True)]
    return [f"value=case({', '.join(pairs)})"]


def _judge(script: Script, stage: Stage, *, left: int) -> None:
    """Emit the commands of one correlation; they leave only its alerts, with ``start_ms``.

    Args:
        script: the search.
        stage: the correlation.
        left: how many come after it.
    """
    if not left:
        script.narrow(stage)
    if stage.plan.type == "temporal":
        temporal.judge(script, stage)
    elif stage.plan.type == "temporal_ordered":
        temporal_ordered.judge(script, stage)
    else:
        sliding_counts.judge(script, stage)
    if left:
        _hand_on(script, stage, among=left > 1)


def _hand_on(script: Script, stage: Stage, *, among: bool) -> None:
    """Turn the alerts of a correlation into rows of the one that refers to it.

    Args:
        script: the search.
        stage: the correlation.
        among: whether rows of other correlations are grouped with them before that one's turn.
    """
    if stage.parent is None:
        raise TypeError("the last correlation is handed on to none")
    above, step = stage.parent
    here = f"stage={stage.label}"
    assignments = []
    if above.ordered or len(above.steps) > 1:
        script.raised.add(step.column)
        assignments.append(f"{step.column}=if({here}, start_ms, null())")
    if above.plan.type.startswith("value_"):
        columns = [stage.slots[stage.plan.group_by.index(names[0])] for names in step.member.values]
        taken = value([(name,) for name in columns], above.plan.type != "value_count", {})
        assignments.append(f"value=if({here}, {taken}, value)")
    kept = set()
    for slot, names in zip(above.slots, step.member.group_by, strict=True):
        source = stage.slots[stage.plan.group_by.index(names[0])]
        kept.add(slot)
        if source != slot:
            assignments.append(f"{slot}=if({here}, {source}, {slot})")
    if among:
        assignments += [f"{slot}=if({here}, {NO_KEY}, {slot})" for slot in stage.slots if slot not in kept]
    if above.parent is not None or above.ordered or len(above.steps) > 1:
        assignments.append(f"stage=if({here}, {above.label}, stage)")
    if assignments:
        script.add("eval " + ", ".join(assignments))
    if script.numbered and not above.ordered:
        script.number_alerts(above)


def _alert(script: Script, top: Stage) -> AlertColumns:
    """Emit the alert's row: its times, its group, its count and the rule's fields."""
    kind = top.plan.type
    count = kind if kind in ("value_count", "value_sum", "value_avg") else "event_count"
    assignments = ["first_time=start_ms/1000", "_time=time_ms/1000"]
    if kind.startswith("temporal"):
        count = "rule_count"
    script.add("eval " + ", ".join(assignments))
    names = list(top.slots)
    renamed = []
    for position, (slot, name) in enumerate(zip(top.slots, top.plan.group_by, strict=True)):
        if slot.startswith("key_"):
            try:
                listed = listed_field(name)
            except Refusal:
                continue
            if name not in (*names, *script.fields, "_time", "first_time", count):
                renamed.append(f"{slot} as {listed}")
                names[position] = name
    if renamed:
        script.add("rename " + ", ".join(renamed))
    shown = [name for name in script.fields if name not in names]
    script.add("table " + " ".join(map(listed_field, ["_time", "first_time", *names, count, *shown])))
    return AlertColumns("first_time", "_time", tuple(names), count)
