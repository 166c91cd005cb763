"""Pipelines made wrong on purpose, one edit at a time on a copy, and whether `verify` notices."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from converter.conversion.convert import Options
from converter.errors import SigconvError
from converter.pipelines.cells import Cell
from converter.platforms import platform_of
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify
from converter.witness import defaults
from tests.pipelines import crowdstrike_samples, defender_samples, sysmon_samples

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
# Parameters of our own transformations that name columns, and values that meet them.
COLUMNS: dict[str, tuple[str, ...]] = {
    "base_name": ("to",),
    "any_field": ("fields",),
    "by_case": ("cases",),
    "address_families": ("v4", "v6"),
    "registry_key_and_value": ("key", "name"),
    "registry_value_data": ("text", "number", "kind"),
    "split_hashes": ("targets",),
}
ASKED: dict[tuple[Any, ...], list[Any]] = {
    ("any_field", "fields", 0): ["192.0.2.7"],
    ("any_field", "fields", 1): ["2001:db8::7"],
    ("any_field", "fields", 2): ["alias.example.org"],
    ("registry_key_and_value", "name"): [{"TargetObject|endswith": r"\Key\(Default)"}],
    ("registry_value_data", "text"): ["C:\\run.exe"],
    ("registry_value_data", "number"): ["DWORD (0x00000001)"],
    ("registry_value_data", "kind"): ["DWORD (0x00000001)", "Binary Data"],
}
BY_CASE = {
    "SourceIp": "10.1.2.3",
    "DestinationIp": "192.168.7.8",
    "TargetObject": r"HKLM\SOFTWARE\Vendor\Key\Name",
}
# The ends of a connection, between two transformations: of one that was opened.
ENDS = {"LocalIp": "SourceIp", "RemoteIp": "DestinationIp"}
DIGITS = {"MD5": 32, "SHA1": 40, "SHA256": 64, "IMPHASH": 32}
# Selections that tell a field from its neighbour.
ALONE: dict[str, dict[str, Any]] = {
    "Signed": {"Signed": "true", "SignatureStatus": "Expired"},
    "Details": {"Details": "(Empty)"},
}
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
            for one in [name for name in PLAIN if name in usable][:2] or usable[:1]:
                yield Question(logsource, one)
        elif field in fields:
            yield Question(logsource, field, value)


def mutants(cell: Cell) -> Iterator[Mutant]:
    """Yield one mutant for each mapping, value and condition of the cell's pipeline."""
    assert cell.pipeline is not None
    for number, item in enumerate(items(cell.pipeline)):
        for edit, field, change, *value in _edits(item, cell):
            questions = tuple(_questions(cell.pipeline, item, field, *(value or [None])))
            if item["type"] == "field_name_mapping":
                # Where another item takes the values, this one is for the field's presence.
                there = {} if field in HEADER else {f"{field}|exists": True}
                more = there, ALONE.get(field, {})
                questions += tuple(
                    one for new in more if new for one in _questions(cell.pipeline, item, field, new)
                )
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
        if not item.get("zeros"):  # A hash of zeros is in no field.
            yield from _other_columns(item, cell)
    elif kind == "map_values" and len(item["mapping"]) > 1:
        left, right, *_ = list(item["mapping"])
        (field, *_) = item["field_name_conditions"][0]["fields"]
        yield (f"{left} and {right} swapped", field, lambda one: _swap(one["mapping"], left, right), left)
    elif kind in COLUMNS:
        yield from _other_columns(item, cell)


def _other_columns(item: Mapping[str, Any], cell: Cell) -> Iterator[tuple[Any, ...]]:
    """Yield edits of the columns that are parameters of our own transformations."""
    (field, *_) = item["field_name_conditions"][0]["fields"]
    field = ENDS.get(field, field)
    for key in COLUMNS[item["type"]]:
        places = item.get(key, {})
        if not isinstance(places, dict | list):
            places, inside = {key: places}, False
        else:
            places, inside = dict(enumerate(places)) if isinstance(places, list) else places, True
        for place, column in places.items():
            if column not in cell.columns:
                continue
            wrong = _other_column(column, cell)

            def change(
                one: Any, key: str = key, place: Any = place, wrong: str = wrong, inside: bool = inside
            ) -> None:
                (one[key] if inside else one)[place] = wrong

            for value in _asked(item, key, place, field):
                where = key if place == key else f"{key} {place}"
                yield f"{field}: {where}: {column} -> {wrong}", field, change, value


def _asked(item: Mapping[str, Any], key: str, place: Any, field: str) -> list[Any]:
    """Return values, or whole selections, that meet a parameter of a transformation of ours."""
    if item["type"] == "base_name":
        (value,) = {None: [r"\name.exe"], "broader": [r"D:\Folder\name.exe"]}.get(item.get("loss"), ["ame.e"])
        modifier = {None: "|endswith", "broader": ""}.get(item.get("loss"), "|contains")
        return [{f"{field}{modifier}": value}]
    if item["type"] == "address_families":
        return [{"Initiated": "true", field: {"v4": "10.1.2.3", "v6": "2001:db8::7"}[key]}]
    if item["type"] == "by_case":
        return [{item["by"]: place, field: BY_CASE.get(field, 443)}]
    if item["type"] == "split_hashes":
        modifier = "|startswith" if item.get("anchored") else "|contains"
        return [{f"{field}{modifier}": f"{place}={'AB' * (DIGITS[place] // 2)}"}]
    return ASKED.get((item["type"], key, place), ASKED.get((item["type"], key), [None]))


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
    if found is None and source == "crowdstrike":
        found = crowdstrike_samples.EVENTS.get(category, {}).get(field)
    if found is None and field in defaults.NUMBERS:
        found = 4242
    return sysmon_samples.value(field) if found is None else found


def rule(source: str, logsource: Mapping[str, str], field: str, value: Any = None) -> Rule:
    if value is None:
        value = _value(source, logsource, field)
    selection = value if isinstance(value, Mapping) else {field: value}
    if field in ("Hashes", "Hash") and selection is not value:
        selection = {f"{field}|contains": [f"MD5={'AB' * 16}"]}
    if source == "defender" and field.endswith("ParentImage"):
        selection = {f"{field}|endswith": "\\" + str(value).rpartition("\\")[2]}  # The name alone is stored.
    if field == "QueryResults" and source == "crowdstrike":
        selection = {"QueryResults|contains": value}
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


def _samples(cell: Cell, question: Question, sound: dict[str, bool] | None = None) -> bool:
    """Tell whether a rule on the field finds the sample of CrowdStrike's that has the value, and it alone."""
    category, field = question.logsource["category"], question.field
    if isinstance(question.value, Mapping):
        return False  # For `verify`.
    key = f"sample: {category} {field} {question.value}"
    if sound is not None and key in sound:
        return sound[key]
    held = crowdstrike_samples.EVENTS[category]
    found = False
    if field in held and field in crowdstrike_samples.fields(platform_of(cell.target).name).get(category, ()):
        selection = crowdstrike_samples.asked(category, field, held[field])
        if question.value is not None:
            selection = {f"{field}|contains": question.value}
        events = crowdstrike_samples.around(category, field)
        try:
            found = crowdstrike_samples.selected_by(cell, category, selection, events) == [0]
        except SigconvError:
            found = False
    if sound is not None:
        sound[key] = found
    return found


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
    if source == "crowdstrike":
        for question in mutant.questions:
            if _samples(cell, question, sound):
                asked = True
                if not _samples(wrong, question):
                    return True
    for question in mutant.questions:
        key = f"{question} {question.value}"
        if key not in sound:
            sound[key] = status(source, cell, question) == "agrees"
        if sound[key]:
            asked = True
            if status(source, wrong, question) != "agrees":
                return True
    return False if asked else None
