"""Work out how a query relates to its rule, from what each part of it loses (DESIGN.md, Fidelity)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sigma.conditions import ConditionItem, ConditionNOT

from converter.plan import CorrelationPlan, Fidelity, Reason, Tree

EXACT, BROADER, NARROWER = Fidelity.EXACT, Fidelity.BROADER, Fidelity.NARROWER


def combine(reasons: Iterable[Reason]) -> Fidelity:
    """Return the fidelity of a whole: what may both miss and return more is narrower."""
    found = {reason.fidelity for reason in reasons}
    return NARROWER if NARROWER in found else BROADER if BROADER in found else EXACT


def acceptable(fidelity: Fidelity, limit: str) -> bool:
    """Tell whether a fidelity is within ``--fidelity``: ``exact``, ``broader`` or ``any``."""
    return fidelity == EXACT or limit == "any" or (limit == "broader" and fidelity == BROADER)


def turned(reason: Reason) -> Reason:
    """Return the reason as it stands under ``not``: broader inside is narrower outside, and the reverse."""
    other = {EXACT: EXACT, BROADER: NARROWER, NARROWER: BROADER}[reason.fidelity]
    return Reason(other, reason.text if other == EXACT else f"{reason.text}, under 'not'")


def of_tree(tree: Tree, losses: dict[int, tuple[Reason, ...]]) -> list[Reason]:
    """Return the reasons of a condition, with polarity.

    Args:
        tree: the parsed condition.
        losses: what a leaf's mapping loses, by the ``id()`` of the leaf's value.
    """
    found: list[Reason] = []

    def walk(node: Any, negative: bool) -> None:
        if isinstance(node, ConditionItem):
            for arg in node.args:
                walk(arg, negative != isinstance(node, ConditionNOT))
            return
        for reason in losses.get(id(getattr(node, "value", None)), ()):
            found.append(turned(reason) if negative else reason)

    walk(tree, False)
    return list(dict.fromkeys(found))


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
                reason = Reason(NARROWER, f"{reason.text} (in '{member.name}', counted with {what})")
            result.append(reason)
    return list(dict.fromkeys(result))


def _negated(expression: Any) -> bool:
    if isinstance(expression, tuple):
        return expression[0] == "not" or any(_negated(part) for part in expression[1:])
    return False
