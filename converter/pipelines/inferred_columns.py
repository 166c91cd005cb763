"""The source `none`: columns worked out from the rule's own values, for fields that no pipeline maps."""

from __future__ import annotations

from converter.plan.columns import Column, Columns
from converter.plan.conditions import Alternatives, Condition, Value, comparisons
from converter.plan.values import Exists, FieldOf, Flag, Network, Null, Number, Ordered, TimePart
from converter.platforms import platform_of


def infer_columns(condition: Condition, language: str) -> Columns:
    """Return a column for each field of a condition, typed from the values that it is compared with.

    A field compared with strings and with anything else is a string. ``language`` is eql, lucene,
    spl or kql; every Elastic field is optional (nothing is known about the indices).
    """
    columns = platform_of(language).inferred
    kinds: dict[str, set[str]] = {}
    same: list[tuple[str, str]] = []
    for leaf in comparisons(condition):
        kinds.setdefault(leaf.field, set()).update(_kinds(leaf.value))
        if isinstance(leaf.value, FieldOf):
            kinds.setdefault(leaf.value.field, set())
            same.append((leaf.field, leaf.value.field))
    for one, other in same + same[::-1]:  # Fields that are compared with each other have one type.
        kinds[one] = kinds[other] = kinds[one] | kinds[other]
    return {field: columns[_kind(found)] for field, found in kinds.items()}


def unknown(language: str) -> Column:
    """Return the column of a field that a rule only groups by or counts: a text."""
    return platform_of(language).inferred["string"]


def _kinds(value: Value) -> set[str]:
    match value:
        case Alternatives(values):
            return {kind for one in values for kind in _kinds(one)}
        case Ordered():
            return _kinds(value.number)
        case TimePart():
            return {"time"}
        case Number():
            return {"integer" if isinstance(value.number, int) else "float"}
        case Flag():
            return {"boolean"}
        case Network():
            return {"ip"}
        case Null() | Exists() | FieldOf():
            return set()
    return {"string"}


def _kind(found: set[str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return "float" if found == {"integer", "float"} else "string"
