"""Load the cells' pipelines and column lists, and put rules through them.

A pipeline is a stock pySigma processing pipeline; its data is read once and an instance is made for
each use, because pySigma keeps state on instances (adding two of them clears their links).
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from sigma.conditions import ConditionItem, ConditionOR
from sigma.exceptions import SigmaError
from sigma.processing.conditions import LogsourceCondition
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaLogSource, SigmaRule
from sigma.types import SigmaFieldReference

from converter import fidelity, placeholders, transformations, yamlfile
from converter.columns import Column, Columns
from converter.errors import PipelineError, Refusal
from converter.inference import infer_columns, leaves
from converter.plan import BaseRule, Fidelity, Reason, Tree
from converter.rule import Rule

PLATFORMS = {"eql": "elastic", "lucene": "elastic", "spl": "splunk", "kql": "kusto"}
"""Target language -> platform, which a pipeline is for."""
LogsourceNames = tuple[tuple[str, str], ...]
_LOGSOURCE = ("category", "product", "service")
NONE = "none"
"""The source that maps nothing."""

transformations.register()
placeholders.register()


@dataclass(frozen=True, slots=True)
class Cell:
    """A telemetry source in a language."""

    source: str
    target: str
    pipeline: Mapping[str, Any] | None
    """The pipeline's YAML; None for the source `none`."""
    columns: Columns
    version: str
    """SHA-256 of pipeline and column list."""

    def __str__(self) -> str:
        return f"{self.source}/{self.target}"


def folder() -> Path:
    """Return the folder of the pipelines: of the checkout, or the copy inside the installed package."""
    checkout = Path(__file__).parent.parent / "pipelines"
    return checkout if checkout.is_dir() else Path(__file__).parent / "stock_pipelines"


DRAFT = "draft.yml"
"""A file that says why a source is not built unless it is asked for."""


def sources(*, drafts: bool = True) -> list[str]:
    """Return the names of the sources that have pipelines, sorted; without ``drafts`` the proven ones."""
    found = [path for path in folder().iterdir() if path.is_dir()]
    return sorted(path.name for path in found if drafts or not (path / DRAFT).exists())


@cache
def cell(source: str, target: str, variant: str = "") -> Cell:
    """Return a cell.

    Args:
        source: a folder below ``pipelines/``, or ``none``.
        target: eql, lucene, spl or kql.
        variant: another pipeline of the same cell, such as ``windowsevent`` for Sysmon on Sentinel.

    Raises:
        PipelineError: SC301 if there is no such pipeline, SC302 if it is not valid.
    """
    if source == NONE:
        return Cell(source, target, None, {}, "none")
    stem = PLATFORMS[target] + (f"-{variant}" if variant else "")
    path = folder() / source / f"{stem}.yml"
    if not path.is_file():
        known = ", ".join(sources())
        raise PipelineError(
            "SC301", f"no pipeline for source '{source}' and target '{target}'", hint=f"sources: {known}"
        )
    texts = [
        yamlfile.read_text(one, one.name, PipelineError) for one in (path, path.with_suffix(".columns.yml"))
    ]
    name = f"pipelines/{source}/{path.name}"
    pipeline, lists = (yamlfile.parse(text, name, PipelineError)[0] for text in texts)
    try:
        ProcessingPipeline.from_dict(pipeline)
    except SigmaError as problem:
        raise PipelineError("SC302", str(problem), file=name) from problem
    columns = {key: _column(value) for key, value in lists["columns"].items()}
    digest = hashlib.sha256("\0".join(texts).encode()).hexdigest()
    return Cell(source, target, pipeline, columns, digest)


def _column(value: str | Mapping[str, Any]) -> Column:
    return Column(value) if isinstance(value, str) else Column(**value)


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
    sigma = rule.sigma()
    if placeholder_values:
        placeholders.expand(sigma, placeholder_values)
    display = list(sigma.fields)
    sigma.fields = []
    state: dict[str, Any] = {"index": ["Events"], "table": "Events"}
    losses: dict[int, tuple[Reason, ...]] = {}
    if where.pipeline is not None:
        pipeline = ProcessingPipeline.from_dict(_relevant(where, _names(rule)))
        try:
            pipeline.apply(sigma)
        except SigmaError as problem:
            raise Refusal("SC204", _plain(problem), file=rule.file) from problem
        if not _mapped(pipeline):
            raise Refusal(
                "SC207",
                f"{where} has no events of logsource {_logsource(sigma.logsource)}",
                file=rule.file,
            )
        state = dict(pipeline.state)
        losses = _losses(sigma, pipeline.vars.get("lossy") or {})
    tree = _tree(rule, sigma)
    columns = infer_columns(tree, where.target) if where.pipeline is None else where.columns
    _check_columns(rule, tree, where, columns)
    shown = tuple(column for name in display for column in map_field(rule, where, name) if column in columns)
    base = BaseRule(sigma, rule.name, tree, state, columns, shown)
    return base, fidelity.of_tree(tree, losses)


def map_field(rule: Rule, where: Cell, field: str) -> tuple[str, ...]:
    """Return the columns that hold a field of the rule's events (itself, where nothing maps it)."""
    if where.pipeline is None:
        return (field,)
    parts = _names(rule)
    key = (where.source, where.target, where.version, parts, field)
    if key not in _FIELDS:
        probe = SigmaRule.from_dict(
            {
                "title": "probe",
                "logsource": dict(parts),
                # Not the field itself: a value transformation would be asked for its value.
                "detection": {"selection": {"EventID": 1}, "condition": "selection"},
                "fields": [field],
            }
        )
        ProcessingPipeline.from_dict(_relevant(where, parts)).apply(probe)
        _FIELDS[key] = tuple(probe.fields)
    return _FIELDS[key]


_FIELDS: dict[tuple[object, ...], tuple[str, ...]] = {}
_RELEVANT: dict[tuple[object, ...], dict[str, Any]] = {}


def _names(rule: Rule) -> LogsourceNames:
    """Return the rule's log source: what is given of category, product and service."""
    logsource = rule.doc.get("logsource") or {}
    return tuple((key, str(logsource[key])) for key in _LOGSOURCE if logsource.get(key))


def _relevant(where: Cell, names: LogsourceNames) -> dict[str, Any]:
    """Return the cell's pipeline without the items for other log sources: making those takes longest."""
    key = (where.source, where.target, where.version, names)
    if key not in _RELEVANT:
        pipeline = dict(where.pipeline or {})
        items = pipeline.get("transformations") or []
        pipeline["transformations"] = [item for item in items if not _is_for_others(item, dict(names))]
        _RELEVANT[key] = pipeline
    return _RELEVANT[key]


def _is_for_others(item: Mapping[str, Any], names: Mapping[str, str]) -> bool:
    """Tell whether an item's conditions, all of which must hold, name another log source."""
    conditions = item.get("rule_conditions")
    if not isinstance(conditions, list) or item.get("rule_cond_op", "and") != "and":
        return False
    return not item.get("rule_cond_not") and any(
        condition.get("type") == "logsource"
        and any(names.get(key) != condition[key] for key in _LOGSOURCE if condition.get(key))
        for condition in conditions
    )


def _mapped(pipeline: ProcessingPipeline) -> bool:
    """Tell whether an item that is for certain logsources was applied: else the rule passed through."""
    for item, applied in zip(pipeline.items, pipeline.applied, strict=True):
        conditions = item.rule_conditions
        conditions = list(conditions.values()) if isinstance(conditions, dict) else conditions
        if applied and any(isinstance(condition, LogsourceCondition) for condition in conditions):
            return True
    return False


def _logsource(logsource: SigmaLogSource) -> str:
    parts = (("category", logsource.category), ("product", logsource.product), ("service", logsource.service))
    return ", ".join(f"{key} {value}" for key, value in parts if value)


def _tree(rule: Rule, sigma: SigmaRule) -> Tree:
    """Return the parsed condition; several conditions are alternatives.

    Raises:
        Refusal: SC209 if a condition vanished (pySigma then returns no query and no error).
    """
    trees: list[Tree] = []
    for condition in sigma.detection.parsed_condition:
        parsed = condition.parsed
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
                raise Refusal(
                    "SC204",
                    f"field '{field}' has no equivalent in {where}",
                    file=rule.file,
                    hint=f"nearest: {close[0]}" if close else None,
                )


def _losses(sigma: SigmaRule, lossy: Mapping[str, Mapping[str, str]]) -> dict[int, tuple[Reason, ...]]:
    """Return what each value's pipeline items lose, keyed by ``id()`` of the value.

    pySigma keeps the history on detection items and not on the leaves of the parsed condition; both
    hold the same value objects.
    """
    found: dict[int, tuple[Reason, ...]] = {}

    def walk(detection: SigmaDetection) -> None:
        for item in detection.detection_items:
            if isinstance(item, SigmaDetectionItem):
                reasons = tuple(
                    Reason(Fidelity(lossy[key]["fidelity"]), lossy[key]["reason"])
                    for key in item.applied_processing_items
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


def _plain(problem: Exception) -> str:
    return str(problem.args[0]) if problem.args else type(problem).__name__
