"""Pipelines made wrong on purpose, one edit at a time on a copy, and whether `verify` notices."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter.convert import Options
from converter.pipelines import Cell
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify.run import verify
from converter.witness import defaults
from tests.pipelines import defender_samples, sysmon_samples

ID = "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0003"
# Values that rules ask for, where the samples' are not what such an event holds.
VALUES: dict[tuple[str, str], Any] = {
    ("registry_add", "EventType"): "CreateKey",
    ("registry_delete", "EventType"): "DeleteValue",
    ("registry_set", "EventType"): "SetValue",
    ("registry_rename", "EventType"): "RenameKey",
    ("", "Channel"): "Microsoft-Windows-Sysmon/Operational",
    ("", "Provider_Name"): "Microsoft-Windows-Sysmon",
}
# Fields of rules that ask for little: whichever the events have.
PLAIN = ("Image", "SourceImage", "ImageLoaded", "User", "EventNamespace", "ScriptBlockId", "Payload")
HEADER = ("Computer", "Provider_Name", "Channel", "EventID", "UtcTime", "RuleName")


@dataclass(frozen=True)
class Question:
    """A rule on one field."""

    logsource: Mapping[str, str]
    field: str
    value: Any = None
    """Where a certain one is needed."""

    def __str__(self) -> str:
        return f"{self.logsource.get('category') or self.logsource.get('service')} {self.field}"


@dataclass(frozen=True)
class Mutant:
    """A pipeline with one wrong edit, and rules that meet it."""

    edit: str
    """Item, key, what was there and what is there now."""
    kind: str
    """Type of the item."""
    data: Mapping[str, Any]
    questions: tuple[Question, ...]

    def __str__(self) -> str:
        return f"{self.edit} ({', '.join(map(str, self.questions[:3]))})"


def items(data: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(data["transformations"])


def logsources(data: Mapping[str, Any]) -> dict[tuple[tuple[str, str], ...], list[str]]:
    """Return log source -> the fields that the pipeline lets pass."""
    found = {}
    for item in items(data):
        if item["type"] == "require_fields":
            for condition in item["rule_conditions"]:
                keys = {key: value for key, value in condition.items() if key != "type"}
                found[tuple(sorted(keys.items()))] = item["fields"]
    return found


def _meets(item: Mapping[str, Any], logsource: Mapping[str, str]) -> bool:
    conditions = [one for one in item.get("rule_conditions", []) if one["type"] == "logsource"]
    return any(
        all(logsource.get(key) == value for key, value in one.items() if key != "type") for one in conditions
    )


def _questions(
    data: Mapping[str, Any], item: Mapping[str, Any], field: str | None, value: Any
) -> Iterator[Question]:
    """Yield rules on the item's log sources: on the field asked for, else on fields that say little."""
    for keys, fields in logsources(data).items():
        logsource = dict(keys)
        if not _meets(item, logsource) or logsource.get("service"):
            continue
        usable = [one for one in fields if one not in HEADER]
        if field is None:
            plain = (
                "Image",
                "SourceImage",
                "ImageLoaded",
                "User",
                "EventNamespace",
                "ScriptBlockId",
                "Payload",
            )
            for one in [name for name in plain if name in usable][:2]:
                yield Question(logsource, one)
        elif field in fields:
            yield Question(logsource, field, value)


def mutants(cell: Cell) -> Iterator[Mutant]:
    """Yield one mutant for each mapping, value and condition of the cell's pipeline."""
    assert cell.pipeline is not None
    for number, item in enumerate(items(cell.pipeline)):
        for edit, field, change, *value in _edits(item, cell):
            questions = tuple(_questions(cell.pipeline, item, field, *(value or [None])))
            if questions:
                data = copy.deepcopy(dict(cell.pipeline))
                change(data["transformations"][number])
                yield Mutant(f"{item['id']}: {edit}", str(item["type"]), data, questions)


def _edits(item: Mapping[str, Any], cell: Cell) -> Iterator[tuple[Any, ...]]:
    """Yield what is changed, the rule's field that meets it, and the change."""
    kind = item["type"]
    if kind == "field_name_mapping":
        for field, column in item["mapping"].items():
            if isinstance(column, str) and column in cell.columns:
                wrong = _other_column(column, cell)
                yield (
                    f"{field}: {column} -> {wrong}",
                    field,
                    lambda one, field=field, wrong=wrong: one["mapping"].update({field: wrong}),
                )
    elif kind == "add_condition":
        for field, value in item["conditions"].items():
            yield (
                f"{field} dropped",
                None,
                lambda one, field=field: one["conditions"].pop(field) and _keep(one),
            )
            wrong = _other_value(value)
            yield (
                f"{field}: {value} -> {wrong}",
                None,
                lambda one, field=field, wrong=wrong: one["conditions"].update({field: wrong}),
            )
    elif kind == "split_user":
        (field, *_) = item["field_name_conditions"][0]["fields"]
        yield (
            "domain and name swapped",
            field,
            lambda one: one.update(domain=one["name"], name=one["domain"]),
        )
    elif kind == "split_hashes":
        names = [name for name in item["targets"] if name != "IMPHASH"]
        left, right = names[0], names[1]
        (field, *_) = item["field_name_conditions"][0]["fields"]
        yield (f"{left} and {right} swapped", field, lambda one: _swap(one["targets"], left, right))
    elif kind == "map_values" and len(item["mapping"]) > 1:
        left, right, *_ = list(item["mapping"])
        (field, *_) = item["field_name_conditions"][0]["fields"]
        yield (f"{left} and {right} swapped", field, lambda one: _swap(one["mapping"], left, right), left)


def _keep(one: dict[str, Any]) -> None:
    """An item without conditions is not valid: let it ask for what is always there."""
    if not one["conditions"]:
        one["type"] = "set_state"
        one.pop("conditions")
        one.pop("name", None)
        one |= {"key": "nothing", "val": "x"}


def _swap(mapping: dict[str, Any], left: str, right: str) -> None:
    mapping[left], mapping[right] = mapping[right], mapping[left]


def _other_column(column: str, cell: Cell) -> str:
    names = [name for name, one in cell.columns.items() if one.type == cell.columns[column].type]
    return names[(names.index(column) + 1) % len(names)] if len(names) > 1 else next(iter(cell.columns))


def _other_value(value: Any) -> Any:
    if isinstance(value, list):
        return [_other_value(value[0]), *value[1:]]
    if isinstance(value, int):
        return value + 100
    return str(int(value) + 100) if str(value).isdigit() else f"{value}x"


def _value(source: str, logsource: Mapping[str, str], field: str) -> Any:
    """Return a value that an event of the log source may hold in the field."""
    category = logsource.get("category", "")
    own = defaults.event_ids(logsource)
    plain = defaults.sysmon_event(own[0]) if own else defaults.log_event(logsource)
    found = VALUES.get((category, field), VALUES.get(("", field) if own else ("", "")))
    if found is None and (field in defaults.FIXED or field in ("EventID", *defaults.BOOLEANS)):
        found = plain.get(field)
    if found is None and source == "defender":
        found = defender_samples.EVENTS.get(category, {}).get(field)
    if found is None and field in defaults.NUMBERS:
        found = 4242
    return sysmon_samples.value(field) if found is None else found


def rule(source: str, logsource: Mapping[str, str], field: str, value: Any = None) -> Rule:
    if value is None:
        value = _value(source, logsource, field)
    selection = {field: value}
    if field in ("Hashes", "Hash"):
        selection = {f"{field}|contains": [f"MD5={'AB' * 16}"]}
    if source == "defender" and field.endswith("ParentImage"):
        selection = {f"{field}|endswith": "\\" + str(value).rpartition("\\")[2]}  # The name alone is stored.
    doc = {
        "title": "t",
        "id": ID,
        "logsource": dict(logsource),
        "detection": {"s": selection, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def status(source: str, cell: Cell, question: Question) -> str:
    """Return what `verify` says of a rule in the cell; ``nothing`` where it selects no event."""
    chosen = RuleSet([rule(source, question.logsource, question.field, question.value)])
    with tempfile.TemporaryDirectory() as nothing:
        (checked,) = verify(chosen, [cell], Path(nothing), Options("any"))
    return "nothing" if checked.status == "agrees" and not checked.hits else checked.status


def noticed(source: str, cell: Cell, mutant: Mutant, sound: dict[str, bool]) -> bool | None:
    """Tell whether a rule that agrees in the cell no longer does; None if there is no such rule.

    Args:
        source: of the cell.
        cell: as it is.
        mutant: of its pipeline.
        sound: rule -> whether it agrees in the cell as it is; filled here.
    """
    wrong = replace(cell, pipeline=mutant.data, version=f"{cell.version} {mutant}")
    asked = False
    for question in mutant.questions:
        key = f"{question} {question.value}"
        if key not in sound:
            sound[key] = status(source, cell, question) == "agrees"
        if sound[key]:
            asked = True
            if status(source, wrong, question) != "agrees":
                return True
    return False if asked else None
