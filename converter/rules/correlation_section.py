"""Read the `correlation` section of a rule (Sigma correlation specification 2.1) into plain values.

pySigma's own reading is not used: it truncates thresholds to integers, refuses ranges, and sorts the
rules of a chain in an order that is wrong for most files.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from operator import eq, ge, gt, le, lt, ne
from typing import TYPE_CHECKING, Any

from converter.plan.model import Threshold

if TYPE_CHECKING:
    from converter.rules.rule import Rule

TYPES = (
    "event_count",
    "value_count",
    "temporal",
    "temporal_ordered",
    "value_sum",
    "value_avg",
    "value_percentile",
    "value_median",
)
OPERATORS = ("gt", "gte", "lt", "lte", "eq", "neq")
_UNIT_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_WORD = re.compile(r"\s*(?:(\()|(\))|([^\s()]+))")

Expression = Any
"""A member's name, or ("and" | "or", left, right), or ("not", operand)."""


@dataclass(frozen=True, slots=True)
class Section:
    """The correlation section, checked."""

    type: str
    rules: tuple[str, ...]
    group_by: tuple[str, ...]
    timespan_ms: int
    thresholds: tuple[Threshold, ...]
    fields: tuple[str, ...]
    """The condition's ``field``: what value_count and the like look at."""
    percentile: float | None
    expression: Expression
    aliases: dict[str, dict[str, str]]
    """alias -> rule reference -> field"""
    generate: bool


def generates(rule: Rule) -> bool:
    """Tell whether a correlation's base rules are converted on their own too.

    `generate` is beside `correlation` in the specification's published schema, inside it in pySigma.
    """
    section = rule.doc.get("correlation")
    inside = section.get("generate") if isinstance(section, dict) else None
    return inside is True or rule.doc.get("generate") is True


def referenced(rule: Rule) -> list[str]:
    """Return the references of a correlation, in order, without checking anything else."""
    section = rule.doc.get("correlation")
    if not isinstance(section, dict):
        return []
    rules = section.get("rules")
    if isinstance(rules, str | int):
        return [str(rules)]
    if isinstance(rules, list):
        return [str(one) for one in rules]
    condition = section.get("condition")
    if isinstance(condition, str):
        return list(dict.fromkeys(_names(condition)))
    return []


def _names(condition: str) -> list[str]:
    words = [match[3] for match in _WORD.finditer(condition) if match[3]]
    return [word for word in words if word.lower() not in ("and", "or", "not")]


def timespan_ms(text: str) -> int:
    """Return the milliseconds of a timespan such as ``10m``.

    Units are s, m, h and d (correlation specification 2.1, "timespan"). Months and years, which pySigma
    also knows, have no fixed length.

    Raises:
        ValueError: if it is not a positive whole number and a unit.
    """
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    if not match or int(match[1]) == 0:
        raise ValueError(f"'{text}' is no timespan: write a whole number and s, m, h or d, such as 10m")
    return int(match[1]) * _UNIT_MS[match[2]]


def read(rule: Rule) -> Section:
    """Return the checked correlation section of a rule.

    Raises:
        RuleError: SC112, at the key that is wrong.
    """
    section = rule.doc["correlation"]
    if not isinstance(section, dict):
        raise rule.error("SC112", "'correlation' is a mapping of keys to values", "correlation")
    kind = section.get("type")
    if kind not in TYPES:
        known = ", ".join(TYPES)
        raise rule.error("SC112", f"'{kind}' is no correlation type: {known}", "correlation", "type")
    references = tuple(referenced(rule))
    if not references:
        raise rule.error("SC112", "refers to no rules", "correlation", "rules")
    if len(set(references)) != len(references):
        raise rule.error("SC112", "refers to one rule twice", "correlation", "rules")
    try:
        span = timespan_ms(str(section.get("timespan")))
    except ValueError as problem:
        raise rule.error("SC112", str(problem), "correlation", "timespan") from problem
    thresholds, expression, fields, percentile = _condition(rule, section, references)
    if kind == "value_median":
        kind, percentile = "value_percentile", 50.0
    group_by = section.get("group-by", section.get("group_by")) or []
    if isinstance(group_by, str):
        group_by = [group_by]
    if not isinstance(group_by, list) or not all(isinstance(key, str) for key in group_by):
        raise rule.error("SC112", "'group-by' is a list of field names", "correlation", "group-by")
    return Section(
        kind,
        references,
        tuple(dict.fromkeys(group_by)),
        span,
        thresholds,
        fields,
        percentile,
        expression,
        _aliases(rule, section, references),
        generates(rule),
    )


def _condition(
    rule: Rule, section: dict[str, Any], references: tuple[str, ...]
) -> tuple[tuple[Threshold, ...], Expression, tuple[str, ...], float | None]:
    kind = section["type"]
    condition = section.get("condition")
    place = ("correlation", "condition")
    temporal = kind in ("temporal", "temporal_ordered")
    if condition is None and temporal:
        return (), None, (), None
    if isinstance(condition, str) and temporal:
        return (), _expression(rule, condition, references), (), None
    if not isinstance(condition, dict):
        raise rule.error("SC112", f"a {kind} correlation needs a condition such as 'gte: 5'", *place)
    extra = set(condition) - {*OPERATORS, "field", "percentile"}
    if extra:
        raise rule.error("SC112", f"unknown key '{sorted(map(str, extra))[0]}' in the condition", *place)
    thresholds = tuple(
        Threshold(op, _number(rule, condition[op], *place, op)) for op in OPERATORS if op in condition
    )
    if not thresholds:
        raise rule.error("SC112", f"the condition compares with nothing: {', '.join(OPERATORS)}", *place)
    if not _can_hold(kind, thresholds):
        raise rule.error("SC112", "no number meets all comparisons of the condition", *place)
    fields = condition.get("field")
    if fields and kind == "event_count":
        text = "an event_count counts events and looks at no field: a value_count counts values"
        raise rule.error("SC112", text, *place, "field")
    names = tuple(fields) if isinstance(fields, list) else (str(fields),) if fields else ()
    if kind.startswith("value_") and not names:
        raise rule.error("SC112", f"a {kind} correlation needs 'field' in its condition", *place)
    if kind not in ("value_count",) and len(names) > 1:
        raise rule.error("SC112", f"a {kind} correlation looks at one field", *place, "field")
    percentile = None
    if kind == "value_percentile":
        percentile = _number(rule, condition.get("percentile", 95), *place, "percentile")
        if not 0 < percentile <= 100:
            raise rule.error("SC112", "a percentile is more than 0 and at most 100", *place, "percentile")
    return thresholds, None, names, percentile


def _can_hold(kind: str, thresholds: Sequence[Threshold]) -> bool:
    """Tell whether some number meets all comparisons; counts are whole numbers from 0 on."""
    values = [one.value for one in thresholds]
    near = {
        0.0,
        *((a + b) / 2 for a in values for b in values),
        *(a + step for a in values for step in (-1, 1)),
    }
    if kind in ("event_count", "value_count", "temporal", "temporal_ordered"):
        near = {float(number) for value in near for number in (floor(value), ceil(value)) if number >= 0}
    return any(all(_MEETS[one.op](number, one.value) for one in thresholds) for number in near)


_MEETS = {"gt": gt, "gte": ge, "lt": lt, "lte": le, "eq": eq, "neq": ne}


def _number(rule: Rule, value: Any, *place: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        try:
            value = float(value) if isinstance(value, str) else None
        except ValueError:
            value = None
    if value is None or value != value or value in (float("inf"), float("-inf")):
        raise rule.error("SC112", "is not a number", *place)
    number: float = value
    return int(number) if number == int(number) else number


def _expression(rule: Rule, text: str, references: tuple[str, ...]) -> Expression:
    """Parse a boolean temporal condition: not before and before or."""
    place = ("correlation", "condition")
    words = [match[0].strip() for match in _WORD.finditer(text)]
    position = 0

    def word() -> str:
        return words[position].lower() if position < len(words) else ""

    def operand() -> Expression:
        nonlocal position
        token = words[position] if position < len(words) else ""
        position += 1
        if token.lower() == "not":
            return ("not", operand())
        if token == "(":
            inner = chain("or")
            if word() != ")":
                raise rule.error("SC112", f"unbalanced parenthesis in '{text}'", *place)
            position += 1
            return inner
        if token not in references:
            raise rule.error("SC112", f"'{token}' is none of the rules of this correlation", *place)
        return token

    def chain(operator: str) -> Expression:
        nonlocal position
        left = chain("and") if operator == "or" else operand()
        while word() == operator:
            position += 1
            left = (operator, left, chain("and") if operator == "or" else operand())
        return left

    parsed = chain("or")
    if position != len(words):
        raise rule.error("SC112", f"'{words[position]}' is not expected in '{text}'", *place)
    return parsed


def _aliases(rule: Rule, section: dict[str, Any], references: tuple[str, ...]) -> dict[str, dict[str, str]]:
    aliases = section.get("aliases") or {}
    place = ("correlation", "aliases")
    if not isinstance(aliases, dict):
        raise rule.error("SC112", "'aliases' is a mapping", *place)
    for alias, fields in aliases.items():
        if not isinstance(fields, dict) or not fields:
            raise rule.error("SC112", f"alias '{alias}' maps rules to fields", *place, alias)
        for reference in fields:
            if str(reference) not in references:
                raise rule.error(
                    "SC112", f"alias '{alias}' names '{reference}', none of the rules", *place, alias
                )
    return {str(alias): {str(k): str(v) for k, v in fields.items()} for alias, fields in aliases.items()}
