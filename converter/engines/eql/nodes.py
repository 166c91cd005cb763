"""The tree of an EQL query. Unlike that of the package `eql` it keeps `~`, `?` and quoting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A string, number, boolean or null."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Field:
    """A field by its full dotted name."""

    name: str
    optional: bool = False
    """Written with ``?``: null where no index maps it, instead of an error."""


@dataclass(frozen=True, slots=True)
class Call:
    """A function call; ``insensitive`` is the ``~`` after its name."""

    name: str
    args: tuple[Node, ...]
    insensitive: bool = False


@dataclass(frozen=True, slots=True)
class Compare:
    """``==``, ``!=``, ``<``, ``<=``, ``>`` or ``>=``."""

    op: str
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class InList:
    """``in`` or ``in~`` (``not in`` is a `Not` around it)."""

    left: Node
    values: tuple[Node, ...]
    insensitive: bool


@dataclass(frozen=True, slots=True)
class Predicate:
    """``:``, ``like``, ``like~``, ``regex`` or ``regex~``, with one pattern or several."""

    kind: str
    """``like`` (which ``:`` is) or ``regex``."""
    left: Node
    patterns: tuple[str, ...]
    insensitive: bool


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


Node = Literal | Field | Call | Compare | InList | Predicate | And | Or | Not


@dataclass(frozen=True, slots=True)
class EventQuery:
    """``category where condition``."""

    category: str
    condition: Node


@dataclass(frozen=True, slots=True)
class Item:
    """One item of a sequence."""

    query: EventQuery
    by: tuple[Node, ...]
    """The shared join keys, then the item's own."""
    runs: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """``sequence by ... with maxspan=...``."""

    items: tuple[Item, ...]
    maxspan_ms: int | None = None
    until: Item | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query: its base and its pipes (``head`` and ``tail`` only)."""

    base: EventQuery | Sequence
    pipes: tuple[tuple[str, int], ...] = ()


def fields(query: Query) -> Iterator[Field]:
    """Yield every field that the query names, join keys included."""
    if isinstance(query.base, EventQuery):
        stack: list[Node] = [query.base.condition]
    else:
        items = query.base.items + ((query.base.until,) if query.base.until else ())
        stack = [node for item in items for node in (item.query.condition, *item.by)]
    while stack:
        node = stack.pop()
        match node:
            case Field():
                yield node
            case And(args) | Or(args) | Call(_, args):
                stack.extend(args)
            case Not(arg):
                stack.append(arg)
            case Compare(_, left, right):
                stack.extend((left, right))
            case InList(left) | Predicate(_, left):
                stack.append(left)
