"""The comparisons of a condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sigma.conditions import ConditionFieldEqualsValueExpression

from converter.plan.model import OPERATORS, Tree


def leaves(tree: Tree) -> Iterator[ConditionFieldEqualsValueExpression]:
    """Yield the field comparisons of a parsed condition, left to right."""
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if type(node) is ConditionFieldEqualsValueExpression:
            yield node
        elif type(node) in OPERATORS:
            stack.extend(arg for arg in reversed(node.args) if arg is not None)
