"""A field that is in one field of the event or another, depending on a third: by_case."""

from __future__ import annotations

from dataclasses import dataclass

from sigma.conditions import ConditionAND, ConditionOR
from sigma.processing.transformations.base import (
    FieldMappingTransformationBase,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem
from sigma.types import (
    SigmaString,
    SigmaType,
)

from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.items import Part


@dataclass
class ByCase(FieldMappingTransformationBase):
    """Map a field to one of several, depending on the value of another field of the event.

    ``by``: the field that decides, as the rule calls it. ``cases``: value of that field to the field to
    look in; values of the same field are joined. Where the rule itself fixes the deciding field beside
    the item, only that case remains. ``key``: the column to group by and to show;
    without it, grouping by the field and showing it are refused, because no one column holds it.
    """

    by: str
    cases: dict[str, str]
    key: str | None = None

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        return [self.key or f"{field} (in one of {', '.join(dict.fromkeys(self.cases.values()))})"]

    def apply_detection(self, detection: SigmaDetection) -> None:
        """Replace the items of one group; an item beside one that fixes the case is only renamed."""
        fixed = self._fixed(detection)
        for position, part in enumerate(detection.detection_items):
            if isinstance(part, SigmaDetection):
                self.apply_detection(part)
                continue
            if self.processing_item is None or not self.processing_item.match_detection_item(part):
                continue
            made = self._made(part, fixed)
            detection.detection_items[position] = made
            self.processing_item_applied(made)

    def _fixed(self, detection: SigmaDetection) -> str | None:
        """Return the field that the group's own condition on the deciding field leaves, if it is one."""
        if detection.item_linking is not ConditionAND:
            return None
        for part in detection.detection_items:
            if isinstance(part, SigmaDetectionItem) and part.field == self.by and not part.negated:
                texts = [common.plain(value) for value in part.value]
                fields = {self._field(text) for text in texts}
                if len(fields) == 1 and None not in fields:
                    return fields.pop()
        return None

    def _field(self, text: str | None) -> str | None:
        return {key.lower(): name for key, name in self.cases.items()}.get(str(text).lower())

    def _made(self, part: SigmaDetectionItem, fixed: str | None) -> Part:
        if fixed is not None:
            part.field = fixed
            return part
        fields: dict[str, list[str]] = {}
        for value, name in self.cases.items():
            fields.setdefault(name, []).append(value)
        made: list[Part] = []
        for name, values in fields.items():
            here = SigmaDetectionItem(name, [], list(part.value), source=part.source, auto_modifiers=False)
            here.value_linking = part.value_linking
            here.applied_processing_items = set(part.applied_processing_items)
            texts: list[SigmaType] = [common.string(SigmaString(), [value]) for value in values]
            case = SigmaDetectionItem(self.by, [], texts, source=part.source, auto_modifiers=False)
            made.append(common.linked([case, here], ConditionAND))
        whole = common.linked(made, ConditionOR)
        if part.negated:
            common.negate(whole)
        return whole
