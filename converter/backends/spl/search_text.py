"""A condition in `search`: what it says exactly, and what it can say of the rest to narrow first."""

from __future__ import annotations

from converter.backends.spl.nodes import Junction, Leaf, Node, Not, join, negate


def exact(node: Node) -> bool:
    """Tell whether `search` says the whole node."""
    match node:
        case Leaf():
            return node.search is not None
        case Not(item):
            return exact(item)
        case Junction(_, items):
            return all(map(exact, items))


def bound(node: Node, upper: bool = True) -> Node | None:
    """Return a node that `search` says exactly and that this one implies (``upper``) or that implies it.

    None is TRUE for an upper and FALSE for a lower bound: nothing can be said.
    """
    match node:
        case Leaf():
            if node.search is not None:
                return node
            return node.weaker if upper else None
        case Not(item):
            inner = bound(item, not upper)
            return None if inner is None else negate(inner)
        case Junction(op, items):
            found = [bound(item, upper) for item in items]
            said = [item for item in found if item is not None]
            # What cannot be said is left out, but for the upper bound of an OR and the lower one of an AND.
            if not said or ((op == "or") == upper and len(said) < len(found)):
                return None
            return join(op, said)


def render(node: Node) -> str:
    """Return the search text of a node that `search` says exactly, as a list of AND-ed terms."""
    return _text(node)[0]


def _text(node: Node) -> tuple[str, str]:
    """Return text and kind: ``term``, ``or``, ``and``."""
    match node:
        case Leaf():
            return node.search or "", "term"
        case Not(item):
            if isinstance(item, Leaf) and item.search_not is not None:
                return item.search_not, "term"
            text, kind = _text(item)
            return (
                f"NOT {text}" if kind == "term" and not text.startswith("NOT ") else f"NOT ({text})"
            ), "term"
        case Junction("or", items):
            terms = _grouped(items)
            return (terms[0], "term") if len(terms) == 1 else (" OR ".join(terms), "or")
        case Junction(_, items):
            # OR binds tighter than AND here, but not in expressions: the parentheses are for people.
            parts = [_text(item) for item in items]
            return " ".join(f"({text})" if kind == "or" else text for text, kind in parts), "and"


def _grouped(items: tuple[Node, ...]) -> list[str]:
    """Return the terms of an OR, values of one field as a list at the place of the first."""
    values: dict[str, list[str]] = {}
    for item in items:
        if isinstance(item, Leaf) and item.field is not None and item.value is not None:
            values.setdefault(item.field, []).append(item.value)
    terms = []
    for item in items:
        if isinstance(item, Leaf) and item.field is not None and len(values.get(item.field, ())) != 1:
            if item.field in values:
                terms.append(f"{item.field} IN ({', '.join(values.pop(item.field))})")
            continue
        text, kind = _text(item)
        terms.append(f"({text})" if kind == "and" else text)
    return terms
