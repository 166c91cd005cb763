"""Conditions of a rule as KQL expressions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from converter.backends.kql.comparisons import Leaves
from converter.backends.kql.expression import Expr, all_of, any_of, call, negation
from converter.backends.kql.keywords import anywhere, keyword_fields
from converter.backends.kql.literals import has_case
from converter.backends.kql.string_comparisons import one_of, part
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import (
    Alternatives,
    And,
    Comparison,
    Condition,
    Keyword,
    Not,
    Or,
    Value,
    leaves,
    values_of,
)
from converter.plan.values import FieldOf, Network, Text


class Conditions:
    """Renders conditions over the columns of one cell; every result is an `Expr`."""

    def __init__(self, columns: Columns, *, alternation: bool = False) -> None:
        self._alternation = alternation
        self._columns = columns
        self._leaves = Leaves(columns)
        self._nots = 0

    def expression(self, condition: Condition) -> Expr:
        """Return the condition.

        Raises:
            Refusal: for what Kusto or its columns cannot say.
        """
        match condition:
            case And(items):
                return all_of(map(self.expression, items))
            case Or():
                return self._any_of(condition)
            case Not(item):
                return self._negated(item)
            case Comparison(field, Alternatives()):
                return self._any_of(Or(_split(condition)))
            case Comparison(field, value):
                return self._leaves.compare(field, value, False, self._nots > 0)
            case Keyword(value):
                return self._anywhere(value)

    def _any_of(self, condition: Or) -> Expr:
        """Join by `or`, with plain values of one field as one list where the first of them stands."""
        lists: dict[tuple[str, str], list[Any]] = {}
        for place, node in enumerate(_alternatives(condition)):
            key = self._list_key(node) or self._part_key(node)
            lists.setdefault(key or ("", str(place)), []).append(node)
        return any_of(self._alternative(nodes) for nodes in lists.values())

    def _negated(self, item: Condition) -> Expr:
        """Negate: a single comparison by its own operator, anything else by `not(...)`."""
        node = _unwrapped(item)
        if isinstance(node, Not):
            return self.expression(node.item)
        if isinstance(node, Comparison) and not isinstance(node.value, Alternatives):
            return self._leaves.compare(node.field, node.value, True, False)
        if isinstance(node, Or) and (listed := self._one_list(node)) is not None:
            head, items = listed
            return call(head.replace(" in", " !in"), items)
        self._nots += 1
        inner = self.expression(node)
        self._nots -= 1
        return negation(inner)

    def _anywhere(self, value: Value) -> Expr:
        """Look for a keyword in every declared string column that can hold it."""
        fields = keyword_fields(self._columns, value)
        if not fields:
            raise Refusal("SC201", "KQL needs columns to search for a keyword, and none is known")
        sought = anywhere(value)
        return any_of(self._leaves.compare(field, sought, False, self._nots > 0) for field in fields)

    def _list_key(self, node: Condition) -> tuple[str, str] | None:
        if not isinstance(node, Comparison):
            return None
        if isinstance(node.value, Network):
            return node.field, f"ipv{node.value.network.version}"
        listed = self._leaves.listable(node.field, node.value)
        return (node.field, listed[0]) if listed else None

    def _part_key(self, node: Condition) -> tuple[str, str] | None:
        """Return what alternatives have in common that one regular expression says together."""
        if not self._alternation or not isinstance(node, Comparison) or not isinstance(node.value, Text):
            return None
        found = part(node.value)
        if found is None:
            return None
        return node.field, f"{'end' if found[1] else 'part'} {node.value.cased}"

    def _alternative(self, nodes: list[Any]) -> Expr:
        first = nodes[0]
        if len(nodes) == 1:
            return self.expression(first)
        if isinstance(first.value, Network):
            networks = list({str(node.value.network): node.value for node in nodes}.values())
            return self._leaves.ranges(first.field, networks, False, self._nots > 0)
        if self._part_key(first):
            column = self._leaves.as_text(first.field)
            parts = dict.fromkeys(found for node in nodes if (found := part(node.value)))
            return one_of(column, [text for text, _ in parts], next(iter(parts))[1], first.value.cased)
        head, items = self._list(nodes)
        return call(head, items) if len(items) > 1 else self.expression(first)

    def _list(self, nodes: list[Any]) -> tuple[str, list[str]]:
        field = nodes[0].field
        listed = [pair for node in nodes if (pair := self._leaves.listable(field, node.value)) is not None]
        literals = list(dict.fromkeys(literal for _, literal in listed))
        operator = listed[0][0]
        if operator == "in~" and not any(map(has_case, literals)):
            operator = "in"
        return f"{self._leaves.field(field)} {operator} ", literals

    def _one_list(self, condition: Or) -> tuple[str, list[str]] | None:
        """Return head and items if all alternatives are one list."""
        nodes = list(_alternatives(condition))
        keys = {self._list_key(node) for node in nodes}
        if len(keys) != 1 or None in keys:
            return None
        first = nodes[0]
        if isinstance(first, Comparison) and isinstance(first.value, Network):
            return None
        head, items = self._list(nodes)
        return (head, items) if len(items) > 1 else None


def conjuncts(condition: Condition) -> list[Condition]:
    """Return conditions that hold together if and only if one holds; ``not (a or b)`` gives two."""
    node = _unwrapped(condition)
    if isinstance(node, And):
        return [part for item in node.items for part in conjuncts(item)]
    if isinstance(node, Not):
        inner = _unwrapped(node.item)
        if isinstance(inner, Not):
            return conjuncts(inner.item)
        if isinstance(inner, Or) and not all(isinstance(item, Comparison) for item in inner.items):
            return [part for item in inner.items for part in conjuncts(Not(item))]
    return [node]


def used_fields(condition: Condition) -> tuple[list[str], list[Value]]:
    """Return the fields of a condition in order, and its keywords, which read columns of their own choice."""
    fields: dict[str, None] = {}
    keywords: list[Value] = []
    for leaf in leaves(condition):
        if isinstance(leaf, Keyword):
            keywords.append(leaf.value)
            continue
        fields[leaf.field] = None
        if isinstance(leaf.value, FieldOf):
            fields[leaf.value.field] = None
    return list(fields), keywords


def _unwrapped(node: Condition) -> Condition:
    """Return the only item of an `and` or `or` that has one."""
    while isinstance(node, And | Or) and len(node.items) == 1:
        node = node.items[0]
    return node


def _split(comparison: Comparison) -> tuple[Comparison, ...]:
    """Return a comparison with each of its values."""
    return tuple(Comparison(comparison.field, value, comparison.origin) for value in values_of(comparison))


def _alternatives(condition: Or) -> Iterable[Condition]:
    for item in condition.items:
        inner = _unwrapped(item)
        if isinstance(inner, Comparison) and isinstance(inner.value, Alternatives):
            inner = Or(_split(inner))
        if isinstance(inner, Or):
            yield from _alternatives(inner)
        else:
            yield inner
