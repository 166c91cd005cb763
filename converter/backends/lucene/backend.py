"""The Lucene backend: a rule's condition as a tree, written as query_string or in the query DSL."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from converter.backends.common.numbers import numeral
from converter.backends.lucene import bound, dsl, keywords, threshold_rules
from converter.backends.lucene.expression import ANY, Node, Part, both, either, negation
from converter.backends.lucene.fields import Case, Scope, parts_of, shown
from converter.backends.lucene.query import query
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
    value_text,
)
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Reason
from converter.plan.values import (
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


class LuceneBackend:
    """One rule to Elasticsearch's query_string.

    Args:
        case: ``exact`` writes letters in both cases where a field is case-sensitive; ``as-is`` compares
            them as the rule writes them, which misses.
        form: ``query_string``, or ``dsl`` for event rules as a JSON body of the query DSL.
    """

    language: ClassVar[str] = "lucene"
    extension: ClassVar[str] = "lucene"
    correlation_extension: ClassVar[str] = "json"

    def __init__(self, *, case: Case = "exact", form: str = "query_string") -> None:
        self.case: Case = case
        self.form = form

    def event(self, base: BaseRule) -> list[Draft]:
        """Return the query that selects the rule's events.

        Raises:
            Refusal: if query_string cannot say the rule.
        """
        if self.form == "dsl":
            return self.event_dsl(base)
        condition, reasons = self.condition(base)
        parted = dsl.parted(condition)
        extra = {} if parted is None else dict(zip(("query", "filters"), parted, strict=True))
        return [Draft(query(condition), reasons=reasons, extra=extra)]

    def event_dsl(self, base: BaseRule) -> list[Draft]:
        """Return the body of Elasticsearch's query DSL that selects the rule's events, as JSON.

        Raises:
            Refusal: as `event`.
        """
        condition, reasons = self.condition(base)
        return [Draft(dsl.body(condition), reasons=reasons, extension="json")]

    def correlation(self, plan: CorrelationPlan) -> list[Draft]:
        """Return the threshold rule whose groups hold the correlation's.

        Raises:
            Refusal: if no threshold says it.
        """
        return [threshold_rules.draft(plan, self.condition)]

    def comment(self, lines: Sequence[str]) -> str:
        """Return nothing: query_string has no comments."""
        return ""

    def condition(self, base: BaseRule) -> tuple[Node, tuple[Reason, ...]]:
        """Return the rule's condition and what it loses.

        Raises:
            Refusal: if it cannot be said, or is nested too deeply.
        """
        node, scope = self._converted(base)
        # A record with a long value cannot both satisfy a comparison and not satisfy another of that field.
        both_ways = [name for name, polarities in scope.cut.items() if len(polarities) > 1]
        if both_ways:
            node, scope = self._converted(base, both_ways)
        if bound.loose(base, scope.apart.keys()):
            scope.reasons.append(next(iter(scope.apart.values())))
        return node, tuple(dict.fromkeys(scope.reasons))

    def _converted(self, base: BaseRule, as_missing: Sequence[str] = ()) -> tuple[Node, Scope]:
        scope = Scope(base.columns, self.case, base.category, as_missing)
        try:
            node = _render(base.condition, scope)
        except RecursionError as error:
            raise Refusal("SC203", "the condition is nested too deeply") from error
        return node, scope


def _render(condition: Condition, scope: Scope) -> Node:
    match condition:
        case And(items):
            return both([_render(item, scope) for item in items])
        case Or(items):
            return either([_render(item, scope) for item in items])
        case Not(item):
            scope.negated = not scope.negated
            try:
                return negation(_render(item, scope))
            finally:
                scope.negated = not scope.negated
        case Comparison(field, value):
            return _compared(field, value, scope)
        case Keyword(value):
            return _anywhere(value, scope)


def _compared(field: str, value: Value, scope: Scope) -> Node:
    match value:
        case Alternatives(values):
            return either([_compared(field, one, scope) for one in values])
        case FieldOf():
            raise Refusal("SC201", "Lucene cannot compare a field with a field; KQL and SPL can")
        case TimePart():
            raise Refusal("SC201", "Lucene has no functions of time for time modifiers; KQL and SPL have")
        case Foreign():
            raise _foreign()
        case Null() | Exists(exists=False):
            return negation(scope.field(field).exists())
        case Exists():
            return scope.field(field).exists()
        case Text():
            return scope.field(field).string(value)
        case Number(number):
            return scope.field(field).number(number)
        case Flag(boolean):
            return scope.field(field).boolean(boolean)
        case Regex():
            return scope.field(field).regex(value)
        case VolumePath():
            return scope.field(field).regex(value.regex)
        case Network(network=network):
            return scope.field(field).network(network)
        case Ordered(operator, number):
            target = scope.field(field)
            if operator == "!=":
                return negation(target.number(number.number))
            return target.compare(operator, number.number)


def _foreign() -> Refusal:
    return Refusal("SC201", "a query expression of a pipeline is text of another converter's Lucene")


def _anywhere(value: Value, scope: Scope) -> Node:
    """Look for a keyword; a boolean is the word that it is written as."""
    match value:
        case Alternatives(values):
            return either([_anywhere(one, scope) for one in values])
        case Text():
            return _in_any_field((ANY, *parts_of(value), ANY), scope, folds=not value.cased)
        case Flag():
            return _in_any_field((ANY, value.word, ANY), scope, folds=True)
        case Number(number) | TimePart(_, number):
            return _in_any_field((ANY, numeral(number), ANY), scope, folds=False)
        case Regex() | VolumePath():
            keywords.note(scope, None)
            return scope.regex(None, value.regex if isinstance(value, VolumePath) else value)
        case Foreign():
            raise _foreign()
        case Ordered() | FieldOf():
            raise Refusal(
                "SC201", "a keyword is a text, a number or a regular expression: this needs a field"
            )
    raise Refusal("SC201", f"Lucene: {value_text(value)} cannot be a keyword: it needs a field")


def _in_any_field(parts: Sequence[Part], scope: Scope, *, folds: bool) -> Node:
    keywords.note(scope, shown(tuple(parts)))
    joined: list[Part] = []
    for part in parts:
        if part is not ANY or joined[-1:] != [ANY]:
            joined.append(part)
    return scope.text(None, tuple(joined), folds)
