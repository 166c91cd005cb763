"""PCRE patterns as Python's `re`, as far as both agree; the rest is refused."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

from converter.engines.spl.failures import invalid, unknown

# What PCRE has and Python writes otherwise. Splunk compiles patterns as UTF-8; classes know ASCII only.
_SAME = set("dDwWsSbBAnrtfv0123456789xa")
_FLAGS = {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL, "x": re.VERBOSE}
_REWRITTEN = {
    "z": r"\Z",
    "Z": r"(?=\n?\Z)",
    "h": r"[ \t]",
    "R": r"(?:\r\n|\n|\r|\f|\v)",
    "e": r"\x1b",
}
_POSIX = {
    "[:alpha:]": "A-Za-z",
    "[:digit:]": "0-9",
    "[:alnum:]": "A-Za-z0-9",
    "[:upper:]": "A-Z",
    "[:lower:]": "a-z",
    "[:space:]": r"\s",
    "[:xdigit:]": "0-9A-Fa-f",
    "[:word:]": r"\w",
    "[:punct:]": r"!-/:-@\[-`{-~",
    "[:blank:]": r"\t ",
    "[:cntrl:]": r"\x00-\x1f\x7f",
    "[:print:]": r"\x20-\x7e",
    "[:graph:]": r"\x21-\x7e",
    "[:^digit:]": r"\D",
    "[:^space:]": r"\S",
    "[:^word:]": r"\W",
    # What is left of ASCII, and everything beyond it.
    "[:^alpha:]": r"\x00-@\[-`{-\U0010ffff",
}
_CLASS = re.compile(r"\[:\^?\w+:\]")
_GROUP = re.compile(r"\(\?(?:[imsx-]*[:)]|[=!>]|<[=!]|P?<[A-Za-z_]\w*>|#[^)]*\)|P=\w+\))")


@lru_cache(maxsize=4096)
def compile_pcre(source: str) -> re.Pattern[str]:
    """Compile a pattern that is searched for anywhere in the text.

    Raises:
        EngineError: SC402 if it is no pattern, SC403 if Python cannot say it.
    """
    flags = re.ASCII
    while leading := re.match(r"\(\?([imsx]+)\)", source):
        for letter in leading[1]:
            flags |= _FLAGS[letter]
        source = source[leading.end() :]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return re.compile(_translate(source), flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise invalid(f"regular expression {source!r:.200}: {error}") from None


def _translate(source: str) -> str:
    out: list[str] = []
    position = 0
    while position < len(source):
        char = source[position]
        if char == "\\":
            if position + 1 == len(source):
                raise invalid("a regular expression ends in a backslash")
            out.append(_escape(source[position + 1], False))
            position += 2
        elif char == "[":
            piece, position = _class(source, position)
            out.append(piece)
        elif char == "(" and source.startswith("(?", position):
            if not _GROUP.match(source, position):
                raise unknown(f"the group at {source[position : position + 8]!r} of a regular expression")
            named = source.startswith("(?<", position) and source[position + 3] not in "=!"
            out.append("(?P<" if named else "(?")
            position += 3 if named else 2
        else:
            out.append(char)
            position += 1
    return "".join(out)


def _escape(char: str, in_class: bool) -> str:
    if not in_class and char in _REWRITTEN:
        return _REWRITTEN[char]
    if char in _SAME:
        return "\\" + char
    if char.isalnum() and char.isascii():
        raise unknown(f"the escape \\{char} of a regular expression")
    return re.escape(char)


def _class(source: str, start: int) -> tuple[str, int]:
    """Return a bracket expression for Python and the position after it."""
    position = start + 1
    out = ["["]
    if source.startswith("^", position):
        out.append("^")
        position += 1
    if source.startswith("]", position):
        out.append(r"\]")
        position += 1
    while position < len(source):
        char = source[position]
        if char == "]":
            return "".join(out) + "]", position + 1
        posix = next((name for name in _POSIX if source.startswith(name, position)), None)
        if posix:
            out.append(_POSIX[posix])
            position += len(posix)
        elif named := _CLASS.match(source, position):
            raise unknown(f"the class {named[0]} of a regular expression")
        elif char == "\\" and position + 1 < len(source):
            out.append(_escape(source[position + 1], True))
            position += 2
        else:
            out.append("\\[" if char == "[" else char)
            position += 1
    raise invalid("a bracket of a regular expression is not closed")
