"""Stored events of other kinds: a hit with one of the columns changed that the query must demand.

Records of other providers, with other codes, in other categories, are stored with other fields, so no
record shows whether a query demands `event.provider` and `event.code` both. Here the stored event itself is
changed, in one column at a time of those that the rule after its pipeline demands: what is left is no event
of the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sigma.conditions import ConditionAND, ConditionOR
from sigma.types import SigmaNumber, SigmaString

from converter.engines.base import Stored
from converter.plan import BaseRule, CorrelationPlan, Tree

_MOST = 8
"""Columns; pipelines demand fewer."""


def of_event(plan: BaseRule, hits: Sequence[Stored]) -> Iterator[Stored]:
    """Yield changed copies of events that a rule selects; none of them may be selected.

    Args:
        plan: the rule after its pipeline.
        hits: stored events that it selects.
    """
    for hit in hits:
        for column in _demanded(plan.tree):
            if (changed := _changed(hit, column)) is not None:
                yield changed


def of_correlation(plan: CorrelationPlan, stored: Sequence[Stored]) -> Iterator[list[Stored]]:
    """Yield streams in which no event is one of the base rules any more: nothing may alert."""
    columns = [set(_demanded(base.tree)) for base in _bases(plan)]
    for column in sorted(set.intersection(*columns)) if columns else ():
        made = [_changed(one, column) for one in stored]
        if None not in made:
            yield [one for one in made if one is not None]


def _bases(plan: CorrelationPlan) -> Iterator[BaseRule]:
    for member in plan.members:
        if isinstance(member.source, BaseRule):
            yield member.source
        else:
            yield from _bases(member.source)


def _changed(event: Stored, column: str) -> Stored | None:
    held = event.doc.get(column)
    if isinstance(held, bool) or held is None or not isinstance(held, (str, int)):
        return None
    other: Any = held + 7 if isinstance(held, int) else str(int(held) + 7) if held.isdigit() else f"{held}-qz"
    doc: Mapping[str, Any] = {**event.doc, column: other}
    if column == "EventID" and "EventCode" in doc:
        doc = {**doc, "EventCode": other}
    return replace(event, doc=doc)


def _demanded(tree: Tree) -> list[str]:
    """Return columns of which a condition demands plain values, each by itself."""
    found: dict[str, None] = {}
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
            found[str(name)] = None
    return list(found)[:_MOST]
