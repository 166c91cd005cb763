"""The source `none`: columns worked out from the rule's own values, for fields that no pipeline maps."""

from __future__ import annotations

from sigma.types import (
    SigmaBool,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaTimestampPart,
    SigmaType,
)

from converter.plan.columns import Column, Columns
from converter.plan.comparisons import leaves
from converter.plan.model import Tree
from converter.platforms import platform_of


def infer_columns(tree: Tree, language: str) -> Columns:
    """Return a column for each field of the tree, typed from the values that it is compared with.

    A field compared with strings and with anything else is a string. ``language`` is eql, lucene,
    spl or kql; every Elastic field is optional (nothing is known about the indices).
    """
    columns = platform_of(language).inferred
    kinds: dict[str, set[str]] = {}
    same: list[tuple[str, str]] = []
    for leaf in leaves(tree):
        kinds.setdefault(leaf.field, set()).update(_kinds(leaf.value))
        if isinstance(leaf.value, SigmaFieldReference):
            kinds.setdefault(leaf.value.field, set())
            same.append((leaf.field, leaf.value.field))
    for one, other in same + same[::-1]:  # Fields that are compared with each other have one type.
        kinds[one] = kinds[other] = kinds[one] | kinds[other]
    return {field: columns[_kind(found)] for field, found in kinds.items()}


def unknown(language: str) -> Column:
    """Return the column of a field that a rule only groups by or counts: a text."""
    return platform_of(language).inferred["string"]


def _kinds(value: SigmaType) -> set[str]:
    if isinstance(value, SigmaExpansion):
        return {kind for one in value.values for kind in _kinds(one)}
    if isinstance(value, SigmaCompareExpression):
        value = value.number
    if isinstance(value, SigmaTimestampPart):  # A SigmaNumber too.
        return {"time"}
    if isinstance(value, SigmaNumber):
        return {"integer" if isinstance(value.number, int) else "float"}
    if isinstance(value, SigmaBool):
        return {"boolean"}
    if isinstance(value, SigmaCIDRExpression):
        return {"ip"}
    if isinstance(value, SigmaNull | SigmaExists | SigmaFieldReference):
        return set()
    return {"string"}


def _kind(found: set[str]) -> str:
    if len(found) == 1:
        return next(iter(found))
    return "float" if found == {"integer", "float"} else "string"
