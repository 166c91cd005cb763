"""Write a condition as a body of Elasticsearch's query DSL, whose leaves have ``case_insensitive``.

Shorter to read than letter classes where case is ignored; for the search API, not for the search bar.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from converter.backends.lucene.expression import (
    ANY,
    And,
    Compare,
    Exists,
    Node,
    Not,
    Or,
    Phrase,
    Regex,
    Text,
    Value,
    both,
)
from converter.backends.lucene.query import limited, query
from converter.backends.lucene.text import MAX_REGEX
from converter.errors import Refusal

_OPERATORS = {">": "gt", ">=": "gte", "<": "lt", "<=": "lte"}


def body(condition: Node) -> str:
    """Return the JSON of a search body that selects the same events as `query`.

    Raises:
        Refusal: SC203 for a regex of more than 1,000 characters or more than 1,024 clauses.
    """
    condition = limited(condition)
    return json.dumps({"query": _write(condition)}, ensure_ascii=False, indent=2) + "\n"


def parted(condition: Node) -> tuple[str, list[dict[str, Any]]] | None:
    """Return a condition as a detection rule of Kibana takes it: a query string, and filters beside it.

    The filters hold what ignores the case of letters, which the query DSL has a word for and query_string
    has not; each has the form of Kibana's filters (a query, negated or not). None where nothing does.

    Raises:
        Refusal: SC203 as `body`.
    """
    condition = limited(condition)
    items = condition.items if isinstance(condition, And) else (condition,)
    folding = [item for item in items if _folds(item)]
    if not folding:
        return None
    plain = [item for item in items if item not in folding]
    filters = []
    for item in folding:
        negated = isinstance(item, Not)
        inner = item.item if isinstance(item, Not) else item
        filters.append({"meta": {"negate": negated}, "query": _write(inner)})
    return query(both(plain)) if plain else "*", filters


def _folds(node: Node) -> bool:
    match node:
        case And(items) | Or(items):
            return any(map(_folds, items))
        case Not(item):
            return _folds(item)
        case Text(name, _, folds):
            return folds and name is not None
        case Regex(name, _, flagged):
            return flagged is not None and name is not None
    return False


def _write(node: Node) -> dict[str, Any]:
    match node:
        case And(items):
            held = [_write(item) for item in items if not isinstance(item, Not)]
            barred = [_write(item.item) for item in items if isinstance(item, Not)]
            return _bool({"filter": held, "must_not": barred})
        case Or(items):
            alternatives = _alternatives(items)
            if len(alternatives) == 1:
                return alternatives[0]
            return {"bool": {"should": alternatives, "minimum_should_match": 1}}
        case Not(item):
            return _bool({"must_not": [_write(item)]})
        case Exists(name):
            return {"exists": {"field": name}}
        case Value(str(name), text):
            return {"term": {name: {"value": text}}}
        case Compare(name, op, number):
            return {"range": {name: {_OPERATORS[op]: number}}}
        case Phrase(name, words):
            return {"match_phrase": {name: {"query": " ".join(words)}}}
        case Regex(str(name)):
            return _regexp(name, node)
        case Text(str(name)):
            return _text(name, node)
    # Only query_string searches every field.
    return {"query_string": {"query": query(node)}}


def _alternatives(items: Sequence[Node]) -> list[dict[str, Any]]:
    """Return the queries of an OR; whole values of one field, compared as written, are one of them."""
    lists: dict[str, list[str]] = {}
    for item in items:
        if (pair := _whole(item)) is not None:
            lists.setdefault(pair[0], []).append(pair[1])
    found = []
    for item in items:
        pair = _whole(item)
        if pair is None or len(lists[pair[0]]) == 1:
            found.append(_write(item))
        elif pair[1] == lists[pair[0]][0]:
            found.append({"terms": {pair[0]: lists[pair[0]]}})
    return found


def _whole(node: Node) -> tuple[str, str] | None:
    """Return field and value of a comparison that `terms` can say."""
    if isinstance(node, Text) and not node.folds and node.field is not None and node.plain is not None:
        return node.field, node.plain
    return (node.field, node.text) if isinstance(node, Value) and node.field is not None else None


def _bool(clauses: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    return {"bool": {occur: found for occur, found in clauses.items() if found}}


def _regexp(name: str, node: Regex) -> dict[str, Any]:
    pattern = node.pattern if node.flagged is None else node.flagged
    length = len(pattern.encode("utf-16-le", "surrogatepass")) // 2
    if length > MAX_REGEX:
        raise Refusal("SC203", f"the regex has {length} characters; Elasticsearch takes {MAX_REGEX}")
    return {"regexp": {name: {"value": pattern} | _folding(node.flagged is not None)}}


def _text(name: str, node: Text) -> dict[str, Any]:
    *head, last = node.parts or ("",)
    fold = _folding(node.folds)
    if node.plain is not None:
        return {"term": {name: {"value": node.plain} | fold}}
    if last is ANY and len(head) == 1 and isinstance(head[0], str):
        return {"prefix": {name: {"value": head[0]} | fold}}
    pattern = "".join(
        re.sub(r"([*?\\])", r"\\\1", part) if isinstance(part, str) else "*" if part is ANY else "?"
        for part in node.parts
    )
    return {"wildcard": {name: {"value": pattern} | fold}}


def _folding(fold: bool) -> dict[str, Any]:
    return {"case_insensitive": True} if fold else {}
