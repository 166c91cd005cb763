"""The string literals and comments of a KQL text, and the spelling of them that duckdb-kql reads right.

Source of the forms: Microsoft's documentation, "The string data type" (quoted, verbatim ``@``,
obfuscated ``h``, multi-line ``` and ~~~ literals).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from converter.errors import EngineError

_LITERAL = re.compile(
    r"""
    (?P<comment>//[^\n\r\u2028\u2029]*)
    | (?P<multi>[hH]?(?:```.*?```|~~~.*?~~~))
    | (?P<verbatim>[hH]?@(?:"(?:[^"\n\r]|"")*"|'(?:[^'\n\r]|'')*'))
    | (?P<quoted>[hH]?(?:"(?:[^"\\\n\r]|\\[^\n\r])*"|'(?:[^'\\\n\r]|\\[^\n\r])*'))
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|x[0-9a-fA-F]{2}|[0-7]{1,3}|.)", re.DOTALL)
_SINGLE = {
    "n": "\n",
    "t": "\t",
    "r": "\r",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
    "\\": "\\",
    "'": "'",
    '"': '"',
}
_IDENTIFIER = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Literal:
    """A string literal: its place in the text and the string that it stands for."""

    start: int
    end: int
    value: str


def literals(text: str) -> Iterator[Literal]:
    """Yield the string literals outside comments, in order.

    Raises:
        EngineError: SC402 for an escape that Kusto does not have.
    """
    position = 0
    while match := _LITERAL.search(text, position):
        position = match.end()
        start = match.start()
        if match["comment"] is not None:
            continue
        body = match[0]
        if body[0] in "hH":
            if start and _IDENTIFIER.match(text[start - 1]):  # the end of a name, as in `with"x"`
                start += 1
            body = body[1:]
        yield Literal(start, match.end(), _decode(body))


def respelled(text: str) -> str:
    r"""Return the text with each literal as duckdb-kql reads it: ``"..."`` with ``\\ \" \n \r \t`` only.

    duckdb-kql 1.1.2 drops the backslash of ``\x41``, ``\u0041`` and ``\101`` in silence, and takes the
    quotes of ``h"x"`` and of multi-line literals for text.
    """
    pieces = []
    position = 0
    for literal in literals(text):
        pieces += [text[position : literal.start], _encode(literal.value)]
        position = literal.end
    return "".join([*pieces, text[position:]])


def _decode(body: str) -> str:
    if body[0] in "`~":
        return body[3:-3]
    if body[0] == "@":
        quote = body[1]
        return body[2:-1].replace(quote * 2, quote)
    return _ESCAPE.sub(_unescape, body[1:-1])


def _unescape(match: re.Match[str]) -> str:
    code = match[1]
    if code[0] in "uUx" and len(code) > 1:
        return chr(int(code[1:], 16))
    if code[0].isdigit():
        return chr(int(code, 8))
    if code not in _SINGLE:
        raise EngineError("SC402", f"KQL has no escape \\{code}")
    return _SINGLE[code]


def _encode(value: str) -> str:
    for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        value = value.replace(plain, escaped)
    return f'"{value}"'
