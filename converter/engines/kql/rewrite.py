"""Changes to duckdb-kql's tree of a query: what it lacks is added, what it gets wrong is refused.

``prev`` and ``row_number`` become DuckDB window functions over the keys of the ``sort by`` before them.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable
from typing import Any, cast

from duckdb_kql import ir
from duckdb_kql.schema import output_columns
from duckdb_kql.translate.functions import (
    AGGREGATE_FUNCTIONS,
    SCALAR_FUNCTIONS,
    AggregateSpec,
    FunctionSpec,
)

from converter.engines.kql.functions import FIRST, MATCHES, ascii_lower, compiled
from converter.errors import EngineError

HIDDEN = "__sigconv_"
"""Columns that begin so are the engine's own and never leave it."""
EVENT = HIDDEN + "event"
ROW = HIDDEN + "row"
_FIRST = HIDDEN + "first"

_ESTIMATES = {"dcount", "dcountif", "percentile", "percentiles", "count_distinct", "hll", "tdigest"}
_SERIAL = {"prev", "row_number"}
_KEEPS_ORDER = (ir.Where, ir.Extend, ir.Project, ir.ProjectAway, ir.ProjectRename)
# The syntax that Kusto documents and that means the same in DuckDB's RE2: no classes by letter, no sets.
_SAME_IN_RE2 = re.compile(r"(?:\(\?[is]+\)|\(\?[is]*:|\\[.+*?()|\[\]{}^$\\/\-]|[^\\\[\](){}]|\)|\((?!\?))*")


_CASED = {"=~": "==", "!~": "!="} | {
    f"{mark}{operator}": f"{mark}{operator}_cs"
    for mark in ("", "!")
    for operator in ("contains", "startswith", "endswith", "has", "hasprefix", "hassuffix")
}
"""Operators that ignore the case of ASCII letters, and the one that compares as written.

Microsoft's page "String operators": case-insensitive operators are supported only for ASCII text. DuckDB
folds the case of all letters, so both sides are folded here and compared as written.
"""


def rewrite(query: ir.Query, schema: dict[str, list[str]]) -> ir.Query:
    """Return the tree to translate; ``schema`` has the columns of each table.

    Raises:
        EngineError: SC403 for what would run and be wrong, or cannot run.
    """
    query = cast(ir.Query, _taken(query))
    _check_unions(query, schema)
    return cast(ir.Query, _walk(query))


def _taken(node: Any) -> Any:
    """Write `take_any` of several columns as one function a column; the first row of a group gives all."""
    if isinstance(node, tuple):
        return tuple(map(_taken, node))
    if isinstance(node, list):
        return [_taken(item) for item in node]
    if not isinstance(node, ir.Node) or not dataclasses.is_dataclass(node):
        return node
    node = dataclasses.replace(
        node, **{f.name: _taken(getattr(node, f.name)) for f in dataclasses.fields(node)}
    )
    if not isinstance(node, ir.Summarize):
        return node
    takes = [one for one in node.aggregates if _function_name(one.expr) == "take_any"]
    if len(takes) > 1:
        raise _refuse("several take_any() in one summarize: each may take another row")
    if not takes or len(takes[0].expr.args) == 1:
        return node
    place = node.aggregates.index(takes[0])
    columns = takes[0].expr.args
    if takes[0].name or not all(isinstance(column, ir.ColumnRef) for column in columns):
        raise _refuse("take_any() of several expressions")
    AGGREGATE_FUNCTIONS.setdefault(_FIRST, AggregateSpec(_FIRST, "first({0})", (1,)))
    each = tuple(ir.NamedExpr(ir.FunctionCall(_FIRST, (column,)), column.name) for column in columns)
    found = (*node.aggregates[:place], *each, *node.aggregates[place + 1 :])
    return dataclasses.replace(node, aggregates=found)


def _function_name(node: Any) -> str:
    return node.name.lower() if isinstance(node, ir.FunctionCall) else ""


def _check_unions(node: Any, schema: dict[str, list[str]]) -> None:
    """Refuse a union of different columns: it fills string columns with NULL, which Kusto does not have."""
    if isinstance(node, ir.Query):
        for name, bound in node.lets:
            _check_unions(bound, schema)
            if isinstance(bound, ir.Query):
                schema = {**schema, name: output_columns(bound, schema)}
        for position, op in enumerate(node.operators):
            if isinstance(op, ir.Union):
                before = dataclasses.replace(node, lets=[], operators=node.operators[:position])
                shapes = {frozenset(output_columns(each, schema)) for each in (before, *op.branches)}
                if len(shapes) > 1:
                    raise _refuse("a union of rows with different columns")
    for child in _children(node):
        _check_unions(child, schema)


def _children(node: Any) -> Iterable[Any]:
    if isinstance(node, tuple | list):
        return node
    if isinstance(node, ir.Node) and dataclasses.is_dataclass(node):
        skip = {"lets"} if isinstance(node, ir.Query) else set()
        return [getattr(node, f.name) for f in dataclasses.fields(node) if f.name not in skip]
    return ()


def _refuse(what: str) -> EngineError:
    return EngineError("SC403", f"the KQL engine cannot run {what}")


def _walk(node: Any) -> Any:
    """Rebuild a node bottom-up; tuples and lists of nodes included."""
    if isinstance(node, ir.Query):
        operators = _serialize([_walk(op) for op in node.operators])
        lets = [(name, _walk(bound)) for name, bound in node.lets]
        return dataclasses.replace(node, source=_walk(node.source), operators=operators, lets=lets)
    if isinstance(node, tuple):
        return tuple(_walk(item) for item in node)
    if isinstance(node, list):
        return [_walk(item) for item in node]
    if not isinstance(node, ir.Node) or not dataclasses.is_dataclass(node):
        return node
    changes = {f.name: _walk(getattr(node, f.name)) for f in dataclasses.fields(node)}
    return _changed(dataclasses.replace(node, **changes))


def _changed(node: Any) -> Any:
    if isinstance(node, ir.FunctionCall):
        return _function(node)
    if isinstance(node, ir.BinaryOp) and node.op == "matches regex":
        return _matches(node)
    if isinstance(node, ir.BinaryOp) and node.op in _CASED:
        return ir.BinaryOp(_CASED[node.op], _folded(node.left), _folded(node.right))
    if isinstance(node, ir.Summarize):
        return dataclasses.replace(node, aggregates=_taken_apart(node.aggregates))
    if isinstance(node, ir.InList) and node.case_insensitive and _are_texts(node.items):
        items = tuple(map(_folded, node.items))
        return dataclasses.replace(node, value=_folded(node.value), items=items, case_insensitive=False)
    if isinstance(node, ir.Join) and node.kind not in {"inner", "innerunique", "leftanti", "leftsemi"}:
        # An outer join fills string columns with NULL, which Kusto does not have.
        raise _refuse(f"join kind={node.kind}")
    if isinstance(node, ir.Lookup):
        raise _refuse("lookup: it fills string columns with null")
    return node


def _taken_apart(aggregates: tuple[ir.NamedExpr, ...]) -> tuple[ir.NamedExpr, ...]:
    """Return ``take_any(a, b)`` as what takes each of the first row; DuckDB's `first` takes nulls too."""
    found: list[ir.NamedExpr] = []
    for one in aggregates:
        call = one.expr
        if not (isinstance(call, ir.FunctionCall) and call.name.lower() == "take_any" and len(call.args) > 1):
            found.append(one)
            continue
        columns = [each for each in call.args if isinstance(each, ir.ColumnRef)]
        if one.name is not None or len(columns) < len(call.args):
            raise _refuse("take_any() of several expressions that are no columns")
        found += [ir.NamedExpr(ir.FunctionCall(FIRST, (each,)), each.name) for each in columns]
    return tuple(found)


def _are_texts(nodes: tuple[Any, ...]) -> bool:
    return bool(nodes) and all(map(_is_text, nodes))


def _is_text(node: Any) -> bool:
    return isinstance(node, ir.Literal) and node.kind == "string"


def _folded(node: Any) -> Any:
    """Return a text with its ASCII letters in lower case."""
    if _is_text(node):
        return _literal(ascii_lower(str(node.value)))
    return ir.FunctionCall("sigconv_folded", (_function(ir.FunctionCall("tostring", (node,))),))


def _function(call: ir.FunctionCall) -> Any:
    name = call.name.lower()
    if name in _ESTIMATES:
        raise _refuse(f"{name}(): Kusto estimates it")
    if name.endswith("_is_in_any_range"):
        return ir.FunctionCall(f"{name}_{len(call.args) - 1}", call.args)
    if name == "tostring" and isinstance(call.args[0], ir.ColumnRef):
        return ir.FunctionCall("sigconv_text", (call.args[0], call))
    if name == "replace_strings":
        return _replace_strings(call)
    if name in {"extract", "extract_all", "replace_regex"}:
        pattern = _text(call.args[0] if name != "replace_regex" else call.args[1])
        if pattern is None or not _same_in_re2(pattern):
            raise _refuse(f"{name}() with this pattern")
    return call


def _replace_strings(call: ir.FunctionCall) -> Any:
    """Write as nested replacements; equal to Kusto's where no replacement makes a new lookup."""
    if len(call.args) != 3:
        raise _refuse("replace_strings() with these arguments")
    lookups, rewrites = (_strings(argument) for argument in call.args[1:])
    result = call.args[0]
    for old, new in zip(lookups, rewrites, strict=True):
        result = ir.FunctionCall("sigconv_replace_one", (result, _literal(old), _literal(new)))
    return result


def _strings(node: Any) -> list[str]:
    if isinstance(node, ir.FunctionCall) and node.name.lower() == "pack_array":
        found = [_text(argument) for argument in node.args]
    elif isinstance(node, ir.Literal) and node.kind == "dynamic":
        found = json.loads(str(node.value))
    else:
        found = [None]
    if not all(isinstance(item, str) for item in found):
        raise _refuse("replace_strings() with lists that are no literals")
    return [item for item in found if item is not None]


def _literal(value: str) -> ir.Literal:
    return ir.Literal(value, "string")


def _text(node: Any) -> str | None:
    """Return the string of a literal, or of ``strcat`` of literals."""
    if isinstance(node, ir.Literal) and node.kind == "string":
        return str(node.value)
    if isinstance(node, ir.FunctionCall) and node.name.lower() == "strcat":
        parts = [_text(argument) for argument in node.args]
        return None if None in parts else "".join(part for part in parts if part is not None)
    if isinstance(node, ir.LetRef):
        return _text(node.value)
    return None


def _matches(node: ir.BinaryOp) -> Any:
    pattern = _text(node.right)
    if pattern is None:
        raise _refuse("matches regex with a pattern that is no literal")
    try:
        compiled(pattern)
    except ValueError as error:
        raise EngineError("SC402", f"matches regex: {error}") from None
    if _same_in_re2(pattern):
        return ir.BinaryOp(node.op, node.left, _literal(pattern))
    # tostring() is what Kusto does to the left side, and what DuckDB needs for JSON.
    return ir.FunctionCall(MATCHES, (ir.FunctionCall("tostring", (node.left,)), _literal(pattern)))


_OF_TEMPLATES = re.compile(r"\A\(\?i\)|\[\^[<>]\]\*|\[0-9\]|\\\\|\(\?:[A-Z_|]+\)|\(\\\\\|\$\)")
"""What our own templates use beside letters: both engines read it as one."""


def _same_in_re2(pattern: str) -> bool:
    return _SAME_IN_RE2.fullmatch(_OF_TEMPLATES.sub("", pattern)) is not None


def _serialize(operators: list[Any]) -> list[Any]:
    """Number the rows after a sort whose order is read, and let the readers use the numbers."""
    done: list[Any] = []
    sort: int | None = None
    for op in operators:
        if isinstance(op, ir.Sort):
            sort = len(done)
            done.append(op)
            continue
        if _reads_order(op):
            if sort is None:
                raise _refuse("prev() without a sort by before it")
            if not isinstance(op, _KEEPS_ORDER):
                raise _refuse(f"prev() in {type(op).__name__.lower()}")
            keys = done[sort].keys if isinstance(done[sort], ir.Sort) else ()
            if keys:
                done[sort] = ir.Extend((ir.NamedExpr(_numbered(keys), ROW),))
            op = _windowed(op)
        elif not isinstance(op, _KEEPS_ORDER):
            sort = None
        done.append(op)
    return done


def _numbered(keys: tuple[ir.SortKey, ...]) -> ir.FunctionCall:
    """Row number over the keys; Kusto puts nulls first ascending and last descending."""
    orders = []
    for key in keys:
        if key.nulls_first is not None:
            raise _refuse("prev() after a sort with nulls first or last")
        orders.append("ASC NULLS FIRST" if key.ascending else "DESC NULLS LAST")
    name = HIDDEN + "number_" + "".join(order[0].lower() for order in orders)
    terms = ", ".join(f"{{{i}}} {order}" for i, order in enumerate(orders))
    _register(name, f"row_number() OVER (ORDER BY {terms})", len(orders))
    return ir.FunctionCall(name, tuple(key.expr for key in keys))


def _reads_order(node: Any) -> bool:
    if isinstance(node, ir.FunctionCall) and node.name.lower() in _SERIAL:
        return True
    if isinstance(node, ir.Query):
        return False
    return any(_reads_order(child) for child in _children(node))


def _windowed(node: Any) -> Any:
    if isinstance(node, tuple):
        return tuple(_windowed(item) for item in node)
    if not isinstance(node, ir.Node) or not dataclasses.is_dataclass(node) or isinstance(node, ir.Query):
        return node
    if isinstance(node, ir.FunctionCall) and node.name.lower() in _SERIAL:
        return _window_call(node)
    changes = {f.name: _windowed(getattr(node, f.name)) for f in dataclasses.fields(node)}
    return dataclasses.replace(node, **changes)


def _window_call(call: ir.FunctionCall) -> ir.FunctionCall:
    row = ir.ColumnRef(ROW)
    if call.name.lower() == "row_number":
        if call.args:
            raise _refuse("row_number() with arguments")
        _register(HIDDEN + "row_number", "row_number() OVER (ORDER BY {0})", 1)
        return ir.FunctionCall(HIDDEN + "row_number", (row,))
    arguments = call.args if len(call.args) > 1 else (*call.args, ir.Literal(1, "long"))
    # Null where there is no such row. For a string Kusto says '' where this says NULL: the translator's
    # comparisons take both for "not equal", and rows never show a NULL string.
    if len(arguments) == 2:
        _register(HIDDEN + "prev", "lag({0}, CAST({1} AS INTEGER)) OVER (ORDER BY {2})", 3)
        return ir.FunctionCall(HIDDEN + "prev", (*arguments, row))
    _register(HIDDEN + "prev_default", "lag({0}, CAST({1} AS INTEGER), {2}) OVER (ORDER BY {3})", 4)
    return ir.FunctionCall(HIDDEN + "prev_default", (*arguments, row))


def _register(name: str, template: str, arity: int) -> None:
    SCALAR_FUNCTIONS.setdefault(name, FunctionSpec(name, "template", template, (arity,)))
