"""What each pipeline item did to a rule, step by step."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from sigma.conditions import ConditionAND
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.processing.tracking import FieldMappingTracking
from sigma.processing.transformations import transformations
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule
from sigma.types import SigmaRegularExpression, SigmaType

from converter.errors import Refusal
from converter.pipelines import placeholders, prepare
from converter.pipelines.cells import Cell
from converter.pipelines.items import names_of
from converter.pipelines.transformations.items import value_text
from converter.pipelines.transformations.volume_regex import VolumeRegex
from converter.plan import fidelity
from converter.plan.model import Fidelity, Reason
from converter.project import stock_pipelines
from converter.rules.rule import Rule

Path_ = tuple[Any, ...]
"""The place of a detection item: its selection's name, then positions."""


Part = SigmaDetection | SigmaDetectionItem


_MOST_VALUES = 12


_SHOWN_STATE = ("index", "table", "macro", "eql_category", "time_field", "time_format")


@dataclass(frozen=True, slots=True)
class Comparison:
    """A field and the values that it is compared with; "" is no field: a keyword."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of a condition: its comparisons, and how they are linked."""

    comparisons: tuple[Comparison, ...]
    expression: str


@dataclass(frozen=True, slots=True)
class Step:
    """One transformation that changed a comparison."""

    id: str
    type: str
    origin: str
    """The pipeline's file."""
    why: str
    """The comment above the transformation in its file, else what its kind does."""
    after: tuple[Comparison, ...]
    expression: str
    """``after`` as it is linked."""
    fidelity: str
    loss: str = ""
    """What is lost, if it is not exact."""


@dataclass(frozen=True, slots=True)
class Item:
    """One comparison of the rule and what became of it."""

    selection: str
    rule: Comparison
    steps: tuple[Step, ...]
    became: tuple[Comparison, ...]
    expression: str
    """``became`` as it is linked, with ``and``, ``or``, ``not`` and parentheses."""
    types: Mapping[str, str]
    """Column -> its type, of those in ``became``."""
    fidelity: str


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition that the pipeline adds: which events are meant."""

    id: str
    origin: str
    why: str
    comparisons: tuple[Comparison, ...]


@dataclass(slots=True)
class Trace:
    """What a pipeline made of a rule, comparison by comparison."""

    condition: list[str] = field(default_factory=list)
    items: list[Item] = field(default_factory=list)
    filters: list[Filter] = field(default_factory=list)
    state: dict[str, Any] = field(default_factory=dict)
    """Where the events are and by which time they are ordered."""
    fields: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The rule's ``fields``, for the analyst: the columns of each."""


def trace(rule: Rule, cell: Cell, placeholder_values: Mapping[str, Any] | None = None) -> Trace:
    """Put an event rule through a cell's pipeline one transformation at a time, and note what each changes.

    A transformation that refuses the rule ends the trace: it is the last of the filters.

    Args:
        rule: as it is written.
        cell: source and target.
        placeholder_values: values of placeholders.
    """
    made = Trace()
    sigma = rule.sigma()
    made.condition = [str(one) for one in sigma.detection.condition]
    own = list(sigma.detection.detections)
    origin = _snapshot(sigma)
    if placeholder_values:
        placeholders.expand(sigma, placeholder_values)
    steps: dict[Path_, list[Step]] = defaultdict(list)
    names = tuple(str(name) for name in rule.doc.get("fields") or ())
    sigma.fields = []
    if cell.pipeline is not None:
        made.fields = {name: prepare.map_field(rule, cell, name) for name in names}
        chosen = cell.prepared.of(names_of(rule))
        relevant, origins = chosen.data, chosen.origins
        pipeline = ProcessingPipeline.from_dict(relevant)
        lossy = (relevant.get("vars") or {}).get("lossy") or {}
        comments = {one: _comments(one, cell) for one in dict.fromkeys(origins)}
        _reset(pipeline)
        before = _snapshot(sigma, origin)
        for item, raw, file in zip(pipeline.items, relevant["transformations"], origins, strict=True):
            key = str(raw.get("id") or "")
            why = comments[file].get(key) or _kind(raw["type"])
            try:
                applied = item.apply(sigma)
            except (Refusal, SigmaError) as problem:
                text = f"refused: {problem.message if isinstance(problem, Refusal) else problem}"
                made.filters.append(Filter(key, file, text, ()))
                break
            pipeline.applied.append(applied)
            if applied and item.identifier:
                pipeline.applied_ids.add(item.identifier)
            if not applied:
                continue
            after = _snapshot(sigma, origin)
            loss = lossy.get(key)
            for path, now in after.items():
                if path[0] not in own:
                    if path not in before:
                        made.filters.append(Filter(key, file, why, now.comparisons))
                elif before.get(path) != now:
                    level = loss["fidelity"] if loss else str(Fidelity.EXACT)
                    reason = loss["reason"] if loss else ""
                    step = Step(key, raw["type"], file, why, now.comparisons, now.expression, level, reason)
                    steps[path].append(step)
            before = after
        made.state = {key: pipeline.state[key] for key in _SHOWN_STATE if key in pipeline.state}
    final = _snapshot(sigma, origin)
    for path, written in origin.items():
        became = final.get(path, Shown((), ""))
        level = fidelity.combine(
            [Reason(Fidelity(step.fidelity), step.loss) for step in steps[path] if step.loss]
        )
        columns = dict.fromkeys(one.field for one in became.comparisons)
        types = {name: cell.columns[name].type for name in columns if name in cell.columns}
        parts = became.comparisons, became.expression
        made.items.append(
            Item(str(path[0]), written.comparisons[0], tuple(steps[path]), *parts, types, str(level))
        )
    return made


def _reset(pipeline: ProcessingPipeline) -> None:
    """Begin as `ProcessingPipeline.apply` does."""
    pipeline.applied = []
    pipeline.applied_ids = set()
    pipeline.field_name_applied_ids = defaultdict(set)
    pipeline.field_mappings = FieldMappingTracking()
    pipeline.state = {}


def _parts(rule: SigmaRule, items: Container[Path_] = ()) -> Iterator[tuple[Path_, Part]]:
    """Yield each detection item by its place; what takes the place of one of ``items`` is one part."""

    def walk(part: SigmaDetection, path: Path_) -> Iterator[tuple[Path_, Part]]:
        for position, one in enumerate(part.detection_items):
            if isinstance(one, SigmaDetection) and (*path, position) not in items:
                yield from walk(one, (*path, position))
            else:
                yield (*path, position), one

    for name, detection in rule.detection.detections.items():
        yield from walk(detection, (name,))


def _snapshot(rule: SigmaRule, items: Container[Path_] = ()) -> dict[Path_, Shown]:
    return {path: Shown(tuple(_comparisons(part)), _expression(part)) for path, part in _parts(rule, items)}


def _comparisons(part: Part) -> Iterator[Comparison]:
    if isinstance(part, SigmaDetection):
        for one in part.detection_items:
            yield from _comparisons(one)
    else:
        yield Comparison(part.field or "", tuple(_value(value) for value in part.value))


def _expression(part: Part, within: type | None = None) -> str:
    """Return a part of a condition in words, in parentheses where it is linked otherwise than around it."""
    if isinstance(part, SigmaDetection):
        linking = part.item_linking or ConditionAND
        if len(part.detection_items) == 1:
            return _expression(part.detection_items[0], within)
        word = " and " if linking is ConditionAND else " or "
        text = word.join(_expression(one, linking) for one in part.detection_items)
        return f"({text})" if within not in (None, linking) else text
    values = [_value(value) for value in part.value]
    if len(values) > _MOST_VALUES:
        values = [*values[:_MOST_VALUES], f"... {len(values)} values"]
    mark = " & " if part.value_linking is ConditionAND else " | "
    text = f"{part.field} = {mark.join(values)}" if part.field else f"keyword {mark.join(values)}"
    return f"not {text}" if part.negated else text


def _value(value: SigmaType) -> str:
    flags = value.flags if isinstance(value, SigmaRegularExpression) else ()
    if isinstance(value, VolumeRegex):
        flags = set()
    letters = "".join(sorted(flag.name[0].lower() for flag in flags))
    return value_text(value) + (f" (flags {letters})" if letters else "")


def _kind(name: str) -> str:
    """Return what a kind of transformation does: the first sentence of its documentation."""
    text = " ".join((transformations[name].__doc__ or name).replace("``", "'").split())
    return re.split(r"(?<=[.:]) ", text)[0].rstrip(":.")


def _comments(file: str, cell: Cell) -> dict[str, str]:
    """Return the comment above each transformation of a pipeline's file, by the transformation's id.

    A comment stands for the transformations of the same type that follow, up to the next comment.
    """
    path = stock_pipelines.folder() / cell.source / f"{cell.stem}.yml" if file == cell.own else Path(file)
    if not path.is_file():
        return {}
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    root = yaml.compose(text, Loader=yaml.CSafeLoader)
    found: dict[str, str] = {}
    for key, node in root.value if isinstance(root, yaml.MappingNode) else ():
        if key.value != "transformations":
            continue
        carried = ("", "")
        for item in node.value:
            keys = {name.value: value.value for name, value in item.value}
            above: list[str] = []
            line = item.start_mark.line - 1
            while line >= 0 and lines[line].lstrip().startswith("#"):
                above.insert(0, lines[line].strip().lstrip("# "))
                line -= 1
            kind = str(keys.get("type"))
            if above or carried[0] != kind:
                carried = (kind, " ".join(above))
            if keys.get("id") and carried[1]:
                found.setdefault(str(keys["id"]), carried[1])
    return found
