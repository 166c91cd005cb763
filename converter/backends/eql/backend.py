"""The EQL backend: a rule's condition as a tree of EQL's own, which is then laid out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from converter.backends.common.numbers import numeral, whole
from converter.backends.elastic.networks import CANONICAL
from converter.backends.eql import correlation, regex, text
from converter.backends.eql.expression import Leaf, Node, Values, both, either, guarded, negation, query
from converter.backends.eql.fields import Scope
from converter.errors import Refusal
from converter.plan.conditions import (
    Alternatives,
    And,
    Comparison,
    Condition,
    Keyword,
    Not,
    Or,
    Value,
    comparisons,
    value_text,
)
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Fidelity, Reason
from converter.plan.values import (
    ANY,
    Exists,
    FieldOf,
    Flag,
    Foreign,
    Network,
    Null,
    Number,
    Ordered,
    Regex,
    Text,
    TimePart,
)
from converter.plan.volume_paths import VolumePath

MAX_KEYWORD_FIELDS = 100
"""Keywords are looked for in each declared string field; past this a query is no longer one to run."""


class EqlBackend:
    """One rule to EQL."""

    language: ClassVar[str] = "eql"
    extension: ClassVar[str] = "eql"

    def event(self, base: BaseRule) -> list[Draft]:
        """Return the query that selects the rule's events.

        Raises:
            Refusal: if EQL cannot say the rule.
        """
        condition, reasons = self.condition(base)
        return [Draft(query(category(base), condition), reasons=reasons)]

    def correlation(self, plan: CorrelationPlan) -> list[Draft]:
        """Return the sequences that raise the correlation's alerts, one per order where order is free.

        Raises:
            Refusal: if EQL cannot say the correlation.
        """
        return correlation.drafts(plan, lambda base: (category(base), *self.condition(base)))

    def comment(self, lines: Sequence[str]) -> str:
        """Return the lines as ``//`` comments; one that has breaks of any kind becomes one line."""
        return "".join(f"// {' '.join(line.split())}".rstrip() + "\n" for line in lines)

    def condition(self, base: BaseRule) -> tuple[Node, tuple[Reason, ...]]:
        """Return the rule's condition and what it loses.

        Raises:
            Refusal: if EQL cannot say it, or it is nested too deeply.
        """
        asked = {leaf.field for leaf in comparisons(base.condition)}
        scope = Scope(base.columns, base.category, declared=not set(base.columns) <= asked)
        try:
            node = _render(base.condition, scope)
        except RecursionError as error:
            raise Refusal("SC203", "the condition is nested too deeply") from error
        return guarded(node), tuple(dict.fromkeys(scope.reasons))


def category(base: BaseRule) -> str:
    """Return the event category that the pipeline states, or ``any``."""
    found = base.state.get("eql_category") or "any"
    return str(found) if str(found).isidentifier() else "any"


def _render(condition: Condition, scope: Scope) -> Node:
    match condition:
        case And(items):
            return both([_render(item, scope) for item in items])
        case Or(items):
            return either([_render(item, scope) for item in items])
        case Not(item):
            return negation(_inverted(scope, lambda: _render(item, scope)))
        case Comparison(field, value):
            return _compared(field, value, scope)
        case Keyword(value):
            return _anywhere(value, scope)


def _inverted(scope: Scope, make: Callable[[], Node]) -> Node:
    """Make a node where what is lost counts the other way."""
    scope.negated = not scope.negated
    try:
        return make()
    finally:
        scope.negated = not scope.negated


def _compared(field: str, value: Value, scope: Scope) -> Node:
    match value:
        case Alternatives(values):
            return either([_compared(field, one, scope) for one in values])
        case FieldOf():
            raise Refusal("SC201", "EQL cannot compare a field with a field; KQL and SPL can")
        case TimePart():
            raise Refusal("SC201", "EQL has no functions of time for time modifiers; KQL and SPL have")
        case Foreign():
            raise _foreign()
        case Null() | Exists(exists=False):
            # What its presence loses, its absence finds too much.
            return negation(_inverted(scope, lambda: scope.column(field).exists()))
        case Exists():
            return scope.column(field).exists()
        case Text():
            return _text_compared(field, value, scope)
        case Number(number):
            return scope.column(field).number(number)
        case Flag(boolean):
            return scope.column(field).boolean(boolean)
        case Regex() | VolumePath():
            return _searched(field, value, scope)
        case Network(network=network):
            column = scope.column(field)
            if column.family == "string" and network.version == 6:
                scope.lose(Fidelity.EXACT, CANONICAL)
            return column.network(network)
        case Ordered():
            return _ordered(field, value, scope)


def _foreign() -> Refusal:
    return Refusal("SC201", "a query expression of a pipeline is text of another converter's EQL")


def _text_compared(field: str, value: Text, scope: Scope) -> Node:
    column = scope.column(field)
    _check_placeholder(value)
    if value.matches_any:
        return column.exists()
    if column.family != "string":
        return column.other(value)
    column.compared(value)
    return _cased(column.text, value) if value.cased else _caseless(column.text, value)


def _searched(field: str, value: Regex | VolumePath, scope: Scope) -> Node:
    column = scope.column(field)
    if column.family not in {"string", "number"}:
        raise column.refused("a regular expression")
    sought = value.regex if isinstance(value, VolumePath) else value
    made = regex.translate(column.as_text, sought)
    column.found(sought)
    # Begins of paths make an automaton that grows by their length only.
    return replace(made, listed=True) if isinstance(value, VolumePath) and value.plain else made


def _ordered(field: str, value: Ordered, scope: Scope) -> Node:
    column = scope.column(field)
    number = value.number.number
    if value.operator == "!=":
        return negation(column.number(number))
    if column.family != "number":
        raise column.refused(f"a comparison with the number {number}", "KQL and SPL can convert it")
    return Leaf(f"{column.text} {value.operator} {whole(number)}")


def _anywhere(value: Value, scope: Scope) -> Node:
    """Look for a keyword; a boolean is the word that it is written as."""
    match value:
        case Alternatives(values):
            return either([_anywhere(one, scope) for one in values])
        case Text():
            _check_placeholder(value)
            around = Text((ANY, *value.parts, ANY))
        case Flag():
            around = Text((ANY, value.word, ANY))
        case Number(number) | TimePart(_, number):
            around = Text((ANY, numeral(number), ANY))
        case Regex():
            return _in_fields(scope, lambda name: regex.translate(name, value))
        case VolumePath():
            return _in_fields(scope, lambda name: regex.translate(name, value.regex))
        case Foreign():
            raise _foreign()
        case Ordered() | FieldOf():
            raise Refusal(
                "SC201", "a keyword is a text, a number or a regular expression: this needs a field"
            )
        case _:
            raise Refusal("SC201", f"EQL: {value_text(value)} cannot be a keyword: it needs a field")
    return _in_fields(scope, lambda name: _caseless(name, around))


def _in_fields(scope: Scope, make: Callable[[str], Node]) -> Node:
    names = scope.string_fields()
    if not names:
        raise Refusal("SC201", "EQL has no search over all fields; SPL and Lucene have")
    if not scope.declared:
        raise Refusal(
            "SC201",
            "EQL looks for a keyword in the fields of the index, and this source declares none"
            " (SPL and Lucene search whole events)",
        )
    if len(names) > MAX_KEYWORD_FIELDS:
        raise Refusal(
            "SC201", f"EQL has no search over all fields and here are {len(names)}; SPL and Lucene have"
        )
    why, limits = "keywords are looked for in the declared string fields only", scope.limits()
    if limits:
        why += f", and not in values of more than {min(limits.values()):,} characters in keyword fields"
    places = [
        f"{name}<={limits[name]}" if name in limits else name
        for name in (written.strip("?`") for written in names)
    ]
    scope.lose(
        Fidelity.BROADER if scope.negated else Fidelity.NARROWER,
        why,
        f"keywords in some fields: {', '.join(places)}",
    )
    return either([make(name) for name in names])


def _check_placeholder(value: Text) -> None:
    if value.placeholder:
        raise Refusal("SC206", f"the value {value} has a placeholder that nothing expands")


def _caseless(name: str, value: Text) -> Node:
    """Compare text without case: with a pattern, or by a regex if it has a literal ``*`` or ``?``."""
    plain = value.plain
    if plain is not None and text.caseless(plain):
        return Values(
            name, ":" if "*" not in plain and "?" not in plain else "==", (text.string(plain),), True
        )
    pattern = text.wildcards(value)
    if pattern is None:
        return regex.condition(name, "regex~", regex.parts(value, fold=True))
    return Values(name, ":", (text.string(regex.checked(pattern, value)),))


def _cased(name: str, value: Text) -> Node:
    plain = value.plain
    if plain is not None:
        return Values(name, "==", (text.string(plain),))
    pattern = text.wildcards(value)
    if pattern is None:
        return regex.condition(name, "regex", regex.parts(value, fold=False))
    return Values(name, "like", (text.string(regex.checked(pattern, value)),))
