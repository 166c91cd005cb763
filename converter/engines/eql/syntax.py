"""EQL text to tree: Elastic's own grammar and semantic checks (package `eql`), then our reading of its parse.

The package's own tree forgets the ``~`` of ``like~``, ``in~``, ``regex~`` and of functions; its parse
tree (tokens) does not, so ours is built from that.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import eql
from eql.parser import (
    allow_negation,
    allow_runs,
    allow_sample,
    elasticsearch_syntax,
    lark_parser,
    skip_optimizations,
)
from lark import Token, Tree
from lark.exceptions import LarkError

from converter.engines.eql.nodes import (
    And,
    Call,
    Compare,
    EventQuery,
    Field,
    InList,
    Item,
    Literal,
    Node,
    Not,
    Or,
    Predicate,
    Query,
    Sequence,
)
from converter.errors import EngineError

MAX_RUNS = 100
"""Elasticsearch, eql-syntax: "runs" is between 1 and 100."""
UNITS_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", '"': '"', "'": "'", "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{2,8})\}|(.))", re.DOTALL)
_PART = re.compile(r"`([^`]+)`|([A-Za-z_][A-Za-z0-9_]*)|\[\s*(\d+)\s*\]")


def invalid(message: str) -> EngineError:
    """Return the error for a text that Elasticsearch would reject."""
    return EngineError("SC402", f"EQL: {message}")


def parse(text: str) -> Query:
    """Parse an emitted query.

    Raises:
        EngineError: SC402 if Elastic's parser rejects it, if it breaks a rule of Elasticsearch that that
            parser does not check (one-item sequences, runs over 100), or if it uses what we do not run.
    """
    # The parser of the package wants a newline after a comment, and so at the end.
    source = text if text.endswith("\n") else text + "\n"
    try:
        with elasticsearch_syntax, allow_sample, allow_runs, allow_negation, skip_optimizations:
            # The package takes "\\u{..}" to end at the last brace; for its checks any letter will do.
            eql.parse_query(_ESCAPE.sub(lambda match: "x" if match[1] else match[0], source))
        tree = lark_parser.parse(source, "piped_query")
        return _query(tree)
    except (eql.EqlError, LarkError) as error:
        raise invalid(str(error)) from error
    except RecursionError as error:
        raise invalid("the query is nested too deeply") from error


def _kids(tree: Tree[Any]) -> list[Any]:
    return [child for child in tree.children if child is not None]


def _child(tree: Tree[Any], name: str) -> Any:
    found = [child for child in _kids(tree) if _name(child) == name]
    return found[0] if found else None


def _name(node: Any) -> str:
    return str(node.type if isinstance(node, Token) else node.data)


def _query(tree: Tree[Any]) -> Query:
    base = _child(tree, "base_query")
    if base is None:
        raise invalid("a query must not begin with a pipe")
    kind = _kids(base)[0]
    if kind.data == "event_query":
        read: EventQuery | Sequence = _event(kind)
    elif kind.data == "sequence":
        read = _sequence(kind)
    else:
        raise invalid(f"'{kind.data}' is not executed by this engine")
    pipes = _child(tree, "pipes")
    return Query(read, tuple(_pipe(pipe) for pipe in (_kids(pipes) if pipes is not None else ())))


def _pipe(tree: Tree[Any]) -> tuple[str, int]:
    name = str(_kids(_child(tree, "name"))[0])
    args = _child(tree, "expressions")
    values = [_node(arg) for arg in _kids(args)] if args is not None else []
    count = values[0].value if len(values) == 1 and isinstance(values[0], Literal) else None
    if name not in {"head", "tail"} or not isinstance(count, int) or isinstance(count, bool):
        raise invalid(f"the pipe '{name}' is not executed by this engine")
    return name, count


def _event(tree: Tree[Any]) -> EventQuery:
    name = _child(tree, "name")
    if name is None:
        raise invalid("missing event category and 'where'")
    return EventQuery(str(_kids(name)[0]), _node(_kids(tree)[-1]))


def _sequence(tree: Tree[Any]) -> Sequence:
    shared = _join_keys(_child(tree, "join_values"))
    items = tuple(_item(child, shared) for child in _kids(tree) if _name(child) == "subquery_by")
    if sum(item.runs for item in items) < 2:
        raise invalid("a sequence requires a minimum of 2 items, found 1")
    span = _child(tree, "with_params")
    until = _child(tree, "until_subquery_by")
    return Sequence(
        items,
        None if span is None else _milliseconds(_child(span, "time_range")),
        None if until is None else _item(_kids(until)[0], shared),
    )


def _item(tree: Tree[Any], shared: tuple[Node, ...]) -> Item:
    for name in ("fork_param", "sequence_alias"):
        if _child(tree, name) is not None:
            raise invalid(f"{name} is not part of Elasticsearch's EQL")
    subquery = _child(tree, "subquery")
    runs = _child(tree, "repeated_sequence")
    count = 1 if runs is None else int(_kids(runs)[-1])
    if not 1 <= count <= MAX_RUNS:
        raise invalid(f"runs must be between 1 and {MAX_RUNS}, found {count}")
    keys = shared + _join_keys(_child(tree, "join_values"))
    if _child(subquery, "MISSING_EVENT_OPEN") is not None:
        raise invalid("missing events (![...]) are not executed by this engine")
    return Item(_event(_child(subquery, "event_query")), keys, count)


def _join_keys(tree: Tree[Any] | None) -> tuple[Node, ...]:
    return () if tree is None else tuple(_node(child) for child in _kids(_kids(tree)[0]))


def _milliseconds(tree: Tree[Any]) -> int:
    number, unit = _kids(tree)
    return int(_number(number)) * UNITS_MS[str(_kids(unit)[0])]


def _node(tree: Any) -> Node:
    reader = _READERS.get(_name(tree))
    if reader is None:
        raise invalid(f"'{_name(tree)}' is not executed by this engine")
    return reader(tree)


def _not(tree: Tree[Any]) -> Node:
    inner = _node(_kids(tree)[-1])
    negations = sum(_name(child) == "NOT_OP" for child in _kids(tree))
    return Not(inner) if negations % 2 else inner


def _comparison(tree: Tree[Any]) -> Node:
    left, op, right = _kids(tree)
    return Compare(str(op), _node(left), _node(right))


def _in(tree: Tree[Any]) -> Node:
    operand, *_, values = _kids(tree)
    token = next(child for child in _kids(tree) if _name(child) == "IN")
    found = InList(_node(operand), tuple(_node(value) for value in _kids(values)), token.endswith("~"))
    return Not(found) if tree.data == "not_in_set" else found


def _predicate(tree: Tree[Any]) -> Node:
    operand, token, *values = _kids(tree)
    patterns = [_node(value) for value in values]
    texts = [p.value for p in patterns if isinstance(p, Literal) and isinstance(p.value, str)]
    if len(texts) != len(patterns):
        raise invalid(f"'{token}' takes strings only")
    kind = "regex" if token.startswith("regex") else "like"
    return Predicate(kind, _node(operand), tuple(texts), token == ":" or token.endswith("~"))


def _value(tree: Tree[Any]) -> Node:
    sign, operand = _kids(tree)
    inner = _node(operand)
    number = isinstance(inner, Literal) and isinstance(inner.value, int | float)
    if not number:
        raise invalid("a sign before what is not a number is not executed by this engine")
    return Literal(-inner.value if sign == "-" else inner.value)  # type: ignore[union-attr, operator]


def _call(tree: Tree[Any]) -> Node:
    head, *rest = _kids(tree)
    name = str(_kids(head)[0]) if isinstance(head, Tree) else str(head)
    args = tuple(_node(arg) for arg in _kids(rest[0])) if rest else ()
    return Call(name.rstrip("~"), args, name.endswith("~"))


def _literal(tree: Tree[Any]) -> Node:
    kind = _kids(tree)[0]
    if kind.data == "null":
        return Literal(None)
    token = str(_kids(kind)[0])
    if kind.data == "boolean":
        return Literal(token == "true")
    return Literal(_number(kind) if kind.data == "number" else _string(token))


def _number(tree: Tree[Any]) -> int | float:
    token = _kids(tree)[-1]
    return int(token) if token.type == "UNSIGNED_INTEGER" else float(token)


def _string(token: str) -> str:
    if token.startswith('"""'):
        return token[3:-3]

    def unescape(match: re.Match[str]) -> str:
        if match[1] and (code := int(match[1], 16)) <= 0x10FFFF:
            return chr(code)
        if match[2] in _ESCAPES:
            return _ESCAPES[match[2]]
        raise invalid(f"no such escape: {match[0]}")

    return _ESCAPE.sub(unescape, token[1:-1])


def _field(tree: Tree[Any]) -> Node:
    token = str(_kids(tree)[0])
    optional = token.startswith("?")
    return Field(".".join(a or b or f"[{c}]" for a, b, c in _PART.findall(token)), optional)


def _base_field(tree: Tree[Any]) -> Node:
    name = _kids(tree)[0]
    token = str(_kids(name)[0])
    if name.data == "escaped_name":
        return Field(token.strip("`"))
    constants = {"true": True, "false": False, "null": None}
    return Literal(constants[token]) if token in constants else Field(token)


_READERS: dict[str, Callable[[Any], Node]] = {
    "and_expr": lambda tree: And(tuple(_node(child) for child in _kids(tree))),
    "or_expr": lambda tree: Or(tuple(_node(child) for child in _kids(tree))),
    "not_expr": _not,
    "comparison": _comparison,
    "in_set": _in,
    "not_in_set": _in,
    "string_predicate": _predicate,
    "value": _value,
    "function_call": _call,
    "literal": _literal,
    "field": _field,
    "base_field": _base_field,
}
