"""The columns of a table whose text holds the value of a column that is worked out of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from converter.plan.columns import Column, Columns

_TOKEN = re.compile(r"""\s*(@"(?:[^"]|"")*"|"(?:[^"\\]|\\.)*"|[A-Za-z_]\w*|.)""", re.ASCII | re.DOTALL)
_JSON_VALUE = re.compile(r"tostring\(parse_json\(([A-Za-z_]\w*)\)(?:\.[A-Za-z_]\w*)+\)", re.ASCII)
_XML_VALUE = re.compile(r'EventDataField\(([A-Za-z_]\w*),\s*@?"[^"\\]*"\)', re.ASCII)
_TEXT_VALUE = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_RUN = re.compile(r"[A-Za-z0-9]+", re.ASCII)
_APART = re.compile(r"[!-/:-@\[-^`{-~](?:.*[!-/:-@\[-^`{-~])?", re.ASCII | re.DOTALL)
"""Text that begins and ends with ASCII that is neither letter, digit, ``_`` nor a control character."""
_EVENT_DATA = "EventData"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the text of a value is."""

    columns: tuple[str, ...]
    """In one of these stands each part of it that no separator is in."""
    json: bool = False
    """Whether it is written as JSON there."""
    constants: frozenset[str] = frozenset()
    """Runs, in lower case, that may come out of the expression and not out of a column."""


def sources(columns: Columns, field: str) -> Source | None:
    """Return where the text of a column's value is; None where that is not known."""
    column = columns.get(field)
    if column is None or column.type != "string":
        return None
    if column.via is None:
        return Source((field,))
    if column.via == "eventdata_xml":
        return Source((_EVENT_DATA,))
    if column.via == "eventdata_dynamic":
        return Source((_EVENT_DATA,), json=True)
    if not column.via.startswith("="):
        return None
    source = _read(column.via[1:])
    return source if source and all(_is_text(columns.get(name)) for name in source.columns) else None


def _is_text(column: Column | None) -> bool:
    return column is not None and column.type == "string" and column.via is None


@lru_cache(maxsize=256)
def _read(expression: str) -> Source | None:
    """Read an expression of `strcat`, `iff`, `case`, `coalesce`, values in JSON or XML, and names."""
    expression = expression.strip()
    if _TEXT_VALUE.fullmatch(expression):
        return Source((expression,))
    if value := _XML_VALUE.fullmatch(expression):
        return Source((value[1],))
    if value := _JSON_VALUE.fullmatch(expression):
        return Source((value[1],), json=True)
    literal = _literal(expression)
    if literal is not None:
        return Source((), constants=frozenset(run.lower() for run in _RUN.findall(literal)))
    function, arguments = _call(expression)
    if function == "strcat":
        return _joined(arguments)
    if function == "iff" and len(arguments) == 3:
        return _any([_read(argument) for argument in arguments[1:]])
    if function == "case" and len(arguments) % 2:
        return _any([_read(argument) for argument in [*arguments[1::2], arguments[-1]]])
    if function == "coalesce":
        return _any([_read(argument) for argument in arguments])
    return None


def _joined(arguments: Sequence[str]) -> Source | None:
    """Return the sources of values that are joined: between two there is a separator."""
    literals = [_literal(argument) for argument in arguments]
    for one, other in pairwise(literals):
        apart = (text is not None and _APART.fullmatch(text) for text in (one, other))
        if not any(apart):
            return None
    return _any([_read(argument) for argument in arguments])


def _any(found: Sequence[Source | None]) -> Source | None:
    known = [one for one in found if one is not None]
    if len(known) < len(found):
        return None
    return Source(
        tuple(dict.fromkeys(column for one in known for column in one.columns)),
        any(one.json for one in known),
        frozenset().union(*(one.constants for one in known)),
    )


def _literal(expression: str) -> str | None:
    if re.fullmatch(r'@"(?:[^"]|"")*"', expression):
        return expression[2:-1].replace('""', '"')
    return expression[1:-1] if re.fullmatch(r'"[^"\\]*"', expression) else None


def _call(expression: str) -> tuple[str, list[str]]:
    """Return a call's function and arguments; "" if the expression is no call and nothing else."""
    head = re.match(r"([A-Za-z_]\w*)\(", expression, re.ASCII)
    if head is None or not expression.endswith(")"):
        return "", []
    arguments, depth = [""], 0
    for token in _TOKEN.findall(expression[head.end() : -1]):
        depth += (token == "(") - (token == ")")
        if depth < 0:
            return "", []
        if token == "," and depth == 0:
            arguments.append("")
        else:
            arguments[-1] += f" {token}" if arguments[-1][-1:].isalnum() and token[0].isalnum() else token
    return head[1], arguments
