"""Stored events that no record gives: a hit with one column changed, which the query must tell, or must not.

Records of other providers, with other codes, in other categories, are stored with other fields, so no
record shows whether a query demands `event.provider` and `event.code` both. Here the stored event itself is
changed, in one column at a time of those that the rule after its pipeline demands: what is left is no event
of the rule. Where the rule leaves a column several values, such as the sourcetypes of two add-ons, the event
with another of them is as much a hit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.events.stored import Stored
from converter.plan.conditions import And, Comparison, Condition, comparisons
from converter.plan.demanded import alternatives, one_of_few
from converter.plan.model import BaseRule, CorrelationPlan
from converter.plan.values import Number, Text, TimePart, Wildcard
from converter.verify.alerts import keyed

_MOST = 8
"""Columns; pipelines demand fewer."""
_MOST_OPEN = 6
"""Values of one column."""
_STEP = 7
"""From a number to another."""


def of_event(plan: BaseRule, hits: Sequence[Stored]) -> Iterator[Stored]:
    """Yield changed copies of events that a rule selects; none of them may be selected.

    Args:
        plan: the rule after its pipeline.
        hits: stored events that it selects.
    """
    for hit in hits:
        for column, values in _demanded(plan.condition).items():
            if (changed := _changed(hit, column, values)) is not None:
                yield changed


def alike(plan: BaseRule, hits: Sequence[Stored]) -> Iterator[Stored]:
    """Yield changed copies of events that a rule selects; each of them must be selected as well."""
    for hit in hits[:1]:
        for column, values in _left_open(plan).items():
            if isinstance(held := hit.doc.get(column), list) and len(held) > 1:
                continue  # The rule may demand all of the values.
            yield from (_with(hit, column, value) for value in values if value != str(hit.doc.get(column)))


def of_correlation(
    plan: CorrelationPlan, stored: Sequence[Stored], needed: Callable[[int], bool]
) -> Iterator[list[Stored]]:
    """Yield streams in which all events, or one that is needed, are of no base rule: nothing may alert.

    Args:
        plan: the rule after its pipeline.
        stored: events of which there is an alert.
        needed: tells whether without the event at a position there is none.
    """
    demanded = [_demanded(base.condition) for base in _bases(plan)]
    last = len(stored) - 1
    alone = [one for one in sorted({0, last // 2, last}) if last <= _MOST and needed(one)]
    for column in sorted(set.intersection(*map(set, demanded))) if demanded else ():
        values = frozenset[str]().union(*(one[column] for one in demanded))
        made = [_changed(one, column, values) for one in stored]
        if None not in made:
            yield [one for one in made if one is not None]
        for position in alone:
            if (changed := made[position]) is not None:
                yield [*stored[:position], changed, *stored[position + 1 :]]


def alike_streams(plan: CorrelationPlan, stored: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yield streams of events with other values that the base rules leave open: the same alerts are due.

    What the correlation groups by or counts stays as it is.
    """
    kept = keyed(plan)
    bases = [
        (
            _demanded(base.condition),
            {name: some for name, some in _left_open(base).items() if name not in kept},
        )
        for base in _bases(plan)
    ]
    for number in range(_MOST_OPEN - 1):
        made = [_with_others(one, bases, number) for one in stored]
        if any(new is not old for new, old in zip(made, stored, strict=True)):
            yield made


def _with_others(
    event: Stored, bases: Sequence[tuple[Mapping[str, frozenset[str]], Mapping[str, list[str]]]], number: int
) -> Stored:
    """Return an event with, of each column that its rule leaves open, the other value with that number."""
    for demanded, left_open in bases:
        if not all(str(event.doc.get(column)) in values for column, values in demanded.items()):
            continue
        for column, values in left_open.items():
            others = [value for value in values if value != str(event.doc.get(column))]
            same = all(one.get(column) in (None, demanded[column]) for one, _ in bases)
            if same and number < len(others):
                event = _with(event, column, others[number])
        break
    return event


def _bases(plan: CorrelationPlan) -> Iterator[BaseRule]:
    for member in plan.members:
        if isinstance(member.source, BaseRule):
            yield member.source
        else:
            yield from _bases(member.source)


def _changed(event: Stored, column: str, demanded: Collection[str]) -> Stored | None:
    """Return an event with another value in a column: none of those that the rule asks for."""
    held = event.doc.get(column)
    if isinstance(held, list) and held:
        return _with(event, column, [f"{one}-qz" for one in held])
    if isinstance(held, bool) or held is None or not isinstance(held, (str, int)):
        return None
    other: Any = f"{held}-qz"
    if isinstance(held, int) or held.isdigit():
        number = int(held) + _STEP
        while str(number) in demanded:
            number += _STEP
        other = number if isinstance(held, int) else str(number)
    return _with(event, column, other)


def _with(event: Stored, column: str, value: Any) -> Stored:
    """Return an event with a value in a column, of the type of what was there."""
    made = int(value) if isinstance(event.doc.get(column), int) else value
    doc: Mapping[str, Any] = {**event.doc, column: made}
    if column == "EventID" and "EventCode" in doc:
        doc = {**doc, "EventCode": made}
    return replace(event, doc=doc)


def _left_open(plan: BaseRule) -> dict[str, list[str]]:
    """Return columns of which a rule demands one of several plain values and asks nothing else.

    Not those that another column's value is read by, such as the kind of event that says where a path is.
    """
    found = {}
    asked = Counter(leaf.field for leaf in comparisons(plan.condition))
    read_by = " ".join(plan.columns[name].via or "" for name in asked if name in plan.columns)
    for column, values in _demanded(plan.condition).items():
        if 1 < len(values) == asked[column] and column not in read_by:
            found[column] = sorted(values)[:_MOST_OPEN]
    return found


def _demanded(condition: Condition) -> dict[str, frozenset[str]]:
    """Return columns of which a condition demands plain values, each by itself, and all texts of these."""
    found: dict[str, frozenset[str]] = {}
    stack = [condition]
    while stack:
        node = stack.pop()
        if isinstance(node, And):
            stack.extend(node.items)
        elif demanded := one_of_few(alternatives(node), _equality):
            name, values = demanded
            found[name] = found.get(name, frozenset()) | set(values)
    return {name: found[name] for name in list(found)[:_MOST]}


def _equality(leaf: Condition) -> tuple[str, str] | None:
    """Return the column of a comparison with one text or number, and its text."""
    match leaf:
        case Comparison(name, Text() as value) if not any(isinstance(part, Wildcard) for part in value.parts):
            return name, str(value)
        case Comparison(name, Number(number) | TimePart(_, number)):
            return name, str(number)
    return None
