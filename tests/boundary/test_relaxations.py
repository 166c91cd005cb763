"""Relaxations: what a broader or narrower label means, as the reference matcher evaluates it.

What a relaxed rule selects is told here from its sentence, not from any query.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from converter.matcher import Matcher, compile_detection
from converter.plan.model import Fidelity
from converter.verify.judge import Mark, Verdict
from converter.verify.relaxations import REGISTRY, Situation, known, relaxed

PARENT = r"C:\Windows\System32\cmd.exe"
ELSEWHERE = r"D:\Temp\CMD.exe"


def rule(selection: dict[str, Any], condition: str = "s", **logsource: str) -> dict[str, Any]:
    """Return a rule with one selection."""
    source = logsource or {"category": "process_creation", "product": "windows"}
    return {
        "title": "t",
        "id": "r",
        "logsource": source,
        "detection": {"s": selection, "condition": condition},
    }


def selected(names: list[str], doc: dict[str, Any], *events: dict[str, Any]) -> list[int]:
    """Return the positions of the events that the relaxed rule selects."""
    situation = relaxed(names, Situation((doc,), events, events))
    matches = compile_detection(situation.rule["detection"])
    return [position for position, event in enumerate(situation.events) if matches(event)]


# Relaxation, selection, events, and which of these the relaxed rule selects.
ON_ONE_EVENT: list[tuple[str, dict[str, Any], list[dict[str, Any]], list[int]]] = [
    (
        "folder not looked at",
        {"ParentImage|endswith": r"\System32\cmd.exe"},
        [{"ParentImage": PARENT}, {"ParentImage": ELSEWHERE}, {"ParentImage": r"C:\x\xcmd.exe"}, {}],
        [0, 1],
    ),
    (
        # A star behind the last backslash stands for characters of the name.
        "folder not looked at",
        {"ParentImage|contains": r"\cmd"},
        [{"ParentImage": r"C:\x\cmdkey.exe"}, {"ParentImage": r"C:\cmd\x.exe"}],
        [0],
    ),
    (
        "folder not looked at",
        {"ParentImage|endswith": [r"\a\x.exe", r"\b\y.exe"], "Image|endswith": r"\c\z.exe"},
        [
            {"ParentImage": r"C:\q\y.exe", "Image": r"C:\c\z.exe"},
            {"ParentImage": r"C:\q\y.exe", "Image": r"C:\d\z.exe"},
        ],
        [0],
    ),
    (
        "folder not looked at",
        {"ParentImage": [None, r"C:\a\x.exe"]},
        [{"ParentImage": r"D:\x.exe"}, {}, {"ParentImage": r"D:\y.exe"}],
        [0, 1],
    ),
    (
        "any volume",
        {"Image|startswith": "C:\\Users\\"},
        [{"Image": r"D:\Users\x.exe"}, {"Image": r"C:\Users\x.exe"}, {"Image": r"C:\x.exe"}],
        [0, 1],
    ),
    (
        "volumes by the kernel's names",
        {"Image|startswith": "\\Device\\HarddiskVolume3\\Users\\"},
        [
            {"Image": r"C:\Users\x.exe"},
            {"Image": r"D:\Users\x.exe"},
            {"Image": r"\Device\HarddiskVolume3\Users\x"},
        ],
        [0, 2],
    ),
    (
        "anywhere in the list of hashes",
        {"Hashes|startswith": "MD5=" + "AB" * 16},
        [
            {"Hashes": "SHA1=" + "00" * 20 + ",MD5=" + "ab" * 16},
            {"Hashes": "MD5=" + "AB" * 16 + ",SHA1=" + "00" * 20},
            {"Hashes": "MD5=" + "CD" * 16},
        ],
        [0, 1],
    ),
    (
        "accounts known by name",
        {"User|contains": ["AUTHORI", "AUTORI"]},
        [
            {"User": r"NT AUTHORITY\SYSTEM"},
            {"User": r"AUTHORITAS\x"},
            {"User": r"NT SERVICE\TrustedInstaller"},
        ],
        [0],
    ),
    (
        # No account that every Windows has: there is no name to compare.
        "accounts known by name",
        {"User|contains": "alice"},
        [{"User": r"EXAMPLE\alice"}, {"User": r"NT AUTHORITY\SYSTEM"}],
        [],
    ),
    (
        "not trusted, for whatever reason",
        {"SignatureStatus": "Expired"},
        [{"SignatureStatus": "Revoked"}, {"SignatureStatus": "valid"}, {}],
        [0],
    ),
    (
        "version of the product",
        {"FileVersion|startswith": "7.1 ("},
        [{"FileVersion": "7.1 (build)"}, {"FileVersion": "7.1"}],
        [],
    ),
    (
        # Of every second event only, as the shapes take it.
        "host name of some connections",
        {"DestinationHostname": "a.test"},
        [{"DestinationHostname": "a.test"}, {"DestinationHostname": "a.test"}],
        [0],
    ),
    ("own name only", {"SourceHostname": "me"}, [{"Computer": "me", "SourceHostname": "x"}], [0]),
    (
        "access asked for",
        {"GrantedAccess": "0x1fffff"},
        [{"GrantedAccess": "0x1fffff"}, {"GrantedAccess": "0x1fffff"}],
        [0],
    ),
    (
        "no hash of zeros",
        {"Hashes|contains": "IMPHASH=00"},
        [{"Hashes": "MD5=ab,IMPHASH=" + "0" * 32}, {"Hashes": "IMPHASH=" + "0" * 31 + "1"}],
        [1],
    ),
    (
        "answers by kind",
        {"QueryResults": "192.0.2.1;"},
        [{"QueryResults": "type:  5 a.test;::ffff:192.0.2.1;"}, {"QueryResults": "192.0.2.2;"}],
        [0],
    ),
    (
        "former data beside the new",
        {"Details": "DWORD (0x00000001)"},
        [
            {"EventID": 13, "Computer": "c", "TargetObject": "HKLM\\a", "Details": "DWORD (0x00000001)"},
            {"EventID": 13, "Computer": "c", "TargetObject": "HKLM\\a", "Details": "DWORD (0x00000002)"},
            {"EventID": 13, "Computer": "c", "TargetObject": "HKLM\\b", "Details": "DWORD (0x00000002)"},
        ],
        [0, 1],
    ),
    (
        # Microsoft Learn, Sysmon, "Event ID 12": HKCR stands for HKLM\\SOFTWARE\\Classes.
        "keys of HKCR by both names",
        {"TargetObject|startswith": "HKLM\\SOFTWARE\\"},
        [
            {"TargetObject": r"HKCR\.txt\shell"},
            {"TargetObject": r"hkcr\.txt\shell"},
            {"TargetObject": r"HKLM\SOFTWARE\x"},
            {"TargetObject": r"HKCRX\.txt"},
            {"TargetObject": r"HKU\SOFTWARE\x"},
        ],
        [0, 1, 2],
    ),
    (
        # It is known by Sysmon's own name too.
        "keys of HKCR by both names",
        {"TargetObject|contains": ["HKCR\\.txt", r"\Classes\.doc"]},
        [{"TargetObject": r"HKCR\.txt\shell"}, {"TargetObject": r"HKCR\.doc"}, {"TargetObject": r"HKCR\.x"}],
        [0, 1],
    ),
    ("bindings only", {"Name": "x"}, [{"EventID": 19, "Name": "x"}, {"EventID": 21, "Name": "x"}], [1]),
    (
        "long values not indexed: 8,CommandLine",
        {"CommandLine|contains": "x"},
        [{"CommandLine": "x" * 8}, {"CommandLine": "x" * 9}],
        [0],
    ),
    (
        "words: pattern",
        {"ScriptBlockText|contains": "Get-System now, x"},
        [
            {"ScriptBlockText": "a now! xy b-GET-system"},
            {"ScriptBlockText": "Get-System know x"},
            {"ScriptBlockText": "Get System now x"},
        ],
        [0],
    ),
    (
        # Unicode Standard Annex 29: `.` joins letters.
        "words: standard",
        {"ScriptBlockText|contains": "(net) (web client) "},
        [{"ScriptBlockText": "net, web client; x"}, {"ScriptBlockText": "a.net web client"}],
        [0],
    ),
    (
        "long values missing: 8,CommandLine",
        {"CommandLine": None},
        [{"CommandLine": "x" * 8}, {"CommandLine": "x" * 9}, {}],
        [1, 2],
    ),
    (
        "long values selected: 8,CommandLine",
        {"CommandLine|endswith": "y"},
        [{"CommandLine": "x" * 8}, {"CommandLine": "x" * 9}, {"CommandLine": "y"}],
        [1, 2],
    ),
    ("case as written", {"Image": "C:\\A.exe"}, [{"Image": "c:\\a.exe"}, {"Image": "C:\\A.exe"}], [1]),
    ("field not looked at: Image", {"Image": "x", "User": "u"}, [{"User": "u"}, {"Image": "x"}], [0]),
]


@pytest.mark.parametrize(("name", "selection", "events", "expected"), ON_ONE_EVENT)
def test_a_relaxed_rule_selects_what_its_sentence_says(
    name: str, selection: dict[str, Any], events: list[dict[str, Any]], expected: list[int]
) -> None:
    assert selected([name], rule(selection), *events) == expected


@pytest.mark.parametrize(("name", "selection", "events", "expected"), ON_ONE_EVENT)
def test_under_not_a_relaxation_turns_round_by_itself(
    name: str, selection: dict[str, Any], events: list[dict[str, Any]], expected: list[int]
) -> None:
    if name == "bindings only":
        return  # It is about the events, not about the comparison.
    others = [position for position in range(len(events)) if position not in expected]
    assert selected([name], rule(selection, "not s"), *events) == others


@pytest.mark.parametrize(
    ("place", "condition", "expected"),
    [
        (["s", "User"], "s", [0, 1]),
        (["f"], "s and not f", [0]),
        (["g", 1], "s and g", [0]),
        (["g", 0], "s and not g", [0]),
    ],
)
def test_without_an_item(place: list[str | int], condition: str, expected: list[int]) -> None:
    doc = rule({"Image": "x", "User": "u"}, condition)
    doc["detection"] |= {"f": {"Company": "a"}, "g": [{"Company": "a"}, {"Company": "b"}]}
    events = [{"Image": "x", "User": "u", "Company": "a"}, {"Image": "x", "User": "v", "Company": "a"}]
    name = f"without an item: {json.dumps(['r', *place])}"
    assert selected([name], doc, *events) == expected


def test_keywords_within_a_line() -> None:
    doc = rule({"dummy": "x"})
    doc["detection"]["s"] = ["one*two"]
    events = [{"Message": "a one and two"}, {"Message": "one\ntwo"}]
    assert selected(["keywords within a line"], doc, *events) == [0]


def test_keywords_in_some_fields() -> None:
    doc = rule({"dummy": "x"})
    doc["detection"]["s"] = ["one", "two"]
    events: list[dict[str, Any]] = [{"A": "one"}, {"B": "xtwox"}, {"C": "two"}]
    assert selected(["keywords in some fields: A, B"], doc, *events) == [0, 1]


def test_keywords_in_some_columns_of_the_store() -> None:
    doc = rule({"dummy": "x"})
    doc["detection"]["s"] = ["one"]
    events = ({"A": "one"}, {"B": "one"})
    stored = ({"data.A": "one"}, {"data.B": "one"})
    situation = relaxed(["keywords in some fields: data.A"], Situation((doc,), events, stored))
    matches = compile_detection(situation.rule["detection"])
    assert [matches(event) for event in situation.events] == [True, False]


def test_a_process_known_by_its_file_s_name_has_no_volume() -> None:
    """CrowdStrike's ContextBaseFileName: the same, whichever of the two relaxations comes first."""
    doc = rule({"Image": r"C:\a\x.exe"}, category="file_event")
    events = ({"Image": r"D:\b\x.exe"}, {"Image": r"C:\a\y.exe"})
    for names in (["any volume", "folder not looked at"], ["folder not looked at", "any volume"]):
        assert selected(names, doc, *events) == [0]


BASES = [
    {**rule({"EventID": 1}, category="made_up"), "id": "one", "name": "one"},
    {**rule({"EventID": 3}, category="made_up"), "id": "three", "name": "three"},
]
SECOND = 1000


def correlation(name: str, kind: str, rules: list[str], **keys: Any) -> dict[str, Any]:
    """Return a correlation of these rules within a minute."""
    section = {"type": kind, "rules": rules, "timespan": "1m", **keys}
    return {"title": name, "name": name, "id": name, "correlation": section}


def times(names: list[str], docs: list[dict[str, Any]], *found: tuple[int, int, dict[str, Any]]) -> set[int]:
    """Return the seconds at which the relaxed correlation, the last rule, alerts."""
    events = tuple(
        {"EventID": code, "@timestamp": f"2024-03-05T10:{at // 60:02d}:{at % 60:02d}Z", **more}
        for code, at, more in found
    )
    stored = tuple({"event.code": str(one["EventID"])} for one in events)
    situation = relaxed(names, Situation(tuple(docs), events, stored))
    alerts = Matcher(situation.docs).run(situation.events)
    start = 1709632800000
    return {
        ((alert.time_ms or 0) - start) // SECOND
        for alert in alerts
        if alert.rule in (docs[-1]["id"], docs[-1]["title"])
    }


def test_without_order() -> None:
    docs = [*BASES, correlation("top", "temporal_ordered", ["one", "three"])]
    assert times([], docs, (3, 0, {}), (1, 5, {})) == set()
    assert times(["without order"], docs, (3, 0, {}), (1, 5, {})) == {5}


def test_not_joined_by_a_key() -> None:
    inner = correlation(
        "inner", "event_count", ["one"], **{"group-by": ["Computer", "F"], "condition": {"gte": 2}}
    )
    top = correlation("top", "temporal_ordered", ["inner", "three"], **{"group-by": ["Computer"]})
    events = [
        (1, 0, {"Computer": "c", "F": "a"}),
        (1, 5, {"Computer": "c", "F": "b"}),
        (3, 9, {"Computer": "c"}),
    ]
    assert times([], [*BASES, inner, top], *events) == set()
    assert times(["not joined: inner: F"], [*BASES, inner, top], *events) == {9}


def test_one_maxspan() -> None:
    inner = correlation("inner", "event_count", ["one"], timespan="5s", condition={"gte": 2})
    top = correlation("top", "temporal_ordered", ["inner", "three"])
    events: list[tuple[int, int, dict[str, Any]]] = [(1, 0, {}), (1, 20, {}), (3, 30, {})]
    assert times([], [*BASES, inner, top], *events) == set()
    assert times(["one maxspan: inner"], [*BASES, inner, top], *events) == {30}


def test_inner_correlations_are_not_checked() -> None:
    inner = correlation("inner", "event_count", ["one"], condition={"gte": 5}, **{"group-by": ["Computer"]})
    top = correlation("top", "value_count", ["inner"], condition={"gte": 2, "field": "Computer"})
    events: list[tuple[int, int, dict[str, Any]]] = [(1, 0, {"Computer": "a"}), (1, 9, {"Computer": "b"})]
    assert times([], [*BASES, inner, top], *events) == set()
    assert times(["inner correlations not checked"], [*BASES, inner, top], *events) == {9}


def test_told_apart_by_a_column() -> None:
    docs = [*BASES, correlation("top", "temporal", ["one", "three"])]
    assert times(["told apart by a column: event.code"], docs, (1, 0, {}), (1, 3, {}), (3, 5, {})) == {5}


def test_any_run_of_the_schedule_says_how_often_it_runs() -> None:
    docs = (*BASES, correlation("top", "event_count", ["one"], condition={"gte": 2}))
    situation = relaxed(["any run of the schedule: 300"], Situation(tuple(docs), ()))
    assert situation.rule["correlation"]["timespan"] == "6m"
    assert situation.interval_ms == 300_000


def test_survivor_1_a_superset_is_not_enough() -> None:
    """Issue 12, survivors.md 1: a query that selects more than the relaxed rule means disagrees."""
    verdict = Verdict(shown=1)
    verdict.compare("s", [Mark((), 1, 1)], [Mark((), 1, 1), Mark((), 2, 2)])
    assert "returned too much" in str(verdict.problem(Fidelity.BROADER))


def test_a_label_that_no_event_shows_disagrees() -> None:
    verdict = Verdict()
    verdict.compare("s", [Mark((), 1, 1)], [Mark((), 1, 1)])
    assert verdict.problem(Fidelity.EXACT) is None
    assert "no event shows it" in str(verdict.problem(Fidelity.BROADER))


def test_names_may_have_an_argument() -> None:
    assert known("any run of the schedule: 300")
    assert not known("more or less")
    assert all(one.means.endswith(".") for one in REGISTRY.values())
