"""Changes of an emitted query's text, each in one place: such as a mistake in a backend would make."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

_QUOTED = re.compile(r"@\"(?:[^\"]|\"\")*\"|@'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_REGEX = re.compile(r"(?<=[:(\s])/(?:[^/\\]|\\.)+/(?=[\s)\"]|$)")
"""A regular expression of Lucene's query_string, also where its text is a value of JSON."""
_TERM = re.compile(r"(?<=:)[^\s()\"/][^\s()\"]*")
"""A value of Lucene's query_string without quotes."""
_AROUND = 25
_MOST_SHOWN = 40


@dataclass(frozen=True)
class Change:
    """One change of a query's text."""

    kind: str
    """letter, star, item, operator, negation, anchor, regex, flag, number, column, stage; function."""
    query: str
    """The text before."""
    start: int
    end: int
    new: str
    """What is in place of the text from ``start`` to ``end``."""

    @property
    def old(self) -> str:
        """What was there."""
        return self.query[self.start : self.end]

    @property
    def text(self) -> str:
        """The text after the change."""
        return self.query[: self.start] + self.new + self.query[self.end :]

    @property
    def shown(self) -> str:
        """The change with what is around it, on one line."""
        before = self.query[max(self.start - _AROUND, 0) : self.start]
        after = self.query[self.end : self.end + _AROUND]
        old = self.old if len(self.old) <= _MOST_SHOWN else self.old[:_MOST_SHOWN] + "..."
        return f"{before}[{old} -> {self.new}]{after}".replace("\n", "\\n")

    @property
    def line(self) -> str:
        """The line of the query on which the change begins, from its first letter on."""
        first = self.query.rfind("\n", 0, self.start) + 1
        return self.query[first:].partition("\n")[0].strip()


# Kind, a pattern of what is changed, and what it is changed to.
_SWAPS: tuple[tuple[str, str, str], ...] = (
    ("operator", r"\bAND\b", "OR"),
    ("operator", r"\bOR\b", "AND"),
    ("operator", r"\band\b", "or"),
    ("operator", r"\bor\b", "and"),
    ("negation", r"\bNOT ", ""),
    ("negation", r"\bnot ", ""),
    ("negation", r"\bnot(?=\()", ""),
    ("negation", r"!~", "=~"),
    ("negation", r"!in~", "in~"),
    ("negation", r"!contains\b", "contains"),
    ("negation", r"!endswith\b", "endswith"),
    ("negation", r"!startswith\b", "startswith"),
    ("operator", r"=~", "=="),
    ("operator", r"\bin~", "in"),
    ("operator", r"(?<!!)\bendswith\b", "contains"),
    ("operator", r"(?<!!)\bstartswith\b", "contains"),
    ("operator", r"(?<!!)\bcontains\b", "startswith"),
    ("operator", r"!endswith\b", "!contains"),
    ("operator", r"!startswith\b", "!contains"),
    ("operator", r">=", ">"),
    ("operator", r"<=", "<"),
    ("flag", r"\(\?i\)", ""),
    ("flag", r"\(\?s\)", ""),
    ("flag", r"\(\?is\)", "(?i)"),
    ("flag", r"\(\?is\)", "(?s)"),
    ("anchor", r"\^", ""),
    ("anchor", r"\\z", ""),
    ("anchor", r"\$(?=[\"'])", ""),
    ("regex", r"\\\.", "."),
    ("stage", r"(?m)^ *\| .*\n(?:^ *(?:or|and) .*\n)*", ""),
)
_COLUMN = re.compile(
    r"\b[A-Za-z_][A-Za-z_.]*[a-z](?=\s*(?:[:=!<>]|in~|in \(|contains|startswith|endswith|matches))"
)
_NUMBER = re.compile(r"(?<![\w.\\{,])\d+(?![\w.])")
_REPEAT = re.compile(r"\{(\d+),(\d+)\}")
_OTHER_ITEM = re.compile(r" OR (?:[\w.]+:)?(?:\"(?:[^\"\\]|\\.)*\"|/(?:[^/\\]|\\.)+/|[^\s()\"/]+)(?=[\s)])")
_FUNCTION = re.compile(r"(?ms)^let \w+ = \([^)]*\) \{.*?^\};")
_OTHER_LINE = re.compile(r"(?m)^ *or [^()\n]*\n")


def changes(text: str) -> Iterator[Change]:
    """Yield changes of a query, each in one place; some give the same text or one that is not valid."""
    for kind, pattern, new in _SWAPS:
        for place in re.finditer(pattern, text):
            yield Change(kind, text, place.start(), place.end(), new)
    for place in _NUMBER.finditer(text):
        yield Change("number", text, place.start(), place.end(), str(int(place[0]) + 1))
    for place in _REPEAT.finditer(text):
        yield Change("regex", text, place.start(), place.end(), f"{{{place[1]},{int(place[2]) + 1}}}")
    for quoted in _QUOTED.finditer(text):
        first = quoted.start() + 1 + quoted[0].startswith("@")
        yield from _in_value(text, first, quoted.end() - 1, verbatim=quoted[0].startswith("@"))
        if gap := re.match(r",\s*", text[quoted.end() :]):
            yield Change("item", text, quoted.start(), quoted.end() + gap.end(), "")
    for pattern in (_REGEX, _TERM):
        for place in pattern.finditer(text):
            yield from _in_value(text, place.start(), place.end())
    for place in (*_OTHER_ITEM.finditer(text), *_OTHER_LINE.finditer(text)):
        yield Change("item", text, place.start(), place.end(), "")
    for place in _COLUMN.finditer(text):
        yield Change("column", text, place.end() - 1, place.end(), "q")


def _in_value(text: str, first: int, end: int, *, verbatim: bool = False) -> Iterator[Change]:
    """Yield changes of the letters and stars of a value."""
    for at in range(first, end):
        char, escaped = text[at], not verbatim and at > first and text[at - 1] == "\\"
        if char.isalpha() and not escaped:
            yield Change("letter", text, at, at + 1, "j" if char.lower() != "j" else "k")
        elif char == "*" and not escaped:
            yield Change("star", text, at, at + 1, "")


def chosen(text: str, each: int, chance: random.Random) -> list[Change]:
    """Return so many changes, of each kind as many as can be.

    A function that many queries begin with is one kind: else it would take the place of the query itself.
    """
    functions = max((place.end() for place in _FUNCTION.finditer(text)), default=0)
    by_kind: dict[str, dict[str, Change]] = {}
    for one in changes(text):
        if one.text != text:
            kind = "function" if one.end <= functions else one.kind
            by_kind.setdefault(kind, {}).setdefault(one.text, replace(one, kind=kind))
    groups = [list(group.values()) for group in by_kind.values()]
    for group in groups:
        chance.shuffle(group)
    picked: list[Change] = []
    while len(picked) < each and any(groups):
        for group in groups:
            if group and len(picked) < each:
                picked.append(group.pop())
    return picked
