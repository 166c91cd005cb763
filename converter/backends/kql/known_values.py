"""Conditions without what others of them decide already: the pipeline's kind of event and the rule's own.

Where all conditions must hold and one gives a column a few values, a comparison with another value is false
and a list that has all of them is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sigma.conditions import ConditionAND, ConditionFieldEqualsValueExpression, ConditionNOT, ConditionOR
from sigma.types import SigmaCasedString, SigmaExpansion, SigmaNumber, SigmaString

from converter.backends.kql.string_comparisons import plain
from converter.plan.columns import Columns
from converter.plan.model import Tree

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)
Leaf = ConditionFieldEqualsValueExpression


@dataclass(frozen=True, slots=True)
class _Value:
    """A value that a column is compared with for equality."""

    text: str
    cased: bool

    def meets(self, other: _Value) -> bool | None:
        """Tell whether a row that has this value satisfies a comparison with another; None if it may."""
        if self.text.lower() != other.text.lower():
            return False
        if not other.cased or (self.cased and self.text == other.text):
            return True
        return False if self.cased else None


Known = Mapping[str, Sequence[_Value]]


def without_repeats(conditions: Sequence[Tree], columns: Columns) -> list[Tree]:
    """Return conditions that hold together if and only if these do, without what the others decide.

    Conditions that can never hold together are returned as they are.
    """
    known: dict[str, list[_Value]] = {}
    places: dict[str, int] = {}
    for place, tree in enumerate(conditions):
        if found := _listed(tree, columns):
            field, values = found
            if field not in known or len(values) < len(known[field]):
                known[field], places[field] = values, place
    kept: list[Tree] = []
    for place, tree in enumerate(conditions):
        left = tree if place in places.values() else _decided(tree, known, columns)
        if left is False:
            return list(conditions)
        if left is not True:
            kept.append(left)
    return kept


def _listed(tree: Any, columns: Columns) -> tuple[str, list[_Value]] | None:
    """Return the column and all values that it can have where the condition holds; None if there are more."""
    leaves = list(_leaves(tree))
    found = [_value(leaf, columns) if isinstance(leaf, Leaf) else None for leaf in leaves]
    values = [value for value in found if value is not None]
    if not values or len(values) < len(leaves) or len({leaf.field for leaf in leaves}) > 1:
        return None
    return leaves[0].field, values


def _leaves(tree: Any) -> Iterator[Any]:
    """Yield the alternatives of a tree."""
    if isinstance(tree, ConditionOR):
        for arg in _args(tree):
            yield from _leaves(arg)
    elif isinstance(tree, Leaf) and isinstance(tree.value, SigmaExpansion):
        yield from (Leaf(tree.field, value) for value in tree.value.values)
    else:
        yield tree


def _value(leaf: Any, columns: Columns) -> _Value | None:
    column = columns.get(leaf.field)
    kind = column.type if column else ""
    if type(leaf.value) is SigmaNumber and kind in ("int", "long", "string"):
        number = leaf.value.number
        return _Value(str(number), True) if isinstance(number, int) else None
    if isinstance(leaf.value, SigmaString) and (text := plain(leaf.value)):
        cased = isinstance(leaf.value, SigmaCasedString)
        return _Value(text, cased) if kind == "string" or _is_number(text, kind) else None
    return None


def _is_number(text: str, kind: str) -> bool:
    return kind in ("int", "long") and _WHOLE_NUMBER.fullmatch(text) is not None


def _decided(tree: Any, known: Known, columns: Columns) -> Any:
    """Return whether a condition holds where the known values are; or what is left of it."""
    if isinstance(tree, ConditionNOT):
        inner = _decided(tree.args[0], known, columns)
        return (
            not inner if isinstance(inner, bool) else tree if inner is tree.args[0] else ConditionNOT([inner])
        )
    if isinstance(tree, ConditionAND):
        parts = [_decided(arg, known, columns) for arg in _args(tree)]
        if any(part is False for part in parts):
            return False
        return _joined(ConditionAND, tree, [part for part in parts if part is not True])
    if isinstance(tree, ConditionOR):
        parts = [_decided(arg, known, columns) for arg in _args(tree)]
        if any(part is True for part in parts) or _covered(tree, known, columns):
            return True
        left = [part for part in parts if part is not False]
        return _joined(ConditionOR, tree, left) if left else False
    if isinstance(tree, Leaf) and tree.field in known and (other := _value(tree, columns)):
        answers = {value.meets(other) for value in known[tree.field]}
        if len(answers) == 1 and (answer := answers.pop()) is not None:
            return answer
    return tree


def _covered(tree: Any, known: Known, columns: Columns) -> bool:
    """Tell whether alternatives name every value that a column can have."""
    leaves = [leaf for leaf in _leaves(tree) if isinstance(leaf, Leaf)]
    for field in {leaf.field for leaf in leaves} & set(known):
        named = [value for leaf in leaves if leaf.field == field and (value := _value(leaf, columns))]
        if all(any(value.meets(other) for other in named) for value in known[field]):
            return True
    return False


def _joined(kind: type, tree: Any, parts: list[Any]) -> Any:
    if not parts:
        return True
    if len(parts) == 1:
        return parts[0]
    old = _args(tree)
    unchanged = len(parts) == len(old) and all(one is two for one, two in zip(parts, old, strict=True))
    return tree if unchanged else kind(parts)


def _args(node: Any) -> list[Any]:
    return [arg for arg in node.args if arg is not None]
