"""The tree between a rule's condition and the text of a query: one for query_string and for the DSL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from converter.backends.common import factored as common
from converter.plan.values import Wildcard

Part = str | Wildcard
"""Literal text or a wildcard."""
_LETTER = re.compile(r"[A-Za-z]")
IGNORED = "_ignored"
"""Elasticsearch's own field: the names of the fields of which a document has values that are not indexed."""
ANY, ONE = Wildcard.ANY, Wildcard.ONE


@dataclass(frozen=True, slots=True)
class Text:
    """A field's whole text, with wildcards. A field of None is any field."""

    field: str | None
    parts: tuple[Part, ...]
    folds: bool
    """The case of ASCII letters is ignored."""

    @property
    def plain(self) -> str | None:
        """The text, if there are no wildcards."""
        if all(isinstance(part, str) for part in self.parts):
            return "".join(str(part) for part in self.parts)
        return None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words of an analysed field that follow each other, each as the analyser leaves it."""

    field: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Regex:
    """A regex in Lucene's flavour over the whole value."""

    field: str | None
    pattern: str
    """Ignores case by letter classes, if at all."""
    flagged: str | None = None
    """The same for a query with ``case_insensitive``."""


@dataclass(frozen=True, slots=True)
class Value:
    """A number, boolean, date, address or network on a field of that type."""

    field: str | None
    text: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A numeric comparison: ``op`` is >, >=, < or <=."""

    field: str
    op: str
    number: str


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class And:
    """All of them; two or more."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Or:
    """One of them; two or more."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """Not the item, which is not a Not."""

    item: Node


Leaf = Text | Phrase | Regex | Value | Compare | Exists
Node = Text | Phrase | Regex | Value | Compare | Exists | And | Or | Not


def both(items: Sequence[Node]) -> Node:
    """Return the AND of nodes, flat and without repetition.

    Alternatives are needless beside fewer of them; several NOT beside each other are one, of any of them.
    """
    flat = _join(And, items)
    if not isinstance(flat, And):
        return flat
    options = [_options(item) for item in flat.items]
    kept = [
        item
        for item, mine in zip(flat.items, options, strict=True)
        if isinstance(item, Not) or not any(other < mine for other in options)
    ]
    barred = [item.item for item in kept if isinstance(item, Not)]
    if len(barred) > 1:
        kept = [item for item in kept if not isinstance(item, Not)]
        kept.append(negation(either(barred)))
    return _join(And, _with_one_ignored(kept))


def _with_one_ignored(items: Sequence[Node]) -> list[Node]:
    """Ask once whether a field's value is not indexed: ``(a OR i) AND (b OR i)`` is ``i OR (a AND b)``."""
    groups: dict[Value, list[Node]] = {}
    for item in items:
        if (found := _ignored(item)) is not None:
            groups.setdefault(found[0], []).append(found[1])
    made: list[Node] = []
    for item in items:
        found = _ignored(item)
        if found is None or len(groups[found[0]]) == 1:
            made.append(item)
        elif found[1] == groups[found[0]][0]:
            made.append(either([both(groups[found[0]]), found[0]]))
    return made


def _ignored(item: Node) -> tuple[Value, Node] | None:
    """Return of alternatives the one that a field is among those not indexed, and the others."""
    if not isinstance(item, Or):
        return None
    found = [one for one in item.items if isinstance(one, Value) and one.field == IGNORED]
    others = [one for one in item.items if one not in found]
    return (found[0], either(others)) if len(found) == 1 and others else None


def _conjuncts(item: Node) -> tuple[Node, ...]:
    return item.items if isinstance(item, And) else (item,)


def _options(item: Node) -> frozenset[Node]:
    return frozenset(item.items if isinstance(item, Or) else (item,))


def either(items: Sequence[Node]) -> Node:
    """Return the OR of nodes, flat and without repetition; what all ask for comes before it, once."""
    flat = _join(Or, items)
    if not isinstance(flat, Or):
        return flat
    return _join(Or, common.factored(flat.items, _conjuncts, both, either))


def negation(item: Node) -> Node:
    """Return the NOT of a node: Lucene cannot say it twice in a row.

    Of alternatives that are negated themselves it asks for what they bar: ``NOT (a OR NOT b)`` is
    ``b AND NOT a``.
    """
    if isinstance(item, Or) and any(isinstance(one, Not) for one in item.items):
        asked = [one.item for one in item.items if isinstance(one, Not)]
        others = [one for one in item.items if not isinstance(one, Not)]
        return both([*asked, *([Not(either(others))] if others else [])])
    return item.item if isinstance(item, Not) else Not(item)


def _join(kind: type[And] | type[Or], items: Sequence[Node]) -> Node:
    flat: dict[Node, None] = {}
    for item in items:
        flat.update(dict.fromkeys(item.items if isinstance(item, kind) else (item,)))
    nodes = tuple(flat)
    return nodes[0] if len(nodes) == 1 else kind(nodes)


def has_letters(parts: Sequence[Part]) -> bool:
    """Tell whether the literal text has letters whose case ASCII's rule ignores."""
    return any(isinstance(part, str) and _LETTER.search(part) for part in parts)
