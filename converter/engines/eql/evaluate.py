"""A condition of EQL as a test on a stored document, as Elasticsearch translates it to Query DSL.

A comparison of a field becomes a query, true or false: a document without the field is not selected by
it, and is selected by its `not` (elastic/elasticsearch#76610). Null is a third value only where
Elasticsearch folds it at planning: a literal ``null`` or a ``?field`` that no index maps.
"""

from __future__ import annotations

import ipaddress
import operator
from collections.abc import Callable, Iterable
from typing import Any

from converter.engines.eql import functions, patterns
from converter.engines.eql.nodes import (
    And,
    Call,
    Compare,
    EventQuery,
    Field,
    InList,
    Literal,
    Node,
    Not,
    Or,
    Predicate,
)
from converter.engines.eql.schema import Doc, Schema, milliseconds, values
from converter.engines.eql.syntax import invalid

Test = Callable[[Doc], bool | None]
Values = Callable[[Doc], list[Any]]

_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_FLIPPED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


def event_test(query: EventQuery, schema: Schema) -> Callable[[Doc], bool]:
    """Return whether a document is selected by ``category where condition``.

    Raises:
        EngineError: SC402 if Elasticsearch's verifier would reject the condition.
    """
    test = compile_test(query.condition, schema)
    if query.category == "any":
        return lambda doc: test(doc) is True
    wanted = query.category
    # event.category may hold several; the comparison is a term query and so minds the case.
    return lambda doc: wanted in values(doc, "event.category", "string") and test(doc) is True


def compile_test(node: Node, schema: Schema) -> Test:
    """Return the test of one boolean expression.

    Raises:
        EngineError: SC402 if Elasticsearch's verifier would reject it.
    """
    match node:
        case Literal(value) if value is None or isinstance(value, bool):
            return lambda doc: value
        case And(args):
            return _all([compile_test(arg, schema) for arg in args])
        case Or(args):
            return _any([compile_test(arg, schema) for arg in args])
        case Not(arg):
            return _not(compile_test(arg, schema))
        case Compare():
            return _compare(node, schema)
        case InList():
            return _in_list(node, schema)
        case Predicate():
            return _predicate(node, schema)
        case Field():
            return _compare(Compare("==", node, Literal(True)), schema)
        case Call():
            return _call(node, schema)
    raise invalid(f"a condition expected, found {node}")


def _all(tests: Iterable[Test]) -> Test:
    kept = tuple(tests)

    def test(doc: Doc) -> bool | None:
        answer: bool | None = True
        for one in kept:
            found = one(doc)
            if found is False:
                return False
            if found is None:
                answer = None
        return answer

    return test


def _any(tests: Iterable[Test]) -> Test:
    refuted = _all(_not(test) for test in tests)
    return _not(refuted)


def _not(test: Test) -> Test:
    def negated(doc: Doc) -> bool | None:
        found = test(doc)
        return None if found is None else not found

    return negated


def _null(doc: Doc) -> None:
    return None


def _compare(node: Compare, schema: Schema) -> Test:
    left, op, right = node.left, node.op, node.right
    if isinstance(left, Literal):
        left, op, right = right, _FLIPPED[op], left
    if not isinstance(right, Literal):
        raise invalid("comparisons against fields are not (currently) supported")
    if right.value is None:
        return _null_check(left, op, schema)
    if isinstance(left, Field | Call) and not functions.is_test(left):
        family, get = _operand(left, schema)
        if family is None:
            return _null
        wanted = _literal(right.value, family)
        if op in {"==", "!="}:
            test = _some(get, lambda value: value == wanted)
            return test if op == "==" else _not(test)
        if family in {"boolean", "ip"}:
            raise invalid(f"'{op}' does not compare values of type {family}")
        compare = _ORDER[op]
        return _some(get, lambda value: compare(value, wanted))
    if isinstance(right.value, bool) and op in {"==", "!="}:
        test = compile_test(left, schema)
        return test if right.value is (op == "==") else _not(test)
    raise invalid("a condition compares with true and false only")


def _null_check(left: Node, op: str, schema: Schema) -> Test:
    if not isinstance(left, Field) or op not in {"==", "!="}:
        raise invalid("only a field is compared with null, by == or !=")
    family, get = _operand(left, schema)
    absent = op == "=="
    if family is None:
        return lambda doc: absent
    return lambda doc: (not get(doc)) is absent


def _some(get: Values, test: Callable[[Any], bool]) -> Test:
    """Any value of an array satisfies."""
    return lambda doc: any(test(value) for value in get(doc))


def _operand(node: Node, schema: Schema) -> tuple[str | None, Values]:
    """Return the family and the values of what is compared; the family is None for a folded null."""
    if isinstance(node, Field):
        family = schema.family(node)
        name = node.name
        return family, lambda doc: values(doc, name, family or "string")
    if isinstance(node, Call):
        if not node.args or not isinstance(node.args[0], Field):
            raise invalid(f"{node.name}() is executed on a field only")
        inner, get = _operand(node.args[0], schema)
        family, apply = functions.scalar(node, inner)
        return (None if inner is None else family), lambda doc: [apply(value) for value in get(doc)]
    raise invalid(f"a field expected, found {node}")


def _literal(value: Any, family: str) -> Any:
    """Return the literal as the family's values compare, or reject it as the verifier does."""
    kind = "boolean" if isinstance(value, bool) else "string" if isinstance(value, str) else "number"
    try:
        if kind == family:
            return value
        if family == "ip" and kind == "string":
            return ipaddress.ip_address(value)
        if family == "date" and kind == "string":
            return milliseconds(value)
    except ValueError as error:
        raise invalid(str(error)) from error
    raise invalid(f"a value of type {family} expected, found [{value}] of type {kind}")


def _in_list(node: InList, schema: Schema) -> Test:
    family, get = _operand(node.left, schema)
    literals = [value.value for value in node.values if isinstance(value, Literal)]
    if len(literals) != len(node.values) or None in literals:
        raise invalid("'in' takes values that are not null only")
    if family is None:
        return _null
    if family == "ip":
        # Elasticsearch: "1st argument of [source.ip in (...)] must be [ip], found ... type [keyword]".
        raise invalid("'in' does not take an ip field and strings; use cidrMatch")
    if node.insensitive and family != "string":
        raise invalid("'in~' takes a string field only")
    wanted = [_literal(value, family) for value in literals]
    if node.insensitive:
        folded = {patterns.fold(value) for value in wanted}
        return _some(get, lambda value: patterns.fold(value) in folded)
    members = set(wanted)
    return _some(get, lambda value: value in members)


def _predicate(node: Predicate, schema: Schema) -> Test:
    family, get = _operand(node.left, schema)
    if family is None:
        return _null
    if family != "string":
        raise invalid(f"1st argument must be [string], found a value of type {family} in {node.patterns[:1]}")
    if node.kind == "regex":
        # One regexp query of all patterns (queryfolder_tests.txt), so its limits are those of the whole.
        tests = [patterns.regex("|".join(node.patterns), node.insensitive)]
    else:
        tests = [patterns.like(pattern, node.insensitive) for pattern in node.patterns]
    return _some(get, lambda value: any(test(value) for test in tests))


def _call(node: Call, schema: Schema) -> Test:
    if not functions.is_test(node):
        raise invalid(f"{node.name}() is not a condition")
    family, get = _operand(node.args[0], schema) if node.args else (None, None)
    if get is None:
        raise invalid(f"{node.name}() needs arguments")
    test = functions.condition(node, family)
    return _null if family is None else _some(get, test)
