"""How SPL writes field names, texts and regular expressions, in `search` and in expressions.

Sources: Search Reference, "search" (quotes and escaping), "eval" (field names); Search Manual, "SPL and
regular expressions" (a doubled backslash becomes one before the pattern is compiled).
"""

from __future__ import annotations

import re
from functools import lru_cache

from converter.errors import Refusal

_SEARCH_WORD = re.compile(r"[A-Za-z_][\w.]*", re.ASCII)
_EVAL_WORD = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_OPERATORS = {"AND", "OR", "NOT", "XOR", "IN", "LIKE", "AS", "BY", "CASE", "TERM", "PREFIX", "TRUE", "FALSE"}
# In `search` these are no fields of the event: they name an index, a range of time or another search.
_MODIFIERS = re.compile(
    r"index|_?(index_)?(earliest|latest)|starttimeu?|endtimeu?|(start|end)?(months|days|hours|minutes)ago"
    r"|timeformat|savedsearch|savedsplunk|search(time)?span(days|hours|minutes|months)"
)
_UNPLAIN = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029`]")
_IN_PATTERN = re.compile(rf'\\.|"|{_UNPLAIN.pattern}', re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_NUMERIC = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_CIDR = re.compile(r"[0-9A-Fa-f:.]+/\d+", re.ASCII)
_SIMPLE = re.compile(r"[\w.-]+", re.ASCII)


def _sayable(name: str) -> None:
    if not name or _CONTROL.search(name) or set(name) & set("\"'\\*`|"):
        raise Refusal(
            "SC201",
            f"SPL has no way to write the field name {name!r}: quotes, backslashes, wildcards, pipes and "
            "control characters have no escape in it",
        )


@lru_cache(maxsize=4096)
def search_field(name: str) -> str | None:
    """Return a field name as `search` takes it, or None if `search` would not take it for a field.

    Raises:
        Refusal: SC201 if no command can name it.
    """
    _sayable(name)
    if _MODIFIERS.fullmatch(name.lower()):
        return None
    return name if _SEARCH_WORD.fullmatch(name) and name.upper() not in _OPERATORS else f'"{name}"'


@lru_cache(maxsize=4096)
def eval_field(name: str) -> str:
    """Return a field name as `eval` and `where` take it: quoted if it is not letters, digits and `_`.

    Raises:
        Refusal: SC201.
    """
    _sayable(name)
    return name if _EVAL_WORD.fullmatch(name) and name.upper() not in _OPERATORS else f"'{name}'"


@lru_cache(maxsize=4096)
def listed_field(name: str) -> str:
    """Return a field name as `table`, `stats` and `rename` take it.

    Raises:
        Refusal: SC201.
    """
    _sayable(name)
    return name if _SEARCH_WORD.fullmatch(name) and name.upper() not in _OPERATORS else f'"{name}"'


def quoted(text: str) -> str:
    """Return a text in double quotes; a backslash and a quote are escaped, all else is itself."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def word(text: str) -> str:
    """Return a text without quotes if it needs none in `search`."""
    return text if _SIMPLE.fullmatch(text) and text.upper() not in _OPERATORS else quoted(text)


def is_term(text: str) -> bool:
    """Tell whether a text is one term of the index, wherever it is between signs that are no letters."""
    return text.isascii() and text.isalnum() and text.upper() not in _OPERATORS


def plain(text: str) -> bool:
    """Tell whether a text can be in quotes: no control character and no backtick (macros)."""
    return _UNPLAIN.search(text) is None


def starred(text: str) -> str:
    """Return a text with a star for each character that cannot stand in quotes."""
    return _UNPLAIN.sub("*", text)


def numeric(text: str) -> bool:
    """Tell whether a text reads as a number, so that expressions may compare it as one."""
    return _NUMERIC.fullmatch(text) is not None


def like_cidr(text: str) -> bool:
    """Tell whether `search` would take a text for a subnet."""
    return _CIDR.fullmatch(text) is not None


def literal(text: str) -> str:
    """Return a PCRE that matches exactly this text."""
    return text.translate(_LITERAL)


_ESCAPED = re.compile(r"\\(u[0-9A-Fa-f]{4}|.)", re.DOTALL)


def pcre(regex: str) -> str:
    r"""Return a rule's regular expression without the escapes that Python has and PCRE refuses.

    Source: pcre.txt, "Backslash": PCRE does not support `\L`, `\l`, `\N{name}`, `\U`, or `\u`.

    Raises:
        Refusal: SC202 for one outside ASCII: what it is written as depends on how Splunk compiles it.
    """

    def said(found: re.Match[str]) -> str:
        escape = found[1]
        if len(escape) == 5 and (code := int(escape[1:], 16)) < 0x80:
            return f"\\x{code:02x}"
        if escape[0] in "uUN":
            raise Refusal(
                "SC202", f"PCRE has no escape \\{escape[0]}: {regex!r:.200}", hint="write the sign itself"
            )
        return found[0]

    return _ESCAPED.sub(said, regex)


def pattern(regex: str) -> str:
    r"""Return a PCRE in double quotes.

    A backslash and a quote of the pattern are escaped. `\|` too: SPL would resolve it before the pattern is
    compiled. Other escapes (`\d`) stay as they are in SPL. Control characters and backticks become hex.
    """
    return f'"{_IN_PATTERN.sub(_in_pattern, regex)}"'


def _in_pattern(found: re.Match[str]) -> str:
    char = found[0].removeprefix("\\")
    if char in ("", "\\"):
        return "\\\\\\\\"
    if char == '"':
        return '\\"'
    if not plain(char):
        return _hex(char)
    return "\\\\|" if char == "|" else found[0]


def _hex(char: str) -> str:
    return f"\\x{ord(char):02x}" if ord(char) < 256 else char


_LITERAL = {ord(char): f"\\{char}" for char in r"\.^$|?*+()[]{}"}
_LITERAL |= {code: _hex(chr(code)) for code in range(256) if _UNPLAIN.match(chr(code))}
