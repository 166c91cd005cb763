"""Conditions that can never hold: within a rule, against the log source, against an event's category."""

from __future__ import annotations

import random
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.lint.run import check
from converter.matcher import compile_detection
from converter.matcher.logsource import SYSMON_EVENT_IDS
from converter.pipelines import cells
from converter.plan.contradictions import clash, dead_branches
from converter.rules import loading
from tests.boundary.conditions import LANGUAGES, document, refusal, tree_of, write


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
