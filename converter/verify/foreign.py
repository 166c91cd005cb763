"""Stored events of other kinds: a hit with one of the columns changed that the query must demand.

Records of other providers, with other codes, in other categories, are stored with other fields, so no
record shows whether a query demands `event.provider` and `event.code` both. Here the stored event itself is
changed, in one column at a time of those that the rule after its pipeline demands: what is left is no event
of the rule.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR
from sigma.types import SigmaNumber, SigmaString

from converter.engines.base import Stored
from converter.plan import BaseRule, CorrelationPlan, Tree

_MOST = 8
"""Columns; pipelines demand fewer."""
_STEP = 7
"""From a number to another."""


def of_event(plan: BaseRule, hits: Sequence[Stored]) -> Iterator[Stored]:
    """Yield changed copies of events that a rule selects; none of them may be selected.

    Args:
        plan: the rule after its pipeline.
        hits: stored events that it selects.
    """
    for hit in hits:
        for column, values in _demanded(plan.tree).items():
            if (changed := _changed(hit, column, values)) is not None:
                yield changed


def of_correlation(plan: CorrelationPlan, stored: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yield streams in which no event is one of the base rules any more: nothing may alert."""
    demanded = [_demanded(base.tree) for base in _bases(plan)]
    for column in sorted(set.intersection(*map(set, demanded))) if demanded else ():
        values = frozenset[str]().union(*(one[column] for one in demanded))
        made = [_changed(one, column, values) for one in stored]
        if None not in made:
            yield [one for one in made if one is not None]


def _bases(plan: CorrelationPlan) -> Iterator[BaseRule]:
    for member in plan.members:
        if isinstance(member.source, BaseRule):
            yield member.source
        else:
            yield from _bases(member.source)


def _changed(event: Stored, column: str, demanded: Collection[str]) -> Stored | None:
    """Return an event with another value in a column: none of those that the rule asks for."""
    held = event.doc.get(column)
    if isinstance(held, bool) or held is None or not isinstance(held, (str, int)):
        return None
    other: Any = f"{held}-qz"
    if isinstance(held, int) or held.isdigit():
        number = int(held) + _STEP
        while str(number) in demanded:
            number += _STEP
        other = number if isinstance(held, int) else str(number)
    doc: Mapping[str, Any] = {**event.doc, column: other}
    if column == "EventID" and "EventCode" in doc:
        doc = {**doc, "EventCode": other}
    return replace(event, doc=doc)


def _demanded(tree: Tree) -> dict[str, frozenset[str]]:
    """Return columns of which a condition demands plain values, each by itself, and all texts of these."""
    found: dict[str, frozenset[str]] = {}
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ConditionAND):
            stack.extend(node.args)
            continue
        leaves = node.args if isinstance(node, ConditionOR) else [node]
        fields = {getattr(leaf, "field", None) for leaf in leaves}
        values = [getattr(leaf, "value", None) for leaf in leaves]
        plain = all(
            isinstance(one, SigmaNumber) or (isinstance(one, SigmaString) and not one.contains_special())
            for one in values
        )
        if len(fields) == 1 and plain and (name := fields.pop()):
            found[str(name)] = found.get(str(name), frozenset()) | set(map(str, values))
    return {name: found[name] for name in list(found)[:_MOST]}
