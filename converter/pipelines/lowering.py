"""From pySigma's condition tree, as a pipeline left it, to our own: nothing beyond knows pySigma's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR, ConditionValueExpression
from sigma.conditions import ConditionFieldEqualsValueExpression as FieldValue
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SigmaType,
    SpecialChars,
    TimestampPart,
)

from converter.pipelines.transformations.volume_regex import VolumeRegex
from converter.plan import values
from converter.plan.conditions import Alternatives, And, Comparison, Condition, Keyword, Not, Or, Value

_OPERATORS: Mapping[CompareOperators, values.Operator] = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "!=",
}
_UNITS: Mapping[TimestampPart, values.TimeUnit] = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "day",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}


class Lowering:
    """The lowering of one rule's conditions.

    It numbers the rule's values: `origin` of a comparison says which of them it comes from. A value that a
    condition names twice has one number.
    """

    def __init__(self) -> None:
        self._origins: dict[int, int] = {}
        self._values: list[SigmaType] = []

    def condition(self, node: Any) -> Condition | None:
        """Return a condition of pySigma as our condition tree; None if nothing is left of it.

        Args:
            node: a parsed condition of pySigma's, or a part of one.
        """
        kind = type(node)
        if kind is FieldValue:
            return Comparison(node.field, lowered_value(node.value), self._origin(node.value))
        if kind is ConditionValueExpression:
            return Keyword(lowered_value(node.value), self._origin(node.value))
        if node is None:
            return None
        items = tuple([item for arg in node.args if (item := self.condition(arg)) is not None])
        if not items:
            return None
        if kind is ConditionNOT:
            return Not(items[0])
        if kind is ConditionAND:
            return And(items)
        if kind is ConditionOR:
            return Or(items)
        raise TypeError(f"no condition: {kind.__name__}")

    def _origin(self, value: SigmaType) -> int:
        # The values are kept, so that none of them gives its `id()` to another.
        origin = self._origins.setdefault(id(value), len(self._values))
        if origin == len(self._values):
            self._values.append(value)
        return origin

    def origin_of(self, value: SigmaType) -> int | None:
        """Return the number of a value of pySigma's, if a condition has it."""
        return self._origins.get(id(value))

    def value_of(self, origin: int) -> SigmaType:
        """Return pySigma's value with a number."""
        return self._values[origin]


def lowered(node: Any) -> Condition | None:
    """Return a condition of pySigma as our condition tree, without the numbers of the rule's values."""
    return Lowering().condition(node)


def lowered_value(value: SigmaType) -> Value:
    """Return a value of pySigma as a value of our condition tree."""
    # By type, as pySigma's values are abstract base classes, which `isinstance` is slow to tell apart.
    for kind in type(value).__mro__:
        if (lower := _LOWER.get(kind)) is not None:
            return lower(value)
    return values.Foreign(type(value).__name__, str(value))


def _ordered(value: SigmaCompareExpression) -> values.Ordered:
    number = lowered_value(value.number)
    assert isinstance(number, values.Number | values.TimePart)
    return values.Ordered(_OPERATORS[value.op], number)


def _text(value: SigmaString, cased: bool) -> values.Text:
    return values.Text(tuple([part if isinstance(part, str) else _part(part) for part in value.s]), cased)


def _part(part: SpecialChars | Placeholder) -> values.Part:
    if part is SpecialChars.WILDCARD_MULTI:
        return values.ANY
    if part is SpecialChars.WILDCARD_SINGLE:
        return values.ONE
    assert isinstance(part, Placeholder)
    return values.Placeholder(part.name)


def _regex(value: SigmaRegularExpression) -> values.Regex:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    return values.Regex(str(value.regexp), flags, value.contains_placeholder())


_LOWER: Mapping[type, Callable[[Any], Value]] = {
    SigmaCasedString: lambda value: _text(value, True),
    SigmaString: lambda value: _text(value, False),
    SigmaTimestampPart: lambda value: values.TimePart(_UNITS[value.timestamp_part], value.number),
    SigmaNumber: lambda value: values.Number(value.number),
    SigmaBool: lambda value: values.Flag(value.boolean),
    VolumeRegex: lambda value: value.path,
    SigmaRegularExpression: _regex,
    SigmaCIDRExpression: lambda value: values.Network(value.cidr, value.network),
    SigmaCompareExpression: _ordered,
    SigmaFieldReference: lambda value: values.FieldOf(value.field, value.starts_with, value.ends_with),
    SigmaExists: lambda value: values.Exists(value.exists),
    SigmaNull: lambda value: values.Null(),
    SigmaExpansion: lambda value: Alternatives(tuple(map(lowered_value, value.values))),
}
"""What becomes of each type of pySigma's; of a type that is not here, what becomes of its next base."""
