"""Make texts that a regular expression finds, from its parsed form."""

from __future__ import annotations

import re

# The parser that `re` itself uses; its tree is not documented, so every text made is checked afterwards.
import re._constants as codes  # type: ignore[import-not-found]
import re._parser as parser  # type: ignore[import-not-found]
import warnings
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

# What stands for "any character" or "none of these", in the order tried.
_CANDIDATES = "xaZ0_- .\\/:é\n"
_CATEGORIES = {
    codes.CATEGORY_DIGIT: "7",
    codes.CATEGORY_SPACE: " ",
    codes.CATEGORY_WORD: "w",
    codes.CATEGORY_NOT_DIGIT: "x",
    codes.CATEGORY_NOT_SPACE: "x",
    codes.CATEGORY_NOT_WORD: "-",
}
_MOST_REPEATS = 3


def texts(pattern: re.Pattern[str], limit: int = 8) -> list[str]:
    """Return up to `limit` texts in which the pattern is found: each alternative, then few repeats."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    found: dict[str, None] = {}
    for made in islice(_sequence(list(tree), {}), 200):
        if pattern.search(made):
            found[made] = None
        if len(found) >= limit:
            break
    return list(found)


Groups = dict[int, str]


def _sequence(nodes: list[Any], groups: Groups) -> Iterator[str]:
    """Yield texts of a sequence; choices further back vary first, so that few texts cover much."""
    if not nodes:
        yield ""
        return
    first = True
    for head in _node(nodes[0], groups):
        tails: Iterable[str] = _sequence(nodes[1:], groups)
        for tail in tails if first else islice(tails, 1):
            yield head + tail
        first = False


def _node(node: Any, groups: Groups) -> Iterator[str]:
    kind, value = node
    if kind is codes.LITERAL:
        yield chr(value)
    elif kind is codes.NOT_LITERAL:
        yield next(char for char in _CANDIDATES if ord(char) != value)
    elif kind is codes.ANY:
        yield "x"
    elif kind is codes.IN:
        yield from _class(value)
    elif kind is codes.BRANCH:
        for branch in value[1]:
            yield from _sequence(list(branch), groups)
    elif kind is codes.SUBPATTERN:
        for text in _sequence(list(value[3]), groups):
            if value[0] is not None:
                groups[value[0]] = text
            yield text
    elif kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        yield from _repeat(value, groups)
    elif kind is codes.ATOMIC_GROUP:
        yield from _sequence(list(value), groups)
    elif kind is codes.GROUPREF:
        yield groups.get(value, "")
    elif kind is codes.ASSERT and value[0] == 1:
        # What must follow is only known to be there if it stands there.
        yield ""
        yield from islice(_sequence(list(value[1]), groups), 1)
    else:
        # Anchors and what must not follow: no text of their own; the check afterwards decides.
        yield ""


def _repeat(value: Any, groups: Groups) -> Iterator[str]:
    least, most, item = value
    for count in dict.fromkeys((least, min(most, least + 1), min(most, max(least, _MOST_REPEATS)))):
        choices = list(islice(_sequence(list(item), groups), 4)) or [""]
        yield "".join(choices[position % len(choices)] for position in range(count))


def _class(items: list[Any]) -> Iterator[str]:
    if items and items[0][0] is codes.NEGATE:
        yield next((char for char in _CANDIDATES if not _in_class(char, items[1:])), "~")
        return
    for kind, value in items:
        if kind is codes.LITERAL:
            yield chr(value)
        elif kind is codes.RANGE:
            yield chr(value[0])
            yield chr(value[1])
        elif kind is codes.CATEGORY:
            yield _CATEGORIES[value]


def _in_class(char: str, items: list[Any]) -> bool:
    for kind, value in items:
        if kind is codes.LITERAL and ord(char) == value:
            return True
        if kind is codes.RANGE and value[0] <= ord(char) <= value[1]:
            return True
        if kind is codes.CATEGORY and _category(char, value):
            return True
    return False


def _category(char: str, category: Any) -> bool:
    name = {
        codes.CATEGORY_DIGIT: r"\d",
        codes.CATEGORY_SPACE: r"\s",
        codes.CATEGORY_WORD: r"\w",
        codes.CATEGORY_NOT_DIGIT: r"\D",
        codes.CATEGORY_NOT_SPACE: r"\S",
        codes.CATEGORY_NOT_WORD: r"\W",
    }[category]
    return re.fullmatch(name, char, re.ASCII) is not None
