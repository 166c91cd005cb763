"""Field names and strings as EQL writes them, so that any value is only a value."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from converter.errors import Refusal
from converter.plan.values import Text, Wildcard

_LETTER = re.compile(r"[A-Za-z]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Elasticsearch's reserved words (EqlBase.g4) and those of the package `eql`; they need backquotes.
_RESERVED = frozenset(
    [
        "and",
        "any",
        "as",
        "by",
        "const",
        "false",
        "fork",
        "head",
        "in",
        "join",
        "like",
        "macro",
        "maxspan",
        "not",
        "null",
        "of",
        "or",
        "regex",
        "runs",
        "sample",
        "sequence",
        "tail",
        "true",
        "until",
        "where",
        "with",
    ]
)
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}


@lru_cache(maxsize=4096)
def field(name: str, optional: bool = False) -> str:
    """Return a field name, its parts in backquotes where they need it, with ``?`` if optional.

    Raises:
        Refusal: SC204 for a name that EQL cannot write.
    """
    if not name or "`" in name or any(unicodedata.category(char) == "Cc" for char in name):
        raise Refusal("SC204", f"EQL cannot name the field {name!r}")
    parts = name.split(".")
    if not all(parts):
        parts = [name]
    quoted = ".".join(p if _NAME.fullmatch(p) and p.lower() not in _RESERVED else f"`{p}`" for p in parts)
    return f"?{quoted}" if optional else quoted


def string(value: str) -> str:
    """Return a string literal of exactly this text.

    Raises:
        Refusal: SC204 for half a surrogate pair, which no JSON string can hold.
    """
    if value.isascii() and value.isprintable():
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    return '"' + "".join(_ESCAPES.get(char) or _character(char) for char in value) + '"'


def _character(char: str) -> str:
    kind = unicodedata.category(char)
    if kind == "Cs":
        raise Refusal("SC204", "the value has half a surrogate pair, which is no character")
    # Control characters and line separators: no editor or diff may break a line there.
    return f"\\u{{{ord(char):04x}}}" if kind in {"Cc", "Zl", "Zp"} else char


def pattern(value: str) -> str:
    """Return the literal of a regular expression, raw (triple quotes) where that reads better."""
    escaped = string(value)
    raw = f'"{value}"'
    simple = escaped != raw and '""' not in value and value.strip('"') == value
    # A raw literal has no escapes at all: only backslashes and quotes may be what is escaped.
    if not simple:
        return escaped
    ordinary = value.isascii() and value.isprintable()
    if ordinary or all(string(char) in (f'"{char}"', '"\\\\"', '"\\""') for char in value):
        return f'""{raw}""'
    return escaped


def wildcards(value: Text) -> str | None:
    """Return the value as a pattern of ``:`` and ``like``, or None if it has a literal ``*`` or ``?``.

    EQL has no escape for the two, and none is needed for anything else.
    """
    parts = []
    for part in value.parts:
        if isinstance(part, str):
            if "*" in part or "?" in part:
                return None
            parts.append(part)
        elif isinstance(part, Wildcard):
            parts.append(part.value)
    return re.sub(r"\*{2,}", "*", "".join(parts))


def caseless(value: str) -> bool:
    """Return whether the text has no ASCII letter, so that comparing with or without case is the same."""
    return _LETTER.search(value) is None
