"""The EQL backend: pySigma's dispatch over the condition, our tree of conditions as its result."""

# pySigma documents what each overridden method converts, and types its result as text; ours is a Node.
# ruff: noqa: D102
# mypy: disable-error-code="override"

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

from sigma.backends.elasticsearch.elasticsearch_eql import EqlBackend as UpstreamEqlBackend
from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.conditions import ConditionFieldEqualsValueExpression as FieldValue
from sigma.conversion.state import ConversionState
from sigma.types import (
    SigmaBool,
    SigmaCompareExpression,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaString,
    SigmaType,
    SpecialChars,
)

from converter.backends.common.numbers import numeral, whole
from converter.backends.dispatch import ByType
from converter.backends.elastic.networks import CANONICAL
from converter.backends.eql import correlation, regex, text
from converter.backends.eql.expression import Leaf, Node, Values, both, either, guarded, negation, query
from converter.backends.eql.fields import Scope
from converter.errors import Refusal
from converter.plan.comparisons import leaves
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Fidelity, Reason
from converter.plan.volume_paths import VolumePath

MAX_KEYWORD_FIELDS = 100
"""Keywords are looked for in each declared string field; past this a query is no longer one to run."""
_OPERATORS = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">="}


class EqlBackend(ByType, UpstreamEqlBackend):
    """One rule to EQL.

    pySigma's backend dispatches on conditions and values; each of its methods that made text makes a
    `Node` here, so that values of one field become one list and the text can be laid out.
    """

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
        asked = {leaf.field for leaf in leaves(base.tree)}
        scope = Scope(base.columns, base.rule.logsource.category, declared=not set(base.columns) <= asked)
        try:
            node = self.convert_condition(base.tree, ConversionState(processing_state={"scope": scope}))
        except RecursionError as error:
            raise Refusal("SC203", "the condition is nested too deeply") from error
        if node is None:
            raise Refusal("SC209", "nothing is left of the condition")
        return guarded(node), tuple(dict.fromkeys(scope.reasons))

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
        assert isinstance(cond.value, SigmaExpansion)
        return either(
            [self.convert_condition(FieldValue(cond.field, one), state) for one in cond.value.values]
        )

    def convert_condition_field_eq_val_str(self, cond: Any, state: ConversionState) -> Node:
        column = _scope(state).column(cond.field)
        value = _string(cond.value)
        if value.s and all(part is SpecialChars.WILDCARD_MULTI for part in value.s):
            return column.exists()
        if column.family == "string":
            column.compared(value)
            return _text(column.text, value)
        return column.other(value)

    def convert_condition_field_eq_val_str_case_sensitive(self, cond: Any, state: ConversionState) -> Node:
        column = _scope(state).column(cond.field)
        value = _string(cond.value)
        if value.s and all(part is SpecialChars.WILDCARD_MULTI for part in value.s):
            return column.exists()
        if column.family != "string":
            return column.other(value)
        column.compared(value)
        return _cased(column.text, value)

    def convert_condition_field_eq_val_num(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).column(cond.field).number(cond.value.number)

    def convert_condition_field_eq_val_bool(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).column(cond.field).boolean(cond.value.boolean)

    def convert_condition_field_eq_val_re(self, cond: Any, state: ConversionState) -> Node:
        column = _scope(state).column(cond.field)
        if column.family not in {"string", "number"}:
            raise column.refused("a regular expression")
        made = regex.translate(column.as_text, cond.value)
        column.found(cond.value)
        # Begins of paths make an automaton that grows by their length only.
        return replace(made, listed=True) if isinstance(cond.value, VolumePath) and cond.value.plain else made

    def convert_condition_field_eq_val_cidr(self, cond: Any, state: ConversionState) -> Node:
        scope = _scope(state)
        column, network = scope.column(cond.field), cond.value.network
        if column.family == "string" and network.version == 6:
            scope.lose(Fidelity.EXACT, CANONICAL)
        return column.network(network)

    def convert_condition_field_compare_op_val(self, cond: Any, state: ConversionState) -> Node:
        column = _scope(state).column(cond.field)
        name, number = cond.value.op.name, cond.value.number.number
        if name == "NEQ":
            return negation(column.number(number))
        if column.family != "number":
            raise column.refused(f"a comparison with the number {number}", "KQL and SPL can convert it")
        return Leaf(f"{column.text} {_OPERATORS[name]} {whole(number)}")

    def convert_condition_field_eq_field(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "EQL cannot compare a field with a field; KQL and SPL can")

    def convert_condition_field_eq_val_null(self, cond: Any, state: ConversionState) -> Node:
        return _absent(state, cond.field)

    def convert_condition_field_exists(self, cond: Any, state: ConversionState) -> Node:
        return _scope(state).column(cond.field).exists()

    def convert_condition_field_not_exists(self, cond: Any, state: ConversionState) -> Node:
        return _absent(state, cond.field)

    def convert_condition_field_eq_val_exists(self, cond: Any, state: ConversionState) -> Node:
        if not cond.value:
            return _absent(state, cond.field)
        return _scope(state).column(cond.field).exists()

    def convert_condition_field_eq_val_timestamp_part(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "EQL has no functions of time for time modifiers; KQL and SPL have")

    def convert_condition_field_eq_query_expr(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "a query expression of a pipeline is text of another converter's EQL")

    def convert_condition_query_expr(self, cond: Any, state: ConversionState) -> Node:
        raise Refusal("SC201", "a query expression of a pipeline is text of another converter's EQL")

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
        value = _string(cond.value)
        star = SpecialChars.WILDCARD_MULTI
        around = SigmaString()
        around.s = [star, *value.s, star]
        return self._keyword(state, lambda name: _text(name, around))

    def convert_condition_val_num(self, cond: Any, state: ConversionState) -> Node:
        around = SigmaString(f"*{numeral(cond.value.number)}*")
        return self._keyword(state, lambda name: _text(name, around))

    def convert_condition_val_re(self, cond: Any, state: ConversionState) -> Node:
        return self._keyword(state, lambda name: regex.translate(name, cond.value))

    def _keyword(self, state: ConversionState, make: Any) -> Node:
        scope = _scope(state)
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


def category(base: BaseRule) -> str:
    """Return the event category that the pipeline states, or ``any``."""
    found = base.state.get("eql_category") or "any"
    return str(found) if str(found).isidentifier() else "any"


def _scope(state: ConversionState) -> Scope:
    found = state.processing_state["scope"]
    assert isinstance(found, Scope)
    return found


def _absent(state: ConversionState, field: str) -> Node:
    """Return that a field has no value; what its presence loses, its absence finds too much."""
    scope = _scope(state)
    scope.negated = not scope.negated
    try:
        return negation(scope.column(field).exists())
    finally:
        scope.negated = not scope.negated


def _string(value: SigmaType) -> SigmaString:
    assert isinstance(value, SigmaString)
    if value.contains_placeholder():
        raise Refusal("SC206", f"the value {value} has a placeholder that nothing expands")
    return value


def _text(name: str, value: SigmaString) -> Node:
    """Compare text without case: with a pattern, or by a regex if it has a literal ``*`` or ``?``."""
    plain = text.literal(value)
    if plain is not None and text.caseless(plain):
        return Values(
            name, ":" if "*" not in plain and "?" not in plain else "==", (text.string(plain),), True
        )
    pattern = text.wildcards(value)
    if pattern is None:
        return regex.condition(name, "regex~", regex.parts(value, fold=True))
    return Values(name, ":", (text.string(regex.checked(pattern, value)),))


def _cased(name: str, value: SigmaString) -> Node:
    plain = text.literal(value)
    if plain is not None:
        return Values(name, "==", (text.string(plain),))
    pattern = text.wildcards(value)
    if pattern is None:
        return regex.condition(name, "regex", regex.parts(value, fold=False))
    return Values(name, "like", (text.string(regex.checked(pattern, value)),))
