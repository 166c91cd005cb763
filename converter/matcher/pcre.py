"""Compile a rule's regular expression (PCRE, as the Sigma specification says) with Python's `re`.

What Python writes differently is rewritten; what it does not have is refused.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from converter.errors import RuleError
from converter.matcher.value import Regex

_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}
_ESCAPES = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "h": r"[ \t]",
    "R": r"(?:\r\n|\n|\r|\f|\x0b)",
    "e": r"\x1b",
}
_POSIX = {
    "alpha": "A-Za-z",
    "digit": "0-9",
    "alnum": "A-Za-z0-9",
    "upper": "A-Z",
    "lower": "a-z",
    "space": r"\s",
    "xdigit": "0-9A-Fa-f",
    "word": r"\w",
    "punct": r"!-/:-@\[-`{-~",
    "blank": r" \t",
    "cntrl": r"\x00-\x1f\x7f",
    "print": " -~",
    "graph": "!-~",
}
_LEADING_FLAGS = re.compile(r"\(\?([ims]+)\)")
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")


@lru_cache(maxsize=4096)
def compile_regex(regex: Regex) -> re.Pattern[str]:
    """Compile to a pattern to be searched for (not matched from the start).

    Without PCRE's UTF mode, classes and case know ASCII only; so it is here.

    Raises:
        RuleError: SC113 if it is no regular expression or uses what Python's engine lacks.
    """
    source, flags = regex.source, re.ASCII
    leading = _LEADING_FLAGS.match(source)
    if leading:
        source = source[leading.end() :]
    for flag in regex.flags | set(leading[1] if leading else ""):
        flags |= _FLAGS[flag]
    source = _to_python(source)
    try:
        with warnings.catch_warnings():
            # `[[` and the like: Python warns of a future meaning; today's is PCRE's.
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(source, flags)
    except (re.error, RecursionError, OverflowError) as error:
        raise RuleError("SC113", f"bad regular expression {regex.source!r:.200}: {error}") from None


def _to_python(source: str) -> str:
    out: list[str] = []
    position, in_class = 0, False
    while position < len(source):
        char = source[position]
        if char == "\\" and position + 1 < len(source):
            escaped = source[position + 1]
            if escaped in _ESCAPES and not in_class:
                out.append(_ESCAPES[escaped])
            elif escaped.isalnum() or in_class:
                out.append(char + escaped)
            else:
                # A backslash before punctuation means that character, also where Python has no escape.
                out.append(re.escape(escaped))
            position += 2
            continue
        posix = _POSIX_CLASS.match(source, position) if in_class else None
        if posix and posix[2] in _POSIX:
            out.append(_others(posix[2]) if posix[1] else _POSIX[posix[2]])
            position = posix.end()
            continue
        if in_class:
            in_class = char != "]"
        elif char == "[":
            in_class = True
            # `]` right after the opening (or the negation) is a literal in both.
            start = position + 1 + (source[position + 1 : position + 2] == "^")
            end = start + (source[start : start + 1] == "]")
            out.append(source[position:end])
            position = end
            continue
        elif (
            char == "("
            and source.startswith("(?<", position)
            and source[position + 3 : position + 4] not in "=!"
        ):
            out.append("(?P<")
            position += 3
            continue
        out.append(char)
        position += 1
    return "".join(out)


def _others(name: str) -> str:
    """Return what a negated POSIX class stands for inside a class: all other characters."""
    inside = re.compile(f"[{_POSIX[name]}]", re.ASCII)
    others = (char for char in map(chr, range(128)) if not inside.match(char))
    return "".join(map(re.escape, others)) + "\x80-\U0010ffff"
