"""Parse `query_string` text as Lucene's classic QueryParser does, into a tree that keeps what it loses.

Elasticsearch subclasses Lucene's parser: it must know whether a term was quoted, and treats it by the type of
its field. Java classes cannot be subclassed from here, so this is the same grammar again; the tests compare
it with Lucene's own parser.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, NoReturn

from converter.errors import EngineError


@dataclass(frozen=True, slots=True)
class Term:
    """A bare or quoted word, escapes removed. A field of None is the default field."""

    field: str | None
    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Pattern:
    """A prefix (escapes removed), wildcard, regex (both as written) or fuzzy term."""

    kind: Literal["prefix", "wildcard", "regex", "fuzzy"]
    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Range:
    """A range in brackets; None is open."""

    field: str | None
    low: str | None
    high: str | None
    includes_low: bool
    includes_high: bool


@dataclass(frozen=True, slots=True)
class Bool:
    """Clauses, each with MUST, SHOULD or MUST_NOT."""

    clauses: tuple[tuple[str, Node], ...]


Node = Term | Pattern | Range | Bool

_SPECIAL = r' \t\n\r\u3000+\-!():^\[\]"{}~*?\\/'
_START = rf"(?:[^{_SPECIAL}]|\\.)"
_CHAR = rf"(?:[^{_SPECIAL}]|\\.|[-+])"
# In the order of Lucene's grammar: of equally long matches the first counts.
_DEFAULT = [
    ("AND", r"AND|&&"),
    ("OR", r"OR|\|\|"),
    ("NOT", r"NOT|!"),
    ("+", r"\+"),
    ("-", r"-"),
    ("BARE", r"[-+!][ \t\n\r\u3000]+"),
    ("(", r"\("),
    (")", r"\)"),
    (":", r":"),
    ("*", r"\*"),
    ("^", r"\^"),
    ("QUOTED", r'"(?:[^"\\]|\\.)*"'),
    ("TERM", rf"{_START}{_CHAR}*"),
    ("SLOP", rf"~{_CHAR}*"),
    ("PREFIX", rf"\*|{_START}{_CHAR}*\*"),
    ("WILD", rf"(?:{_START}|[*?])(?:{_CHAR}|[*?])*"),
    ("REGEX", r"/(?:\\/|[^/])*/"),
    ("[", r"\["),
    ("{", r"\{"),
]
_RANGE = [
    ("TO", "TO"),
    ("]", r"\]"),
    ("}", r"\}"),
    ("QUOTED", r'"(?:\\"|[^"])+"'),
    ("GOOP", r"[^ \]}]+"),
]
_SPACE = re.compile(r"[ \t\n\r\u3000]+")
_COMPILED = {
    state: [(kind, re.compile(pattern, re.DOTALL)) for kind, pattern in table]
    for state, table in (
        ("default", _DEFAULT),
        ("range", _RANGE),
        ("boost", [("NUMBER", r"[0-9]+(?:\.[0-9]+)?")]),
    )
}

Token = tuple[str, str, int]


def tokens(text: str) -> list[Token]:
    """Split a query into (kind, text, position).

    Raises:
        EngineError: SC402 where no token begins.
    """
    found: list[Token] = []
    position, state = 0, "default"
    while position < len(text):
        space = _SPACE.match(text, position)
        if space:
            position = space.end()
            continue
        best: Token | None = None
        for kind, pattern in _COMPILED[state]:
            match = pattern.match(text, position)
            if match and (best is None or len(match[0]) > len(best[1])):
                best = (kind, match[0], position)
        if best is None:
            raise _error(text, position)
        found.append(best)
        position += len(best[1])
        state = {"[": "range", "{": "range", "^": "boost"}.get(best[0], state)
        if best[0] in ("]", "}", "NUMBER"):
            state = "default"
    found.append(("EOF", "", len(text)))
    return found


def _error(text: str, position: int) -> EngineError:
    near = text[max(0, position - 20) : position + 20]
    return EngineError("SC402", f"Cannot parse query_string at character {position + 1}, near {near!r}")


def parse(text: str) -> Node | None:
    """Return the tree of a query, or None for one without clauses.

    Raises:
        EngineError: SC402 where Lucene's parser throws a ParseException.
    """
    if not text.strip():
        # Elasticsearch takes an empty query to match nothing; Lucene's own parser throws.
        return None
    parser = _Parser(text)
    node = parser.query(None)
    parser.expect("EOF")
    return node


_AFTER_WORDS = (":", "*", "^", "SLOP", "AND", "OR")
_WORDS = ("TERM", "*", "PREFIX", "WILD", "REGEX", "BARE")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self.at = 0

    def kind(self, ahead: int = 0) -> str:
        index = min(self.at + ahead, len(self.tokens) - 1)
        return self.tokens[index][0]

    def fail(self) -> NoReturn:
        raise _error(self.text, self.tokens[self.at][2])

    def expect(self, *kinds: str) -> Token:
        if self.kind() not in kinds:
            self.fail()
        token = self.tokens[self.at]
        self.at += 1
        return token

    def query(self, field: str | None) -> Node | None:
        clauses: list[tuple[str, Node]] = []
        started = False
        while not started or self.kind() not in (")", "EOF"):
            conjunction = ""
            if started and self.kind() in ("AND", "OR"):
                conjunction = self.expect("AND", "OR")[0]
            elif self.multi_term():
                self._add(clauses, "", "", Term(field, self.words()))
                started = True
                continue
            modifier = self.expect("+", "-", "NOT")[0] if self.kind() in ("+", "-", "NOT") else ""
            node = self.clause(field)
            if node is not None or conjunction == "AND":
                self._add(clauses, conjunction, modifier, node)
            started = True
        if len(clauses) == 1 and clauses[0][0] == "SHOULD":
            return clauses[0][1]
        return Bool(tuple(clauses)) if clauses else None

    @staticmethod
    def _add(clauses: list[tuple[str, Node]], conjunction: str, modifier: str, node: Node | None) -> None:
        """Lucene's addClause: AND makes its left neighbour required; there is no precedence."""
        if conjunction == "AND" and clauses and clauses[-1][0] != "MUST_NOT":
            clauses[-1] = ("MUST", clauses[-1][1])
        if node is None:
            return
        if modifier in ("-", "NOT"):
            clauses.append(("MUST_NOT", node))
        else:
            clauses.append(("MUST" if modifier == "+" or conjunction == "AND" else "SHOULD", node))

    def multi_term(self) -> bool:
        """Tell whether two bare words follow that belong to no field: they are analysed together."""
        after = self.kind(2)
        return self.kind() == "TERM" and self.kind(1) == "TERM" and after not in _AFTER_WORDS

    def words(self) -> str:
        parts = [self.expect("TERM")[1]]
        while self.kind() == "TERM" and self.kind(1) not in _AFTER_WORDS:
            parts.append(self.expect("TERM")[1])
        return self.unescaped(" ".join(parts))

    def clause(self, field: str | None) -> Node | None:
        if self.kind() in ("TERM", "*") and self.kind(1) == ":":
            _, name, _ = self.expect("TERM", "*")
            field = "*" if name == "*" else self.unescaped(name)
            self.expect(":")
        if self.kind() == "(":
            self.expect("(")
            node = self.query(field)
            self.expect(")")
            self.boost()
            return node
        return self.term(field)

    def boost(self) -> None:
        # Scores do not matter to what is selected.
        if self.kind() == "^":
            self.expect("^")
            self.expect("NUMBER")

    def term(self, field: str | None) -> Node:
        kind, image, _ = self.expect(*_WORDS, "[", "{", "QUOTED")
        if kind in ("[", "{"):
            return self.range(field, kind)
        fuzzy = boosted = False
        for _ in range(2):
            if self.kind() == "^" and not boosted:
                self.boost()
                boosted = True
            elif self.kind() == "SLOP" and not fuzzy:
                self.expect("SLOP")
                fuzzy = True
        if kind == "QUOTED":
            return Term(field, self.unescaped(image[1:-1]), quoted=True)
        if kind in ("WILD", "*"):
            return Pattern("wildcard", field, image)
        if kind == "PREFIX":
            return Pattern("prefix", field, self.unescaped(image[:-1]))
        if kind == "REGEX":
            return Pattern("regex", field, image[1:-1])
        text = image[0] if kind == "BARE" else self.unescaped(image)
        return Pattern("fuzzy", field, text) if fuzzy else Term(field, text)

    def range(self, field: str | None, start: str) -> Node:
        low = self.bound()
        self.expect("TO")
        high = self.bound()
        end = self.expect("]", "}")[0]
        self.boost()
        return Range(field, low, high, start == "[", end == "]")

    def bound(self) -> str | None:
        kind, image, _ = self.expect("GOOP", "QUOTED", "TO")
        if kind == "QUOTED":
            return self.unescaped(image[1:-1])
        return None if image == "*" else self.unescaped(image)

    def unescaped(self, text: str) -> str:
        r"""Remove escapes: ``\`` before any character, and ``\uXXXX``."""
        out: list[str] = []
        position = 0
        while position < len(text):
            char = text[position]
            position += 1
            if char != "\\":
                out.append(char)
                continue
            if position == len(text):
                raise EngineError("SC402", f"Term can not end with escape character: {text!r:.200}")
            char = text[position]
            position += 1
            if char == "u":
                digits = text[position : position + 4]
                if not re.fullmatch("[0-9A-Fa-f]{4}", digits):
                    raise EngineError("SC402", f"bad unicode escape in {text!r:.200}")
                out.append(chr(int(digits, 16)))
                position += 4
            else:
                out.append(char)
        return "".join(out)
