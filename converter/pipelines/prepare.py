"""Put rules through a cell's pipeline, refuse unmapped fields, work out what the mapping loses."""

from __future__ import annotations

import copy
import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from sigma.conditions import ConditionItem, ConditionOR
from sigma.exceptions import SigmaError
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import (
    AddConditionTransformation,
    SetStateTransformation,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource, SigmaRule
from sigma.types import SigmaFieldReference

from converter.errors import Refusal
from converter.pipelines import (
    assumptions,
    covered_values,
    field_references,
    impossible,
    left_out,
    logsource_label,
    mapping_losses,
    placeholders,
)
from converter.pipelines import demanded as demands
from converter.pipelines.cells import Cell
from converter.pipelines.inferred_columns import infer_columns
from converter.pipelines.items import names_of
from converter.pipelines.lowering import Lowering
from converter.plan.columns import Columns
from converter.plan.conditions import Condition, comparisons
from converter.plan.model import BaseRule, Reason
from converter.plan.values import FieldOf
from converter.platforms import LANGUAGES, platform_of
from converter.rules import parsed as fresh
from converter.rules.rule import Rule

_STRICT = "strict_field_mapping_failure"
_REQUIRED = "require_fields"
_BY_CASE = "by_case"
_BY_EVENT = "by_event"
_EVENT = "EventID"
_LOCATIONS = ("index", "table", "query_table", "macro")


def prepare(
    rule: Rule, where: Cell, placeholder_values: Mapping[str, Any] | None = None
) -> tuple[BaseRule, list[Reason]]:
    """Put a fresh copy of an event rule through the cell's pipeline.

    Returns:
        The rule as a backend takes it, and what the mapping of its fields loses.

    Raises:
        Refusal: SC204 for a field without an equivalent, SC206 for a placeholder left, SC207 for a
            logsource that the cell does not have, SC209 if nothing is left of the condition.
    """
    with _no_pysigma_errors(where):
        if where.inferred:
            return _prepared(rule, where, placeholder_values)
        # Languages of one platform have one pipeline, and backends leave alone what they are given.
        last = where.prepared.last
        if last is None or last[0] is not rule.doc or last[1] is not placeholder_values:
            made = _prepared(rule, where, placeholder_values)
            last = where.prepared.last = rule.doc, placeholder_values, *made
        return last[2], list(last[3])


@contextmanager
def _no_pysigma_errors(where: Cell) -> Iterator[None]:
    """Turn what pySigma itself cannot do into a refusal: what uses pipelines does not know pySigma.

    Raises:
        Refusal: SC201.
    """
    try:
        yield
    except (SigmaError, NotImplementedError) as error:
        # NotImplementedError is no SigmaError and escapes pySigma's own handling.
        raise Refusal("SC201", f"{where.target} cannot say this: {_plain(error)}") from error


def _prepared(
    rule: Rule, where: Cell, placeholder_values: Mapping[str, Any] | None
) -> tuple[BaseRule, list[Reason]]:
    if not where.inferred and not where.prepared.of(names_of(rule)).mapped:
        raise _unmapped(rule, where, _logsource(rule))
    sigma = rule.sigma()
    if placeholder_values:
        placeholders.expand(sigma, placeholder_values)
    covered_values.drop(sigma)
    display = list(sigma.fields)
    sigma.fields = []
    state: dict[str, Any] = copy.deepcopy(dict(platform_of(where.target).place))
    losses: mapping_losses.Losses = []
    unchecked = not where.logsource_checked
    items = left_out.snapshot(rule, sigma) if _drops(where) else []
    compared = list(_references(sigma))
    # The values are kept, so that none that the mapping makes gets the id of one of them.
    own = mapping_losses.own_texts(sigma)
    if where.pipeline is not None:
        pipeline, ours = where.prepared.made(names_of(rule))
        try:
            pipeline.apply(sigma)
        except SigmaError as problem:
            raise _refused(rule, where, problem) from problem
        located = _mapped(pipeline, ours)
        if not where.inferred and not located:
            raise _unmapped(rule, where, sigma.logsource)
        unchecked = unchecked and not located
        for one, other in compared:
            if _signature(rule, where, one) != _signature(rule, where, other):
                raise Refusal(
                    "SC201",
                    f"{where} stores '{one}' and '{other}' in different ways: they cannot be compared",
                    file=rule.file,
                )
        state = _state(rule, where, pipeline.state)
        losses = mapping_losses.of_pipeline(sigma, pipeline)
    tree = _tree(rule, sigma)
    lowering = Lowering()
    condition = lowering.condition(tree)
    if condition is None:
        raise _nothing_left(rule)
    _check_possible(rule, where, sigma, condition, lowering)
    sigma.detection.parsed_condition = []  # Read; they refer back to the detections.
    columns = where.columns
    if where.inferred:
        columns = {**infer_columns(condition, where.target), **columns}
    _check_columns(rule, condition, where, columns)
    shown = tuple(column for name in display for column in map_field(rule, where, name) if column in columns)
    base = BaseRule(rule.name, condition, state, columns, shown, sigma.logsource.category, _choosing(sigma))
    whole = [
        *([logsource_label.unchecked(dict(names_of(rule)), condition)] if unchecked else ()),
        *left_out.losses(rule, sigma, items, tree),
        *assumptions.of_condition(condition, where.assumptions, names_of(rule)),
    ]
    if not losses:
        return base, whole
    several = [name for name, column in columns.items() if column.multi]
    return base, [*mapping_losses.reasons(condition, lowering, losses, own, several), *whole]


def _choosing(sigma: SigmaRule) -> frozenset[str]:
    """Return the fields by which a pipeline chooses the events of the log source."""

    def walk(detection: SigmaDetection) -> Iterator[str]:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetectionItem):
                yield str(item.field)
            else:
                yield from walk(item)

    added = (part for name, part in sigma.detection.detections.items() if name.startswith("_"))
    return frozenset(field for part in added for field in walk(part))


def _drops(where: Cell) -> bool:
    """Tell whether a cell's pipeline may take items out of a rule; ours never does."""
    return any(origin != where.own for origin in where.origins)


def _check_possible(
    rule: Rule, where: Cell, sigma: SigmaRule, condition: Condition, lowering: Lowering
) -> None:
    """Refuse a condition that no event of the cell can satisfy.

    Raises:
        Refusal: SC211 with both places.
    """
    found = impossible.refusal(
        rule,
        impossible.Applied(sigma, lowering),
        condition,
        where.columns,
        several=where.inferred and not LANGUAGES[where.target].one_value,
        named=lambda: {
            column: field for field in impossible.fields(rule) for column in map_field(rule, where, field)
        },
    )
    if found is not None:
        raise found


def _references(sigma: SigmaRule) -> Iterator[tuple[str, str]]:
    """Yield the fields that the rule compares with each other."""

    def walk(detection: SigmaDetection) -> Iterator[tuple[str, str]]:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetection):
                yield from walk(item)
                continue
            for value in item.value:
                if isinstance(value, SigmaFieldReference):
                    yield str(item.field), value.field

    for detection in sigma.detection.detections.values():
        yield from walk(detection)


def _signature(rule: Rule, where: Cell, field: str) -> field_references.Signature:
    items = where.prepared.of(names_of(rule))
    if field not in items.signatures:
        items.signatures[field] = field_references.signature(items.data, dict(names_of(rule)), field)
    return items.signatures[field]


def map_field(rule: Rule, where: Cell, field: str) -> tuple[str, ...]:
    """Return the columns that hold a field of the rule's events (itself, where nothing maps it)."""
    if where.pipeline is None:
        return (field,)
    parts = names_of(rule)
    chosen = where.prepared.of(parts)
    items = chosen.data["transformations"]
    types = {item.get("type") for item in items}
    demanded = demands.of_rule(rule) if _BY_CASE in types else {}
    ids = demands.values_of_rule(rule, _EVENT) if _BY_EVENT in types else None
    key = (field, tuple(sorted(demanded.items())), ids)
    if key not in chosen.columns:
        probe = SigmaRule.from_dict(
            {
                "title": "probe",
                "logsource": dict(parts),
                # Not the field itself: a value transformation would be asked for its value.
                "detection": {"selection": {"a field of no pipeline": 1}, "condition": "selection"},
                "fields": [field],
            }
        )
        data = dict(chosen.data)
        # The strict ones would refuse the field of the probe, which demands nothing of other fields either.
        data["transformations"] = [
            (demands.settled(item, demanded) if item.get("type") == _BY_CASE else None)
            or (demands.settled_by_event(item, ids) if item.get("type") == _BY_EVENT else None)
            or item
            for item in items
            if item.get("type") not in (_STRICT, _REQUIRED)
        ]
        with _no_pysigma_errors(where):
            ProcessingPipeline.from_dict(data).apply(probe)
        chosen.columns[key] = tuple(probe.fields)
    return chosen.columns[key]


def lacking(rule: Rule, where: Cell, field: str) -> str | None:
    """Return what the rule's events are if only other events of the cell have the field, else None.

    Conditions of the rule cannot name such a field; this is for the fields that a correlation names. A field
    that no condition may name, but that is mapped, is there for correlations (host and pid as ProcessGuid).
    """
    if where.pipeline is None:
        return None
    lists = [one for one in where.pipeline["transformations"] if one.get("type") == _REQUIRED]
    if not any(field in one["fields"] for one in lists):
        return None
    for item in where.prepared.of(names_of(rule)).data["transformations"]:
        if item.get("type") == _REQUIRED and field not in item["fields"]:
            return str(item.get("of", "the events"))
    return None


def _mapped(pipeline: ProcessingPipeline, ours: Sequence[bool]) -> bool:
    """Tell whether an item was applied that says where the events of the log source are.

    Of our own pipelines that is any item for certain log sources; of a user's only one that adds a
    condition, an index or a table, because renaming fields alone would pass the rule through.
    """
    for item, applied, own in zip(pipeline.items, pipeline.applied, ours, strict=True):
        conditions = item.rule_conditions
        conditions = list(conditions.values()) if isinstance(conditions, dict) else conditions
        if not applied or not any(isinstance(condition, LogsourceCondition) for condition in conditions):
            continue
        made = item.transformation
        if own or isinstance(made, AddConditionTransformation):
            return True
        if isinstance(made, SetStateTransformation) and made.key in _LOCATIONS:
            return True
    return False


def _state(rule: Rule, where: Cell, state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the pipeline's state; pySigma's Kusto pipelines call the table ``query_table``.

    Raises:
        Refusal: SC207 if the configuration leaves no index to search.
    """
    found = dict(state)
    if "query_table" in found:
        found["table"] = found.pop("query_table")
    if found.get("index") == []:
        raise Refusal("SC207", f"the configuration leaves {where} no index for this rule", file=rule.file)
    return found


def _logsource(rule: Rule) -> SigmaLogSource:
    given = dict(names_of(rule))
    return SigmaLogSource(given.get("category"), given.get("product"), given.get("service"))


def _unmapped(rule: Rule, where: Cell, logsource: SigmaLogSource) -> Refusal:
    parts = (("category", logsource.category), ("product", logsource.product), ("service", logsource.service))
    said = ", ".join(f"{key} {value}" for key, value in parts if value)
    return Refusal("SC207", f"{where} has no events of logsource {said}", file=rule.file)


def _tree(rule: Rule, sigma: SigmaRule) -> Any:
    """Return the condition as pySigma parses it; several conditions are alternatives.

    Raises:
        Refusal: SC209 if a condition vanished (pySigma then returns no query and no error).
    """
    trees: list[Any] = []
    for condition in sigma.detection.parsed_condition:
        parsed = fresh.parsed(condition)
        if sigma.custom_attributes.get(left_out.DROPPED):
            parsed = left_out.without_empty(parsed)
        if parsed is None or (isinstance(parsed, ConditionItem) and not parsed.args):
            raise _nothing_left(rule)
        trees.append(parsed)
    return trees[0] if len(trees) == 1 else ConditionOR(list(trees))


def _nothing_left(rule: Rule) -> Refusal:
    return Refusal("SC209", "nothing is left of the condition", file=rule.file)


def _check_columns(rule: Rule, condition: Condition, where: Cell, columns: Columns) -> None:
    for leaf in comparisons(condition):
        fields = [leaf.field]
        if isinstance(leaf.value, FieldOf):
            fields.append(leaf.value.field)
        for field in fields:
            if field not in columns:
                close = difflib.get_close_matches(field, list(columns), 1)
                hints = [f"nearest: {close[0]}"] if close else []
                if any(origin != where.own for origin in where.origins):
                    hints.append(f"declare a field of your own in {where.declare}")
                raise Refusal(
                    "SC204",
                    f"field '{field}' has no equivalent in {where}",
                    file=rule.file,
                    hint="; ".join(hints) or None,
                )


def _refused(rule: Rule, where: Cell, problem: SigmaError) -> Refusal:
    """Return what pySigma's own transformations say, the strict field mapping's in our words."""
    text = _plain(problem)
    _, found, names = text.partition("fields are not mapped: ")
    if not found:
        return Refusal("SC204", f"{where}: {text}", file=rule.file)
    fields = sorted(names.split(", "))
    what = f"field {fields[0]!r} has" if len(fields) == 1 else f"fields {', '.join(map(repr, fields))} have"
    return Refusal("SC204", f"{what} no equivalent in {where}", file=rule.file)


def _plain(problem: Exception) -> str:
    return str(problem.args[0]) if problem.args else type(problem).__name__
