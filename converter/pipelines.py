"""Put rules through a cell's pipeline, refuse unmapped fields, work out what the mapping loses."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigma.conditions import ConditionItem, ConditionOR
from sigma.exceptions import SigmaError
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.transformations import (
    AddConditionTransformation,
    FieldMappingTransformation,
    SetStateTransformation,
)
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource, SigmaRule
from sigma.types import SigmaCasedString, SigmaFieldReference, SigmaString

from converter import (
    assumptions,
    covered_values,
    demands,
    fidelity,
    fresh,
    impossible,
    left_out,
    logsource_label,
    pipeline_items,
    placeholders,
    references,
)
from converter.cells import NONE, PLATFORMS, Cell, cell, folder, sources, variants
from converter.columns import Columns
from converter.errors import Refusal
from converter.inference import infer_columns, leaves
from converter.pipeline_items import names_of, relevant
from converter.plan import BaseRule, Fidelity, Reason, Tree
from converter.rule import Rule

__all__ = [
    "NONE",
    "PLATFORMS",
    "Cell",
    "cell",
    "folder",
    "map_field",
    "prepare",
    "relevant",
    "sources",
    "variants",
]

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
    if where.inferred:
        return _prepared(rule, where, placeholder_values)
    # Languages of one platform have one pipeline, and backends leave alone what they are given.
    key = (id(rule.doc), where.source, where.stem, where.version)
    known = _LAST.get(key)
    if known is None or known[0] is not rule.doc or known[1] is not placeholder_values:
        known = _LAST[key] = rule.doc, placeholder_values, *_prepared(rule, where, placeholder_values)
        while len(_LAST) > _MOST:
            del _LAST[next(iter(_LAST))]
    return known[2], list(known[3])


_Prepared = tuple[Any, Any, BaseRule, list[Reason]]
_LAST: dict[tuple[object, ...], _Prepared] = {}
"""The last rules that were prepared: document, values of placeholders, and what they became."""
_MOST = 16


def _prepared(
    rule: Rule, where: Cell, placeholder_values: Mapping[str, Any] | None
) -> tuple[BaseRule, list[Reason]]:
    if not where.inferred and not pipeline_items.may_map(where, names_of(rule)):
        raise _unmapped(rule, where, _logsource(rule))
    sigma = rule.sigma()
    if placeholder_values:
        placeholders.expand(sigma, placeholder_values)
    covered_values.drop(sigma)
    display = list(sigma.fields)
    sigma.fields = []
    # No index of Splunk's is called that: a search without one reads what its role searches by default.
    state: dict[str, Any] = {} if where.target == "spl" else {"index": ["Events"], "table": "Events"}
    losses: dict[int, tuple[Reason, ...]] = {}
    unchecked = not where.logsource_checked
    items = left_out.snapshot(rule, sigma) if _drops(where) else []
    compared = list(_references(sigma))
    # The values are kept, so that none that the mapping makes gets the id of one of them.
    own = list(_comparisons(sigma))
    if where.pipeline is not None:
        pipeline, ours = pipeline_items.made(where, names_of(rule))
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
        losses = _losses(sigma, pipeline)
    tree = _tree(rule, sigma)
    _check_possible(rule, where, sigma, tree)
    sigma.detection.parsed_condition = []  # Read; they refer back to the detections.
    columns = where.columns
    if where.inferred:
        columns = {**infer_columns(tree, where.target), **columns}
    _check_columns(rule, tree, where, columns)
    shown = tuple(column for name in display for column in map_field(rule, where, name) if column in columns)
    base = BaseRule(sigma, rule.name, tree, state, columns, shown)
    whole = [
        *([logsource_label.unchecked(dict(names_of(rule)), tree)] if unchecked else ()),
        *left_out.losses(rule, sigma, items, tree),
        *assumptions.of_tree(tree, where.assumptions, names_of(rule)),
    ]
    if not losses:
        return base, whole
    several = [name for name, column in columns.items() if column.multi]
    written = {id(value): (field, _written(value, parts)) for value, field, parts in own}
    return base, [*fidelity.of_tree(tree, losses, several, written), *whole]


def _drops(where: Cell) -> bool:
    """Tell whether a cell's pipeline may take items out of a rule; ours never does."""
    return any(origin != where.own for origin in where.origins)


def _check_possible(rule: Rule, where: Cell, sigma: SigmaRule, tree: Tree) -> None:
    """Refuse a condition that no event of the cell can satisfy.

    Raises:
        Refusal: SC211 with both places.
    """
    found = impossible.refusal(
        rule,
        sigma,
        tree,
        where.columns,
        # A field that is not declared may be a list; a Kusto column holds one value ("Scalar data types").
        several=where.inferred and where.target != "kql",
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


def _signature(rule: Rule, where: Cell, field: str) -> references.Signature:
    key = (where.source, where.target, where.version, names_of(rule), field)
    if key not in _SIGNATURES:
        _SIGNATURES[key] = references.signature(relevant(where, rule)[0], dict(names_of(rule)), field)
    return _SIGNATURES[key]


_SIGNATURES: dict[tuple[object, ...], references.Signature] = {}


_Compared = tuple[SigmaString, str, Sequence[object]]


def _comparisons(sigma: SigmaRule) -> Iterator[_Compared]:
    """Yield each text that the rule compares, with its field and its parts."""

    def walk(detection: SigmaDetection) -> Iterator[_Compared]:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetection):
                yield from walk(item)
            elif item.field is not None:
                for value in item.value:
                    if isinstance(value, SigmaString):
                        yield value, item.field, value.s

    for detection in sigma.detection.detections.values():
        yield from walk(detection)


def _written(value: SigmaString, parts: Sequence[object]) -> str:
    """Return how a text is written, the case aside where it does not count."""
    text = repr(parts)
    return f"as written {text}" if isinstance(value, SigmaCasedString) else text.lower()


def map_field(rule: Rule, where: Cell, field: str) -> tuple[str, ...]:
    """Return the columns that hold a field of the rule's events (itself, where nothing maps it)."""
    if where.pipeline is None:
        return (field,)
    parts = names_of(rule)
    items = relevant(where, rule)[0]["transformations"]
    types = {item.get("type") for item in items}
    demanded = demands.of_rule(rule) if _BY_CASE in types else {}
    ids = demands.values_of_rule(rule, _EVENT) if _BY_EVENT in types else None
    key = (where.source, where.target, where.version, parts, field, tuple(sorted(demanded.items())), ids)
    if key not in _FIELDS:
        probe = SigmaRule.from_dict(
            {
                "title": "probe",
                "logsource": dict(parts),
                # Not the field itself: a value transformation would be asked for its value.
                "detection": {"selection": {"a field of no pipeline": 1}, "condition": "selection"},
                "fields": [field],
            }
        )
        data = dict(relevant(where, rule)[0])
        # The strict ones would refuse the field of the probe, which demands nothing of other fields either.
        data["transformations"] = [
            (demands.settled(item, demanded) if item.get("type") == _BY_CASE else None)
            or (demands.settled_by_event(item, ids) if item.get("type") == _BY_EVENT else None)
            or item
            for item in items
            if item.get("type") not in (_STRICT, _REQUIRED)
        ]
        ProcessingPipeline.from_dict(data).apply(probe)
        _FIELDS[key] = tuple(probe.fields)
    return _FIELDS[key]


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
    for item in relevant(where, rule)[0]["transformations"]:
        if item.get("type") == _REQUIRED and field not in item["fields"]:
            return str(item.get("of", "the events"))
    return None


_FIELDS: dict[tuple[object, ...], tuple[str, ...]] = {}


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


def _tree(rule: Rule, sigma: SigmaRule) -> Tree:
    """Return the parsed condition; several conditions are alternatives.

    Raises:
        Refusal: SC209 if a condition vanished (pySigma then returns no query and no error).
    """
    trees: list[Tree] = []
    for condition in sigma.detection.parsed_condition:
        parsed = fresh.parsed(condition)
        if sigma.custom_attributes.get(left_out.DROPPED):
            parsed = left_out.without_empty(parsed)
        if parsed is None or (isinstance(parsed, ConditionItem) and not parsed.args):
            raise Refusal("SC209", "nothing is left of the condition", file=rule.file)
        trees.append(parsed)
    return trees[0] if len(trees) == 1 else ConditionOR(list(trees))


def _check_columns(rule: Rule, tree: Tree, where: Cell, columns: Columns) -> None:
    for leaf in leaves(tree):
        fields = [leaf.field]
        if isinstance(leaf.value, SigmaFieldReference):
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


def _losses(sigma: SigmaRule, pipeline: ProcessingPipeline) -> dict[int, tuple[Reason, ...]]:
    """Return what each value's pipeline items lose, keyed by ``id()`` of the value.

    pySigma keeps the history on detection items and not on the leaves of the parsed condition; both
    hold the same value objects.
    """
    lossy = pipeline.vars.get("lossy") or {}
    renaming = {
        item.identifier
        for item in pipeline.items
        if isinstance(item.transformation, FieldMappingTransformation)
    }
    found: dict[int, tuple[Reason, ...]] = {}

    def applied(item: SigmaDetectionItem) -> Iterator[str]:
        # What compares two fields counts as renamed by every renaming that looked at it.
        references = [one.field for one in item.value if isinstance(one, SigmaFieldReference)]
        names = [str(item.field), *references] if references else []
        renamed = {key for name in names for key in pipeline.field_name_applied_ids[name]}
        for key in item.applied_processing_items:
            if not references or key not in renaming or key in renamed:
                yield key

    def walk(detection: SigmaDetection) -> None:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetectionItem):
                reasons = tuple(
                    Reason(
                        Fidelity(lossy[key]["fidelity"]),
                        lossy[key]["reason"],
                        lossy[key].get("relaxation", ""),
                    )
                    for key in applied(item)
                    if key in lossy
                )
                if reasons:
                    found.update((id(value), reasons) for value in item.value)
            else:
                walk(item)

    if lossy:
        for detection in sigma.detection.detections.values():
            walk(detection)
    return found


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
