"""Conditions of a rule, and alternatives of them, that no event can satisfy (SC127)."""

from __future__ import annotations

from collections.abc import Iterator

from converter.errors import RuleError
from converter.pipelines import impossible
from converter.pipelines.lowering import Lowering
from converter.plan.conditions import Or
from converter.plan.contradictions import clash, dead_branches
from converter.rules import parsed as fresh
from converter.rules.rule import Rule


def contradictions(rule: Rule) -> Iterator[RuleError]:
    """Yield SC127 for a condition that can never hold, or else for each alternative that cannot.

    A field is taken to hold one value.

    Args:
        rule: an event rule that pySigma reads.
    """
    if rule.kind != "rule":
        return
    sigma = rule.sigma()
    trees = [tree for one in sigma.detection.parsed_condition if (tree := fresh.parsed(one)) is not None]
    if not trees:
        return
    lowering = Lowering()
    conditions = [one for tree in trees if (one := lowering.condition(tree)) is not None]
    condition = conditions[0] if len(conditions) == 1 else Or(tuple(conditions))
    whole = clash(condition)
    wrong = [whole] if whole is not None else dead_branches(condition)
    what = "no event can satisfy the rule" if whole is not None else "no event can satisfy an alternative"
    applied = impossible.Applied(sigma, lowering)
    for clashing in wrong:
        found = impossible.explained(rule, applied, clashing)
        yield rule.error("SC127", f"{what}: {found.message}", *found.place, hint=found.hint)
