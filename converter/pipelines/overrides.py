"""Put the configuration's settings into a cell's pipeline and column list."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from converter.errors import UsageError
from converter.plan.columns import Columns
from converter.plan.model import Verbatim
from converter.platforms import ELASTIC, KUSTO, SPLUNK, platform_of
from converter.project.source_settings import Renames, Settings

Pipeline = Mapping[str, Any]

CONFIGURED = "configured_"
"""How the ids of the transformations begin that the configuration adds."""
_BASE = ("source", "sourcetype")
"""Splunk: the fields by which pipelines say where events are."""


def declared(columns: Columns, settings: Settings, where: str) -> Columns:
    """Return the column list with the fields that the configuration declares; it wins over ours.

    A declared text of a cell whose texts are extracted from XML is one too.
    """
    xml = any(column.stored == "xml" for column in columns.values())
    return {
        **columns,
        **{
            name: replace(one, stored="xml") if xml and one.type == "string" and not one.stored else one
            for name, one in settings.fields.items()
        },
    }


def mapped(pipeline: Pipeline, columns: Columns, settings: Settings, where: str) -> Pipeline:
    """Return the pipeline with the configured field mapping before its own.

    Declared fields and targets of the mapping are fields that rules may use.

    Raises:
        UsageError: SC601 for a target that neither the column list nor the pipeline knows.
    """
    if not settings.fields and not settings.mapping:
        return pipeline
    items = list(pipeline.get("transformations") or ())
    lists = [item["fields"] for item in items if item.get("type") == "require_fields"]
    known = {*columns, *settings.fields, *(name for names in lists for name in names)}
    for field, targets in settings.mapping.items():
        for target in targets:
            if lists and target not in known:
                raise UsageError(
                    "SC601",
                    f"'tool.sigconv.{where}.mapping.{field}': '{target}' is not in the column list",
                    hint=f"declare it in tool.sigconv.{where}.fields",
                )
    more = dict.fromkeys([*settings.fields, *(one for many in settings.mapping.values() for one in many)])
    made = []
    for item in items:
        if item.get("type") == "require_fields":
            item = {**item, "fields": [*item["fields"], *(one for one in more if one not in item["fields"])]}
        made.append(item)
    if any(item.get("type") == "strict_field_mapping_failure" for item in items):
        settings = replace(settings, mapping={**{one: (one,) for one in settings.fields}, **settings.mapping})
    if settings.mapping:
        names = {field: list(to) if len(to) > 1 else to[0] for field, to in settings.mapping.items()}
        made.insert(0, {"id": f"{CONFIGURED}fields", "type": "field_name_mapping", "mapping": names})
    return {**pipeline, "transformations": made}


def located(pipeline: Pipeline, target: str, settings: Settings, where: str) -> Pipeline:
    """Return the pipeline with the events where the configuration says that they are.

    Raises:
        UsageError: SC601 for a place that the pipeline does not name, or where one name stands for
            several of its places.
    """
    items = list(pipeline.get("transformations") or ())
    place = {SPLUNK.name: _splunk, KUSTO.name: _kusto, ELASTIC.name: _elastic}[platform_of(target).name]
    return {**pipeline, "transformations": place(items, settings, where)}


def _elastic(items: list[Any], settings: Settings, where: str) -> list[Any]:
    if not settings.index:
        return items
    used = [name for item in _states(items, "index") for name in _listed(item["val"])]
    if not used and set(settings.index) == {"*"}:
        return [*items, _state("index", list(settings.index["*"]))]
    _check(used, settings.index, f"{where}.index", several=True)
    return [_renamed(item, "index", settings.index) for item in items]


def _splunk(items: list[Any], settings: Settings, where: str) -> list[Any]:
    for field in _BASE:
        names = settings.source if field == "source" else settings.sourcetype
        if names:
            used = [_base(item)[field] for item in items if field in _base(item)]
            _check(used, names, f"{where}.{field}")
            items = [_with_base(item, field, names) for item in items]
    if settings.macro:
        used = [value for item in items for value in _base(item).values()]
        _check(used, settings.macro, f"{where}.macro")
        items = [one for item in items for one in _with_macro(item, settings.macro, where)]
    if settings.index:
        items.append(_state("index", list(settings.index["*"])))
    return items


def _kusto(items: list[Any], settings: Settings, where: str) -> list[Any]:
    renames: dict[str, tuple[Any, ...]] = dict(settings.table)
    renames |= {old: (Verbatim(text),) for old, text in settings.expression.items()}
    if not renames:
        return items
    key = f"{where}.{'table' if settings.table else 'expression'}"
    used = [item["val"] for item in _states(items, "table")]
    if not used and set(renames) == {"*"}:
        made = list(renames["*"])
        return [*items, _state("table", made[0] if len(made) == 1 else made)]
    _check(used, renames, key)
    return [_renamed(item, "table", renames) for item in items]


def _states(items: Iterable[Any], key: str) -> list[Any]:
    return [item for item in items if item.get("type") == "set_state" and item.get("key") == key]


def _state(key: str, value: Any) -> dict[str, Any]:
    return {"id": f"{CONFIGURED}{key}", "type": "set_state", "key": key, "val": value}


def _renamed(item: Any, key: str, names: Mapping[str, tuple[Any, ...]]) -> Any:
    if item.get("type") != "set_state" or item.get("key") != key:
        return item
    if "*" in names:
        new: list[Any] = list(names["*"])
    else:
        new = [one for old in _listed(item["val"]) for one in names.get(old, (old,))]
    listed = key == "index" or len(new) != 1
    return {**item, "val": new if listed else new[0]}


def _base(item: Any) -> Mapping[str, Any]:
    """Return the conditions of an item that say where events are."""
    if item.get("type") != "add_condition":
        return {}
    return {key: value for key, value in (item.get("conditions") or {}).items() if key in _BASE}


def _with_base(item: Any, field: str, names: Renames) -> Any:
    if field not in _base(item):
        return item
    old = _listed(item["conditions"][field])
    new = list(names["*"]) if "*" in names else [one for name in old for one in names.get(name, (name,))]
    return {**item, "conditions": {**item["conditions"], field: [_literal(one) for one in new]}}


def _literal(text: str) -> str:
    """Return a text as a Sigma value: `*` stays a wildcard, `?` and backslashes stand for themselves."""
    return text.replace("\\", "\\\\").replace("?", "\\?")


def _with_macro(item: Any, macros: Mapping[str, str], where: str) -> list[Any]:
    base = _base(item)
    names = [one for value in base.values() for one in _listed(value)]
    found = {macros.get(name, macros.get("*")) for name in names}
    if not base or found == {None}:
        return [item]
    if len(found) > 1:
        raise UsageError("SC601", f"'tool.sigconv.{where}.macro' needs one macro for {', '.join(names)}")
    rest = {key: value for key, value in item["conditions"].items() if key not in _BASE}
    conditions = {key: item[key] for key in item if key.startswith("rule_cond")}
    made = [_state("macro", found.pop()) | conditions]
    return [*made, {**item, "conditions": rest}] if rest else made


def _check(used: Sequence[Any], names: Mapping[str, Any], key: str, *, several: bool = False) -> None:
    """Refuse a name that the pipeline does not use, and one for all where it uses several.

    Raises:
        UsageError: SC601.
    """
    known = sorted({name for value in used for name in _listed(value)})
    for name in names:
        if name != "*" and name not in known:
            raise UsageError(
                "SC601",
                f"'tool.sigconv.{key}' names '{name}', which the pipeline does not have",
                hint=", ".join(known) or None,
            )
    if not known:
        raise UsageError("SC601", f"'tool.sigconv.{key}': the pipeline says nothing of the kind")
    if "*" in names and len({str(value) for value in used}) > 1 and not several:
        raise UsageError(
            "SC601",
            f"'tool.sigconv.{key}' is one for several: make it a table from each to its own",
            hint=", ".join(known),
        )


def _listed(value: Any) -> list[Any]:
    return [] if value is None else value if isinstance(value, list) else [value]
