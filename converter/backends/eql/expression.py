"""Conditions of EQL as a small tree: joined into lists, and laid out as Elastic writes its own rules."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from converter.backends.common import factored as common
from converter.backends.eql import text

WIDTH = 100
"""Longer conditions are broken into lines."""
STEP = "  "
SHORT = 48
"""Lists of values up to this long fill their lines."""
_NAMED = re.compile(r"\?(?:`[^`]*`|[\w@.])+")


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition that stands as it is."""

    text: str
    negated: str | None = None
    """Its opposite where EQL has a word for it, else None."""


@dataclass(frozen=True, slots=True)
class Values:
    """One field compared with one value or with any of several; an OR joins those of one operator."""

    field: str
    """As EQL writes it."""
    operator: str
    """``:``, ``like``, ``regex``, ``regex~``, ``==`` or ``cidrMatch``."""
    values: tuple[str, ...]
    """Literals as EQL writes them; for ``cidrMatch`` networks without quotes."""
    exact: bool = False
    """For ``:``: no value has a wildcard or a letter, so that ``==`` and ``in`` say the same."""
    listed: bool = False
    """For regexes: they may share a list, as one automaton of them stays small."""


@dataclass(frozen=True, slots=True)
class And:
    """All of."""

    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """Any of."""

    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not."""

    arg: Node


Node = Leaf | Values | And | Or | Not


def both(args: Iterable[Node]) -> Node:
    """Return the conjunction, flat and without repetition.

    What is none of two lists of a field is none of one list of both; a list is needless beside a shorter one
    whose values it has.
    """
    flat = _join(And, args)
    if not isinstance(flat, And):
        return flat
    barred: dict[object, list[Node]] = {}
    lists = [arg for arg in flat.args if isinstance(arg, Values)]
    kept: list[Node] = []
    for arg in flat.args:
        if isinstance(arg, Not) and isinstance(arg.arg, Values) and _may_share_a_list(arg.arg):
            key = (arg.arg.field, arg.arg.operator)
            if key not in barred:
                kept.append(arg)
            barred.setdefault(key, []).append(arg.arg)
        elif not any(_implies(other, arg) for other in lists):
            kept.append(arg)
    return _join(And, [_barred(arg, barred) for arg in kept])


def _conjuncts(arg: Node) -> tuple[Node, ...]:
    return arg.args if isinstance(arg, And) else (arg,)


def _barred(arg: Node, lists: Mapping[object, list[Node]]) -> Node:
    if isinstance(arg, Not) and isinstance(arg.arg, Values):
        found = lists.get((arg.arg.field, arg.arg.operator)) if _may_share_a_list(arg.arg) else None
        return Not(_merged(found)) if found else arg
    return arg


def _implies(one: Values, other: Node) -> bool:
    """Tell whether a list implies another, longer one."""
    return (
        isinstance(other, Values)
        and (one.field, one.operator) == (other.field, other.operator)
        and set(one.values) < set(other.values)
    )


def _may_share_a_list(arg: Values) -> bool:
    # Elasticsearch makes one automaton of a list of regexes, which then grows past its limit where
    # each by itself does not.
    return arg.listed or not arg.operator.startswith("regex")


def either(args: Iterable[Node]) -> Node:
    """Return the disjunction, flat, the values of one field and operator in one list.

    What alternatives have in common comes before them, once.
    """
    flat = _join(Or, args)
    if not isinstance(flat, Or):
        return flat
    if isinstance(shared := _join(Or, common.factored(flat.args, _conjuncts, both, either)), And):
        return shared
    flat = shared if isinstance(shared, Or) else flat
    groups: dict[object, list[Node]] = {}
    for arg in flat.args:
        listed = isinstance(arg, Values) and _may_share_a_list(arg)
        key: object = (arg.field, arg.operator) if listed and isinstance(arg, Values) else arg
        groups.setdefault(key, []).append(arg)
    return _join(Or, [_merged(group) for group in groups.values()])


def negation(arg: Node) -> Node:
    """Return the opposite; none of several is the same as not one and not the next."""
    if isinstance(arg, Not):
        return arg.arg
    if isinstance(arg, Or):
        return both([negation(one) for one in arg.args])
    if isinstance(arg, Leaf) and arg.negated:
        return Leaf(arg.negated, arg.text)
    return Not(arg)


def guarded(node: Node, held: frozenset[str] = frozenset()) -> Node:
    """Return the condition so that its negations hold too where no index maps an optional field.

    Elasticsearch then takes ``?field`` for null, and neither ``null : "x"`` nor its opposite is true; only
    ``null == null`` is.

    Args:
        node: a condition.
        held: optional fields that must have a value for the condition to matter.
    """
    match node:
        case And(args):
            held = held.union(*map(_optional, args))
            return both([guarded(arg, held) for arg in args])
        case Or(args):
            return either([guarded(arg, held) for arg in args])
        case Not(And(args) as inner) if _optionals(inner) - held:
            return either([guarded(negation(arg), held) for arg in args])
        case Not(Values() | Leaf() as inner):
            missing = [Leaf(f"{name} == null", f"{name} != null") for name in sorted(_optional(inner) - held)]
            return either([*missing, node]) if missing else node
    return node


def _optional(node: Node) -> frozenset[str]:
    """Return the optional field, as EQL writes it, of which a leaf demands a value."""
    if isinstance(node, Leaf) and not node.text.endswith(" == null"):
        return frozenset(_NAMED.findall(node.text.partition(" ")[0]))
    return frozenset(_NAMED.findall(node.field)) if isinstance(node, Values) else frozenset()


def _optionals(node: Node) -> frozenset[str]:
    if isinstance(node, And | Or):
        return frozenset().union(*map(_optionals, node.args))
    return _optionals(node.arg) if isinstance(node, Not) else _optional(node)


def _join(kind: type[And] | type[Or], args: Iterable[Node]) -> Node:
    flat: dict[Node, None] = {}
    for arg in args:
        flat.update(dict.fromkeys(arg.args if isinstance(arg, kind) else (arg,)))
    found = tuple(flat)
    return found[0] if len(found) == 1 else kind(found)


def _merged(group: list[Node]) -> Node:
    first = group[0]
    if len(group) == 1 or not isinstance(first, Values):
        return first
    same = [node for node in group if isinstance(node, Values)]
    values = tuple(dict.fromkeys(value for node in same for value in node.values))
    return Values(first.field, first.operator, values, all(node.exact for node in same), first.listed)


@dataclass(slots=True)
class _Lines:
    """Text under construction."""

    lines: list[str] = field(default_factory=lambda: [""])

    def add(self, words: str) -> None:
        self.lines[-1] += words

    def begin(self, indent: str) -> None:
        self.lines.append(indent)


def query(category: str, condition: Node, indent: str = "") -> str:
    """Return ``category where condition``, on one line if it fits, else one condition a line.

    Args:
        category: an event category, or ``any``.
        condition: the condition.
        indent: of the lines after the first.
    """
    inline = f"{category} where {_inline(condition)}"
    if len(indent) + len(inline) <= WIDTH:
        return inline
    out = _Lines()
    out.add(f"{category} where")
    out.begin(indent + STEP)
    _layout(condition, indent + STEP, out)
    return "\n".join(out.lines)


def _layout(node: Node, indent: str, out: _Lines) -> None:
    inline = _inline(node)
    if isinstance(node, Leaf) or (len(indent) + len(inline) <= WIDTH - 4 and not isinstance(node, And | Or)):
        out.add(inline)
    elif isinstance(node, Values):
        _layout_values(node, indent, out)
    elif isinstance(node, Not):
        out.add("not ")
        _layout_operand(node.arg, indent, out)
    else:
        word = "and" if isinstance(node, And) else "or"
        for number, arg in enumerate(node.args):
            if number:
                out.add(f" {word}")
                out.begin(indent)
            if not isinstance(arg, And | Or):
                _layout(arg, indent, out)
            elif isinstance(arg, And) and len(indent + _inline(arg)) <= WIDTH - 4:
                out.add(_inline(arg))
            else:
                # Over several lines `and` inside `or` is hard to see without parentheses.
                _layout_operand(arg, indent, out)


def _layout_operand(node: Node, indent: str, out: _Lines) -> None:
    """Lay out what needs parentheses if it is an AND or OR."""
    if not isinstance(node, And | Or):
        _layout(node, indent, out)
        return
    inline = f"({_inline(node)})"
    if len(indent) + len(inline) <= WIDTH - 4:
        out.add(inline)
        return
    out.add("(")
    out.begin(indent + STEP)
    _layout(node, indent + STEP, out)
    out.begin(indent + ")")


def _layout_values(node: Values, indent: str, out: _Lines) -> None:
    head, items, tail = _pieces(node)
    if len(items) == 1:
        out.add(f"{head}{items[0]}{tail}")
        return
    out.add(head.rstrip())
    # Short values fill lines; paths and the like stand one a line.
    fill = max(map(len, items)) <= SHORT
    for number, item in enumerate(items):
        if not number or not fill or len(out.lines[-1]) + len(item) + 2 > WIDTH:
            out.begin(indent + STEP)
        else:
            out.add(" ")
        out.add(item if number == len(items) - 1 else f"{item},")
    out.begin(indent + tail)


def _inline(node: Node) -> str:
    match node:
        case Leaf(words):
            return words
        case Values():
            head, items, tail = _pieces(node)
            return head + ", ".join(items) + tail
        case Not(Values() as values) if len(values.values) == 1 and (
            values.operator == "==" or _equality(values)
        ):
            return f"{values.field} != {values.values[0]}"
        case Not(arg):
            return f"not {_operand(arg)}"
        case And(args):
            return " and ".join(_operand(arg) if isinstance(arg, Or) else _inline(arg) for arg in args)
        case Or(args):
            return " or ".join(_inline(arg) for arg in args)


def _operand(node: Node) -> str:
    return f"({_inline(node)})" if isinstance(node, And | Or) else _inline(node)


def _equality(node: Values) -> bool:
    return node.operator == ":" and node.exact


def _pieces(node: Values) -> tuple[str, list[str], str]:
    """Return what comes before the values, the values, and what is behind them."""
    name, values = node.field, list(node.values)
    if node.operator == "cidrMatch":
        if len(values) == 1 and values[0].endswith(("/32", "/128")) and _host(values[0]):
            # `in` does not take an ip field and strings, but == does.
            return f"{name} == ", [text.string(values[0].partition("/")[0])], ""
        return f"cidrMatch({name}, ", [text.string(value) for value in values], ")"
    many = len(values) > 1
    if node.operator == "==" or _equality(node):
        return (f"{name} in (", values, ")") if many else (f"{name} == ", values, "")
    return (f"{name} {node.operator} (", values, ")") if many else (f"{name} {node.operator} ", values, "")


def _host(network: str) -> bool:
    address, _, length = network.partition("/")
    return length == ("128" if ":" in address else "32")
