"""The `search` command: keywords, `field=value`, IN, comparisons, NOT, OR (which binds tighter than AND).

Search Reference, "search"; Search Manual, "Boolean expressions", "Difference between != and NOT".
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.values import COMPARE, Row, each, network, ordered, text, within

Predicate = Callable[[Row], bool]

INDEX = "\0index"
"""Where a row keeps the index that it is of: what `index=` in a search looks at, whatever fields it has."""

_TOKEN = re.compile(
    r"""\s+ | (?P<quoted>"(?:[^"\\]|\\.)*") | (?P<op><=|>=|!=|=|<|>) | (?P<mark>[(),])
      | (?P<word>[\w.*:+-]+)""",
    re.VERBOSE | re.DOTALL,
)
_ESCAPE = re.compile(r'\\(["\\|])')
_KEYWORD = re.compile(r"\*[A-Za-z0-9]+\*", re.ASCII)
_TERM = re.compile(r"[A-Za-z0-9]+", re.ASCII)
# Terms that are not fields: the range of time and other searches (Search Reference, "Time modifiers").
_MODIFIERS = re.compile(
    r"_?(?:index_)?(?:earliest|latest)|starttimeu?|endtimeu?|(?:start|end)?(?:months|days|hours|minutes)ago"
    r"|timeformat|savedsearch|savedsplunk|search(?:time)?span(?:days|hours|minutes|months)"
)
_NOT_RAW = {"index", "source", "sourcetype", "host", "linecount", "splunk_server", "punct"}


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str


def compile_search(source: str) -> Predicate:
    """Compile a logical expression of `search`.

    Raises:
        EngineError: SC402, SC403.
    """
    parser = _Parser(_tokens(source))
    predicate = parser.all_of()
    parser.end()
    return predicate


def _tokens(source: str) -> list[_Token]:
    tokens, position = [], 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise invalid(f"'{source[position]}' in a search is not expected")
        position = match.end()
        if match.lastgroup == "quoted":
            # Unknown escapes stay as they are (Search Reference, "search", "Quotes and escaping characters").
            tokens.append(_Token("quoted", _ESCAPE.sub(r"\1", match[0][1:-1])))
        elif match.lastgroup:
            tokens.append(_Token(match.lastgroup, match[0]))
    return tokens


class _Parser:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens = tokens
        self.position = 0

    def peek(self, ahead: int = 0) -> _Token:
        position = self.position + ahead
        return self.tokens[position] if position < len(self.tokens) else _Token("end", "")

    def take(self) -> _Token:
        token = self.peek()
        self.position += 1
        return token

    def end(self) -> None:
        if self.peek().kind != "end":
            raise invalid(f"'{self.peek().value}' is not expected")

    def word(self, value: str) -> bool:
        return self.peek() == _Token("word", value)

    def mark(self, value: str) -> bool:
        return self.peek() == _Token("mark", value)

    def all_of(self) -> Predicate:
        parts = [self.any_of()]
        while self.peek().kind != "end" and not self.mark(")"):
            if self.word("AND"):
                self.take()
            parts.append(self.any_of())
        return _all(parts)

    def any_of(self) -> Predicate:
        parts = [self.negation()]
        while self.word("OR"):
            self.take()
            parts.append(self.negation())
        return _any(parts)

    def negation(self) -> Predicate:
        if self.word("NOT"):
            self.take()
            inner = self.negation()
            return lambda row: not inner(row)
        if self.mark("("):
            self.take()
            inside = self.all_of()
            if not self.mark(")"):
                raise invalid("a parenthesis is not closed")
            self.take()
            return inside
        return self.term()

    def term(self) -> Predicate:
        token = self.take()
        operator = token.kind == "word" and token.value in ("AND", "OR", "NOT", "XOR")
        if token.kind not in ("word", "quoted") or operator:
            raise invalid(f"'{token.value or 'the end'}' is not expected in a search")
        if self.peek().kind == "op":
            sign = self.take().value
            value = self.take()
            if value.kind not in ("word", "quoted"):
                raise invalid(f"a value is missing after {token.value}{sign}")
            return _comparison(_field(token), sign, value)
        if self.word("IN") and self.peek(1) == _Token("mark", "("):
            self.position += 2
            return _in(_field(token), self.list())
        return _keyword(token)

    def list(self) -> list[_Token]:
        values = []
        while True:
            token = self.take()
            if token.kind not in ("word", "quoted"):
                raise invalid("a list of values is not closed")
            values.append(token)
            separator = self.take()
            if separator == _Token("mark", ")"):
                return values
            if separator != _Token("mark", ","):
                raise invalid("a list of values is not closed")


def _all(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda row: all(part(row) for part in parts)


def _any(parts: list[Predicate]) -> Predicate:
    if len(parts) == 1:
        return parts[0]
    return lambda row: any(part(row) for part in parts)


def _field(token: _Token) -> str:
    name = token.value
    if not name or "*" in name:
        raise unknown(f"wildcards in the field name '{name}'")
    if _MODIFIERS.fullmatch(name.lower()):
        raise unknown(f"the time or search modifier '{name}'")
    return INDEX if name == "index" else name


def _keyword(token: _Token) -> Predicate:
    if token.value == "*" and token.kind == "word":
        return lambda row: True
    if token.kind == "word" and _TERM.fullmatch(token.value):
        # segmenters.conf.spec: what is no letter and no digit ends a term.
        term = re.compile(rf"(?i)(?<![^\W_]){token.value}(?![^\W_])")
        return lambda row: term.search(raw(row)) is not None
    if not _KEYWORD.fullmatch(token.value):
        # Other keywords depend on how the text was cut into terms.
        raise unknown(f"the keyword '{token.value}' that is neither a word nor of the form *word*")
    wanted = token.value.strip("*").lower()
    return lambda row: wanted in raw(row).lower()


def raw(row: Row) -> str:
    """Return the event's text: `_raw`, or the texts of its fields, one a line, where it has none."""
    if "_raw" in row:
        return text(row["_raw"])
    fields = (value for name, value in row.items() if name[:1] not in ("_", "\0") and name not in _NOT_RAW)
    return "\n".join(text(one) for value in fields for one in each(value))


def _comparison(field: str, operator: str, value: _Token) -> Predicate:
    if operator in COMPARE:
        compare, limit = COMPARE[operator], value.value
        return lambda row: any(compare(*ordered(one, limit)) for one in each(row.get(field)))
    if operator == "!=":
        test = _test(value)
        # Only events that have the field (Search Manual, "Difference between != and NOT").
        return lambda row: any(not test(one) for one in each(row.get(field)))
    if value.value == "*":
        return lambda row: row.get(field) is not None
    test = _test(value)
    return _having(field, test)


def _having(field: str, test: Callable[[Any], bool]) -> Predicate:
    def predicate(row: Row) -> bool:
        value = row.get(field)
        if value is None:
            return False
        if isinstance(value, list):
            return any(map(test, value))
        return test(value)

    return predicate


def _in(field: str, values: list[_Token]) -> Predicate:
    plain = {value.value.lower() for value in values if "*" not in value.value and not network(value.value)}
    tests = [_test(value) for value in values if "*" in value.value or network(value.value)]
    return _having(field, lambda one: text(one).lower() in plain or any(test(one) for test in tests))


def _test(value: _Token) -> Callable[[Any], bool]:
    """Equality of text, case ignored; `*` is the one wildcard and has no escape; CIDR matches addresses."""
    wanted = value.value.lower()
    if net := network(value.value):
        return lambda one: within(text(one), net)
    if "*" not in wanted:
        return lambda one: text(one).lower() == wanted
    pieces = wanted.split("*")
    first, *middle, last = pieces
    inner = [piece for piece in middle if piece]

    def test(one: Any) -> bool:
        found = text(one).lower()
        position, end = len(first), len(found) - len(last)
        if position > end or not found.startswith(first) or not found.endswith(last):
            return False
        for piece in inner:
            position = found.find(piece, position, end)
            if position < 0:
                return False
            position += len(piece)
        return True

    return test
