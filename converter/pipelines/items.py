"""The items of a cell's pipeline for a rule's log source: chosen once, made once, applied to many rules."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.processing.conditions import IncludeFieldCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import SigmaFieldReference

from converter.pipelines import placeholders
from converter.pipelines.field_references import Signature
from converter.pipelines.transformations import catalogue
from converter.rules.rule import Rule

LogsourceNames = tuple[tuple[str, str], ...]
_CHANGES_LOGSOURCE = ("change_logsource", "nest")
_LOGSOURCE = ("category", "product", "service")
_CONDITIONS = ("rule_conditions", "rule_cond_op", "rule_cond_not")


def names_of(rule: Rule) -> LogsourceNames:
    """Return the rule's log source: what is given of category, product and service."""
    logsource = rule.doc.get("logsource") or {}
    return tuple((key, str(logsource[key])) for key in _LOGSOURCE if logsource.get(key))


@dataclass(slots=True)
class LogsourceItems:
    """The items of a pipeline that may concern a log source, and what was worked out with them."""

    data: dict[str, Any]
    """The pipeline's data without the items for other log sources."""
    origins: tuple[str, ...]
    """The file of each transformation."""
    numbers: tuple[int, ...]
    """Their numbers in the whole pipeline."""
    mapped: bool
    """Whether any item that names log sources may concern this one: without, no rule of it is mapped."""
    columns: dict[tuple[object, ...], tuple[str, ...]] = field(default_factory=dict)
    """Field of a rule, and what decides where it is -> its columns (`prepare.map_field`)."""
    signatures: dict[str, Signature] = field(default_factory=dict)
    """Field of a rule -> how it is stored (`prepare` compares them for `fieldref`)."""


class PreparedPipeline:
    """A cell's pipeline and what is worked out of it once, for many rules.

    Making items takes longer than applying them, so they are made once. What `apply` leaves on a pipeline
    (state, what was applied, how fields were mapped) it sets anew for each rule; items and their conditions
    keep nothing of a rule (`tests/pipelines/test_reuse.py`).
    """

    def __init__(self, data: Mapping[str, Any] | None, origins: tuple[str, ...], own: str) -> None:
        """Take the pipeline's data, the file of each transformation, and the file of our own pipeline."""
        # Also in a process that only unpickles a cell, pySigma must know our transformations.
        catalogue.register()
        placeholders.register()
        self.data, self._origins, self._own = data, origins, own
        self._by_logsource: dict[LogsourceNames, LogsourceItems] = {}
        self._made: dict[int, ProcessingItem] = {}
        self.last: tuple[Any, ...] | None = None
        """The last rule that was prepared with it: languages of one platform have one pipeline."""

    def __reduce__(self) -> tuple[Any, ...]:
        """Go to another process without what was worked out."""
        return type(self), (self.data, self._origins, self._own)

    @cached_property
    def _items(self) -> list[Mapping[str, Any]]:
        return list((self.data or {}).get("transformations") or [])

    @cached_property
    def _changes_logsource(self) -> bool:
        return any(item.get("type") in _CHANGES_LOGSOURCE for item in self._items)

    @cached_property
    def _conditions(self) -> list[str]:
        """What each item says of log sources: most say the same as another one."""
        return [repr([item.get(part) for part in _CONDITIONS]) for item in self._items]

    @cached_property
    def _pipeline(self) -> ProcessingPipeline:
        bare = {name: part for name, part in (self.data or {}).items() if name != "transformations"}
        return ProcessingPipeline.from_dict(bare)

    def of(self, names: LogsourceNames) -> LogsourceItems:
        """Return what may concern a log source."""
        if names not in self._by_logsource:
            numbers = tuple(self._choose(names))
            items = [self._items[number] for number in numbers]
            mapped = self._changes_logsource or any(map(_names_logsources, items))
            origins = tuple(self._origins[number] for number in numbers)
            data = {**(self.data or {}), "transformations": items}
            self._by_logsource[names] = LogsourceItems(data, origins, numbers, mapped)
        return self._by_logsource[names]

    def _choose(self, names: LogsourceNames) -> Iterator[int]:
        """Yield the numbers of the items that may concern a log source."""
        if self._changes_logsource:
            yield from range(len(self._items))
            return
        given = [dict(names).get(key) for key in _LOGSOURCE]
        known: dict[str, bool] = {}
        for number, (item, conditions) in enumerate(zip(self._items, self._conditions, strict=True)):
            if conditions not in known:
                known[conditions] = _is_for_others(item, given)
            if not known[conditions]:
                yield number

    def made(self, names: LogsourceNames) -> tuple[ProcessingPipeline, list[bool]]:
        """Return the pipeline with the items for a log source, and which of them are our own."""
        chosen = self.of(names)
        for number in chosen.numbers:
            if number not in self._made:
                item = self._items[number]
                sure = not self._changes_logsource and _is_by_logsource(item)
                kind = _Chosen if sure else _Item
                self._made[number] = kind.from_dict(dict(item))
                self._made[number].set_pipeline(self._pipeline)
        self._pipeline.items = [self._made[number] for number in chosen.numbers]
        return self._pipeline, [origin == self._own for origin in chosen.origins]


def _names_logsources(item: Mapping[str, Any]) -> bool:
    conditions = item.get("rule_conditions") or []
    if isinstance(conditions, Mapping):
        conditions = list(conditions.values())
    return any(condition.get("type") == "logsource" for condition in conditions)


class _Item(ProcessingItem):
    """An item that looks a field's name up where it has a list of names and no other condition on fields."""

    def __post_init__(self) -> None:
        """Look for the list."""
        super().__post_init__()
        self._names: frozenset[str] | None = None
        found = self.field_name_conditions
        if (
            isinstance(found, list)
            and [type(one) for one in found] == [IncludeFieldCondition]
            and isinstance(found[0], IncludeFieldCondition)
            and found[0].mode == "plain"
            and not self.detection_item_conditions
            and self.detection_item_condition_linking is all
            and self.field_name_condition_expression is None
            and not (self.detection_item_condition_negation or self.field_name_condition_negation)
        ):
            self._names = frozenset(found[0].fields)

    def match_detection_item(self, detection_item: SigmaDetectionItem) -> bool:
        """Tell whether the item is for a comparison, by its field or by those that its values refer to."""
        if self._names is None:
            return bool(super().match_detection_item(detection_item))
        field = detection_item.field
        if field is not None and field in self._names:
            return True
        for value in detection_item.value:  # No `any`, and no `isinstance`: it is asked of every item.
            if type(value) is SigmaFieldReference and value.field in self._names:
                return True
        return False


class _Chosen(_Item):
    """An item that names log sources only, and that is applied to rules of these alone."""

    def match_rule_conditions(self, rule: SigmaRule | SigmaCorrelationRule) -> bool:
        """Tell that it is for the rule."""
        return True


def _is_by_logsource(item: Mapping[str, Any]) -> bool:
    conditions = item.get("rule_conditions")
    return (
        isinstance(conditions, list)
        and not item.get("rule_cond_not")
        and not item.get("rule_cond_expr")
        and item.get("rule_cond_op", "and") in ("and", "or")
        and all(
            condition.get("type") == "logsource" and set(condition) <= {"type", *_LOGSOURCE}
            for condition in conditions
        )
    )


def _is_for_others(item: Mapping[str, Any], given: Sequence[str | None]) -> bool:
    """Tell whether an item's conditions, all of them or one as it says, cannot hold for the log source."""
    conditions = item.get("rule_conditions")
    if not isinstance(conditions, list) or not conditions or item.get("rule_cond_not"):
        return False
    every = bool(item.get("rule_cond_op", "and") != "and")
    for condition in conditions:
        if _names_another(condition, given) != every:
            return not every
    return every


def _names_another(condition: Mapping[str, Any], given: Sequence[str | None]) -> bool:
    if condition.get("type") != "logsource":
        return False
    for key, mine in zip(_LOGSOURCE, given, strict=True):
        wanted = condition.get(key)
        if wanted and wanted != mine:
            return True
    return False
