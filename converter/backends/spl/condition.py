"""A rule's condition as a tree of leaves, and as a search: narrowed by `search`, completed by `where`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.backends.spl import repeats, search_text, where_text
from converter.backends.spl.comparisons import leaf
from converter.backends.spl.nodes import Junction, Leaf, Node, join, negate
from converter.backends.spl.raw import keyword
from converter.backends.spl.text import is_term, word
from converter.backends.spl.tidy import conjuncts, tidy
from converter.errors import Refusal
from converter.plan.columns import Columns
from converter.plan.conditions import And, Comparison, Condition, Keyword, Not, Or

_MACRO = re.compile(r"[A-Za-z_][\w-]*(\([\w.*:/, -]*\))?", re.ASCII)
_PLAIN_INDEX = re.compile(r"[A-Za-z0-9_.*-]+", re.ASCII)


def build(condition: Condition, columns: Columns) -> Node:
    """Return the tree of a rule's condition.

    Raises:
        Refusal: SC201, SC206, SC209.
    """
    return tidy(_build(condition, columns))


def _build(condition: Condition, columns: Columns) -> Node:
    match condition:
        case Comparison():
            return leaf(condition, columns)
        case Keyword():
            return keyword(condition.value, columns)
        case Not(item):
            return negate(_build(item, columns))
        case And(items):
            return join("and", [_build(item, columns) for item in items])
        case Or(items):
            return join("or", [_build(item, columns) for item in items])


@dataclass(frozen=True, slots=True)
class Split:
    """A condition as the terms of `search` and the commands that complete it."""

    terms: str
    """Implied by the condition; `*` if it implies nothing that `search` can say."""
    commands: tuple[str, ...]
    """`where` or `regex`; none if the terms say it all."""


def split(node: Node, state: Mapping[str, Any]) -> Split:
    """Return the search of a condition, within the index that the pipeline's state names."""
    asked = conjuncts(node)
    rest = [item for item in asked if not search_text.exact(item)]
    terms = narrowed(node, state)
    if not rest:
        return Split(terms, ())
    regexes = [item.regex for item in rest if isinstance(item, Leaf) and item.regex]
    if len(regexes) == len(rest):
        return Split(terms, tuple(f"regex {field}={regex}" for field, regex in regexes))
    if len(rest) == 1:
        return Split(terms, tuple(repeats.once("where " + where_text.render(rest[0]), terms)))
    where = "where " + " AND ".join(map(where_text.conjunct, rest))
    return Split(terms, tuple(repeats.once(where, terms)))


def narrowed(node: Node, state: Mapping[str, Any]) -> str:
    """Return what `search` can say of a condition: implied by it; `*` if that is nothing.

    The state's ``term`` is in the text of all of the pipeline's events and of few others: the index finds it
    faster than the number of an EventCode, which is a term of most events.
    """
    index = index_term(state)
    found = search_text.bound(node)
    items = [*([Leaf("", "", search=index)] if index else []), *(_needed(conjuncts(found)) if found else [])]
    # Where to look comes first.
    items.sort(key=_later)
    if (term := str(state.get("term") or "")) and is_term(term):
        at = next((at for at, item in enumerate(items, 1) if _field(item) == "EventCode"), len(items))
        items.insert(at, Leaf("", "", search=term))
    return search_text.render(join("and", items)) if items else "*"


def _later(item: Node) -> bool:
    if isinstance(item, Leaf) and item.search and item.search.startswith(("index=", "index IN ")):
        return False
    return _field(item) != "index"


def _needed(items: Sequence[Node]) -> list[Node]:
    """Leave out `field=*` where another AND-ed comparison needs the field anyway."""
    present = {f"{field}=*" for item in items if (field := _field(item))}
    return [item for item in items if not (isinstance(item, Leaf) and item.search in present)]


def _field(item: Node) -> str | None:
    """Return the field that a comparison, or a list of them, is about."""
    if isinstance(item, Leaf):
        return item.field
    if isinstance(item, Junction) and item.op == "or":
        fields = {_field(one) for one in item.items}
        return fields.pop() if len(fields) == 1 else None
    return None


def index_term(state: Mapping[str, Any]) -> str:
    """Return the terms that name the index and the search macro, "" if the state names neither."""
    given = state.get("index")
    names = [given] if isinstance(given, str) else list(given or ())
    # A wildcard is one inside quotes too, so nothing but a plain name stands without them.
    listed = [name if _PLAIN_INDEX.fullmatch(name) else word(name) for name in map(str, names)]
    terms = [f"index={listed[0]}"] if len(listed) == 1 else [f"index IN ({', '.join(listed)})"] * bool(listed)
    if macro := str(state.get("macro") or ""):
        if not _MACRO.fullmatch(macro):
            raise Refusal("SC201", f"{macro!r} is not the name of a search macro")
        terms.append(f"`{macro}`")
    return " ".join(terms)
