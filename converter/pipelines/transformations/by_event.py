"""A transformation for platforms that keep an element of a record in a field by the kind of event.

- ``by_event``: in the events of some ids the element is in one field, in all others in another.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sigma.conditions import ConditionAND, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.transformations.base import FieldMappingTransformationBase
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaExists, SigmaExpansion, SigmaNull, SigmaType

from converter.pipelines import demanded
from converter.pipelines.lowering import Lowering
from converter.pipelines.transformations import items as common
from converter.pipelines.transformations.items import Part
from converter.plan.conditions import And, Comparison, Condition, Keyword, children
from converter.plan.demanded import both, values_of
from converter.rules import parsed as fresh

Known = frozenset[str] | None
"""The values of the deciding field that a comparison can meet; None where the rule does not say."""


@dataclass
class ByEvent(FieldMappingTransformationBase):
    """Map a field to one of two by what another field of the event holds, an event's id as a rule.

    ``by``: the field that decides, as the rule calls it. ``values``: its values in the events that have the
    element in ``name``; all others have it in ``other``. ``{}`` in these stands for the field. ``left``:
    texts that stay in ``other`` in any event. ``anyway``: any event has the element in ``other``, but dearer.

    A comparison is looked at where it is: what is joined to it by ``and``, at any height of the
    condition, says which events it can meet. Where these are of both kinds, both fields are looked at, each
    in its own events. The item for the deciding field itself comes later in the pipeline.
    """

    by: str
    values: list[str | int]
    name: str
    other: str
    left: list[str] = field(default_factory=list)
    anyway: bool = False

    def __post_init__(self) -> None:
        """Read the values."""
        self._moved = frozenset(str(value).lower() for value in self.values)
        self._known: dict[int, Known] = {}

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Apply to all items of a rule."""
        self._known = _known(rule, self.by) if isinstance(rule, SigmaRule) else {}
        super().apply(rule)
        self._known = {}

    def apply_field_name(self, field: str | None) -> str | list[str] | None:  # noqa: D102
        name, other = self._names(field)
        return [other if self.anyway else f"{field} (in {name} or {other})"]

    def _names(self, field: str | None) -> tuple[str, str]:
        return self.name.replace("{}", str(field)), self.other.replace("{}", str(field))

    def apply_detection(self, detection: SigmaDetection) -> None:
        """Replace the items of one group."""
        for position, part in enumerate(detection.detection_items):
            if isinstance(part, SigmaDetection):
                self.apply_detection(part)
                continue
            if self.processing_item is None or not self.processing_item.match_detection_item(part):
                continue
            if self._pipeline is not None:  # For `strict_field_mapping_failure`.
                self._pipeline.field_mappings.add_mapping(str(part.field), list(self._names(part.field)))
            made = self._made(part)
            detection.detection_items[position] = made
            self.processing_item_applied(made)

    def _made(self, part: SigmaDetectionItem) -> Part:
        sets = [self._known.get(id(value)) for value in part.value]
        known: Known = frozenset()
        for one in sets:
            known = None if known is None or one is None else known | one
        special = any(map(self._is_special, part.value))
        name, other = self._names(part.field)
        settled = demanded.of_event(known, self._moved, name, other) or (other if self.anyway else None)
        if settled and not (special and settled == name):
            part.field = settled
            return part
        made = common.linked([self._one(part, value, known) for value in part.value], part.value_linking)
        if not special:
            made = self._both(known, _renamed(part, name), _renamed(part, other))
        if part.negated:
            common.negate(made)
        return made

    def _is_special(self, value: SigmaType) -> bool:
        return bool(self.left) and (
            isinstance(value, SigmaNull | SigmaExists) or common.plain(value) in self.left
        )

    def _one(self, part: SigmaDetectionItem, value: SigmaType, known: Known) -> Part:
        if isinstance(value, SigmaExpansion):
            return common.linked([self._one(part, one, known) for one in value.values], ConditionOR)
        name, other = (common.item(part, field, value) for field in self._names(part.field))
        if not self._is_special(value):
            return self._both(known, name, other)
        if common.plain(value) in self.left:
            return other
        absent = isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value.exists)
        everywhere = common.linked([name, other], ConditionAND if absent else ConditionOR)
        return self._both(known, everywhere, other)

    def _both(self, known: Known, moved: Part, kept: Part) -> SigmaDetection:
        """Return a comparison with each field in the events that it can meet."""
        inside = self._moved if known is None else known & self._moved
        ways: list[Part] = []
        if inside:
            ways.append(common.linked([self._events(inside), moved], ConditionAND))
        if known is None or known - self._moved:
            others = self._events(self._moved)
            others.negated = True
            ways.append(common.linked([others, kept], ConditionAND))
        return common.linked(ways, ConditionOR)

    def _events(self, values: frozenset[str]) -> SigmaDetectionItem:
        typed = [common.typed(int(text) if text.isdigit() else text) for text in sorted(values)]
        return SigmaDetectionItem(self.by, [], typed, auto_modifiers=False)


def _renamed(part: SigmaDetectionItem, name: str) -> SigmaDetectionItem:
    here = SigmaDetectionItem(name, [], list(part.value), source=part.source, auto_modifiers=False)
    here.value_linking = part.value_linking
    here.applied_processing_items = set(part.applied_processing_items)
    return here


def _known(rule: SigmaRule, by: str) -> dict[int, Known]:
    """Return for the `id()` of each compared value what the deciding field can hold where it is compared."""
    found: dict[int, Known] = {}

    lowering = Lowering()

    def walk(node: Condition, known: Known) -> None:
        if isinstance(node, And):
            known = both(known, values_of(node, by))
        if not isinstance(node, Comparison | Keyword):
            for item in children(node):
                walk(item, known)
            return
        key = id(lowering.value_of(node.origin))
        before = found.get(key, frozenset())
        found[key] = None if before is None or known is None else before | known

    for parsed in rule.detection.parsed_condition:
        if (condition := lowering.condition(fresh.parsed(parsed))) is not None:
            walk(condition, None)
    return found
