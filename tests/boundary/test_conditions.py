"""Conditions that can never hold: refused with both places, in every language; `check` says so before."""

from __future__ import annotations

import random
from collections.abc import Mapping
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from sigma.conditions import ConditionOR

from converter.conversion.convert import Options, convert
from converter.errors import Refusal, UsageError
from converter.lint.run import check
from converter.matcher import compile_detection
from converter.matcher.logsource import SYSMON_EVENT_IDS
from converter.pipelines import cells, user_files
from converter.pipelines.user_files import UserPipeline
from converter.plan.contradictions import clash, dead_branches
from converter.platforms import platform_of
from converter.project import config, ids
from converter.rules import loading
from converter.rules import parsed as fresh
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.selection import Selection
from converter.verify.verify import verify
from tests import assumption_docs

LANGUAGES = ("eql", "lucene", "spl", "kql")
CREATION = {"category": "process_creation", "product": "windows"}


def document(detection: Mapping[str, Any], logsource: Mapping[str, str] = CREATION) -> dict[str, Any]:
    return {
        "title": "Rule",
        "id": "33333333-3333-4333-8333-333333333333",
        "logsource": dict(logsource),
        "detection": dict(detection),
    }


def write(folder: Path, *docs: Mapping[str, Any]) -> Path:
    file = folder / "rule.yml"
    file.write_text("---\n".join(yaml.safe_dump(dict(doc), sort_keys=False) for doc in docs))
    return file


def refusal(folder: Path, doc: Mapping[str, Any], source: str, target: str) -> Refusal:
    """Return what a rule is refused with."""
    loaded = loading.load([write(folder, doc)])
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell(source, target), Options("any"))
    return caught.value


def tree_of(detection: Mapping[str, Any]) -> Any:
    """Return the parsed condition of a rule that no pipeline has changed."""
    sigma = Rule(document(detection), "r.yml", Path("r.yml"), "r.yml", 0).sigma()
    trees = [fresh.parsed(condition) for condition in sigma.detection.parsed_condition]
    return trees[0] if len(trees) == 1 else ConditionOR(trees)


# boundary.md V4, rules/category_with_other_event_id.yml and drifted_event_ids.yml. The ids are those of
# Sysmon's event manifest (schema 4.90) and of learn.microsoft.com, "4688(S)".
@pytest.mark.parametrize("target", LANGUAGES)
@pytest.mark.parametrize(
    ("category", "number"),
    [("process_creation", 4688), ("file_delete", 26), ("pipe_created", 5145), ("registry_set", 12)],
)
def test_v4_event_id_of_another_category(category: str, number: int, target: str, tmp_path: Path) -> None:
    doc = document({"s": {"EventID": number}, "condition": "s"}, {"category": category, "product": "windows"})
    found = refusal(tmp_path, doc, "sysmon", target)
    assert found.code == "SC211"
    assert f"log source category {category}, product windows, item '{category}_events'" in found.message
    assert f"{number}" in found.message
    assert "(selection 's')" in found.message
    assert (found.line, found.column) == (8, 5)


def test_v4_one_table_of_sysmons_event_ids(tmp_path: Path) -> None:
    """The check's table had 26 for file_delete, and the matcher's had not (boundary.md V4, "drifted")."""
    for category, numbers in SYSMON_EVENT_IDS.items():
        others = sorted({one for ids in SYSMON_EVENT_IDS.values() for one in ids} - set(numbers))
        doc = document(
            {"s": {"EventID": [*numbers, *others]}, "condition": "s"},
            {"category": category, "product": "windows"},
        )
        said = [one.message for one in check([write(tmp_path, doc)]).findings if one.code == "SC122"]
        assert [int(one.split()[2]) for one in said] == others, category


def test_v4_event_id_of_the_category_is_converted(tmp_path: Path) -> None:
    for category, numbers in SYSMON_EVENT_IDS.items():
        doc = document(
            {"s": {"EventID": list(numbers)}, "condition": "s"}, {"category": category, "product": "windows"}
        )
        loaded = loading.load([write(tmp_path, doc)])
        if category not in _NO_EVENTS:
            convert(loaded, loaded.rules[0], cells.cell("sysmon", "kql"), Options("any"))


_NO_EVENTS = frozenset()
"""Categories that the pipeline does not have."""


# boundary.md K6 and E1, rules/contradiction.yml: the log of event 104 is System.
@pytest.mark.parametrize("target", ["eql", "lucene", "kql"])
def test_k6_condition_against_the_log_sources(target: str, tmp_path: Path) -> None:
    """A comparison with the log itself; event 104's own Channel is another element of the record (E1)."""
    detection = {
        "selection": {"EventID": 1},
        "filter": {"Provider_Name": "Microsoft-Windows-Sysmon"},
        "condition": "selection and not filter",
    }
    found = refusal(tmp_path, document(detection), "sysmon", target)
    assert found.code == "SC211"
    assert "(selection 'filter')" in found.message
    assert "item 'process_creation_events' of the pipeline" in found.message


@pytest.mark.parametrize(
    "detection",
    [
        {"a": {"Image": "x"}, "b": {"Image": "y"}, "condition": "a and b"},
        {"a": {"Image": ["x", "y"]}, "b": {"Image": ["z", "w"]}, "condition": "a and b"},
        {"a": {"Image": "x"}, "condition": "a and not a"},
        {"a": {"Image|endswith": "\\x.exe"}, "f": {"Image|endswith": ".EXE"}, "condition": "a and not f"},
        {"a": {"Image|endswith": "\\x.exe"}, "b": {"Image|endswith": "\\y.exe"}, "condition": "all of them"},
        {"a": {"Image|startswith": "C:"}, "b": {"Image|startswith": "D:"}, "condition": "a and b"},
        {"a": {"Image": None}, "b": {"Image|contains": "abc"}, "condition": "a and b"},
        {"a": {"N|gt": 5}, "b": {"N|lt": 5}, "condition": "a and b"},
        {"a": {"N|gte": 5}, "f": {"N|gt": 4}, "condition": "a and not f"},
        {"a": {"N": 5}, "b": {"N|gte": 6}, "condition": "a and b"},
        {"a": {"Ip|cidr": "10.0.0.0/8"}, "b": {"Ip|cidr": "192.168.0.0/16"}, "condition": "a and b"},
        {"a": {"Ip": "10.1.1.1"}, "f": {"Ip|cidr": "10.0.0.0/8"}, "condition": "a and not f"},
        {"a": {"Image": "abc"}, "b": {"Image|re": "^x"}, "condition": "a and b"},
        {"a": {"Image|re": "^x"}, "condition": "a and not a"},
        # One value that stands for several (Sigma 2.1, windash): none of them under `not`.
        {"a": {"Line": "x /a"}, "f": {"Line|windash": "x -a"}, "condition": "a and not f"},
        {"a": {"Image|exists": True}, "b": {"Image|exists": False}, "condition": "a and b"},
        # Each way through two choices is closed, though no single comparison is.
        {
            "a": {"Image": ["x", "y"]},
            "b": [{"Image": "x", "User": "u"}, {"Image": "y", "User": "v"}],
            "c": {"User": "w"},
            "condition": "a and b and c",
        },
        {
            "a": {"Image": ["x", "y"]},
            "f": {"Image": "x"},
            "g": {"Image": "y"},
            "condition": "a and not f and not g",
        },
    ],
)
def test_k6_rule_against_itself(detection: dict[str, Any], tmp_path: Path) -> None:
    assert clash(tree_of(detection)) is not None
    [found] = [one for one in check([write(tmp_path, document(detection))]).findings if one.code == "SC127"]
    assert found.message.startswith("no event can satisfy the rule: ")


@pytest.mark.parametrize(
    "detection",
    [
        {"a": {"Image|contains": "x"}, "b": {"Image|contains": "y"}, "condition": "a and b"},
        {"a": {"Image|endswith": "x.exe"}, "b": {"Image|endswith": "\\ax.exe"}, "condition": "a and b"},
        {"a": {"Image|startswith": "C:"}, "f": {"Image|startswith": "C:\\W"}, "condition": "a and not f"},
        {"a": {"Image": "abc"}, "f": {"Image|cased": "abc"}, "condition": "a and not f"},
        {"a": {"Image": ""}, "b": {"Image": None}, "condition": "a and b"},
        # Elastic's ingest takes "-" for no value (sysmon_operational, default.yml, the first processor).
        {"a": {"Image": "-"}, "b": {"Image": None}, "condition": "a and b"},
        {"a": {"N": "5"}, "b": {"N": 5}, "condition": "a and b"},
        {"a": {"N|gt": 5}, "b": {"N|lt": 6}, "condition": "a and b"},
        {"a": {"N|gte": 5}, "b": {"N|lte": 5}, "condition": "a and b"},
        {"a": {"N": "0x10"}, "b": {"N": 16}, "condition": "a and b"},
        {"a": {"Ip": "::1"}, "b": {"Ip": "0:0:0:0:0:0:0:1"}, "condition": "a and b"},
        {"a": {"Image": "ABC"}, "b": {"Image|re": "^[^a]"}, "condition": "a and b"},
        {"a": {"Image|re": "x"}, "b": {"Image|re": "y"}, "condition": "a and b"},
        {"a": {"Image": "x"}, "f": {"Image": "y", "User": "z"}, "condition": "a and not f"},
        {"a": {"A|fieldref": "B"}, "b": {"A": "x"}, "c": {"B": "y"}, "condition": "a and (b or c)"},
    ],
)
def test_k6_what_can_hold_is_left_alone(detection: dict[str, Any], tmp_path: Path) -> None:
    assert clash(tree_of(detection)) is None
    assert [
        one for one in check([write(tmp_path, document(detection))]).findings if one.code == "SC127"
    ] == []


def test_k6_an_alternative_that_cannot_hold_is_a_warning_and_stays(tmp_path: Path) -> None:
    detection = {"a": {"Image": "x"}, "b": {"Image": "y"}, "c": {"User": "u"}, "condition": "a and (b or c)"}
    file = write(tmp_path, document(detection))
    [found] = [one for one in check([file]).findings if one.code == "SC127"]
    assert found.message.startswith("no event can satisfy an alternative: ")
    loaded = loading.load([file])
    made = convert(loaded, loaded.rules[0], cells.cell("sysmon", "spl"), Options("any"))
    assert 'Image="y"' in made.queries[0].text


def test_k6_both_places_have_their_lines(tmp_path: Path) -> None:
    detection = {"a": {"Image": "x"}, "b": {"Image": "y"}, "condition": "a and b"}
    found = refusal(tmp_path, document(detection), "defender", "kql")
    assert (found.line, found.hint) == (10, "the other place is line 8: change one of the two")
    assert "Image (FolderPath) is 'x' (selection 'a')" in found.message


# boundary.md E10: one event both network and file. Rules of one category may be one event.
_CATEGORIES = (
    "process_creation",
    "network_connection",
    "file_event",
    "registry_set",
    "image_load",
    "file_delete",
)
_FIELDS = {"network_connection": "DestinationIp", "registry_set": "TargetObject"}


@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike"])
def test_e10_no_event_is_of_two_categories(source: str, tmp_path: Path) -> None:
    docs: list[dict[str, Any]] = []
    for number, category in enumerate(_CATEGORIES):
        field = _FIELDS.get(category, "TargetFilename" if category.startswith("file") else "Image")
        detection = {"s": {f"{field}|contains": "ab"}, "condition": "s"}
        doc = document(detection, {"category": category, "product": "windows"})
        docs.append({**doc, "name": category, "id": f"33333333-3333-4333-8333-{number:012d}"})
    for number, pair in enumerate(combinations(_CATEGORIES, 2), 100):
        section = {"type": "temporal", "rules": list(pair), "group-by": ["Computer"], "timespan": "5m"}
        docs.append(
            {"title": str(pair), "id": f"33333333-3333-4333-8333-{number:012d}", "correlation": section}
        )
    loaded = loading.load([write(tmp_path, *docs)])
    converted = 0
    for rule in loaded.rules:
        try:
            made = convert(loaded, rule, cells.cell(source, "eql"), Options("any"))
        except Refusal:
            continue
        converted += rule.kind == "correlation"
        assert not [query.name for query in made.queries if "_with_" in (query.name or "")], rule.title
    assert converted >= 6


# Soundness: what the matcher matches is never called impossible, with one value in a field or with several.
_TEXTS = (
    "a",
    "A",
    "ab",
    "b",
    "",
    "-",
    "a*",
    "*b",
    "*a*",
    "?",
    "a?",
    "5",
    "05",
    "0x5",
    "10.0.0.1",
    "true",
    "null",
)
_RAW: tuple[Any, ...] = (*_TEXTS, 5, 6, 5.0, True, False, None)
_MODIFIED: tuple[tuple[str, tuple[Any, ...]], ...] = (
    ("|contains", ("a", "b", "0")),
    ("|startswith", ("a", "1", "ab")),
    ("|endswith", ("b", "1", "")),
    ("|cased", ("a", "A", "a*", "AB")),
    ("|re", ("^a", "b$", "^a?b$", "[^a]", "5|6", "^$", "(?!a)b", "A", "^.$")),
    ("|re|i", ("^a", "B", "^[a-b]+$", "^.?$")),
    ("|gt", (4, 5)),
    ("|lte", (5, 6, 5.5)),
    ("|cidr", ("10.0.0.0/8", "10.0.0.0/31", "192.168.0.0/16", "::/0")),
    ("|exists", (True, False)),
    ("|neq", ("a", "5", "a*")),
    ("|fieldref", ("x", "y")),
)
_VALUES: tuple[Any, ...] = (
    "a",
    "A",
    "ab",
    "AB",
    "b",
    "aab",
    "",
    "-",
    "5",
    "05",
    "0x5",
    "10.0.0.1",
    "true",
    "null",
)
_ALL: tuple[Any, ...] = (*_VALUES, 5, 6, 5.5, True, False)


def _item(chance: random.Random) -> tuple[str, Any]:
    field = chance.choice("xy")
    if chance.random() < 0.5:
        values: Any = chance.sample(_RAW, chance.choice((1, 1, 2)))
        return field, values[0] if len(values) == 1 else values
    modifier, known = chance.choice(_MODIFIED)
    return field + modifier, chance.choice(known)


def _detection(chance: random.Random) -> dict[str, Any]:
    names = [f"s{number}" for number in range(chance.choice((2, 2, 3, 4)))]
    made: dict[str, Any] = {}
    for name in names:
        items = dict(_item(chance) for _ in range(chance.choice((1, 1, 2))))
        made[name] = [dict([item]) for item in items.items()] if chance.random() < 0.2 else items
    words = [f"not {name}" if chance.random() < 0.4 else name for name in names]
    if len(words) > 2 and chance.random() < 0.5:
        made["condition"] = f"{words[0]} and ({' or '.join(words[1:])})"
    else:
        made["condition"] = " and ".join(words)
    return made


def _event(chance: random.Random, *, lists: bool) -> dict[str, Any]:
    event: dict[str, Any] = {}
    for field in "xy":
        kind = chance.random()
        if kind < 0.1:
            continue
        one = None if kind < 0.2 else chance.choice(_ALL)
        event[field] = chance.sample(_ALL, 2) if lists and kind > 0.6 else one
    return event


@pytest.mark.parametrize("lists", [False, True])
def test_k6_what_the_matcher_matches_is_never_impossible(lists: bool) -> None:
    """The reference matcher decides over every pair of values, or over random lists of them."""
    chance = random.Random(12)
    every = [{"x": one, "y": two} for one in (*_ALL, None) for two in (*_ALL, None)]
    every += [{}, {"x": "a"}, {"y": "a"}, {"x": 5}, {"y": 5}]
    impossible = dead = 0
    for _ in range(3000):
        detection = _detection(chance)
        events = [_event(chance, lists=True) for _ in range(100)] if lists else every
        tree = tree_of(detection)
        if clash(tree, several=lists) is None:
            dead += bool(not lists and dead_branches(tree))
            continue
        impossible += 1
        matches = compile_detection(detection)
        assert not [event for event in events if matches(event)], detection
    assert impossible > (80 if lists else 300)
    assert lists or dead > 30


def test_the_list_of_assumptions_in_the_docs_is_todays() -> None:
    """docs/semantics.md is generated from pipelines/**/*.assumptions.yml."""
    text = assumption_docs.PAGE.read_text(encoding="utf-8")
    assert assumption_docs.page(text) == text, "run python -m tests.assumption_docs"
    listed = [entry.id for _, entries in assumption_docs.lists() for entry in entries]
    assert len(set(listed)) == len(listed)


# boundary.md V6, rules/ids_by_case.yml. The forms are those of RFC 9562, section 4 and its URN of RFC 4122.
_ID = "abcdef11-1111-4111-8111-0000000000aa"
_FORMS = (_ID.upper(), _ID.replace("-", ""), f"urn:uuid:{_ID}", f"URN:UUID:{_ID.upper()}", f"{{{_ID}}}")


def _titled(title: str, id: str, image: str) -> dict[str, Any]:  # noqa: A002
    return {**document({"s": {"Image|endswith": image}, "condition": "s"}), "title": title, "id": id}


@pytest.mark.parametrize("form", _FORMS)
def test_v6_one_id_in_two_forms_is_a_duplicate(form: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, _titled("A", _ID, "a"), _titled("B", form, "b"))])
    assert [error.code for error in loaded.errors] == ["SC110"]
    assert [rule.title for rule in loaded.rules] == ["A"]


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_correlation_refers_by_any_form(form: str, tmp_path: Path) -> None:
    other = "11111111-1111-4111-8111-000000000151"
    section = {
        "type": "temporal",
        "rules": [form, other],
        "group-by": ["who"],
        "aliases": {"who": {form: "User", other.upper(): "ParentUser"}},
        "timespan": "5m",
    }
    docs = [_titled("A", _ID, "a"), _titled("B", other, "b")]
    doc = {"title": "C", "id": "11111111-1111-4111-8111-000000000152", "correlation": section}
    loaded = loading.load([write(tmp_path, *docs, doc)])
    assert loaded.errors == []
    assert [rule.title for rule in emitted_rules(loaded)] == ["C"]
    convert(loaded, emitted_rules(loaded)[0], cells.cell("sysmon", "kql"))


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_filter_is_applied_by_any_form(form: str, tmp_path: Path) -> None:
    """By an id of another case a filter was not applied, and nothing said so."""
    body = {"rules": [form], "f": {"User": "x"}, "condition": "not f"}
    doc = {"title": "F", "logsource": CREATION, "filter": body}
    loaded = loading.load([write(tmp_path, _titled("A", _ID, "a"), doc)])
    assert "_filter0_f" in loaded.rules[0].doc["detection"]


@pytest.mark.parametrize("form", _FORMS)
def test_v6_a_rule_is_selected_by_any_form(form: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, _titled("A", form, "a"))])
    assert loaded.rules[0].id == _ID
    selection = Selection(ids=(form,))
    selection.check(loaded.rules)
    assert selection.takes(loaded.rules[0])


def test_v6_names_that_are_no_uuids_stay() -> None:
    for name in ("a rule", "ABCDEF", "x" * 32, _ID[:-1], "urn:uuid:1"):
        assert ids.canonical(name) == name


# boundary.md V5, rules/pipeline_drops_item*.yml: pySigma leaves out what is empty (its documentation,
# "Processing Pipelines", drop_detection_item), so what is left of an AND must hold and of an OR may hold.
_BROADER, _NARROWER = "broader", "narrower"
_DROPS: list[tuple[dict[str, Any], list[tuple[str, str]]]] = [
    ({"a": {"ParentImage": "u", "Image": "x"}, "condition": "a"}, [(_BROADER, "'Image' of selection 'a'")]),
    ({"a": {"ParentImage": "u"}, "b": {"Image": "x"}, "condition": "a and b"}, [(_BROADER, "'Image'")]),
    ({"a": {"ParentImage": "u"}, "b": {"Image": "x"}, "condition": "a or b"}, [(_NARROWER, "'Image'")]),
    ({"a": {"ParentImage": "u"}, "f": {"Image": "x"}, "condition": "a and not f"}, [(_BROADER, "'Image'")]),
    (
        {"a": {"ParentImage": "u"}, "f": {"Image": "x", "CommandLine": "c"}, "condition": "a and not f"},
        [(_NARROWER, "'Image'")],
    ),
    ({"a": [{"ParentImage": "u"}, {"Image": "x"}], "condition": "a"}, [(_NARROWER, "'Image'")]),
    (
        {"a": [{"ParentImage": "u", "Image": "y"}, {"Image|endswith": "x"}], "condition": "a"},
        [(_BROADER, "'Image'"), (_NARROWER, "'Image|endswith'")],
    ),
    (
        {
            "a": {"Image": ["x", "y"], "ParentImage": "u"},
            "b": {"CommandLine": "c"},
            "condition": "a or (b and not a)",
        },
        [(_BROADER, "'Image'"), (_NARROWER, "'Image'")],
    ),
    (
        {
            "a": {"ParentImage": "u"},
            "b_1": {"Image": "x"},
            "b_2": {"CommandLine": "c"},
            "condition": "a and 1 of b_*",
        },
        [(_NARROWER, "'Image'")],
    ),
    ({"a": {"ParentImage": "u"}, "condition": "a"}, []),
]


def _dropping(folder: Path, priority: int = 10, field: str = "Image") -> UserPipeline:
    file = folder / "drop.yml"
    condition = {"type": "include_fields", "fields": [field]}
    item = {"type": "drop_detection_item", "field_name_conditions": [condition]}
    file.write_text(yaml.safe_dump({"name": "Drop", "priority": priority, "transformations": [item]}))
    return user_files.read(file)


@pytest.mark.parametrize("priority", [10, 30])
@pytest.mark.parametrize(("detection", "expected"), _DROPS)
def test_v5_what_a_pipeline_drops_is_a_loss(
    detection: dict[str, Any], expected: list[tuple[str, str]], priority: int, tmp_path: Path
) -> None:
    """Before our pipeline (10) by the rule's name of the field, and after it (30) by the column's."""
    loaded = loading.load([write(tmp_path, document(detection))])
    user = _dropping(tmp_path, priority, "Image" if priority < 20 else "process.executable")
    for target in ("eql", "lucene"):
        made = convert(loaded, loaded.rules[0], cells.cell("sysmon", target, user=[user]), Options("any"))
        found = [one for one in made.reasons if one.text.startswith("a pipeline drops")]
        assert [one.fidelity for one in found] == [fidelity for fidelity, _ in expected]
        for one, (_, part) in zip(found, expected, strict=True):
            assert part in one.text
            assert one.relaxation.startswith("without an item: [")


def test_v5_verify_runs_the_rule_without_the_item(tmp_path: Path) -> None:
    for detection, expected in _DROPS:
        loaded = loading.load([write(tmp_path, document(detection))])
        cell = cells.cell("sysmon", "kql", user=[_dropping(tmp_path)])
        [checked] = verify(loaded, [cell], tmp_path / "tests", Options("any"))
        assert checked.status == "agrees", (detection, checked.reason, checked.detail)
        assert (checked.fidelity != "exact") == bool(expected)


@pytest.mark.parametrize(
    "detection",
    [
        {"a": {"Image": "x"}, "condition": "a"},
        {"a": {"Image": "x"}, "condition": "not a"},
        {"a": {"User": "u"}, "b": {"Image": "x"}, "condition": ["a", "b"]},
    ],
)
def test_v5_a_condition_of_which_nothing_is_left_is_refused(
    detection: dict[str, Any], tmp_path: Path
) -> None:
    """The pipeline's own conditions would be left: every event of the log source."""
    loaded = loading.load([write(tmp_path, document(detection))])
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell("sysmon", "kql", user=[_dropping(tmp_path)]))
    assert caught.value.code == "SC209"


def test_v5_what_cannot_be_told_apart_is_refused(tmp_path: Path) -> None:
    """Of one item's two columns the pipeline drops one: what is left is no part of the rule."""
    loaded = loading.load([write(tmp_path, document({"a": {"User": "A\\b"}, "condition": "a"}))])
    user = _dropping(tmp_path, 30, "user.domain")
    with pytest.raises(Refusal) as caught:
        convert(loaded, loaded.rules[0], cells.cell("sysmon", "eql", user=[user]), Options("any"))
    assert caught.value.code == "SC201"


# boundary.md V7, rules/none_logsource.*: events of another category were selected, labelled exact.
@pytest.mark.parametrize("target", LANGUAGES)
def test_v7_none_says_that_the_log_source_is_not_checked(target: str, tmp_path: Path) -> None:
    loaded = loading.load([write(tmp_path, document({"a": {"Image": "x"}, "condition": "a"}))])
    made = convert(loaded, loaded.rules[0], cells.cell("none", target))
    assert made.fidelity == "broader"
    [reason] = made.reasons
    assert reason.text == "log source not checked: category process_creation, product windows"
    [checked] = verify(loaded, [cells.cell("none", target)], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", "broader"), checked.reason


@pytest.mark.parametrize("target", LANGUAGES)
def test_v7_none_is_exact_where_the_configuration_says_who_checks(target: str, tmp_path: Path) -> None:
    file = tmp_path / "sigconv.toml"
    file.write_text('[source.none]\nlogsource = "checked elsewhere"\n')
    settings = config.load(file).settings["none", platform_of(target).name]
    cell = cells.cell("none", target, settings=settings)
    loaded = loading.load([write(tmp_path, document({"a": {"Image": "x"}, "condition": "a"}))])
    assert convert(loaded, loaded.rules[0], cell).fidelity == "exact"
    [checked] = verify(loaded, [cell], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", "exact"), checked.reason


def test_v7_a_log_source_of_no_table_is_a_note(tmp_path: Path) -> None:
    """No event can be told to be another log source's where the taxonomy does not have it."""
    doc = document({"a": {"Image": "x"}, "condition": "a"}, {"category": "of one's own"})
    loaded = loading.load([write(tmp_path, doc)])
    made = convert(loaded, loaded.rules[0], cells.cell("none", "kql"))
    assert made.fidelity == "exact"
    assert "// note: log source not checked: category of one's own" in made.queries[0].text


@pytest.mark.parametrize(
    ("logsource", "detection", "fidelity"),
    [
        ({"product": "windows", "service": "application"}, {"Channel": "Application"}, "exact"),
        ({"product": "windows", "service": "application"}, {"Channel": "System"}, "broader"),
        ({"product": "windows", "service": "security"}, {"EventID": 4697, "Provider_Name": "P"}, "broader"),
        ({"product": "linux", "service": "auditd"}, {"type": "EXECVE"}, "broader"),
        ({"product": "zeek", "service": "http"}, {"uri|contains": "x"}, "broader"),
    ],
)
def test_v7_the_label_is_shown_by_an_event(
    logsource: dict[str, str], detection: dict[str, Any], fidelity: str, tmp_path: Path
) -> None:
    """Where the rule's own conditions let no other log through, nothing can be shown, and it is a note."""
    loaded = loading.load([write(tmp_path, document({"a": detection, "condition": "a"}, logsource))])
    [checked] = verify(loaded, [cells.cell("none", "spl")], tmp_path / "tests")
    assert (checked.status, checked.fidelity) == ("agrees", fidelity), checked.reason


@pytest.mark.parametrize("value", ['"elsewhere"', "true", "{}"])
def test_v7_another_value_is_refused(value: str, tmp_path: Path) -> None:
    file = tmp_path / "sigconv.toml"
    file.write_text(f"[source.none]\nlogsource = {value}\n")
    with pytest.raises(UsageError) as caught:
        config.load(file)
    assert caught.value.code == "SC601"
