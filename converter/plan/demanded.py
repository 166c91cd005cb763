"""Which values a condition demands of a field."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar

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
