"""Whether a condition has keywords, values without a field."""

from __future__ import annotations

from sigma.conditions import ConditionItem, ConditionValueExpression

from converter.plan import Fidelity, Reason, Tree

KEYWORDS = Reason(
    Fidelity.EXACT,
    "keywords are sought in the event as it was indexed (_raw), which may hold more than its fields "
    "and writes some characters in the way of its format (XML, JSON)",
)


def has_keywords(tree: Tree) -> bool:
    """Tell whether any value of a parsed condition stands without a field."""
    stack: list[object] = [tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ConditionValueExpression):
            return True
        if isinstance(node, ConditionItem):
            stack.extend(node.args)
    return False
