"""Work out how a query relates to its rule, from what each part of it loses (docs/semantics.md, Fidelity)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from sigma.conditions import ConditionAND, ConditionNOT
from sigma.types import SigmaString, SpecialChars

from converter.plan.model import OPERATORS, CorrelationPlan, Fidelity, Reason, Tree
from converter.plan.volume_paths import VolumePath

_ONE = SpecialChars.WILDCARD_SINGLE
_Comparisons = AbstractSet[tuple[str, str]]
EXACT, ASSUMED = Fidelity.EXACT, Fidelity.ASSUMED
BROADER, NARROWER = Fidelity.BROADER, Fidelity.NARROWER
ORDER = (EXACT, ASSUMED, BROADER, NARROWER)
"""From the best to the worst."""


def combine(reasons: Iterable[Reason]) -> Fidelity:
    """Return the fidelity of a whole: what may both miss and return more is narrower."""
    return max((reason.fidelity for reason in reasons), key=ORDER.index, default=EXACT)


def acceptable(fidelity: Fidelity, limit: str) -> bool:
    """Tell whether a fidelity is within ``--fidelity``: ``exact``, ``broader`` or ``any``."""
    return fidelity == EXACT or limit == "any" or (limit == "broader" and fidelity != NARROWER)


def turned(reason: Reason) -> Reason:
    """Return the reason as it is under ``not``: broader inside is narrower outside, and the reverse."""
    other = {BROADER: NARROWER, NARROWER: BROADER}.get(reason.fidelity)
    return reason if other is None else replace(reason, fidelity=other, text=f"{reason.text}, under 'not'")


Written = Mapping[int, tuple[str, str]]
"""By the ``id()`` of a rule's value: the rule's own field and the value's text."""


def of_tree(
    tree: Tree,
    losses: Mapping[int, tuple[Reason, ...]],
    several: Collection[str] = (),
    written: Written | None = None,
) -> list[Reason]:
    """Return the reasons of a condition, with polarity.

    What an exception loses does not count where the exception cannot hold beside what the rule demands, nor
    where the exception asks for just what the rule demands: that is found whenever the rule holds.

    Args:
        tree: the parsed condition.
        losses: what a leaf's mapping loses, by the ``id()`` of the leaf's value.
        several: fields that can hold several values: one of them says nothing of the others.
        written: what the rule itself compares, of the values that the mapping left as they were.
    """
    own = written or {}
    found: list[Reason] = []

    def lost(node: Any) -> tuple[Reason, ...]:
        return losses.get(id(getattr(node, "value", None)), ())

    def never(node: Any, held: Mapping[str, str]) -> bool:
        if type(node) in OPERATORS and not isinstance(node, ConditionNOT):
            return (any if isinstance(node, ConditionAND) else all)(never(arg, held) for arg in node.args)
        # What is stored of an event may miss the value; then the rule itself may still find it.
        return _differs(node, held) and all(reason.fidelity != NARROWER for reason in lost(node))

    def walk(node: Any, negative: bool, held: Mapping[str, str], demanded: _Comparisons) -> None:
        if negative and never(node, held):
            return
        if type(node) in OPERATORS:
            if isinstance(node, ConditionAND) and not negative:
                new = _held(node)
                held = {**held, **{field: new[field] for field in new if field not in several}}
                demanded = {*demanded, *_demanded(node, own)}
            for arg in node.args:
                walk(arg, negative != isinstance(node, ConditionNOT), held, demanded)
            return
        if negative:
            same = own.get(id(getattr(node, "value", None))) in demanded
            found.extend(turned(one) for one in lost(node) if not (same and one.fidelity == BROADER))
        else:
            found.extend(lost(node))

    walk(tree, False, {}, frozenset())
    return list(dict.fromkeys(found))


def _held(node: Any) -> dict[str, str]:
    """Return the fields of which a condition demands one text, in lower case."""
    if isinstance(node, ConditionAND):
        return {field: text for arg in node.args for field, text in _held(arg).items()}
    field, value = getattr(node, "field", None), getattr(node, "value", None)
    if field is None or not isinstance(value, SigmaString) or value.contains_special():
        return {}
    return {str(field): "".join(map(str, value.s)).lower()}


def _demanded(node: Any, own: Written) -> _Comparisons:
    """Return the rule's own comparisons that a condition demands, each by itself."""
    if isinstance(node, ConditionAND):
        return {one for arg in node.args for one in _demanded(arg, own)}
    if type(node) in OPERATORS:
        return frozenset()
    found = own.get(id(getattr(node, "value", None)))
    return {found} if found else frozenset()


def _differs(node: Any, held: Mapping[str, str]) -> bool:
    """Tell whether a comparison cannot hold beside the texts that fields are known to hold."""
    text, value = held.get(getattr(node, "field", None) or ""), getattr(node, "value", None)
    if isinstance(value, VolumePath):
        value = value.wider
    if text is None or not isinstance(value, SigmaString):
        return False
    if sum(len(part.lower()) for part in value.s if isinstance(part, str)) > len(text):
        return True
    parts = (
        re.escape(part.lower()) if isinstance(part, str) else "." if part is _ONE else ".*"
        for part in value.s
    )
    return re.fullmatch("".join(parts), text, re.DOTALL) is None


def of_members(plan: CorrelationPlan, per_member: Sequence[Sequence[Reason]]) -> list[Reason]:
    """Return what the losses of the members do to the alerts of a correlation.

    More events mean more alerts only where more can never unmake one: counts with gt and gte, and
    temporal types without ``not``. Elsewhere the result is narrower.
    """
    ops = {threshold.op for threshold in plan.thresholds}
    counting = plan.type in ("event_count", "value_count") and ops <= {"gt", "gte"}
    temporal = plan.type.startswith("temporal") and not _negated(plan.expression) and ops <= {"gt", "gte"}
    result: list[Reason] = []
    for member, reasons in zip(plan.members, per_member, strict=True):
        for reason in reasons:
            if reason.fidelity == BROADER and not (counting or temporal):
                what = ", ".join(sorted(ops)) or "'not'"
                text = f"{reason.text} (in '{member.name}', counted with {what})"
                reason = replace(reason, fidelity=NARROWER, text=text)
            result.append(reason)
    return list(dict.fromkeys(result))


def _negated(expression: Any) -> bool:
    if isinstance(expression, tuple):
        return expression[0] == "not" or any(_negated(part) for part in expression[1:])
    return False
