"""Transformations that say which fields an event has: require_fields and any_field."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import ClassVar

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    DetectionItemTransformation,
    FieldMappingTransformationBase,
)
from sigma.rule import SigmaDetectionItem
from sigma.types import (
    SigmaExists,
    SigmaFieldReference,
    SigmaNull,
    SigmaString,
    SigmaType,
)

from converter.errors import Refusal
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.items import Part
from converter.pipelines.transformations.rewriting import ABSENCE, Form, Rewriting


@dataclass
class RequireFields(DetectionItemTransformation):
    """Refuse every field that the events of a logsource do not have.

    ``fields``: the fields that there are. ``of``: what has them, for the message. ``keywords``: whether
    values without a field can be looked for.
    """

    fields: list[str]
    of: str
    keywords: bool = True

    def apply_detection_item(self, detection_item: SigmaDetectionItem) -> None:
        """Check the item's field and the fields that its values refer to.

        Raises:
            Refusal: SC204 for a field that is not in ``fields``, with the nearest that is; SC201 for a
                keyword where there is no text of the whole event.
        """
        if detection_item.field is None and not self.keywords:
            raise Refusal("SC201", f"keywords cannot be looked for in {self.of}")
        named = [value.field for value in detection_item.value if isinstance(value, SigmaFieldReference)]
        for field in (detection_item.field, *named):
            if field is not None and field not in self.fields:
                close = difflib.get_close_matches(field, self.fields, 1)
                hint = f"nearest: {close[0]}" if close else None
                raise Refusal("SC204", f"field '{field}' is not part of {self.of}", hint=hint)


@dataclass
class AnyField(Rewriting, FieldMappingTransformationBase):
    """Map a list of answers to the fields that hold those of each kind; it is missing where all are.

    ``fields``: the fields, each a list with semicolons. A part of one answer is found where it is; other
    forms speak of the whole list, which no field has. Unlike a mapping to several names, null is a condition
    on all of them. ``absent``: take only questions for no answers at all, which answers of other kinds meet
    too (declare the item broader); ``blank``: only empty texts. Without either it takes all that is left.
    """

    fields: list[str]
    absent: bool = False
    blank: bool = False

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return self.fields

    proven: ClassVar = ABSENCE | {Form.PART, Form.ANY, Form.CASED, Form.EMPTY, Form.NEGATED}
    advice: ClassVar = "the answers are stored by kind: ask for a part of one, with 'contains'"

    @property
    def last(self) -> bool:
        """Whether no other step takes what this one leaves."""
        return not self.absent and not self.blank

    def _takes(self, value: SigmaType) -> bool:
        return (self.absent and _is_missing(value)) or (self.blank and _is_blank(value))

    def rewrite(self, item: SigmaDetectionItem) -> Part | None:
        """Map the values of one item.

        Raises:
            Refusal: SC201 for a part of several answers.
        """
        if not self.last and not all(map(self._takes, item.value)):
            return None
        for value in item.value:
            if isinstance(value, SigmaString) and ";" in "".join(map(str, value.s)).strip("*").rstrip(";"):
                raise common.refuse(item, value, self.advice)
        return common.group(item, [in_any(item, value, self.fields) for value in item.value])


def _is_missing(value: SigmaType) -> bool:
    return isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)


def _is_blank(value: SigmaType) -> bool:
    return isinstance(value, SigmaString) and not value.s


def in_any(item: SigmaDetectionItem, value: SigmaType, fields: list[str]) -> Part:
    """Return the condition that a value is in any of several fields."""
    # Where an empty text is no value, it is missing only if all are.
    missing = _is_missing(value) or _is_blank(value)
    linking = ConditionAND if missing else ConditionOR
    return common.linked([common.item(item, field, value) for field in fields], linking)
