"""Test whether one text equals any of several Sigma strings."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from converter.matcher.event import fold
from converter.matcher.value import Part, Text, Wild

TextTest = Callable[[str], bool]


def any_of(values: Sequence[Text]) -> TextTest:
    """Return a test that holds if a text equals one of the values, each with its own case rule."""
    folded = [
        tuple(fold(part) if isinstance(part, str) else part for part in v.parts)
        for v in values
        if not v.cased
    ]
    cased = [v.parts for v in values if v.cased]
    if not cased:
        test = _any_pattern(folded)
        return lambda text: test(fold(text))
    exact = _any_pattern(cased)
    if not folded:
        return exact
    test = _any_pattern(folded)
    return lambda text: exact(text) or test(fold(text))


def _any_pattern(patterns: Sequence[tuple[Part, ...]]) -> TextTest:
    """Sort the patterns by their form: lists of thousands are tested at the speed of `in`."""
    whole: set[str] = set()
    starts: list[str] = []
    ends: list[str] = []
    inside: list[str] = []
    others: list[re.Pattern[str]] = []
    for parts in patterns:
        match parts:
            case ():
                whole.add("")
            case (str(text),):
                whole.add(text)
            case (str(text), Wild.ANY):
                starts.append(text)
            case (Wild.ANY, str(text)):
                ends.append(text)
            case (Wild.ANY, str(text), Wild.ANY):
                inside.append(text)
            case _:
                others.append(_glob(parts))
    tests: list[TextTest] = []
    if whole:
        tests.append(frozenset(whole).__contains__)
    if starts:
        tests.append(lambda text, given=tuple(starts): text.startswith(given))  # type: ignore[misc]
    if ends:
        tests.append(lambda text, given=tuple(ends): text.endswith(given))  # type: ignore[misc]
    if len(inside) == 1:
        tests.append(lambda text, given=inside[0]: given in text)  # type: ignore[misc]
    elif inside:
        tests.append(_contains_any(tuple(inside)))
    tests.extend(_glob_test(pattern) for pattern in others)
    return tests[0] if len(tests) == 1 else _any_test(tuple(tests))


def _contains_any(given: tuple[str, ...]) -> TextTest:
    def test(text: str) -> bool:
        for value in given:  # noqa: SIM110 (a loop is twice as fast as any() here)
            if value in text:
                return True
        return False

    return test


def _glob_test(pattern: re.Pattern[str]) -> TextTest:
    fullmatch = pattern.fullmatch
    return lambda text: fullmatch(text) is not None


def _any_test(tests: tuple[TextTest, ...]) -> TextTest:
    def test(text: str) -> bool:
        for one in tests:  # noqa: SIM110
            if one(text):
                return True
        return False

    return test


def _glob(parts: Sequence[Part]) -> re.Pattern[str]:
    """Compile wildcards. What follows a star is taken where it first stands and never retried (atomic).

    That is enough for wildcards, and keeps the time linear for hostile values.
    """
    segments: list[str] = [""]
    for part in parts:
        if part is Wild.ANY:
            segments.append("")
        else:
            segments[-1] += "." if part is Wild.ONE else re.escape(str(part))
    first, *middle = segments
    if not middle:
        return re.compile(first, re.DOTALL)
    *middle, last = middle
    source = first + "".join(f"(?>.*?{segment})" for segment in middle if segment) + ".*" + last
    return re.compile(source, re.DOTALL)
