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
_MOST_VARIED = 70


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
        # What must follow is only known to be there if it is there.
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


def near(pattern: re.Pattern[str], limit: int = 60) -> list[str]:
    """Return texts around those in which the pattern is found, each part of it changed by itself.

    Of a part these are: its other alternatives, the edges of a class and what lies beyond, one repetition
    less and one more, a literal in the other case, dropped, or another character in its place.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        tree = parser.parse(pattern.pattern, pattern.flags & ~re.UNICODE)
    return list(islice(dict.fromkeys(_varied(list(tree))), limit))


def _varied(nodes: list[Any]) -> Iterator[str]:
    """Yield texts of a sequence with one of its parts another way."""
    plain = [next(_node(node, {}), "") for node in nodes]
    kinds = [list(islice(dict.fromkeys(_ways(node)), 24)) for node in nodes]
    # One way of each part in turn, so that the first texts say something of every part.
    for number in range(max(map(len, kinds), default=0)):
        for position, ways in enumerate(kinds):
            if number < len(ways):
                yield "".join([*plain[:position], ways[number], *plain[position + 1 :]])


def _ways(node: Any) -> Iterator[str]:
    """Yield texts for one part: such as it takes, and such as it should not."""
    kind, value = node
    if kind is codes.LITERAL:
        char = chr(value)
        if char.isalpha():
            yield char.swapcase()
        yield "x" if char != "x" else "y"
        yield ""
    elif kind is codes.NOT_LITERAL:
        yield chr(value)
        yield ""
    elif kind is codes.ANY:
        yield from ("", "\n", "\u00e9", ".")
    elif kind is codes.IN:
        yield from _class(value)
        for one, what in value:
            if one is codes.RANGE:
                yield from (chr(max(what[0] - 1, 32)), chr(what[1] + 1))
            elif one is codes.LITERAL and chr(what).isalpha():
                yield chr(what).swapcase()
        yield from ("", "~", " ", "_", "Q", "q", "5")
    elif kind is codes.BRANCH:
        for branch in value[1]:
            yield next(_sequence(list(branch), {}), "")
        for branch in value[1]:
            yield from islice(_varied(list(branch)), 6)
    elif kind is codes.SUBPATTERN:
        yield from _varied(list(value[3]))
    elif kind is codes.ATOMIC_GROUP:
        yield from _varied(list(value))
    elif kind in (codes.MAX_REPEAT, codes.MIN_REPEAT, codes.POSSESSIVE_REPEAT):
        least, most, item = value
        once = next(_sequence(list(item), {}), "")
        counts = (least - 1, least, least + 1, most, most + 1)
        yield from (once * count for count in dict.fromkeys(counts) if 0 <= count <= _MOST_VARIED)
        yield from (way + once * max(least - 1, 0) for way in islice(_varied(list(item)), 12))
    elif kind is codes.ASSERT or kind is codes.ASSERT_NOT:
        yield from islice(_sequence(list(value[1]), {}), 2)
    elif kind is codes.AT:
        yield from ("x", "\n", " ")
