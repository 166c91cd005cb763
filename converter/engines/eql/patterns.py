"""String patterns of EQL, executed by Lucene: ``:`` and ``like`` wildcards, ``regex``."""

from __future__ import annotations

from collections.abc import Callable

from converter.engines import lucene_jvm

_LOWER = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
"""Elasticsearch's case_insensitive queries fold ASCII letters only."""

Test = Callable[[str], bool]


def fold(text: str) -> str:
    """Return the text with its ASCII letters in lower case."""
    return text.translate(_LOWER)


def equal(text: str, insensitive: bool) -> Test:
    """Return a test for exactly this text."""
    if insensitive:
        wanted = fold(text)
        return lambda value: fold(value) == wanted
    return lambda value: value == text


def like(pattern: str, insensitive: bool) -> Test:
    """Return a test for a pattern of ``:`` or ``like``: ``*`` any run, ``?`` one character, nothing else.

    EQL has no escape for the two, and a backslash is only a backslash; in Lucene's it must be doubled.
    """
    if "*" not in pattern and "?" not in pattern:
        return equal(pattern, insensitive)
    return lucene_jvm.wildcard(pattern.replace("\\", "\\\\"), insensitive)


def regex(pattern: str, insensitive: bool) -> Test:
    """Return a test for a pattern of ``regex``: Lucene's flavour, over the whole value.

    Raises:
        EngineError: SC402 if Lucene rejects it.
    """
    return lucene_jvm.regexp(pattern, insensitive)
