"""What there is: sources, targets and the fields of a cell, worked out from the pipelines themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.backends import BACKENDS, backend_for
from converter.engines import ENGINES
from converter.errors import PipelineError, SigconvError
from converter.files import yaml_source
from converter.pipelines import cells, prepare
from converter.pipelines.cells import Cell
from converter.pipelines.items import names_of
from converter.platforms import LANGUAGES, platform_of
from converter.project import stock_pipelines
from converter.rules.rule import Rule

TARGETS = tuple(LANGUAGES)
_BASE = ("source", "sourcetype")
_SILENT = ("field_name_mapping", "require_fields", "add_condition", "convert_type")
"""Transformations that a note need not name: the columns and their types say what they do."""


@dataclass(frozen=True, slots=True)
class SourceCell:
    """A source in a language."""

    source: str
    target: str
    platform: str
    default: bool
    """Whether it is built without being asked for."""
    places: tuple[str, ...]
    """Indices, tables, or Splunk's source or sourcetype."""
    logsources: tuple[str, ...]
    """Categories, and services as ``service:name``, all of product windows."""
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TargetFacts:
    """A language."""

    target: str
    platform: str
    extension: str
    correlation_extension: str
    engine: str
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FieldFacts:
    """A rule field of a log source and where the cell has it."""

    logsource: str
    field: str
    columns: tuple[str, ...]
    """Empty if there is no equivalent."""
    types: tuple[str, ...]
    note: str
    fact: str
    """Where the column list has it from."""


def source_cells(found: list[Cell]) -> Iterator[SourceCell]:
    """Yield what each cell is."""
    defaults = cells.sources(optional=False)
    for cell in found:
        items = (cell.pipeline or {}).get("transformations") or []
        yield SourceCell(
            cell.source,
            cell.target,
            platform_of(cell.target).name,
            cell.source in defaults,
            tuple(dict.fromkeys(place for item in items for place in _places(item))),
            tuple(dict.fromkeys(name for item in items for name, _ in _logsources(item))),
            tuple(cells.variants(cell.source, cell.target)),
        )


def target_facts() -> Iterator[TargetFacts]:
    """Yield what each language is."""
    for target in TARGETS:
        backend = backend_for(target)
        yield TargetFacts(
            target,
            platform_of(target).name,
            backend.extension,
            getattr(backend, "correlation_extension", backend.extension),
            ENGINES[target].about,
            tuple(f"--{target}-{one.name} {'|'.join(one.choices)}" for one in BACKENDS[target].options),
        )


def fields(cell: Cell, category: str | None = None) -> Iterator[FieldFacts]:
    """Yield the rule fields of a cell.

    Args:
        cell: of a source that has pipelines.
        category: only of this category, or service as ``service:name``.
    """
    fact = _fact(cell)
    items = (cell.pipeline or {}).get("transformations") or []
    strict = any(item.get("type") == "strict_field_mapping_failure" for item in items)
    seen: set[tuple[str, str]] = set()
    for item in items:
        if item.get("type") == "require_fields":
            names = item["fields"]
        elif strict and item.get("type") == "field_name_mapping":
            names = list(item["mapping"])
        else:
            continue
        for name, logsource in _logsources(item):
            if category in (None, name):
                for field in names:
                    if (name, field) in seen:
                        continue
                    seen.add((name, field))
                    yield _field(cell, name, logsource, field, fact)


def _field(cell: Cell, name: str, logsource: Mapping[str, str], field: str, fact: str) -> FieldFacts:
    doc = {
        "title": "fields",
        "logsource": dict(logsource),
        "detection": {"selection": {"EventID": 1}, "condition": "selection"},
    }
    rule = Rule(doc, "fields.yml", Path("fields.yml"), "fields.yml", 0)
    items = cell.prepared.of(names_of(rule)).data["transformations"]
    about = [item for item in items if _names(item, field) and _serves(item, logsource)]
    try:
        mapped = prepare.map_field(rule, cell, field)
    except SigconvError as error:
        return FieldFacts(name, field, (), (), str(error), fact)
    known = [one for one in mapped if one in cell.columns]
    notes = []
    if len(known) < len(mapped) or not known:
        known = list(dict.fromkeys(one for item in about for one in _columns(item, cell)))
        if known:
            notes.append("by value")
    lossy = ((cell.pipeline or {}).get("vars") or {}).get("lossy") or {}
    for item in about:
        if item["type"] not in _SILENT:
            notes.append(item["type"])
        if item.get("id") in lossy:
            loss = lossy[item["id"]]
            notes.append(f"{loss['fidelity']}: {loss['reason']}")
    if not known:
        notes = ["no equivalent: refused"]
    types = tuple(cell.columns[one].type for one in known)
    return FieldFacts(name, field, tuple(known), types, ", ".join(dict.fromkeys(notes)), fact)


def _names(item: Mapping[str, Any], field: str) -> bool:
    """Tell whether a transformation's own conditions, or its mapping, name a field."""
    conditions = item.get("field_name_conditions") or []
    listed = conditions.values() if isinstance(conditions, dict) else conditions
    if any(one.get("type") == "include_fields" and field in one.get("fields", ()) for one in listed):
        return True
    mapping = item.get("mapping")
    return item["type"] == "field_name_mapping" and isinstance(mapping, dict) and field in mapping


def _serves(item: Mapping[str, Any], logsource: Mapping[str, str]) -> bool:
    """Tell whether a transformation is for a log source, or for all."""
    wanted = [parts for _, parts in _logsources(item)]
    return not wanted or any(parts.items() <= logsource.items() for parts in wanted)


def _columns(value: Any, cell: Cell) -> Iterator[str]:
    """Yield every text inside a transformation that is a column of the cell."""
    if isinstance(value, str) and value in cell.columns:
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            if key not in ("id", "type", "field_name_conditions", "rule_conditions"):
                yield from _columns(one, cell)
    elif isinstance(value, list):
        for one in value:
            yield from _columns(one, cell)


def _logsources(item: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, str]]]:
    conditions = item.get("rule_conditions") or []
    for one in conditions.values() if isinstance(conditions, dict) else conditions:
        if one.get("type") == "logsource":
            parts = {key: str(one[key]) for key in ("category", "product", "service") if one.get(key)}
            name = parts.get("category") or f"service:{parts.get('service', parts.get('product', ''))}"
            yield name, parts


def _places(item: Mapping[str, Any]) -> Iterator[str]:
    found: Any = ()
    if item.get("type") == "set_state" and item.get("key") in ("index", "table", "macro"):
        found = item["val"]
    elif item.get("type") == "add_condition":
        found = [value for key, value in (item.get("conditions") or {}).items() if key in _BASE]
        found = [one for value in found for one in (value if isinstance(value, list) else [value])]
    for one in found if isinstance(found, list | tuple) else [found]:
        yield str(one)


def _fact(cell: Cell) -> str:
    """Return what the column list says about where it is from."""
    path = stock_pipelines.folder() / cell.source / f"{cell.stem}.columns.yml"
    data = yaml_source.parse(yaml_source.read_text(path, path.name, PipelineError), path.name, PipelineError)[
        0
    ]
    return " ".join(str(data.get("source") or "").split())
