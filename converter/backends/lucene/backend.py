"""The Lucene backend: pySigma's dispatch over the condition, our tree of conditions as its result."""

# pySigma documents what each overridden method converts, and types its result as text; ours is a Node.
# ruff: noqa: D102
# mypy: disable-error-code="override"

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from sigma.backends.elasticsearch.elasticsearch_lucene import LuceneBackend as UpstreamLuceneBackend
from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.conditions import ConditionFieldEqualsValueExpression as FieldValue
from sigma.conversion.state import ConversionState
from sigma.types import (
    SigmaBool,
    SigmaCasedString,
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaString,
)

from converter.backends.common.numbers import numeral
from converter.backends.dispatch import ByType
from converter.backends.lucene import bound, dsl, keywords, threshold_rules
from converter.backends.lucene.expression import ANY, Node, Part, both, either, negation
from converter.backends.lucene.fields import Case, Scope, parts_of, shown
from converter.backends.lucene.query import query
from converter.errors import Refusal
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Reason

_OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


class LuceneBackend(ByType, UpstreamLuceneBackend):
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
        super().__init__()
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
        scope = Scope(base.columns, self.case, base.rule.logsource.category, as_missing)
        try:
            node = self.convert_condition(base.tree, ConversionState(processing_state={"scope": scope}))
        except RecursionError as error:
            raise Refusal("SC203", "the condition is nested too deeply") from error
        if node is None:
            raise Refusal("SC209", "nothing is left of the condition")
        return node, scope

    # What follows are pySigma's methods, each returning a Node.

    def decide_convert_condition_as_in_expression(self, cond: Any, state: ConversionState) -> bool:
        """Never: lists are made from the tree."""
        return False

    def convert_condition_or(self, cond: ConditionOR, state: ConversionState) -> Node | None:
        found = [self.convert_condition(arg, state) for arg in cond.args]
        return either([node for node in found if node is not None]) if any(found) else None

    def convert_condition_and(self, cond: ConditionAND, state: ConversionState) -> Node | None:
        found = [self.convert_condition(arg, state) for arg in cond.args]
        return both([node for node in found if node is not None]) if any(found) else None

    def convert_condition_not(self, cond: ConditionNOT, state: ConversionState) -> Node | None:
        scope = _scope(state)
        scope.negated = not scope.negated
        try:
            found = self.convert_condition(cond.args[0], state)
        finally:
            scope.negated = not scope.negated
        return None if found is None else negation(found)

    def convert_condition_field_eq_expansion(self, cond: Any, state: ConversionState) -> Node:
        return either(
            [self.convert_condition(FieldValue(cond.field, one), state) for one in cond.value.values]
        )

    def convert_condition_field_eq_val_str(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).string(cond.value, cased=False)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).string(cond.value, cased=True)

    def convert_condition_field_eq_val_num(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).number(cond.value.number)

    def convert_condition_field_eq_val_bool(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).boolean(cond.value.boolean)

    def convert_condition_field_eq_val_re(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).regex(cond.value)

    def convert_condition_field_eq_val_cidr(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).network(cond.value.network)

    def convert_condition_field_compare_op_val(self, cond: Any, state: ConversionState) -> Node:
        target = _scope(state).field(cond.field)
        name, number = cond.value.op.name, cond.value.number.number
        if name == "NEQ":
            return negation(target.number(number))
        return target.compare(_OPERATORS[name], number)

    def convert_condition_field_eq_field(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "Lucene cannot compare a field with a field; KQL and SPL can")

    def convert_condition_field_eq_val_null(self, cond: Any, state: ConversionState) -> Node:
        return negation(_scope(state).field(cond.field).exists())

    def convert_condition_field_exists(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).field(cond.field).exists()

    def convert_condition_field_not_exists(self, cond: Any, state: ConversionState) -> Node:
        return negation(_scope(state).field(cond.field).exists())

    def convert_condition_field_eq_val_exists(self, cond: Any, state: ConversionState) -> Node:
        found = _scope(state).field(cond.field).exists()
        return found if cond.value else negation(found)

    def convert_condition_field_eq_val_timestamp_part(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "Lucene has no functions of time for time modifiers; KQL and SPL have")

    def convert_condition_field_eq_query_expr(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "a query expression of a pipeline is text of another converter's Lucene")

    def convert_condition_query_expr(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "a query expression of a pipeline is text of another converter's Lucene")

    def convert_condition_val(self, cond: Any, state: ConversionState) -> Node:
        """Convert a keyword; a boolean is the word that it is written as, which pySigma refuses."""
        if isinstance(cond.value, SigmaExpansion):
            values = map(ConditionValueExpression, cond.value.values)
            return either([self.convert_condition_val(one, state) for one in values])
        if isinstance(cond.value, SigmaBool):
            cond = ConditionValueExpression(SigmaString("true" if cond.value.boolean else "false"))
        if isinstance(cond.value, SigmaCompareExpression | SigmaFieldReference):
            raise Refusal(
                "SC201", "a keyword is a text, a number or a regular expression: this needs a field"
            )
        return super().convert_condition_val(cond, state)  # type: ignore[no-any-return]

    def convert_condition_val_str(self, cond: Any, state: ConversionState) -> Node:
        cased = isinstance(cond.value, SigmaCasedString)
        return self._keyword(state, (ANY, *parts_of(cond.value), ANY), folds=not cased)

    def convert_condition_val_num(self, cond: Any, state: ConversionState) -> Node:
        return self._keyword(state, (ANY, numeral(cond.value.number), ANY), folds=False)

    def convert_condition_val_re(self, cond: Any, state: ConversionState) -> Node:
        keywords.note(_scope(state), None)
        return _scope(state).regex(None, cond.value)

    def _keyword(self, state: ConversionState, parts: Sequence[Part], *, folds: bool) -> Node:
        keywords.note(_scope(state), shown(tuple(parts)))
        joined: list[Part] = []
        for part in parts:
            if part is not ANY or joined[-1:] != [ANY]:
                joined.append(part)
        return _scope(state).text(None, tuple(joined), folds)


def _scope(state: ConversionState) -> Scope:
    found = state.processing_state["scope"]
    assert isinstance(found, Scope)
    return found
