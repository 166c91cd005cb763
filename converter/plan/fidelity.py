"""Work out how a query relates to its rule, from what each part of it loses (docs/semantics.md, Fidelity)."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Any

from converter.plan.conditions import And, Comparison, Condition, Keyword, Not, Or, children
from converter.plan.model import CorrelationPlan, Fidelity, Reason
from converter.plan.values import ONE, Text
from converter.plan.volume_paths import VolumePath

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
"""By the number of a rule's value (`Comparison.origin`): the rule's own field and the value's text."""


def of_condition(
    condition: Condition,
    losses: Mapping[int, tuple[Reason, ...]],
    several: Collection[str] = (),
    written: Written | None = None,
) -> list[Reason]:
    """Return the reasons of a condition, with polarity.

    What an exception loses does not count where the exception cannot hold beside what the rule demands, nor
    where the exception asks for just what the rule demands: that is found whenever the rule holds.

    Args:
        condition: of the rule, after the pipeline.
        losses: what the mapping of a rule's value loses, by the value's number.
        several: fields that can hold several values: one of them says nothing of the others.
        written: what the rule itself compares, of the values that the mapping left as they were.
    """
    own = written or {}
    found: list[Reason] = []

    def lost(node: Comparison | Keyword) -> tuple[Reason, ...]:
        return losses.get(node.origin, ())

    def never(node: Condition, held: Mapping[str, str]) -> bool:
        match node:
            case And(items):
                return any(never(item, held) for item in items)
            case Or(items):
                return all(never(item, held) for item in items)
            case Not():
                return False
        # What is stored of an event may miss the value; then the rule itself may still find it.
        return _differs(node, held) and all(reason.fidelity != NARROWER for reason in lost(node))

    def walk(node: Condition, negative: bool, held: Mapping[str, str], demanded: _Comparisons) -> None:
        if negative and never(node, held):
            return
        if not isinstance(node, Comparison | Keyword):
            if isinstance(node, And) and not negative:
                new = _held(node)
                held = {**held, **{field: new[field] for field in new if field not in several}}
                demanded = {*demanded, *_demanded(node, own)}
            for item in children(node):
                walk(item, negative != isinstance(node, Not), held, demanded)
            return
        if negative:
            same = own.get(node.origin) in demanded
            found.extend(turned(one) for one in lost(node) if not (same and one.fidelity == BROADER))
        else:
            found.extend(lost(node))

    walk(condition, False, {}, frozenset())
    return list(dict.fromkeys(found))


def _held(node: Condition) -> dict[str, str]:
    """Return the fields of which a condition demands one text, in lower case."""
    match node:
        case And(items):
            return {field: text for item in items for field, text in _held(item).items()}
        case Comparison(field, Text() as value) if (plain := value.plain) is not None:
            return {field: plain.lower()}
    return {}


def _demanded(node: Condition, own: Written) -> _Comparisons:
    """Return the rule's own comparisons that a condition demands, each by itself."""
    if isinstance(node, And):
        return {one for item in node.items for one in _demanded(item, own)}
    found = own.get(node.origin) if isinstance(node, Comparison | Keyword) else None
    return {found} if found else frozenset()


def _differs(node: Comparison | Keyword, held: Mapping[str, str]) -> bool:
    """Tell whether a comparison cannot hold beside the texts that fields are known to hold."""
    text = held.get(node.field) if isinstance(node, Comparison) else None
    value = node.value.wider if isinstance(node.value, VolumePath) else node.value
    if text is None or not isinstance(value, Text):
        return False
    if sum(len(part.lower()) for part in value.parts if isinstance(part, str)) > len(text):
        return True
    parts = (
        re.escape(part.lower()) if isinstance(part, str) else "." if part is ONE else ".*"
        for part in value.parts
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
