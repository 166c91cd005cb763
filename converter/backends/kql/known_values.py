"""Conditions without what others of them decide already: the pipeline's kind of event and the rule's own.

Where all conditions must hold and one gives a column a few values, a comparison with another value is false
and a list that has all of them is true.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from converter.backends.kql.string_comparisons import plain
from converter.plan.columns import Columns
from converter.plan.conditions import And, Comparison, Condition, Not, Or, values_of
from converter.plan.values import Number, Text

_WHOLE_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,17}", re.ASCII)


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


def without_repeats(conditions: Sequence[Condition], columns: Columns) -> list[Condition]:
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
    kept: list[Condition] = []
    for place, tree in enumerate(conditions):
        left = tree if place in places.values() else _decided(tree, known, columns)
        if left is False:
            return list(conditions)
        if left is not True:
            kept.append(left)
    return kept


def _listed(condition: Condition, columns: Columns) -> tuple[str, list[_Value]] | None:
    """Return the column and all values that it can have where the condition holds; None if there are more."""
    leaves = [leaf for leaf in _leaves(condition) if isinstance(leaf, Comparison)]
    values = [value for leaf in leaves if (value := _value(leaf, columns)) is not None]
    every = sum(1 for _ in _leaves(condition))
    if not values or len(values) < every or len({leaf.field for leaf in leaves}) > 1:
        return None
    return leaves[0].field, values


def _leaves(condition: Condition) -> Iterator[Condition]:
    """Yield the alternatives of a condition."""
    if isinstance(condition, Or):
        for item in condition.items:
            yield from _leaves(item)
    elif isinstance(condition, Comparison):
        yield from (Comparison(condition.field, value) for value in values_of(condition))
    else:
        yield condition


def _value(leaf: Comparison, columns: Columns) -> _Value | None:
    column = columns.get(leaf.field)
    kind = column.type if column else ""
    match leaf.value:
        case Number(number) if kind in ("int", "long", "string"):
            return _Value(str(number), True) if isinstance(number, int) else None
        case Text() as value if text := plain(value):
            return _Value(text, value.cased) if kind == "string" or _is_number(text, kind) else None
    return None


def _is_number(text: str, kind: str) -> bool:
    return kind in ("int", "long") and _WHOLE_NUMBER.fullmatch(text) is not None


def _decided(condition: Condition, known: Known, columns: Columns) -> Condition | bool:
    """Return whether a condition holds where the known values are; or what is left of it."""
    match condition:
        case Not(item):
            inner = _decided(item, known, columns)
            return not inner if isinstance(inner, bool) else condition if inner is item else Not(inner)
        case And(items):
            parts = [_decided(item, known, columns) for item in items]
            if any(part is False for part in parts):
                return False
            return _joined(condition, [part for part in parts if not isinstance(part, bool)])
        case Or(items):
            parts = [_decided(item, known, columns) for item in items]
            if any(part is True for part in parts) or _covered(condition, known, columns):
                return True
            left = [part for part in parts if not isinstance(part, bool)]
            return _joined(condition, left) if left else False
        case Comparison(field) if field in known and (other := _value(condition, columns)):
            answers = {value.meets(other) for value in known[field]}
            if len(answers) == 1 and (answer := answers.pop()) is not None:
                return answer
    return condition


def _covered(condition: Condition, known: Known, columns: Columns) -> bool:
    """Tell whether alternatives name every value that a column can have."""
    leaves = [leaf for leaf in _leaves(condition) if isinstance(leaf, Comparison)]
    for field in {leaf.field for leaf in leaves} & set(known):
        named = [value for leaf in leaves if leaf.field == field and (value := _value(leaf, columns))]
        if all(any(value.meets(other) for other in named) for value in known[field]):
            return True
    return False


def _joined(condition: And | Or, parts: list[Condition]) -> Condition | bool:
    if not parts:
        return True
    if len(parts) == 1:
        return parts[0]
    old = condition.items
    unchanged = len(parts) == len(old) and all(one is two for one, two in zip(parts, old, strict=True))
    return condition if unchanged else type(condition)(tuple(parts))
