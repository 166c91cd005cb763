"""What a pipeline's `drop_detection_item` takes out of a rule: a loss like any other, with its polarity.

pySigma leaves out what is empty: of an AND the rest must hold, of an OR the rest may hold. So what is left
out of an AND makes a condition broader and what is left out of an OR narrower, and the reverse under `not`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.correlations import SigmaCorrelationRule
from sigma.processing.transformations import DropDetectionItemTransformation
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaType

from converter.errors import Refusal
from converter.plan.model import Fidelity, Reason
from converter.rules import parsed as fresh
from converter.rules.rule import Rule, safe_name

RELAXATION = "without an item"
"""Its argument is JSON: the rule's id or name, then keys and positions of the item in `detection`."""
DROPPED = "sigconv: dropped items"
"""The custom attribute of a rule that holds the items that a pipeline took out."""

Place = tuple[str | int, ...]
OPERATORS = frozenset({ConditionAND, ConditionOR, ConditionNOT})
"""The types of inner nodes. pySigma's types are abstract base classes: `isinstance` answers slowly."""


@dataclass
class DropDetectionItem(DropDetectionItemTransformation):
    """pySigma's `drop_detection_item`, which also says what it took, and leaves no empty group behind."""

    def apply(self, rule: SigmaRule | SigmaCorrelationRule) -> None:
        """Take the items out, and keep them among the rule's custom attributes."""
        before = list(_items(rule))
        super().apply(rule)
        left = {id(item) for item in _items(rule)}
        gone = [item for item in before if id(item) not in left]
        if isinstance(rule, SigmaRule) and gone:
            rule.custom_attributes[DROPPED] = [*rule.custom_attributes.get(DROPPED, ()), *gone]

    def apply_detection(self, detection: SigmaDetection) -> None:
        """Take items out of a selection or a part of one."""
        super().apply_detection(detection)
        detection.detection_items = [
            part
            for part in detection.detection_items
            if not isinstance(part, SigmaDetection) or part.detection_items
        ]


TYPES = {"drop_detection_item": DropDetectionItem}


def _items(rule: SigmaRule | SigmaCorrelationRule) -> Iterator[SigmaDetectionItem]:
    if isinstance(rule, SigmaRule):
        for detection in rule.detection.detections.values():
            yield from _below(detection)


def _below(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for part in detection.detection_items:
        if isinstance(part, SigmaDetection):
            yield from _below(part)
        else:
            yield part


def own_items(rule: Rule, sigma: SigmaRule) -> list[tuple[Place, SigmaDetectionItem]]:
    """Return the items of a rule that no pipeline has changed, each with its place below ``detection``."""
    found: list[tuple[Place, SigmaDetectionItem]] = []
    for name, part in rule.doc["detection"].items():
        detection = sigma.detection.detections.get(safe_name(str(name)))
        if detection is not None:
            found += _placed(detection, part, (str(name),))
    return found


def _placed(detection: SigmaDetection, part: Any, place: Place) -> Iterator[tuple[Place, SigmaDetectionItem]]:
    if isinstance(part, Mapping):
        for key, item in zip(part, detection.detection_items, strict=True):
            assert isinstance(item, SigmaDetectionItem)
            yield (*place, str(key)), item
    elif isinstance(detection.detection_items[0], SigmaDetection):
        for number, (inner, one) in enumerate(zip(detection.detection_items, part, strict=True)):
            assert isinstance(inner, SigmaDetection)
            yield from _placed(inner, one, (*place, number))
    else:
        yield place, detection.detection_items[0]


Own = list[tuple[Place, SigmaDetectionItem, list[SigmaType]]]
"""Place, item and values of each item, before the pipeline."""


def snapshot(rule: Rule, sigma: SigmaRule) -> Own:
    """Return the items with their values, before a pipeline changes them."""
    return [(place, item, list(item.value)) for place, item in own_items(rule, sigma)]


def losses(rule: Rule, sigma: SigmaRule, own: Own, tree: Any) -> list[Reason]:
    """Return what a rule lost by items that a pipeline took out.

    Args:
        rule: as it is written.
        sigma: the same after the pipeline.
        own: `snapshot` of it before.
        tree: its condition after the pipeline, as pySigma parses it.

    Raises:
        Refusal: SC201 if it cannot be told which of the rule's own items a pipeline took out as a whole,
            SC209 if nothing is left of a condition.
    """
    gone: list[SigmaDetectionItem] = sigma.custom_attributes.get(DROPPED, [])
    if not gone:
        return []
    dropped = {id(item) for item in gone}
    values = {id(value) for item in gone for value in item.value}
    left = _values(tree)
    places: list[Place] = []
    explained: set[int] = set()
    for place, item, before in own:
        mine = {id(value) for value in before}
        if id(item) in dropped or (mine and mine <= values):
            if mine & left:
                raise _unclear(rule, gone)
            places.append(place)
            explained |= {id(item)} | mine
    for item in gone:
        if id(item) not in explained and not {id(value) for value in item.value} & explained:
            raise _unclear(rule, gone)
    return list(_reasons(rule, places))


def without_empty(node: Any) -> Any:
    """Return a condition without parts of which nothing is left, a `not` of nothing too; None if all is."""
    if type(node) not in OPERATORS:
        return node
    args = [one for arg in node.args if arg is not None and (one := without_empty(arg)) is not None]
    if not args:
        return None
    if len(args) == 1 and not isinstance(node, ConditionNOT):
        return args[0]
    return type(node)(args)


def _unclear(rule: Rule, gone: Collection[SigmaDetectionItem]) -> Refusal:
    fields = ", ".join(sorted({str(item.field) for item in gone}))
    return Refusal(
        "SC201",
        f"a pipeline drops a part of what the rule asks of {fields}, and what is left cannot be told",
        file=rule.file,
        hint="drop items before the fields are mapped (priority below 20)",
    )


def _values(node: Any) -> set[int]:
    if type(node) in OPERATORS:
        return {one for arg in node.args if arg is not None for one in _values(arg)}
    return {id(getattr(node, "value", None))}


def _reasons(rule: Rule, places: Collection[Place]) -> Iterator[Reason]:
    """Yield a reason for each item, and another one if it is broader here and narrower there.

    Raises:
        Refusal: SC209 if nothing is left of a condition.
    """
    sigma = rule.sigma()
    by_value = {id(value): place for place, item in own_items(rule, sigma) for value in item.value}
    trees = [tree for one in sigma.detection.parsed_condition if (tree := fresh.parsed(one)) is not None]
    effects: dict[tuple[Place, Fidelity], None] = {}

    def gone(node: Any) -> set[Place]:
        """Return the places of a part if all of it is left out, else nothing."""
        if type(node) not in OPERATORS:
            place = by_value.get(id(getattr(node, "value", None)))
            return {place} if place in places and place is not None else set()
        parts = [gone(arg) for arg in node.args]
        return set().union(*parts) if all(parts) else set()

    def walk(node: Any, positive: bool) -> None:
        if type(node) not in OPERATORS:
            return
        junction = not isinstance(node, ConditionNOT)
        for arg in node.args:
            if junction and (lost := gone(arg)):
                broader = isinstance(node, ConditionAND) == positive
                effects.update(
                    ((place, Fidelity.BROADER if broader else Fidelity.NARROWER), None)
                    for place in sorted(lost, key=str)
                )
            else:
                walk(arg, positive == junction)

    for tree in trees:
        if gone(tree):
            # What the pipeline adds for the log source would be left, and select all of its events.
            raise Refusal("SC209", "a pipeline drops all that a condition asks for", file=rule.file)
        walk(tree, True)
    for place, fidelity in effects:
        shown = f"'{place[-1]}' of selection '{place[0]}'" if len(place) > 1 else f"selection '{place[0]}'"
        argument = json.dumps([rule.id or rule.name, *place], ensure_ascii=False)
        yield Reason(fidelity, f"a pipeline drops {shown}", f"{RELAXATION}: {argument}")
