"""Conditions that no event can satisfy: found in the condition tree, whatever the language.

The test is sound and not complete: what it calls impossible can hold for no event, and what it cannot decide
it calls possible. It compares two comparisons of one field at a time, through every way in which the tree can
be satisfied. A field that can hold several values can satisfy two different equalities; it cannot hold a
value and not hold it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from converter.plan.columns import Column, Columns
from converter.plan.conditions import And, Comparison, Condition, Keyword, Not, Or, Value, values_of
from converter.plan.value_sets import Kind, disjoint, within

MOST = 20_000
"""Comparisons of two values after which a condition counts as possible."""


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """One comparison that must hold, or must not."""

    field: str
    value: Value
    """One value: of a list each value is a literal of its own."""
    holds: bool
    leaf: Comparison
    """Its place in the tree."""


@dataclass(frozen=True, slots=True)
class Clash:
    """Two comparisons that cannot both be as the condition wants them."""

    first: Literal
    second: Literal


@dataclass(frozen=True, slots=True)
class _All:
    parts: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Any:
    parts: tuple[_Node, ...]
    written: bool = False
    """An OR of the rule, not an AND or a list under `not`."""


@dataclass(frozen=True, slots=True)
class _Unknown:
    """What says nothing of a single field: keywords."""


_Node = Literal | _All | _Any | _Unknown
_Held = Mapping[str, tuple[Literal, ...]]


def clash(condition: Condition, columns: Columns | None = None, *, several: bool = False) -> Clash | None:
    """Return two comparisons because of which no event satisfies a condition; None if some event may.

    Args:
        condition: of a rule.
        columns: what is known of its fields; default: each holds one value, of any type.
        several: whether fields that are not known can hold several values.
    """
    search = _Search(columns or {}, several)
    try:
        return search.solve([_normal(condition, True)], {})
    except (_GaveUp, RecursionError):
        return None


def dead_branches(condition: Condition) -> list[Clash]:
    """Return for each alternative of a condition that cannot hold beside the rest why; fields hold one value.

    Nothing for a condition that can never hold as a whole.
    """
    search = _Search({}, False)
    found: list[Clash] = []
    try:
        node = _normal(condition, True)
        if search.solve([node], {}) is None:
            search.branches(node, {}, found)
    except (_GaveUp, RecursionError):
        return []
    return found


def _normal(node: Condition, holds: bool) -> _Node:
    """Return the condition with `not` at its comparisons only."""
    match node:
        case Not(item):
            return _normal(item, not holds)
        case And(items) | Or(items):
            parts = tuple(_normal(item, holds) for item in items)
            return _All(parts) if isinstance(node, And) == holds else _Any(parts, holds)
        case Comparison():
            literals = tuple(Literal(node.field, value, holds, node) for value in values_of(node))
            if len(literals) == 1:
                return literals[0]
            return _Any(literals, holds) if holds else _All(literals)
        case Keyword():
            return _Unknown()


class _GaveUp(Exception):
    pass


class _Search:
    """One search; it counts what it compares."""

    def __init__(self, columns: Columns, several: bool) -> None:
        self._columns = columns
        self._several = several
        self._left = MOST

    def solve(self, nodes: Sequence[_Node], held: _Held) -> Clash | None:
        """Return why the nodes cannot all hold beside what holds already; None if they may."""
        known = dict(held)
        choices: list[_Any] = []
        if (wrong := self._take(nodes, known, choices)) is not None:
            return wrong
        while True:
            settled: list[_Node] = []
            open_: list[_Any] = []
            for choice in choices:
                alive, wrong = self._alive(choice, known)
                if not alive:
                    # A choice of nothing is a selection that nothing is left of; that is not ours to say.
                    if wrong is None:
                        continue
                    return wrong
                if len(alive) == 1:
                    settled.append(alive[0])
                else:
                    open_.append(_Any(tuple(alive)))
            choices = open_
            if not settled:
                break
            if (wrong := self._take(settled, known, choices)) is not None:
                return wrong
        return self._split(_dependent(choices), known)

    def branches(self, node: _Node, held: _Held, found: list[Clash]) -> None:
        """Collect the alternatives that cannot hold beside what holds around them."""
        known = dict(held)
        choices: list[_Any] = []
        if self._take([node], known, choices) is not None:
            return
        for choice in choices:
            if not choice.written:
                continue
            for part in choice.parts:
                wrong = self.solve([part], known)
                if wrong is not None:
                    found.append(wrong)
                else:
                    self.branches(part, known, found)

    def _take(
        self, nodes: Sequence[_Node], known: dict[str, tuple[Literal, ...]], choices: list[_Any]
    ) -> Clash | None:
        """Add what must hold to what is known, and collect the choices."""
        stack = list(reversed(nodes))
        while stack:
            node = stack.pop()
            if isinstance(node, Literal):
                if (other := self._against(node, known)) is not None:
                    return Clash(other, node)
                known[node.field] = (*known.get(node.field, ()), node)
            elif isinstance(node, _All):
                stack.extend(reversed(node.parts))
            elif isinstance(node, _Any):
                choices.append(node)
        return None

    def _alive(self, choice: _Any, known: _Held) -> tuple[list[_Node], Clash | None]:
        """Return the alternatives that can hold, and why the first of the others cannot."""
        alive: list[_Node] = []
        why: Clash | None = None
        for part in choice.parts:
            wrong = self.solve([part], known)
            if wrong is None:
                alive.append(part)
            else:
                why = why or wrong
        return alive, why

    def _split(self, choices: list[_Any], known: _Held) -> Clash | None:
        """Try each alternative of the smallest choice beside the other choices."""
        if len(choices) < 2:
            return None
        first = min(choices, key=lambda choice: len(choice.parts))
        rest = [choice for choice in choices if choice is not first]
        why: Clash | None = None
        for part in first.parts:
            wrong = self.solve([part, *rest], known)
            if wrong is None:
                return None
            why = why or wrong
        return why

    def _against(self, literal: Literal, known: _Held) -> Literal | None:
        """Return what is known and cannot hold beside a comparison."""
        return next((one for one in known.get(literal.field, ()) if self._apart(one, literal)), None)

    def _apart(self, one: Literal, other: Literal) -> bool:
        if not (one.holds or other.holds):
            return False
        self._left -= 1
        if self._left < 0:
            raise _GaveUp
        column = self._columns.get(one.field)
        kind = Kind.of(column.type) if column is not None else Kind.ANY
        if one.holds and other.holds:
            return disjoint(one.value, other.value, kind, several=self._multi(column), null=_null(column))
        positive, negative = (one, other) if one.holds else (other, one)
        return within(positive.value, negative.value, kind)

    def _multi(self, column: Column | None) -> bool:
        return self._several or (column is not None and column.multi)


def _null(column: Column | None) -> str | None:
    return column.null if column is not None else None


def _dependent(choices: Sequence[_Any]) -> list[_Any]:
    """Return the choices whose outcome another choice can spoil.

    A choice with a negated alternative is always met if no other choice asks for a value of that field;
    one with a positive alternative, if no other choice looks at the field.
    """
    left = list(choices)
    while True:
        used = [_uses(choice) for choice in left]
        kept = [
            choice
            for number, choice in enumerate(left)
            if not any(
                _is_free(part, [use for place, use in enumerate(used) if place != number])
                for part in choice.parts
            )
        ]
        if len(kept) == len(left):
            return kept
        left = kept


def _is_free(part: _Node, others: Collection[Mapping[str, bool]]) -> bool:
    if isinstance(part, _Unknown):
        return True
    if not isinstance(part, Literal):
        return False
    if part.holds:
        return not any(part.field in use for use in others)
    return not any(use.get(part.field) for use in others)


def _uses(node: _Node) -> dict[str, bool]:
    """Return the fields of a node, each with whether a value of it is asked for."""
    found: dict[str, bool] = {}
    for one in _literals(node):
        found[one.field] = found.get(one.field, False) or one.holds
    return found


def _literals(node: _Node) -> Iterator[Literal]:
    stack: list[_Node] = [node]
    while stack:
        one = stack.pop()
        if isinstance(one, Literal):
            yield one
        elif isinstance(one, _All | _Any):
            stack.extend(one.parts)
