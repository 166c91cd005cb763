"""Elasticsearch's `query_string`: the classic syntax, each leaf by the type of its field."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from converter.engines.lucene.queries import Maker
from converter.engines.lucene.syntax import Bool, Node, Pattern, Range, Term, parse
from converter.errors import EngineError


def query_of(text: str, maker: Maker, *, lenient: bool = False) -> Any:
    """Return the Lucene query of query_string text.

    Args:
        text: the query.
        maker: of the index that is searched.
        lenient: what a field's type cannot hold matches nothing, as with Elasticsearch's default field
            ``*``; otherwise it is an error. Terms without a field are always lenient.

    Raises:
        EngineError: SC402 where Elasticsearch answers with an error, SC403 for a limit.
    """
    tree = parse(text)
    return maker.none() if tree is None else _Visitor(maker, lenient).visit(tree)


def fields_of(tree: Node | None) -> set[str]:
    """Return the names of the fields that a query names, those after ``_exists_`` included."""
    match tree:
        case None:
            return set()
        case Bool(clauses):
            return {name for _, node in clauses for name in fields_of(node)}
        case Term("_exists_", text):
            return {text}
        case _:
            return {tree.field} if tree.field is not None else set()


class _Visitor:
    def __init__(self, maker: Maker, lenient: bool) -> None:
        self.maker = maker
        self.lenient = lenient

    def visit(self, node: Node) -> Any:
        match node:
            case Bool(clauses):
                return self.maker.junction((occur, self.visit(child)) for occur, child in clauses)
            case Term("_exists_", text):
                return self.maker.exists(text)
            case Term():
                return self.term(node)
            case Range():
                return self.each(
                    node.field,
                    lambda name: self.maker.range(
                        name, node.low, node.high, node.includes_low, node.includes_high
                    ),
                )
            case Pattern():
                return self.pattern(node)

    def each(self, field: str | None, make: Callable[[str], Any]) -> Any:
        """Return the union over the fields that a name or pattern stands for."""
        default = field in (None, "*")
        found = []
        for name in self.maker.names("*" if field is None else field):
            try:
                found.append(make(name))
            except EngineError as error:
                if not (self.lenient or default) or error.code == "SC403":
                    raise
        return self.maker.any_of(found)

    def term(self, node: Term) -> Any:
        text = node.text
        if not node.quoted and text[:1] in ("<", ">"):
            # Elasticsearch reads these as ranges, escaped or not.
            included = text[1:2] == "=" and len(text) > 2
            bound = text[2:] if included else text[1:]
            if text[0] == ">":
                return self.each(node.field, lambda name: self.maker.range(name, bound, None, included, True))
            return self.each(node.field, lambda name: self.maker.range(name, None, bound, True, included))
        return self.each(node.field, lambda name: self.maker.term(name, text, node.quoted))

    def pattern(self, node: Pattern) -> Any:
        if node.kind == "wildcard" and node.text == "*":
            return self.maker.every() if node.field in (None, "*") else self.maker.exists(node.field)
        make: Callable[[str, str], Any]
        match node.kind:
            case "prefix":
                make = self.maker.prefix
            case "wildcard":
                make = self.maker.wildcard
            case "regex":
                make = self.maker.regexp
            case "fuzzy":
                make = self.maker.fuzzy
        return self.each(node.field, lambda name: make(name, node.text))
