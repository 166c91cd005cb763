"""The condition of a rule as a tree of our own: backends, proofs and exports do not know pySigma."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from converter.plan.values import (
    Exists,
    FieldOf,
    Flag,
    Foreign,
    Network,
    Null,
    Number,
    Ordered,
    Regex,
    Text,
    TimePart,
)
from converter.plan.volume_paths import VolumePath


@dataclass(frozen=True, slots=True)
class Alternatives:
    """Several values that a modifier made of one: any of them will do, even where a list wants all."""

    values: tuple[Value, ...]


Value = (
    Text
    | Number
    | Flag
    | Null
    | Exists
    | Regex
    | VolumePath
    | Network
    | Ordered
    | TimePart
    | FieldOf
    | Alternatives
    | Foreign
)


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field compared with one value of the rule; in a list each value is a comparison of its own."""

    field: str
    value: Value
    origin: int = dataclasses.field(default=-1, compare=False)
    """Number of the rule's own value that it comes from, for fidelity; negative where nobody asks."""


@dataclass(frozen=True, slots=True)
class Keyword:
    """A value that may be anywhere in an event."""

    value: Value
    origin: int = dataclasses.field(default=-1, compare=False)
    """As in `Comparison`."""


@dataclass(frozen=True, slots=True)
class And:
    """All of the conditions."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """At least one of the conditions."""

    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """That a condition does not hold."""

    item: Condition


Condition = And | Or | Not | Comparison | Keyword


def children(node: Condition) -> tuple[Condition, ...]:
    """Return the conditions that a condition is made of; none for a comparison."""
    match node:
        case And(items) | Or(items):
            return items
        case Not(item):
            return (item,)
    return ()


def leaves(node: Condition) -> Iterator[Comparison | Keyword]:
    """Yield the comparisons and keywords of a condition, left to right."""
    stack = [node]
    while stack:
        inner = stack.pop()
        if isinstance(inner, Comparison | Keyword):
            yield inner
        else:
            stack.extend(reversed(children(inner)))


def comparisons(node: Condition) -> Iterator[Comparison]:
    """Yield the comparisons of a condition with fields, left to right."""
    return (leaf for leaf in leaves(node) if isinstance(leaf, Comparison))


def values_of(leaf: Comparison | Keyword) -> tuple[Value, ...]:
    """Return the values any of which satisfies a comparison."""
    return leaf.value.values if isinstance(leaf.value, Alternatives) else (leaf.value,)


def value_text(value: Value) -> str:
    """Return a value as a reader of Sigma knows it: wildcards as ``*`` and ``?``, others by name."""
    match value:
        case Text():
            return f"{value} (as written)" if value.cased else str(value)
        case Flag():
            return value.word
        case Number(number) | TimePart(_, number):
            return str(number)
        case Ordered():
            return f"{_WORDS[value.operator]} {value_text(value.number)}"
        case VolumePath():
            return value.shown
        case Regex():
            return f"regex {value.pattern}"
        case Network():
            return f"network {value.written}"
        case FieldOf():
            return f"the value of {value.field}"
        case Exists():
            return "is there" if value.exists else "is not there"
        case Null():
            return "null"
        case Alternatives(values):
            return " or ".join(map(value_text, values))
        case Foreign():
            return value.text


_WORDS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte", "!=": "neq"}
