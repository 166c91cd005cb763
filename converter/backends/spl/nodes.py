"""A condition as a small tree: what `search` can say of each leaf, and how an expression says it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Leaf:
    """One comparison."""

    where: str
    """An expression that is TRUE where the comparison holds (false or null elsewhere)."""
    where_not: str
    """An expression that is TRUE where it does not hold, also for events without the field."""
    search: str | None = None
    """The same in `search`, where that is exact."""
    search_not: str | None = None
    """Its negation in `search`, if that is not `NOT` before it."""
    field: str | None = None
    """The field as `search` writes it, where ``value`` is set."""
    value: str | None = None
    """The value as it may be in `field IN (...)`."""
    weaker: Node | None = None
    """What `search` can say that this comparison implies."""
    regex: tuple[str, str] | None = None
    """Field and quoted pattern where the comparison is one regular expression."""
    subject: str | None = None
    """The field as expressions write it, where ``alternative`` or ``text`` is set."""
    alternative: str | None = None
    """A pattern for ``match(subject, "(?flags)pattern")``, not yet quoted."""
    flags: str = ""
    text: str | None = None
    """A text that `lower(subject)` (or the subject, if ``flags`` is not i) must equal."""
    atomic: bool = True
    """``where`` needs no parentheses beside AND; likewise ``where_not``."""
    atomic_not: bool = False


@dataclass(frozen=True, slots=True)
class Junction:
    """AND or OR of nodes."""

    op: str
    """``and`` or ``or``."""
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """NOT of a node."""

    item: Node


Node = Leaf | Junction | Not


def join(op: str, items: Sequence[Node]) -> Node:
    """Return the AND or OR of nodes, flat; doubles are left out."""
    flat: list[Node] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Junction) and item.op == op else (item,))
    unique = tuple(dict.fromkeys(flat))
    return unique[0] if len(unique) == 1 else Junction(op, unique)


def negate(item: Node) -> Node:
    """Return the NOT of a node; two of them cancel."""
    return item.item if isinstance(item, Not) else Not(item)
