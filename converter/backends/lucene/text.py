"""Names and values as `query_string` reads them, so that any of them is only a name or a value.

Escapes are a backslash before the character; ``<`` and ``>`` at a value's start cannot be escaped, but
mean nothing in quotes.
"""

from __future__ import annotations

import re
import unicodedata

from converter.errors import Refusal

MAX_REGEX = 1000
"""Elasticsearch's default of `index.max_regex_length`, in UTF-16 units."""
_PLAIN = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.\-]*[A-Za-z0-9_\-])?")
_UNSAFE = re.compile(r"[^\w@.\-]", re.DOTALL)
_RESERVED = frozenset({"AND", "OR", "NOT", "TO"})


def field(name: str) -> str:
    """Return a field's name.

    Raises:
        Refusal: SC204 for a name that query_string cannot say: one with ``*`` would stand for many fields.
    """
    if not name or "*" in name or name == "_exists_":
        raise Refusal("SC204", f"Elasticsearch's query_string cannot name the field {name!r}")
    _check(name)
    if name in _RESERVED:
        return "\\" + name
    return _escaped_all(name, first=True)


def term(text: str) -> str:
    """Return a whole value: bare where it needs no escape, else in quotes."""
    _check(text)
    if _PLAIN.fullmatch(text) and text not in _RESERVED:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def wildcard_part(text: str, first: bool) -> str:
    """Return literal text within a pattern with wildcards; ``first`` if the pattern begins with it."""
    _check(text)
    return _escaped_all(text, first)


def regex(pattern: str) -> str:
    """Return a regex between its delimiters."""
    return f"/{_delimited(pattern)}/"


def regex_length(pattern: str) -> int:
    """Return the length in UTF-16 units that Elasticsearch compares with `index.max_regex_length`."""
    return len(_delimited(pattern).encode("utf-16-le", "surrogatepass")) // 2


def _delimited(pattern: str) -> str:
    r"""Escape the delimiter. A last ``\`` becomes a class: Lucene reads ``\\/`` as an escaped delimiter."""
    _check(pattern)
    escaped = pattern.replace("/", "\\/")
    return escaped[:-2] + "[\\\\]" if escaped.endswith("\\") else escaped


def _escaped_all(text: str, first: bool) -> str:
    # Escaping what needs none is harmless, but for letters and digits: \u begins a code.
    escaped = _UNSAFE.sub(r"\\\g<0>", text)
    # At the start it would be an operator.
    return f"\\{escaped}" if first and escaped.startswith("-") else escaped


def _check(text: str) -> None:
    if not text.isascii() and any(unicodedata.category(char) == "Cs" for char in text):
        raise Refusal("SC204", "the value has half a surrogate pair, which is no character")
