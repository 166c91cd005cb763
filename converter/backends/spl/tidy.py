"""Conditions without what others of them say already, so that each command says a thing once."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.common import factored as common
from converter.backends.spl import search_text
from converter.backends.spl.nodes import Junction, Leaf, Node, Not, join, negate


def tidy(node: Node, top: bool = True) -> Node:
    """Return a condition that says the same, in fewer and simpler parts.

    - `NOT (a OR NOT b)` asks for `b` and bars `a`.
    - What `search` says exactly of a negated list is a part of its own, which `where` need not repeat.
    - Several negated lists of one field are one.
    - A list is needless beside a shorter one of its values.
    - What alternatives have in common comes before them, once.

    Args:
        node: a condition.
        top: whether all events must satisfy it, so that its parts can be said by different commands.
    """
    match node:
        case Junction("and", items):
            return _all([tidy(item, top) for item in items], top)
        case Junction(items=items):
            return _any([tidy(item, False) for item in items])
        case Not(Junction("or", items)):
            return _all([negate(join("or", [tidy(item, False) for item in items]))], top)
        case Not(item):
            return _all([negate(tidy(item, False))], top)
    return node


def _all(items: Sequence[Node], top: bool) -> Node:
    flat = join("and", [part for item in items for part in _parts(item, top)])
    if not (isinstance(flat, Junction) and flat.op == "and"):
        return flat
    options = [_options(item) for item in flat.items]
    kept = [
        item
        for item, mine in zip(flat.items, options, strict=True)
        if not any(other < mine for other in options)
    ]
    lists: dict[object, list[Node]] = {}
    for item in kept:
        if (key := _barred(item)) is not None and isinstance(item, Not):
            lists.setdefault(key, []).append(item.item)
    made: list[Node] = []
    for item in kept:
        key = _barred(item)
        if key is None:
            made.append(item)
        elif key in lists:
            made.append(Not(join("or", lists.pop(key))))
    return join("and", made)


def _any(items: Sequence[Node]) -> Node:
    flat = join("or", items)
    if not (isinstance(flat, Junction) and flat.op == "or"):
        return flat
    found = common.factored(flat.items, conjuncts, lambda some: join("and", some), _any)
    return join("or", found)


def conjuncts(item: Node) -> tuple[Node, ...]:
    """Return the AND-ed parts of a condition."""
    return item.items if isinstance(item, Junction) and item.op == "and" else (item,)


def _parts(item: Node, top: bool) -> list[Node]:
    """Return what a negated list bars and asks for, as AND-ed parts."""
    if not (isinstance(item, Not) and isinstance(item.item, Junction) and item.item.op == "or"):
        return [item]
    asked = [one.item for one in item.item.items if isinstance(one, Not)]
    others = [one for one in item.item.items if not isinstance(one, Not)]
    said = [one for one in others if top and search_text.exact(one)]
    left = [one for one in others if one not in said]
    return [*asked, *(negate(_any(some)) for some in (said, left) if some)]


def _options(item: Node) -> frozenset[Node]:
    return frozenset(item.items if isinstance(item, Junction) and item.op == "or" else (item,))


def _barred(item: Node) -> object:
    """Return the field of a negated list, and which command says it; None for anything else."""
    if not isinstance(item, Not):
        return None
    leaves = _options(item.item)
    if not all(isinstance(leaf, Leaf) for leaf in leaves):
        return None
    said = search_text.exact(item)
    fields = {(leaf.field if said else leaf.subject) for leaf in leaves if isinstance(leaf, Leaf)}
    return (said, *fields) if len(fields) == 1 and None not in fields else None
