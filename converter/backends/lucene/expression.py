"""The tree between a rule's condition and the text of a query: one for query_string and for the DSL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sigma.types import SpecialChars

Part = str | SpecialChars
"""Literal text, ``WILDCARD_MULTI`` or ``WILDCARD_SINGLE``."""
_LETTER = re.compile(r"[A-Za-z]")
ANY, ONE = SpecialChars.WILDCARD_MULTI, SpecialChars.WILDCARD_SINGLE


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
    """Return the AND of nodes, flat and without repetition."""
    return _join(And, items)


def either(items: Sequence[Node]) -> Node:
    """Return the OR of nodes, flat and without repetition."""
    return _join(Or, items)


def negation(item: Node) -> Node:
    """Return the NOT of a node: Lucene cannot say it twice in a row."""
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
