"""Whether a condition has keywords, values without a field."""

from __future__ import annotations

from sigma.conditions import ConditionItem, ConditionValueExpression

from converter.plan import Tree


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
