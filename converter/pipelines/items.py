"""The items of a cell's pipeline for a rule's log source: chosen once, made once, applied to many rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sigma.correlations import SigmaCorrelationRule
from sigma.processing.conditions import IncludeFieldCondition
from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import SigmaFieldReference

from converter.pipelines.cells import Cell
from converter.rules.rule import Rule

LogsourceNames = tuple[tuple[str, str], ...]
_CHANGES_LOGSOURCE = ("change_logsource", "nest")
_LOGSOURCE = ("category", "product", "service")
_RELEVANT: dict[tuple[object, ...], tuple[dict[str, Any], tuple[str, ...]]] = {}


def relevant(where: Cell, rule: Rule) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the pipeline's data for a rule's log source, and the file of each of its transformations."""
    return _relevant(where, names_of(rule))


def names_of(rule: Rule) -> LogsourceNames:
    """Return the rule's log source: what is given of category, product and service."""
    logsource = rule.doc.get("logsource") or {}
    return tuple((key, str(logsource[key])) for key in _LOGSOURCE if logsource.get(key))


def _relevant(where: Cell, names: LogsourceNames) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Return the cell's pipeline without the items for other log sources, and where each item is from.

    Making those items takes longest.
    """
    key = (where.source, where.target, where.version, names)
    if key not in _RELEVANT:
        found = _chosen(where, names)
        pipeline = dict(where.pipeline or {})
        pipeline["transformations"] = [item for _, item, _ in found]
        _RELEVANT[key] = pipeline, tuple(origin for *_, origin in found)
    return _RELEVANT[key]


def _chosen(where: Cell, names: LogsourceNames) -> list[_Numbered]:
    """Return the items that may concern a log source, with their numbers and where each is from."""
    key = (where.source, where.stem, where.version, names)
    if key not in _CHOSEN:
        _CHOSEN[key] = _choose(where, names)
    return _CHOSEN[key]


_Numbered = tuple[int, Mapping[str, Any], str]
_CHOSEN: dict[tuple[object, ...], list[_Numbered]] = {}


def _choose(where: Cell, names: LogsourceNames) -> list[_Numbered]:
    items = (where.pipeline or {}).get("transformations") or []
    found = [(number, *pair) for number, pair in enumerate(zip(items, where.origins, strict=True))]
    if _changes_logsource(where):
        return found
    given = [dict(names).get(key) for key in _LOGSOURCE]
    told: dict[str, bool] = {}
    chosen = []
    for one, conditions in zip(found, _conditions(where), strict=True):
        if conditions not in told:
            told[conditions] = _is_for_others(one[1], given)
        if not told[conditions]:
            chosen.append(one)
    return chosen


def _conditions(where: Cell) -> list[str]:
    """Return what each item says of log sources: most say the same as another one."""
    key = (where.source, where.stem, where.version)
    if key not in _CONDITIONS:
        items = (where.pipeline or {}).get("transformations") or []
        parts = ("rule_conditions", "rule_cond_op", "rule_cond_not")
        _CONDITIONS[key] = [repr([item.get(part) for part in parts]) for item in items]
    return _CONDITIONS[key]


_CONDITIONS: dict[tuple[str, str, str], list[str]] = {}


def may_map(where: Cell, names: LogsourceNames) -> bool:
    """Tell whether any item that names log sources may concern this one: without, no rule of it is mapped.

    It is asked before a rule is parsed: a third of the public rules are of systems that a cell lacks.
    """
    key = (where.source, where.target, where.version, names)
    if key not in _MAY_MAP:
        _MAY_MAP[key] = _changes_logsource(where) or any(
            _names_logsources(item) for _, item, _ in _chosen(where, names)
        )
    return _MAY_MAP[key]


_MAY_MAP: dict[tuple[object, ...], bool] = {}


def _names_logsources(item: Mapping[str, Any]) -> bool:
    conditions = item.get("rule_conditions") or []
    if isinstance(conditions, Mapping):
        conditions = list(conditions.values())
    return any(condition.get("type") == "logsource" for condition in conditions)


def made(where: Cell, names: LogsourceNames) -> tuple[ProcessingPipeline, list[bool]]:
    """Return the cell's pipeline with the items for a log source, and which of them are our own.

    Making items takes longer than applying them, so a cell's are made once. What `apply` leaves on a
    pipeline (state, what was applied, how fields were mapped) it sets anew for each rule; items and their
    conditions keep nothing of a rule (`tests/pipelines/test_reuse.py`).
    """
    key = (where.source, where.target, where.version)
    if key not in _MADE:
        bare = {name: part for name, part in (where.pipeline or {}).items() if name != "transformations"}
        _MADE[key] = ProcessingPipeline.from_dict(bare), {}, {}
    pipeline, items, chosen = _MADE[key]
    if names not in chosen:
        found = _chosen(where, names)
        for number, item, _ in found:
            if number not in items:
                sure = not _changes_logsource(where) and _is_by_logsource(item)
                kind = _Chosen if sure else _Item
                items[number] = kind.from_dict(dict(item))
                items[number].set_pipeline(pipeline)
        chosen[names] = [number for number, _, _ in found], [origin == where.own for *_, origin in found]
    numbers, ours = chosen[names]
    pipeline.items = [items[number] for number in numbers]
    return pipeline, ours


_Numbers = dict[LogsourceNames, tuple[list[int], list[bool]]]
_MADE: dict[tuple[str, str, str], tuple[ProcessingPipeline, dict[int, ProcessingItem], _Numbers]] = {}


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


def _changes_logsource(where: Cell) -> bool:
    items = (where.pipeline or {}).get("transformations") or []
    return any(item.get("type") in _CHANGES_LOGSOURCE for item in items)


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
