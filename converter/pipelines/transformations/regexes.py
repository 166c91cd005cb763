"""What a regular expression of a rule asks for, read from its syntax tree; or tried on a text.

Python's own parser reads it. A pattern that this parser does not know asks for nothing that could be told.
"""

from __future__ import annotations

import re
import re._constants as syntax  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterator
from typing import Any

from sigma.types import SigmaRegularExpression, SigmaRegularExpressionFlag


def needed(value: SigmaRegularExpression) -> frozenset[str]:
    """Return characters that every match has, in lower case; none if that cannot be told."""
    tree = _tree(str(value.regexp))
    return frozenset() if tree is None else _needed(tree)


def begin(value: SigmaRegularExpression) -> str | None:
    """Return the literal text that every match begins with, behind stars; None if that cannot be told.

    ``''`` if it begins with something else.
    """
    tree = _tree(str(value.regexp))
    if tree is None:
        return None
    made = ""
    for operation, argument in _behind_any(list(tree)):
        if operation is not syntax.LITERAL:
            break
        made += chr(argument)
    return made


def finds(value: SigmaRegularExpression, text: str) -> bool | None:
    """Tell whether an expression finds something in a text; None if Python does not know the expression."""
    flags = re.IGNORECASE if SigmaRegularExpressionFlag.IGNORECASE in value.flags else 0
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.search(str(value.regexp), text, flags) is not None
    except (re.error, RecursionError, OverflowError):
        return None


def anchored(value: SigmaRegularExpression) -> bool:
    """Tell whether an expression asks for a value's begin, or may."""
    tree = _tree(str(value.regexp))
    return tree is None or any(
        operation is syntax.AT and argument in (syntax.AT_BEGINNING, syntax.AT_BEGINNING_STRING)
        for operation, argument in _walk(tree)
    )


def _tree(text: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return parser.parse(text, re.DOTALL)
    except (re.error, RecursionError, OverflowError):
        return None


def _needed(tree: Any) -> frozenset[str]:
    found: set[str] = set()
    for operation, argument in tree:
        if operation is syntax.LITERAL:
            found.add(chr(argument).lower())
        elif operation is syntax.SUBPATTERN:
            found |= _needed(argument[-1])
        elif operation in (syntax.MAX_REPEAT, syntax.MIN_REPEAT, syntax.POSSESSIVE_REPEAT):
            found |= _needed(argument[2]) if argument[0] > 0 else frozenset()
        elif operation is syntax.BRANCH:
            found |= frozenset.intersection(*map(_needed, argument[1]))
    return frozenset(found)


def _behind_any(tree: list[Any]) -> list[Any]:
    """Return what is behind repetitions of any character at the begin."""
    at = 0
    while at < len(tree):
        operation, argument = tree[at]
        if operation in (syntax.MAX_REPEAT, syntax.MIN_REPEAT) and [one[0] for one in argument[2]] == [
            syntax.ANY
        ]:
            at += 1
        else:
            break
    return tree[at:]


def _walk(tree: Any) -> Iterator[tuple[Any, Any]]:
    for operation, argument in tree:
        yield operation, argument
        if operation is syntax.SUBPATTERN:
            yield from _walk(argument[-1])
        elif operation in (syntax.MAX_REPEAT, syntax.MIN_REPEAT, syntax.POSSESSIVE_REPEAT):
            yield from _walk(argument[2])
        elif operation is syntax.BRANCH:
            for one in argument[1]:
                yield from _walk(one)
        elif operation in (syntax.ASSERT, syntax.ASSERT_NOT):
            yield from _walk(argument[1])
