"""Alternatives of a list in a query's text as wildcards, and whether two lists hold the same texts.

Read are lists in parentheses and chains of `or`, in the four languages: `Image : ("a*", "b")` (EQL),
`Image IN ("a*", "b")` (SPL), `Image contains "a" or Image endswith "b"` (KQL),
`Image:(/.*[Aa]/ OR b*)` (Lucene).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

_ANY, _ONE = "\ue000", "\ue001"
"""In a pattern: any text, and any character."""
_STRING = r"@\"(?:[^\"]|\"\")*\"|\"(?:[^\"\\]|\\.)*\""
_REGEX = r"/(?:[^/\\]|\\.)+/"
_TERM = r"(?<=[\s(:])(?:\\.|[^\s()\":,/|=~!\\])+"
_OPERATOR = r"=~|==|!=|\b(?:contains|startswith|endswith|in~|in|IN)\b|[:=]"
_TEXT_OPERATORS = frozenset({"contains", "startswith", "endswith", "in~", "=~", "in", "=="})
"""KQL's: a star is a star."""
_ITEM = re.compile(
    rf"(?:(?P<column>[\w.]+)\s*(?P<operator>{_OPERATOR})\s*\(?\s*)?"
    rf"(?P<value>{_STRING}|{_REGEX}|{_TERM}(?=[\s)]|$))"
)
_WORDS = re.compile(r"\s*(?:,|\bor\b|\bOR\b)\s*|\s*")
_CLASS = re.compile(r"\[([A-Za-z])([A-Za-z])\]")


@dataclass(frozen=True, slots=True)
class Alternative:
    """One item of a list."""

    start: int
    end: int
    column: str
    pattern: str
    """In lower case, with `_ANY` and `_ONE`."""


def alternatives_at(text: str, place: int) -> list[Alternative] | None:
    """Return the items of the innermost list around a place; None if it is no list of alternatives."""
    start, end = around(text, place)
    column, operator = _before(text, start)
    found = []
    at = start
    while at < end:
        gap = _WORDS.match(text, at, end)
        at = gap.end() if gap else at
        if at >= end:
            break
        one = _ITEM.match(text, at, end)
        if one is None or (gap and found and not gap[0].strip()):
            return None
        column, operator = one["column"] or column, one["operator"] or operator
        pattern = _pattern(one["value"], operator)
        if pattern is None or not column:
            return None
        found.append(Alternative(one.start(), one.end(), column, pattern))
        at = one.end()
    return found


def around(text: str, place: int) -> tuple[int, int]:
    """Return where the innermost parentheses, or the stage, around a place begin and end."""
    quoted = [(one.start(), one.end()) for one in re.finditer(f"{_STRING}|(?<=[\\s(:]){_REGEX}", text)]
    inside = [False] * (len(text) + 1)
    for first, last in quoted:
        inside[first:last] = [True] * (last - first)
    depth, start = 0, place
    while start > 0:
        char = "" if inside[start - 1] else text[start - 1]
        if char == "(" and depth == 0:
            break
        if depth == 0 and re.search(r"\| where \Z", text[max(start - 9, 0) : start]):
            break
        depth += (char == ")") - (char == "(")
        start -= 1
    depth, end = 0, place
    while end < len(text):
        char = "" if inside[end] else text[end]
        if (char == ")" and depth == 0) or (char in "|;" and char and depth == 0):
            break
        depth += (char == "(") - (char == ")")
        end += 1
    return start, end


def _before(text: str, start: int) -> tuple[str, str]:
    """Return the column and the operator before a list."""
    found = re.search(r"([\w.]+)\s*(:|=~|in~|\bin\b|\bIN\b|=)\s*\(\Z", text[max(start - 200, 0) : start])
    return (found[1], found[2]) if found else ("", "")


def _pattern(value: str, operator: str) -> str | None:
    """Return a value as a pattern; None for what is not read here."""
    if value.startswith("/"):
        return _of_regex(value[1:-1])
    if value.startswith("@"):
        inner = value[2:-1].replace('""', '"')
    elif value.startswith('"'):
        inner = value[1:-1]
        inner = re.sub(r"\\(.)", r"\1", inner) if operator in _TEXT_OPERATORS else _wild(inner)
    else:
        inner = _wild(value)
    before = _ANY if operator in ("contains", "endswith") else ""
    after = _ANY if operator in ("contains", "startswith") else ""
    return before + inner.lower() + after


def _wild(text: str) -> str:
    """Return a text with its wildcards, without its escapes."""
    signs = {"*": _ANY, "?": _ONE}
    return re.sub(r"\\(.)|([*?])", lambda one: one[1] or signs[one[2]], text)


def _of_regex(text: str) -> str | None:
    """Return a pattern of Lucene's, if it is made of letters in both cases, escapes, `.` and `.*` alone."""
    made, at = "", 0
    while at < len(text):
        both = _CLASS.match(text, at)
        if both and both[1].lower() == both[2].lower():
            made, at = made + both[1].lower(), both.end()
        elif text[at] == "\\":
            made, at = made + text[at + 1 : at + 2].lower(), at + 2
        elif text.startswith(".*", at):
            made, at = made + _ANY, at + 2
        elif text[at] == ".":
            made, at = made + _ONE, at + 1
        elif text[at] in '[](){}+?*|^$#@&<>~"':
            return None
        else:
            made, at = made + text[at].lower(), at + 1
    return made


def covers(wide: str, narrow: str) -> bool:
    """Tell whether a pattern holds every text that another holds."""
    parts = {_ANY: ".*", _ONE: f"[^{_ANY}]"}
    return (
        re.fullmatch("".join(parts.get(char) or re.escape(char) for char in wide), narrow, re.S) is not None
    )


def same_together(some: Sequence[Alternative], others: Sequence[Alternative]) -> bool:
    """Tell whether two lists hold the same texts, as far as each item is held by one of the other list."""
    return _all_held(some, others) and _all_held(others, some)


def _all_held(narrow: Sequence[Alternative], wide: Sequence[Alternative]) -> bool:
    return all(
        any(one.column == other.column and covers(other.pattern, one.pattern) for other in wide)
        for one in narrow
    )
