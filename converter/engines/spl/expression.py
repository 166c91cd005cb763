"""Expressions of `eval` and `where`: parsed once, run over rows.

Search Reference, "eval" and "where"; Search Manual, "Boolean expressions" (NOT, then AND, then OR).
Logic has three values: a comparison with null is null and `where` keeps what is TRUE. The documentation does
not spell out that `NULL OR TRUE` is TRUE; every published idiom (`isnull(a) OR a!="x"`) relies on it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.functions import SPECIAL, function
from converter.engines.spl.search import raw
from converter.engines.spl.values import COMPARE, Row, each, number, ordered, text

Expression = Callable[[Row], Any]

_TOKEN = re.compile(
    r"""\s+ | (?P<string>"(?:[^"\\]|\\.)*") | (?P<field>'(?:[^'\\]|\\.)*')
      | (?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?) | (?P<op><=|>=|==|!=|[=<>+\-*/%.]) | (?P<mark>[(),])
      | (?P<name>[A-Za-z_]\w*)""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r'\\(["\\])')
_WORDS = {"AND", "OR", "NOT", "XOR", "IN", "LIKE", "AS", "BY"}
_EQUALITY = {"=", "==", "!="}


@dataclass(frozen=True, slots=True)
class Token:
    """One token of an expression; a string's escapes are resolved."""

    kind: str
    value: str


@dataclass(frozen=True, slots=True)
class _Node:
    """A compiled part, and its value where it is a literal."""

    run: Expression
    literal: Any = None


def tokens(source: str) -> list[Token]:
    """Cut an expression into tokens.

    Raises:
        EngineError: SC402.
    """
    found, position = [], 0
    while position < len(source):
        match = _TOKEN.match(source, position)
        if match is None:
            raise invalid(f"{source[position]!r} in an expression is not expected")
        position = match.end()
        kind, value = match.lastgroup, match[0]
        if kind == "string":
            # Unknown escapes stay as they are: "\d" reaches the regular expression.
            value = _ESCAPE.sub(r"\1", value[1:-1])
        elif kind == "field":
            value = value[1:-1]
            if "\\" in value or not value:
                raise unknown(f"the field name '{value}'")
        if kind:
            found.append(Token(kind, value))
    return found


def compile_expression(source: str) -> Expression:
    """Compile one expression.

    Raises:
        EngineError: SC402, SC403.
    """
    parser = Parser(tokens(source))
    run = parser.expression()
    parser.end()
    return run


class Parser:
    """A parser over tokens, also for the lists of assignments of `eval`."""

    def __init__(self, found: Sequence[Token]) -> None:
        self.tokens = found
        self.position = 0

    def peek(self, ahead: int = 0) -> Token:
        """Return a token without taking it."""
        position = self.position + ahead
        return self.tokens[position] if position < len(self.tokens) else Token("end", "the end")

    def take(self) -> Token:
        """Take the next token."""
        token = self.peek()
        self.position += 1
        return token

    def taken(self, kind: str, value: str) -> bool:
        """Take the next token if it is this one."""
        if self.peek() == Token(kind, value):
            self.position += 1
            return True
        return False

    def end(self) -> None:
        """Raise if anything is left."""
        if self.peek().kind != "end":
            raise invalid(f"'{self.peek().value}' is not expected")

    def expression(self) -> Expression:
        """Parse an expression with OR, the weakest operator."""
        return self._or().run

    def _or(self) -> _Node:
        parts = [self._and()]
        while self.taken("name", "OR"):
            parts.append(self._and())
        return parts[0] if len(parts) == 1 else _Node(_join([part.run for part in parts], True))

    def _and(self) -> _Node:
        parts = [self._not()]
        while self.taken("name", "AND"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else _Node(_join([part.run for part in parts], False))

    def _not(self) -> _Node:
        if self.taken("name", "NOT"):
            inner = self._not().run

            def negation(row: Row) -> bool | None:
                value = _truth(inner(row))
                return None if value is None else not value

            return _Node(negation)
        return self._comparison()

    def _comparison(self) -> _Node:
        left = self._sum()
        operator = self.peek()
        if operator.kind == "op" and (operator.value in COMPARE or operator.value in _EQUALITY):
            self.take()
            return _Node(_compared(left, operator.value, self._sum()))
        return left

    def _sum(self) -> _Node:
        node = self._product()
        while self.peek().kind == "op" and self.peek().value in "+-.":
            operator = self.take().value
            node = _Node(_arithmetic(node.run, operator, self._product().run))
        return node

    def _product(self) -> _Node:
        node = self._unary()
        while self.peek().kind == "op" and self.peek().value in "*/%":
            operator = self.take().value
            node = _Node(_arithmetic(node.run, operator, self._unary().run))
        return node

    def _unary(self) -> _Node:
        if self.taken("op", "-"):
            token = self.take()
            if token.kind != "number":
                raise unknown("a minus before anything but a number")
            return _constant(-_number(token.value))
        return self._primary()

    def _primary(self) -> _Node:
        token = self.take()
        if token.kind == "number":
            return _constant(_number(token.value))
        if token.kind == "string":
            return _constant(token.value)
        if token.kind == "field":
            return _Node(_field(token.value))
        if token == Token("mark", "("):
            inner = self._or()
            self._close()
            return inner
        if token.kind == "name" and token.value.islower() and self.taken("mark", "("):
            return _Node(self._call(token.value))
        if token.kind != "name" or token.value.upper() in _WORDS:
            raise invalid(f"'{token.value}' is not expected in an expression")
        return _Node(_field(token.value))

    def _close(self) -> None:
        if not self.taken("mark", ")"):
            raise invalid("a parenthesis is not closed")

    def _call(self, name: str) -> Expression:
        arguments: list[_Node] = []
        if not self.taken("mark", ")"):
            arguments.append(self._or())
            while self.taken("mark", ","):
                arguments.append(self._or())
            self._close()
        runs = [argument.run for argument in arguments]
        if name in SPECIAL:
            return SPECIAL[name](runs, [argument.literal for argument in arguments], _truth)
        return function(name, runs, [argument.literal for argument in arguments])


def _field(name: str) -> Expression:
    return raw if name == "_raw" else lambda row: row.get(name)


def _constant(value: Any) -> _Node:
    return _Node(lambda row: value, value)


def _number(written: str) -> int | float:
    found = number(written)
    if found is None:
        raise invalid(f"'{written}' is no number")
    return found


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise unknown(f"the value {value!r} where a condition is needed")


def condition(run: Expression) -> Callable[[Row], bool]:
    """Return a test that holds where the expression is TRUE (neither FALSE nor null)."""
    return lambda row: _truth(run(row)) is True


def _join(parts: list[Expression], decides: bool) -> Expression:
    """AND (decided by False) and OR (decided by True) with null as unknown."""

    def run(row: Row) -> bool | None:
        null = False
        for part in parts:
            value = _truth(part(row))
            if value is decides:
                return decides
            null = null or value is None
        return None if null else not decides

    return run


def _compared(left: _Node, operator: str, right: _Node) -> Expression:
    for side in (left, right):
        # Text or number? The documentation does not say what "5"=field does to a field that reads 05.
        if isinstance(side.literal, str) and number(side.literal) is not None:
            raise unknown(f'a comparison with "{side.literal}", which may be meant as a number')
    one, other = left.run, right.run
    if operator in ("=", "=="):
        return lambda row: _any_pair(one(row), other(row), _equal)
    if operator == "!=":

        def unequal(row: Row) -> bool | None:
            value = _any_pair(one(row), other(row), _equal)
            return None if value is None else not value

        return unequal
    compare = COMPARE[operator]
    return lambda row: _any_pair(one(row), other(row), lambda a, b: compare(*ordered(a, b)))


def _equal(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, str) and isinstance(right, str):
        return left == right
    one, other = number(left), number(right)
    if one is not None and other is not None:
        return one == other
    return text(left) == text(right)


def _any_pair(left: Any, right: Any, holds: Callable[[Any, Any], bool]) -> bool | None:
    """Compare; of several values any may hold (not in the documentation, what Splunk is seen to do)."""
    if left is None or right is None:
        return None
    if not isinstance(left, list) and not isinstance(right, list):
        return holds(left, right)
    return any(holds(one, other) for one in each(left) for other in each(right))


def _arithmetic(left: Expression, operator: str, right: Expression) -> Expression:
    if operator == ".":

        def concatenate(row: Row) -> Any:
            one, other = left(row), right(row)
            if one is None or other is None:
                return None
            if isinstance(one, list) or isinstance(other, list):
                raise unknown("the concatenation of several values")
            return text(one) + text(other)

        return concatenate

    def run(row: Row) -> Any:
        one, other = number(left(row)), number(right(row))
        if one is None or other is None:
            return None
        match operator:
            case "+":
                return one + other
            case "-":
                return one - other
            case "*":
                return one * other
            case "/":
                # The result of a division of integers is a decimal (Search Reference, "eval").
                return None if other == 0 else one / other
        return None if other == 0 else one % other

    return run
