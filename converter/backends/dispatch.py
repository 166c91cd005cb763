"""Which of pySigma's methods converts a condition or a value: looked up by type.

pySigma asks for one type after the other, and its types are abstract base classes, which answer slowly.
"""

from __future__ import annotations

from typing import Any, Self

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.conversion.state import ConversionState
from sigma.types import (
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
)

from converter.plan.volume_paths import VolumePath

_CONDITIONS: dict[type, str] = {
    ConditionOR: "convert_condition_or",
    ConditionAND: "convert_condition_and",
    ConditionNOT: "convert_condition_not",
    ConditionFieldEqualsValueExpression: "convert_condition_field_eq_val",
    ConditionValueExpression: "convert_condition_val",
}
_VALUES: dict[type, str] = {
    SigmaCasedString: "convert_condition_field_eq_val_str_case_sensitive",
    SigmaString: "convert_condition_field_eq_val_str",
    SigmaNumber: "convert_condition_field_eq_val_num",
    SigmaRegularExpression: "convert_condition_field_eq_val_re",
    VolumePath: "convert_condition_field_eq_val_re",
    SigmaCIDRExpression: "convert_condition_field_eq_val_cidr",
    SigmaCompareExpression: "convert_condition_field_compare_op_val",
    SigmaNull: "convert_condition_field_eq_val_null",
    SigmaExists: "convert_condition_field_eq_val_exists",
    SigmaExpansion: "convert_condition_field_eq_expansion",
}


class ByType:
    """Stands before pySigma's backend, which is asked about all other types; without `in` lists."""

    def __new__(cls, *args: Any, **options: Any) -> Self:
        """Make an instance, by pySigma's own `__new__` only once.

        That sets an attribute of the class, always the same, and Python then forgets what it has worked out
        of the class's methods.
        """
        if "explicit_not_exists_expression" in cls.__dict__:
            return object.__new__(cls)
        return super().__new__(cls)

    def convert_condition(self, cond: Any, state: ConversionState) -> Any:
        """Convert a condition."""
        name = _CONDITIONS.get(type(cond))
        if name is None:
            return super().convert_condition(cond, state)  # type: ignore[misc]
        return getattr(self, name)(cond, state)

    def convert_condition_field_eq_val(self, cond: Any, state: ConversionState) -> Any:
        """Convert the comparison of a field with a value."""
        name = _VALUES.get(type(cond.value))
        if name is None:
            return super().convert_condition_field_eq_val(cond, state)  # type: ignore[misc]
        return getattr(self, name)(cond, state)
