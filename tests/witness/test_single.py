"""Witnesses of event rules: enough of them, hits and misses, each for a reason, always the same."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import yaml

from converter.errors import RuleError
from converter.events import time_of
from converter.matcher import Matcher, compile_detection
from converter.witness import defaults, witnesses
from converter.witness.sysmon_kinds import consistent
from tests.support import ROOT, shared

SYSMON = {"product": "windows", "category": "process_creation"}


def made(
    selection: Any, condition: str = "s", logsource: Any = None, **more: Any
) -> tuple[list[Any], list[bool]]:
    detection = {"s": selection, "condition": condition, **more}
    rule = {"title": "t", "logsource": logsource or {"category": "test"}, "detection": detection}
    (stream,) = witnesses([rule], rule)
    hits = {alert.events[0] for alert in Matcher([rule]).run(stream.events)}
    return list(stream.events), [position in hits for position in range(len(stream.events))]


SELECTIONS = {
    "exact": {"f": "Value"},
    "list": {"f": ["one", "two", "three"]},
    "wildcards": {"f": "a*b?c"},
    "escaped": {"f": r"50\*\?"},
    "backslashes": {"f": "C:\\\\*\\x.exe"},
    "contains all": {"f|contains|all": ["one", "two", "three"]},
    "starts and ends": {"f|startswith": "C:\\", "g|endswith": ".exe"},
    "three on one field": {"f|startswith": "C:\\", "f|endswith": ".exe", "f|contains": "\\Temp\\"},
    "cased": {"f|contains|cased": ["Va", "Vb"]},
    "number": {"f": 4688},
    "numbers": {"f": [1, 2.5]},
    "less and more": {"f|gte": 3, "g|lt": 2.5},
    "boolean": {"f": True},
    "null": {"f": None, "g": "x"},
    "empty": {"f": "", "g": "x"},
    "exists": {"f|exists": True, "g|exists": False, "h": "x"},
    "regex": {"f|re": r"^(?:foo|ba[rz])\d{2,4}\.(exe|dll)$"},
    "regex flags": {"f|re|i|s": r"a.b+\sC"},
    "cidr": {"f|cidr": ["10.0.0.0/8", "fe80::/10"]},
    "fieldref": {"f|fieldref": "g"},
    "fieldref ends": {"f|fieldref|endswith": "g"},
    "base64": {"f|wide|base64offset|contains": "http"},
    "windash": {"f|windash|contains": " -enc "},
    "hour": {"f|hour": 7},
    "weekly": {"f|week|gte": 50},
    "neq": {"f|neq": "x", "g": "y"},
    "keywords": ["one word", "other"],
    "keywords all": {"|all": ["one", "two"]},
    "list of maps": [{"f": "a", "g": "b"}, {"h": "c"}],
    "odd names": {"a.b-c d": "x", "@x": "y", "1{": "z"},
    "unicode": {"f|contains": "naïve-ÅŁ"},
    "anything": {"f": "*"},
}


@pytest.mark.parametrize("name", SELECTIONS, ids=str)
def test_enough_hits_and_misses(name: str) -> None:
    events, hits = made(SELECTIONS[name])
    assert len(events) >= 30
    assert sum(hits) >= 5
    assert not all(hits)
    assert len({json.dumps(event, sort_keys=True) for event in events}) == len(events)
    assert all(time_of(event) is not None for event in events)


CLAUSES: list[tuple[str, Any, Any]] = [
    ("drop a clause", {"f": "a", "g": "b"}, {"f": "a"}),
    ("drop a value", {"f": ["a", "b", "c"]}, {"f": ["a", "c"]}),
    ("all is any", {"f|contains|all": ["a1", "b2"]}, {"f|contains": ["a1", "b2"]}),
    ("any is all", {"f|contains": ["a1", "b2"]}, {"f|contains|all": ["a1", "b2"]}),
    ("contains is exact", {"f|contains": "abc"}, {"f": "abc"}),
    ("exact is contains", {"f": "abc"}, {"f|contains": "abc"}),
    ("startswith is contains", {"f|startswith": "abc"}, {"f|contains": "abc"}),
    ("endswith is contains", {"f|endswith": "abc"}, {"f|contains": "abc"}),
    ("case", {"f": "Abc"}, {"f|cased": "Abc"}),
    ("one character is many", {"f": "a?c"}, {"f": "a*c"}),
    ("many are one", {"f": "a*c"}, {"f": "a?c"}),
    ("an escaped star is a star", {"f": r"a\*c"}, {"f": "a*c"}),
    ("an escaped question mark is one", {"f": r"a\?c"}, {"f": "a?c"}),
    ("order of the pieces", {"f|contains": "one*two"}, {"f|contains|all": ["one", "two"]}),
    ("a dot is any character", {"f|endswith": r"\a.exe"}, {"f|re": r"(?i)\\a.exe$"}),
    ("a backslash is two", {"f": r"C:\x"}, {"f|re": r"(?i)^C:\\{1,2}x$"}),
    ("star without newlines", {"f": "a*b"}, {"f|re": "(?i)^a.*b$"}),
    ("anchors", {"f|re": "^abc$"}, {"f|re": "abc"}),
    ("regex case", {"f|re": "abc"}, {"f|re|i": "abc"}),
    ("number off by one", {"f|gt": 5}, {"f|gte": 5}),
    ("number the other way", {"f|lt": 5}, {"f|lte": 5}),
    ("the network's end", {"f|cidr": "10.0.0.0/24"}, {"f|cidr": "10.0.0.0/25"}),
    ("the network's begin", {"f|cidr": "10.0.1.0/24"}, {"f|cidr": "10.0.0.0/23"}),
    ("null is empty", {"f": None, "g": "x"}, {"f": ["", None], "g": "x"}),
    ("exists is ignored", {"f|exists": True, "g": "x"}, {"g": "x"}),
    ("exists is not empty", {"f|exists": True, "g": "x"}, {"f": "?*", "g": "x"}),
    ("an hour later", {"f|hour|lt": 7}, {"f|hour|lte": 7}),
    ("null is ignored", {"f": None, "g": "x"}, {"g": "x"}),
    # Not a rule's: in Sigma a reference compares in any case.
    (
        "the reference's case",
        {"f|fieldref": "g"},
        lambda event: "f" in event and event["f"] == event.get("g"),
    ),
    ("the reference is its start", {"f|fieldref": "g"}, {"f|fieldref|startswith": "g"}),
    ("neq is ignored", {"f|neq": "x", "g": "y"}, {"g": "y"}),
    ("spaces", {"f|contains": "a b"}, {"f|re": r"(?i)a\s+b"}),
    ("branch of maps", [{"f": "a", "g": "b"}, {"h": "c"}], [{"f": "a"}, {"h": "c"}]),
    ("keyword", ["one", "two"], ["one"]),
]


@pytest.mark.parametrize(
    ("selection", "wrong"), [case[1:] for case in CLAUSES], ids=[case[0] for case in CLAUSES]
)
def test_a_query_with_this_mistake_is_found_out(selection: Any, wrong: Any) -> None:
    """The rule and a rule that is wrong in one thing: some witness tells them apart."""
    events, hits = made(selection)
    mistaken = wrong if callable(wrong) else compile_detection({"s": wrong, "condition": "s"})
    assert [mistaken(event) for event in events] != hits


CONDITIONS = [
    ("s and not f", {"f": {"x": "1", "y": "2"}}, "s"),
    ("s and not f", {"f": {"x": "1", "y": "2"}}, "s and not 1 of f*"),
    ("s and not 1 of f*", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and not f1"),
    ("s and not 1 of f*", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and not all of f*"),
    ("s and (f1 or f2)", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and f1 or f2"),
    ("s or f1 and f2", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "(s or f1) and f2"),
    ("s and not (f1 and not f2)", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and not f1 and not f2"),
    ("s and not (f1 and not f2)", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and not f1"),
    ("1 of them", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s or f1"),
    ("all of them", {"f1": {"x": "1"}, "f2": {"y": "2"}}, "s and f1"),
]


@pytest.mark.parametrize(("condition", "more", "wrong"), CONDITIONS, ids=lambda value: str(value)[:40])
def test_a_wrong_condition_is_found_out(condition: str, more: dict[str, Any], wrong: str) -> None:
    events, hits = made({"a": "b"}, condition, **more)
    mistaken = compile_detection({"s": {"a": "b"}, **more, "condition": wrong})
    if condition == "s and not f" and wrong == "s and not 1 of f*":
        assert [mistaken(event) for event in events] == hits  # the same meaning: a check of this test
    else:
        assert [mistaken(event) for event in events] != hits


def test_sysmon_events_have_all_their_fields() -> None:
    events, hits = made({"Image|endswith": "\\a.exe"}, logsource=SYSMON)
    hit = events[hits.index(True)]
    assert hit["EventID"] == 1
    assert set(defaults.sysmon_event(1)) | {"UtcTime"} == set(hit)
    others = [event for event, hit in zip(events, hits, strict=True) if not hit]
    assert any(event["EventID"] != 1 and event["Image"].endswith("\\a.exe") for event in others)
    assert any(event["Channel"] == "Application" and event["Image"].endswith("\\a.exe") for event in others)


@pytest.mark.parametrize("category", sorted(defaults.SYSMON_EVENT_IDS))
def test_every_sysmon_category(category: str) -> None:
    field = "ID" if category == "sysmon_error" else "State" if category == "sysmon_status" else "User"
    if category == "driver_load":
        field = "ImageLoaded"
    logsource = {"product": "windows", "category": category}
    events, hits = made({f"{field}|contains": "T\\x"}, logsource=logsource)
    ids = {event["EventID"] for event, hit in zip(events, hits, strict=True) if hit}
    assert ids == set(defaults.SYSMON_EVENT_IDS[category]) or category == "sysmon_status"
    assert sum(hits) >= 5


@pytest.mark.parametrize(
    ("selection", "category"),
    [
        (
            {"DestinationIp|startswith": "10.", "Initiated": "true", "DestinationPort": [445, 3389]},
            "network_connection",
        ),
        ({"DestinationIp|cidr": "fe80::/10"}, "network_connection"),
        ({"User|contains": ["AUTHORI", "AUTORI"], "ProcessId": 4}, "process_creation"),
    ],
)
def test_only_what_sysmon_could_write(selection: Any, category: str) -> None:
    events, hits = made(selection, logsource={"product": "windows", "category": category})
    assert sum(hits) >= 5
    for event in events:
        for field in (defaults.NUMBERS | defaults.BOOLEANS | defaults.ADDRESSES | defaults.USERS) & set(
            event
        ):
            assert defaults.storable(field, event[field]), (field, event[field])


def test_unexpanded_placeholders_are_an_error() -> None:
    with pytest.raises(RuleError, match="SC114"):
        made({"f|expand": "%x%"})
    rule = {
        "title": "t",
        "logsource": {"category": "t"},
        "detection": {"s": {"f|expand": "%x%"}, "condition": "s"},
    }
    (stream,) = witnesses([rule], rule, placeholders={"x": ["one", "two*"]})
    found = Matcher([rule], placeholders={"x": ["one", "two*"]}).run(stream.events)
    assert {"one", "two"} <= {stream.events[alert.events[0]]["f"] for alert in found}


@pytest.mark.parametrize("size", [5000])
def test_huge_rules_are_bounded(size: int) -> None:
    events, hits = made({"f|contains": [f"value-{number:05d}-" for number in range(size)]})
    assert len(events) <= 2000
    matched = [event["f"] for event, hit in zip(events, hits, strict=True) if hit and "f" in event]
    assert any("value-00000-" in text for text in matched)
    assert any(f"value-{size - 1:05d}-" in text for text in matched)


SCRIPT = """
import json, sys, yaml
from pathlib import Path
from converter.witness import witnesses
texts = [path.read_text("utf-8") for path in sorted(Path(sys.argv[1]).rglob("*.yml"))]
rules = [one for text in texts for one in yaml.safe_load_all(text)]
for rule in (one for one in rules if "filter" not in one):
    print(json.dumps([[stream.name, stream.events] for stream in witnesses(rules, rule)]))
"""


def test_always_the_same() -> None:
    outputs = set()
    for seed in ("1", "2"):
        environment = {"PYTHONHASHSEED": seed, "PATH": ""}
        command = [sys.executable, "-c", SCRIPT, str(ROOT / "sigma")]
        outputs.add(
            subprocess.run(command, check=True, capture_output=True, env=environment, cwd=ROOT).stdout
        )
    assert len(outputs) == 1
    assert len(outputs.pop()) > 100_000


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.proof)])
def test_all_public_rules(every: int) -> None:
    """`make proof` takes all of them, `make test` every fourth."""
    few = []
    for number, path in enumerate(sorted(shared("sigmahq").rglob("*.yml"))):
        if number % every:
            continue
        text = path.read_text(encoding="utf-8")
        for rule in yaml.load_all(text, yaml.CSafeLoader):
            if "|expand" in text:
                continue
            (stream,) = witnesses([rule], rule)
            hits = len(Matcher([rule]).run(stream.events))
            if not (len(stream.events) >= 30 and 5 <= hits < len(stream.events) <= 2000):
                few.append(path.name)
    assert few == []


@pytest.mark.parametrize(
    ("event", "looked_at", "expected"),
    [
        # Data makes a key's record one of a value, unless the rule says the kind.
        ((12, "CreateKey", "x"), {"Details"}, (13, "SetValue", "x")),
        ((12, "CreateKey", "x"), {"Details", "EventType"}, (12, "CreateKey", None)),
        ((12, "SetValue", "x"), {"Details", "EventType"}, (13, "SetValue", "x")),
        ((14, "RenameKey", "x"), set(), (14, "RenameKey", None)),
        # The id decides the kind, unless the rule says the kind.
        ((13, "DeleteValue", "x"), set(), (13, "SetValue", "x")),
        ((13, "DeleteValue", None), {"EventType"}, (12, "DeleteValue", None)),
        ((12, "DeleteKey", None), set(), (12, "DeleteKey", None)),
        ((18, "CreatePipe", None), set(), (18, "ConnectPipe", None)),
        ((13, None, "x"), {"EventType"}, (13, "SetValue", "x")),
        ((11, None, "x"), set(), (11, None, "x")),
    ],
)
def test_id_kind_and_data_go_together(event: Any, looked_at: set[str], expected: Any) -> None:
    names = ("EventID", "EventType", "Details")
    given = {name: value for name, value in zip(names, event, strict=True) if value is not None}
    wanted = {name: value for name, value in zip(names, expected, strict=True) if value is not None}
    assert consistent(given, looked_at) == wanted


def test_records_of_the_registry_are_sysmons() -> None:
    selection = {"EventType": "SetValue", "Details|contains": "x", "TargetObject|contains": "\\Run\\"}
    events, hits = made(selection, logsource={"product": "windows", "category": "registry_event"})
    assert sum(hits) >= 5
    kinds = {(event["EventID"], event["EventType"], "Details" in event) for event in events}
    assert {kind for kind in kinds if kind[0] in (12, 13, 14)} <= {
        (12, "CreateKey", False),
        (12, "DeleteKey", False),
        (12, "DeleteValue", False),
        (13, "SetValue", True),
        (13, "SetValue", False),
        (14, "RenameKey", False),
    }
    assert not any(str(event.get("TargetObject", "")).endswith("\\") for event in events)
