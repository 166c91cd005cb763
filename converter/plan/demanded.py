"""Which values a condition demands of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

from converter.plan.conditions import And, Comparison, Condition, Or, Value
from converter.plan.values import Flag, Number, Text, TimePart

_Node = TypeVar("_Node")


def one_of_few(
    alternatives: Iterable[_Node], equality: Callable[[_Node], tuple[str, str] | None]
) -> tuple[str, tuple[str, ...]] | None:
    """Return the field that all alternatives compare with one value each, and these values.

    Each caller says what counts as an equality: languages differ in the texts that they take for equal.

    Args:
        alternatives: of a condition, one of which must hold; a condition without any is its only one.
        equality: returns the field and the value of a comparison with one value, None for all else.

    Returns:
        The field and its distinct values in order; None if some alternative asks for anything else.
    """
    fields: dict[str, None] = {}
    values: dict[str, None] = {}
    for alternative in alternatives:
        pair = equality(alternative)
        if pair is None:
            return None
        fields[pair[0]] = None
        values[pair[1]] = None
    return (next(iter(fields)), tuple(values)) if len(fields) == 1 else None


def alternatives(node: Condition) -> tuple[Condition, ...]:
    """Return the conditions of which one must hold: those of an OR, else the condition itself."""
    return node.items if isinstance(node, Or) else (node,)


def literal_text(value: Value) -> str | None:
    """Return the text of a value that is no pattern, in lower case, else None."""
    match value:
        case Text():
            plain = value.plain
            return None if plain is None else plain.lower()
        case Flag():
            return value.word
        case Number(number) | TimePart(_, number):
            return str(number).lower()
    return None


def texts(node: Condition) -> dict[str, str]:
    """Return the fields that hold one text wherever a condition holds, with these texts, in lower case."""
    match node:
        case And(items):
            return {name: text for item in items for name, text in texts(item).items()}
        case Or(items):
            if not items:
                return {}
            first, *rest = map(texts, items)
            return {name: text for name, text in first.items() if all(one.get(name) == text for one in rest)}
        case Comparison(field, value) if (text := literal_text(value)) is not None:
            return {field: text}
    return {}


Values = frozenset[str] | None
"""The values that a field can have, in lower case; None if it can have any."""


def values_of(node: Condition, name: str) -> Values:
    """Return the values that a field can have where a condition holds.

    Args:
        node: the condition.
        name: the field.
    """
    match node:
        case And(items):
            found: Values = None
            for item in items:
                found = both(found, values_of(item, name))
            return found
        case Or(items):
            several = [values_of(item, name) for item in items]
            known = [values for values in several if values is not None]
            return frozenset().union(*known) if len(known) == len(several) else None
        case Comparison(field, value) if field == name and (text := literal_text(value)) is not None:
            return frozenset({text})
    return None


def both(some: Values, other: Values) -> Values:
    """Return the values that a field can have where it can have the ones and the others."""
    if some is None or other is None:
        return other if some is None else some
    return some & other
