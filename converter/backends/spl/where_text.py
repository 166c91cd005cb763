"""A condition as an expression of `where` and `eval`.

Negations are pushed to the leaves: a comparison with a missing field is null there, and so is its NOT.
"""

from __future__ import annotations

from converter.backends.spl.nodes import Junction, Leaf, Node, Not
from converter.backends.spl.text import pattern, quoted


def render(node: Node, negated: bool = False) -> str:
    """Return the expression; with ``negated`` that of its negation."""
    return _text(node, negated)[0]


def conjunct(node: Node) -> str:
    """Return the expression, in parentheses where it is to stand beside AND."""
    text, kind = _text(node, False)
    return f"({text})" if kind == "or" else text


def _text(node: Node, negated: bool) -> tuple[str, str]:
    """Return text and kind: ``term``, ``or``, ``and``."""
    match node:
        case Leaf():
            if negated:
                return node.where_not, "term" if node.atomic_not else "or"
            return node.where, "term" if node.atomic else "or"
        case Not(item):
            return _text(item, not negated)
        case Junction(op, items):
            joined = (op == "or") != negated
            parts = [_text(item, negated) for item in (_merged(items) if op == "or" else items)]
            if len(parts) == 1:
                return parts[0]
            if joined:
                return " OR ".join(text for text, _ in parts), "or"
            return " AND ".join(f"({text})" if kind == "or" else text for text, kind in parts), "and"


def _merged(items: tuple[Node, ...]) -> list[Node]:
    """Return the parts of an OR with the texts and patterns of one field as one list each."""
    out: list[Node] = []
    places: dict[tuple[str, str, bool], int] = {}
    lists: dict[tuple[str, str, bool], list[Leaf]] = {}
    for item in items:
        if isinstance(item, Leaf) and item.subject is not None:
            # Patterns of texts without a dot are indifferent to `s`, the others all have it.
            key = (item.subject, item.flags.replace("s", ""), item.text is None)
            if key not in places:
                places[key] = len(out)
                out.append(item)
            lists.setdefault(key, []).append(item)
        else:
            out.append(item)
    for key, place in places.items():
        if len(lists[key]) > 1:
            out[place] = _one_of(*key, lists[key])
    return out


def _one_of(subject: str, flags: str, regex: bool, leaves: list[Leaf]) -> Leaf:
    if not regex:
        texts = ", ".join(quoted(leaf.text or "") for leaf in leaves)
        test = f"in({f'lower({subject})' if flags else subject}, {texts})"
    else:
        flags = "".join(sorted(set(flags).union(*(leaf.flags for leaf in leaves))))
        test = match(subject, "|".join(leaf.alternative or "" for leaf in leaves), flags)
    return Leaf(where=test, where_not=f"isnull({subject}) OR NOT {test}")


def match(subject: str, regex: str, flags: str) -> str:
    """Return a call that finds a pattern in a field."""
    return f"match({subject}, {pattern((f'(?{flags})' if flags else '') + regex)})"
