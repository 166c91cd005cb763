"""Write a condition as `query_string` text.

There is no precedence between AND and OR, so each level has one of them, and every NOT beside an OR stands
in parentheses.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from converter.backends.elastic.regex import either_case
from converter.backends.lucene import text
from converter.backends.lucene.expression import (
    ANY,
    And,
    Compare,
    Exists,
    Node,
    Not,
    Or,
    Part,
    Phrase,
    Regex,
    Text,
    Value,
)
from converter.backends.lucene.packing import packed
from converter.backends.lucene.text import MAX_REGEX
from converter.errors import Refusal

MAX_CLAUSES = 1024
"""Elasticsearch's least maximum of clauses, counted over the whole query."""


def query(condition: Node) -> str:
    """Return the query.

    Raises:
        Refusal: SC203 for a regex of more than 1,000 characters or more than 1,024 clauses.
    """
    return _write(limited(condition))


def limited(condition: Node) -> Node:
    """Return the condition with long lists packed, if it has too many clauses.

    Raises:
        Refusal: SC203 if it still has.
    """
    if _clauses(condition) <= MAX_CLAUSES:
        return condition
    condition = packed(condition)
    count = _clauses(condition)
    if count > MAX_CLAUSES:
        raise Refusal(
            "SC203",
            f"the query has {count} clauses; Elasticsearch takes {MAX_CLAUSES}; KQL and SPL take more",
        )
    return condition


def _clauses(node: Node) -> int:
    """Return how many clauses Elasticsearch counts."""
    match node:
        case And() | Or():
            return sum(map(_clauses, node.items))
        case Not():
            # A level of nothing but NOT costs one more: what it is taken from.
            return _clauses(node.item) + 1
    return 1


def _write(node: Node) -> str:
    match node:
        case And():
            return _and(node)
        case Or():
            return _or(node)
        case Not():
            inner = _write(node.item)
            return f"NOT {inner}" if _is_one(node.item) else f"NOT ({inner})"
        case Exists():
            return f"_exists_:{text.term(_named(node.field))}"
    name = node.field
    return _value(node) if name is None else f"{text.field(name)}:{_value(node)}"


def _named(name: str) -> str:
    text.field(name)
    return name


def _and(node: And) -> str:
    """Group what is asked of each field, in the order in which the fields first occur."""
    groups: dict[str | None, list[Node]] = {}
    for item in node.items:
        name = _field(item)
        groups.setdefault(name, []).append(item)
    written = []
    for item in node.items:
        name = _field(item)
        if name is None or len(groups.get(name, ())) == 1:
            written.append(_inside_and(item))
        elif name in groups:
            values = " AND ".join(_asked(one) for one in groups.pop(name))
            written.append(f"{text.field(name)}:({values})")
    return " AND ".join(written)


def _field(node: Node) -> str | None:
    """Return the one field that a comparison, or alternatives of comparisons, look at."""
    if isinstance(node, Or):
        fields = {_field(item) if not isinstance(item, Or) else None for item in node.items}
        return fields.pop() if len(fields) == 1 else None
    return node.field if isinstance(node, Text | Phrase | Regex | Value | Compare) else None


def _asked(node: Node) -> str:
    """Return what is asked of a field, beside other things, without its name."""
    return f"({' OR '.join(map(_value, node.items))})" if isinstance(node, Or) else _value(node)


def _or(node: Or) -> str:
    """Group the values of each field, in the order in which the fields first occur."""
    groups: dict[str | None, list[Node]] = {}
    order: list[tuple[str | None, Node]] = []
    for item in node.items:
        name = item.field if isinstance(item, Text | Phrase | Regex | Value | Compare) else None
        if name is None:
            order.append((None, item))
            continue
        if name not in groups:
            order.append((name, item))
        groups.setdefault(name, []).append(item)
    written = []
    for name, item in order:
        if name is None:
            written.append(_write(item) if _is_one(item) else f"({_write(item)})")
        elif len(groups[name]) == 1:
            written.append(_write(item))
        else:
            values = " OR ".join(_value(one) for one in groups[name])
            written.append(f"{text.field(name)}:({values})")
    return " OR ".join(written)


def _inside_and(node: Node) -> str:
    written = _write(node)
    if isinstance(node, Or) and not _one_field(node):
        return f"({written})"
    return written


def _is_one(node: Node) -> bool:
    """Tell whether the text of a node is one clause."""
    if isinstance(node, And | Or):
        return _common_field(node.items) is not None
    return not isinstance(node, Not)


def _one_field(node: Or) -> bool:
    return _common_field(node.items) is not None


def _common_field(items: Sequence[Node]) -> str | None:
    names = {
        item.field if isinstance(item, Text | Phrase | Regex | Value | Compare) else None for item in items
    }
    name = names.pop() if len(names) == 1 else None
    return None if name is None else text.field(name)


def _value(node: Node) -> str:
    """Return a leaf's text after its field's name."""
    match node:
        case Text():
            if node.folds:
                return _regex(_pattern(node.parts))
            if node.plain is not None:
                return text.term(node.plain)
            return "".join(
                text.wildcard_part(part, first=index == 0)
                if isinstance(part, str)
                else "*"
                if part is ANY
                else "?"
                for index, part in enumerate(node.parts)
            )
        case Phrase():
            return text.term(" ".join(node.words))
        case Regex():
            return _regex(node.pattern)
        case Value():
            return text.term(node.text)
        case Compare():
            return node.op + node.number
    raise AssertionError(node)


def _pattern(parts: Iterable[Part]) -> str:
    """Return text with wildcards as a regex that ignores the case of ASCII letters."""
    return "".join(
        either_case(part) if isinstance(part, str) else ".*" if part is ANY else "." for part in parts
    )


def _regex(pattern: str) -> str:
    length = text.regex_length(pattern)
    if length > MAX_REGEX:
        raise Refusal(
            "SC203",
            f"the regex has {length} characters; Elasticsearch takes {MAX_REGEX} (index.max_regex_length); "
            "KQL and SPL take more",
            hint="case=as-is needs no regex for values",
        )
    return text.regex(pattern)
