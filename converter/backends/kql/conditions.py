"""Conditions of a rule as KQL expressions: pySigma's Kusto backend with its expressions put right."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sigma.backends.kusto.kusto import KustoBackend
from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionItem,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.conversion.state import ConversionState
from sigma.types import SigmaCasedString, SigmaCIDRExpression, SigmaExpansion, SigmaString

from converter.backends.dispatch import ByType
from converter.backends.kql.comparisons import Leaves
from converter.backends.kql.expression import Expr, all_of, any_of, call, negation
from converter.backends.kql.keywords import anywhere, keyword_fields
from converter.backends.kql.literals import has_case
from converter.backends.kql.string_comparisons import one_of, part
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.model import OPERATORS, Tree

Leaf = ConditionFieldEqualsValueExpression


class Conditions(ByType, KustoBackend):
    """Converts condition trees. pySigma's dispatch by node is used; what it emitted is not.

    Every result is an `Expr`.
    """

    def __init__(self, columns: Columns, *, alternation: bool = False) -> None:
        super().__init__()
        self._alternation = alternation
        self._columns = columns
        self._leaves = Leaves(columns)
        self._nots = 0

    def expression(self, tree: Tree) -> Expr:
        """Return the condition.

        Raises:
            Refusal: for what Kusto or its columns cannot say.
        """
        converted = self.convert_condition(tree, ConversionState())
        if not isinstance(converted, Expr):
            raise Refusal("SC209", "nothing is left of the condition")
        return converted

    def decide_convert_condition_as_in_expression(self, cond: Any, state: ConversionState) -> bool:
        """Never: lists are made in `convert_condition_or`."""
        return False

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> Expr:
        """Join by `and`."""
        return all_of(self._convert(arg, state) for arg in _args(cond))

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> Expr:
        """Join by `or`, with plain values of one field as one list where the first of them stands."""
        lists: dict[tuple[str, str], list[Any]] = {}
        for arg in _alternatives(cond):
            key = self._list_key(arg) or self._part_key(arg)
            lists.setdefault(key or ("", str(id(arg))), []).append(arg)
        return any_of(self._alternative(args, state) for args in lists.values())

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> Expr:
        """Negate: a single comparison by its own operator, anything else by `not(...)`."""
        arg = _unwrapped(cond.args[0])
        if isinstance(arg, ConditionNOT):
            return self._convert(arg.args[0], state)
        if isinstance(arg, Leaf) and not isinstance(arg.value, SigmaExpansion):
            return self._leaves.compare(arg.field, arg.value, True, False)
        if isinstance(arg, ConditionOR) and (listed := self._one_list(arg)) is not None:
            head, items = listed
            return call(head.replace(" in", " !in"), items)
        self._nots += 1
        inner = self._convert(arg, state)
        self._nots -= 1
        return negation(inner)

    def convert_condition_field_eq_val(self, cond: Leaf, state: ConversionState) -> Expr:
        """Compare a field with a value."""
        if isinstance(cond.value, SigmaExpansion):
            leaves = [Leaf(cond.field, value) for value in cond.value.values]
            return self.convert_condition_or(ConditionOR(list(leaves)), state)
        return self._leaves.compare(cond.field, cond.value, False, self._nots > 0)

    def convert_condition_val(self, cond: ConditionValueExpression, state: ConversionState) -> Expr:
        """Look for a keyword in every declared string column that can hold it."""
        fields = keyword_fields(self._columns, cond.value)
        if not fields:
            raise Refusal("SC201", "KQL needs columns to search for a keyword, and none is known")
        value = anywhere(cond.value)
        return any_of(self._leaves.compare(field, value, False, self._nots > 0) for field in fields)

    def _convert(self, node: Any, state: ConversionState) -> Expr:
        converted = self.convert_condition(node, state)
        assert isinstance(converted, Expr)
        return converted

    def _list_key(self, arg: Any) -> tuple[str, str] | None:
        if not isinstance(arg, Leaf):
            return None
        if isinstance(arg.value, SigmaCIDRExpression):
            return arg.field, f"ipv{arg.value.network.version}"
        listed = self._leaves.listable(arg.field, arg.value)
        return (arg.field, listed[0]) if listed else None

    def _part_key(self, arg: Any) -> tuple[str, str] | None:
        """Return what alternatives have in common that one regular expression says together."""
        if not self._alternation or not isinstance(arg, Leaf) or not isinstance(arg.value, SigmaString):
            return None
        found = part(arg.value)
        if found is None:
            return None
        return arg.field, f"{'end' if found[1] else 'part'} {isinstance(arg.value, SigmaCasedString)}"

    def _alternative(self, args: list[Any], state: ConversionState) -> Expr:
        if len(args) == 1:
            return self._convert(args[0], state)
        if isinstance(args[0].value, SigmaCIDRExpression):
            networks = list({str(arg.value.network): arg.value for arg in args}.values())
            return self._leaves.ranges(args[0].field, networks, False, self._nots > 0)
        if self._part_key(args[0]):
            column, cased = self._leaves.as_text(args[0].field), isinstance(args[0].value, SigmaCasedString)
            parts = dict.fromkeys(found for arg in args if (found := part(arg.value)))
            return one_of(column, [text for text, _ in parts], next(iter(parts))[1], cased)
        head, items = self._list(args)
        return call(head, items) if len(items) > 1 else self._convert(args[0], state)

    def _list(self, args: list[Any]) -> tuple[str, list[str]]:
        field = args[0].field
        listed = [pair for arg in args if (pair := self._leaves.listable(field, arg.value)) is not None]
        literals = list(dict.fromkeys(literal for _, literal in listed))
        operator = listed[0][0]
        if operator == "in~" and not any(map(has_case, literals)):
            operator = "in"
        return f"{self._leaves.field(field)} {operator} ", literals

    def _one_list(self, cond: ConditionOR) -> tuple[str, list[str]] | None:
        """Return head and items if all alternatives are one list."""
        args = list(_alternatives(cond))
        keys = {self._list_key(arg) for arg in args}
        if len(keys) != 1 or None in keys or isinstance(args[0].value, SigmaCIDRExpression):
            return None
        head, items = self._list(args)
        return (head, items) if len(items) > 1 else None


def conjuncts(tree: Tree) -> list[Tree]:
    """Return conditions that hold together if and only if the tree holds; ``not (a or b)`` gives two."""
    node = _unwrapped(tree)
    if isinstance(node, ConditionAND):
        return [part for arg in _args(node) for part in conjuncts(arg)]
    if isinstance(node, ConditionNOT):
        inner = _unwrapped(node.args[0])
        if isinstance(inner, ConditionNOT):
            return conjuncts(inner.args[0])  # type: ignore[arg-type]
        if isinstance(inner, ConditionOR) and not all(isinstance(arg, Leaf) for arg in _args(inner)):
            return [part for arg in _args(inner) for part in conjuncts(ConditionNOT([arg]))]
    return [node]


def used_fields(tree: Tree) -> tuple[list[str], list[Any]]:
    """Return the fields of a condition in order, and its keywords, which read columns of their own choice."""
    fields: dict[str, None] = {}
    keywords: list[Any] = []
    stack: list[Any] = [tree]
    while stack:
        node = stack.pop()
        if type(node) in OPERATORS:
            stack.extend(reversed(_args(node)))
        elif isinstance(node, Leaf):
            fields[node.field] = None
            reference = getattr(node.value, "field", None)
            if isinstance(reference, str):
                fields[reference] = None
        elif isinstance(node, ConditionValueExpression):
            keywords.append(node.value)
    return list(fields), keywords


def _args(node: ConditionItem) -> list[Any]:
    return [arg for arg in node.args if arg is not None]


def _unwrapped(node: Any) -> Any:
    """Return the only argument of an `and` or `or` that has one."""
    while isinstance(node, ConditionAND | ConditionOR) and len(_args(node)) == 1:
        node = _args(node)[0]
    return node


def _alternatives(cond: ConditionOR) -> Iterable[Any]:
    for arg in _args(cond):
        inner = _unwrapped(arg)
        if isinstance(inner, Leaf) and isinstance(inner.value, SigmaExpansion):
            inner = ConditionOR([Leaf(inner.field, value) for value in inner.value.values])
        if isinstance(inner, ConditionOR):
            yield from _alternatives(inner)
        else:
            yield inner
