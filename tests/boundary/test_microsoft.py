"""Findings about Microsoft's platforms, each with its source, tried on an engine of KQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from converter.backends.kql.event_query import XML_FIELD
from converter.backends.kql.let_statements import summarize
from converter.conversion.convert import Conversion, Options, convert
from converter.engines.kql import KqlEngine
from converter.events.stored import Stored
from converter.pipelines import cells as cells_module
from converter.plan.columns import Column
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes.sysmon import sentinel
from converter.verify.verify import selected, verify_rule
from tests.support import ROOT

ALL = ("eql", "lucene", "spl", "kql")


def rules_of(logsource: Mapping[str, str], condition: str = "a", **detections: Any) -> tuple[RuleSet, Rule]:
    doc = {
        "title": "t",
        "id": "11111111-1111-4111-8111-111111111111",
        "logsource": {"product": "windows", **logsource},
        "detection": {**detections, "condition": condition},
        "level": "low",
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return RuleSet([rule], [], [], [rule]), rule


def converted(
    source: str, logsource: Mapping[str, str], target: str = "kql", condition: str = "a", **detections: Any
) -> Conversion:
    """Return a rule of one or more selections in a cell, whatever its fidelity."""
    rules, rule = rules_of(logsource, condition, **detections)
    return convert(rules, rule, cells_module.cell(source, target), Options("any"))


def hits(conversion: Conversion, events: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of the events that the emitted queries select in the cell's stored shape."""
    return sorted(mark.event for mark in selected(conversion, list(events)) if mark.event is not None)


def agrees(
    source: str,
    logsource: Mapping[str, str],
    targets: Sequence[str] = ALL,
    condition: str = "a",
    **detections: Any,
) -> dict[str, str]:
    """Verify a rule in the cells of a source; what each cell says."""
    rules, rule = rules_of(logsource, condition, **detections)
    cells = [cells_module.cell(source, target) for target in targets]
    done = verify_rule(rules, rule, cells, Path("nowhere"), Options("any"))
    return {one.cell.target: one.status if one.status != "disagrees" else one.reason for one in done}


TEXTS = {"T": {"a": Column("string")}}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('T | where a contains "kk"', [1]),
        ('T | where a =~ "KK"', [1]),
        ('T | where a startswith "KK"', [1]),
        ('T | where a endswith "Kk"', [1]),
        ('T | where a in~ ("kK", "x")', [1]),
        ('T | where a !contains "kk"', [0, 2, 3]),
        ('T | where a =~ "\u0444"', [2]),
        ('T | where a contains "\u0424"', [3]),
    ],
)
def test_k9_only_ascii_letters_have_no_case(query: str, found: list[int]) -> None:
    """Microsoft, "String operators": case-insensitive operators are supported only for ASCII text.

    U+212A is the Kelvin sign, whose lower case is k; U+0444 and U+0424 are one Cyrillic letter.
    """
    rows = ["\u212a\u212a", "kk", "\u0444", "\u0424"]
    session = KqlEngine().load([Stored(i, "T", {"a": text}) for i, text in enumerate(rows)], TEXTS)
    assert list(session.run(query).events) == found


SCRIPT = {
    "EventID": 4104,
    "Channel": "Microsoft-Windows-PowerShell/Operational",
    "Provider_Name": "Microsoft-Windows-PowerShell",
    "Computer": "h",
}
TEXTS_OF_SCRIPTS = [
    "x \u2013EncodedCommand y",
    "x -EncodedCommand y",
    "a\nnew line",
    "say \u00e4b",
    'quote "q" and \\path',
    "tail\\",
    "ScriptContents",
]


@pytest.mark.parametrize("target", ["kql", "spl"])
@pytest.mark.parametrize(
    ("values", "found"),
    [
        ({"ScriptBlockText|contains": " \u2013EncodedCommand "}, [0]),
        ({"ScriptBlockText|contains": "say ?b"}, [3]),
        ({"ScriptBlockText|contains": "say \u00e4b"}, [3]),
        ({"ScriptBlockText|contains": "new"}, [2]),
        ({"ScriptBlockText|contains": "nnew"}, []),
        ({"ScriptBlockText|contains": "2013"}, []),
        ({"ScriptBlockText|contains": '"q"'}, [4]),
        ({"ScriptBlockText|contains": '\\"'}, []),
        ({"ScriptBlockText|contains": "content"}, [6]),
        ({"ScriptBlockText|contains": "\\path"}, [4]),
        ({"ScriptBlockText|startswith": "say"}, [3]),
        ({"ScriptBlockText|endswith": "\\"}, [5]),
        ({"ScriptBlockText": "scriptcontents"}, [6]),
        ({"ScriptBlockText|cased|contains": "SAY"}, []),
    ],
)
def test_k5_script_text_is_compared_as_a_value_and_not_as_json(
    target: str, values: dict[str, str], found: list[int]
) -> None:
    """defender-docs, advanced-hunting-deviceevents-table.md: AdditionalFields is JSON in a string.

    The rule ``kql_amsi_nonascii.yml`` of the findings. Each text is stored twice, as JSON may write it.
    """
    events = [{**SCRIPT, "ScriptBlockText": text} for text in TEXTS_OF_SCRIPTS for _ in range(2)]
    conversion = converted("defender", {"category": "ps_script"}, target, a=values)
    assert hits(conversion, events) == [place for one in found for place in (2 * one, 2 * one + 1)]


def test_s8_a_pipes_name_has_a_case_where_the_rule_says_so() -> None:
    """json_text with ``cased``: the value as it is written (Sigma's modifiers)."""
    events = [{"EventID": 17, "EventType": "CreatePipe", "PipeName": name} for name in ("\\Evil", "\\evil")]
    for target in ("spl", "kql"):
        one = converted("defender", {"category": "pipe_created"}, target, a={"PipeName|cased": "\\Evil"})
        assert hits(one, events) == [0]


@pytest.mark.parametrize("target", ["kql", "spl"])
def test_k5_a_pipes_prefix_is_no_part_of_its_name(target: str) -> None:
    """The same kind: what the platform stores before a value is not the value."""
    events = [{"EventID": 17, "EventType": "CreatePipe", "PipeName": name} for name in ("\\a", "\\NamedPipe")]
    one = converted("defender", {"category": "pipe_created"}, target, a={"PipeName|contains": "NamedPipe"})
    assert hits(one, events) == [1]


def test_k8_a_field_that_is_cut_at_64_kb_is_read() -> None:
    """Azure Monitor's service limits: fields longer than 64 KB are truncated; then no closing tag is left."""
    text = "Invoke-Mimikatz " + "a" * 70_000
    events = [{**SCRIPT, "ScriptBlockText": text}, {**SCRIPT, "ScriptBlockText": "other"}]
    one = converted("sysmon", {"category": "ps_script"}, a={"ScriptBlockText|startswith": "Invoke-Mimikatz"})
    assert hits(one, events) == [0]
    assert "</Data>" not in one.queries[0].text


@pytest.mark.parametrize("place", range(4))
def test_k8_entities_are_read_in_each_form(place: int) -> None:
    """XML 1.0, 4.1 and 4.6: the predefined entities, and references by decimal or hexadecimal numbers."""
    text = "a \"b\" 'c' <d> & e\r\nf"
    events = [{**SCRIPT, "ScriptBlockText": text} for _ in range(place + 1)]
    one = converted("sysmon", {"category": "ps_script"}, a={"ScriptBlockText": text})
    assert hits(one, events) == list(range(place + 1))


SECURITY = {"service": "security"}
PROCESS_NAME = {"ProcessName|endswith": "\\a.exe"}
V2 = {
    "ids only in the filter": ("s and not f", {"s": PROCESS_NAME, "f": {"EventID": 4624}}),
    "ids in another selection": (
        "a or b",
        {"a": {"EventID": 4624, "LogonType": 10}, "b": {**PROCESS_NAME, "ObjectName|contains": "lsass"}},
    ),
    "id as text": ("s", {"s": {"EventID": "4656", **PROCESS_NAME}}),
    "one id of each kind": ("s", {"s": {"EventID": [4624, 4656], **PROCESS_NAME}}),
    "one id that is known and one that is not": ("s", {"s": {"EventID": [4656, 4985], **PROCESS_NAME}}),
    "the id in a selection of its own": (
        "s and not f",
        {"s": {"EventID": 4625}, "f": {"ProcessName|endswith": "\\b.exe", "IpAddress": "-"}},
    ),
    "an address of an event that is no logon": ("s", {"s": {"EventID": 4649, "IpAddress": "10.1.2.3"}}),
    "no address": ("s", {"s": {"EventID": [4624, 4649], "IpAddress": ["-", "10.1.2.3"]}}),
    "a workstation without an id": ("s", {"s": {"WorkstationName": "KALI"}}),
    "a workstation excluded": ("s and not f", {"s": {"EventID": 4820}, "f": {"WorkstationName": None}}),
    "a new process without an id": ("s", {"s": {"NewProcessName|endswith": "\\a.exe"}}),
    "a member of a group": ("s", {"s": {"EventID": 4728, "MemberName|contains": "x"}}),
    "a ticket": ("s", {"s": {"EventID": 4769, "ServiceName|endswith": "$", "Status": "0x0"}}),
}


@pytest.mark.parametrize("name", V2)
def test_v2_an_id_counts_where_the_comparison_stands(name: str) -> None:
    """Where the ingest puts an element, by id, all platforms: sources in windows-security/shape.yml.

    The rules of the finding; a public report says the same (SigmaHQ/sigma issue 332).
    """
    condition, detections = V2[name]
    assert set(agrees("windows-security", SECURITY, ALL, condition, **detections).values()) == {"agrees"}


def test_v2_an_id_as_a_pattern_is_of_both_kinds() -> None:
    """EventID is int in SecurityEvent: KQL refuses the pattern."""
    found = agrees(
        "windows-security", SECURITY, s={"EventID|startswith": "46", **PROCESS_NAME}, condition="s"
    )
    assert found == {"eql": "agrees", "lucene": "agrees", "spl": "agrees", "kql": "refused"}


def test_v2_sentinel_reads_event_data_where_the_columns_are_empty() -> None:
    """Azure-Sentinel, ASimUserManagementMicrosoftSecurityEvent.yaml: it reads all of 4744 from EventData."""
    event = {"EventID": 4744, "Channel": "Security", "TargetUserName": "group & co"}
    rule = {"EventID": 4744, "TargetUserName": "group & co"}
    assert hits(converted("windows-security", SECURITY, a=rule), [event, event]) == [0, 1]
    logon = converted("windows-security", SECURITY, a={"EventID": 4624, "TargetUserName": "x"})
    assert "EventData" not in logon.queries[0].text


@pytest.mark.parametrize("target", ALL)
@pytest.mark.parametrize("field", ["Image", "ParentImage", "CommandLine", "Computer"])
def test_each_field_of_a_process_is_an_element_of_4688(field: str, target: str) -> None:
    """Microsoft, "4688(S)": NewProcessName, ParentProcessName (the creator's), CommandLine."""
    event = {"EventID": 4688, "Channel": "Security", "Computer": "host", "CommandLine": "line"}
    event |= {"NewProcessName": "C:\\new.exe", "ParentProcessName": "C:\\parent.exe"}
    own = {"Image": "C:\\new.exe", "ParentImage": "C:\\parent.exe", "CommandLine": "line", "Computer": "host"}
    for value in own.values():
        one = converted("windows-security", {"category": "process_creation"}, target, a={field: value})
        assert hits(one, [event]) == [0] * (value == own[field]), value


def test_v2_each_element_is_read_from_event_data_where_its_column_is_empty() -> None:
    """Azure Monitor's table reference: EventData has a record's elements where no column has."""
    columns = cells_module.cell("windows-security", "kql").columns
    both = [name for name in columns if name.startswith("Event") and name.removeprefix("Event") in columns]
    assert len(both) > 50
    own = {name: "7" if columns[name].type == "int" else f"<{name}> & co" for name in both}
    elements = {name.removeprefix("Event"): text for name, text in own.items()}
    row = {"EventData": sentinel.event_data(elements, 1)}
    session = KqlEngine().load([Stored(0, "SecurityEvent", row)], {"SecurityEvent": columns})
    read = ", ".join(f"{name} = {str(columns[name].via).removeprefix('=')}" for name in both)
    (found,) = session.run(f"{XML_FIELD}SecurityEvent | project {read}").rows
    assert {name: str(value) for name, value in found.items()} == own


@pytest.mark.parametrize("keyword", ["mimikatz", "a & b", "Data Name", "TaskName", "4698"])
def test_v8_a_keyword_is_looked_for_in_all_elements(keyword: str) -> None:
    """SecurityEvent has no column for TaskName: it is in EventData (Azure Monitor table reference)."""
    texts = ["mimikatz", "a & b", "Data Name", "other"]
    events = [{"EventID": 4698, "Channel": "Security", "TaskName": text} for text in texts for _ in range(2)]
    found = hits(converted("windows-security", SECURITY, a=[keyword]), events)
    if keyword == "4698":
        assert found == list(range(8))
    else:
        assert found == [place for place, event in enumerate(events) if keyword in event["TaskName"]]


@pytest.mark.parametrize(
    "keyword", ["<b>", "commandline", 'it\'s "q"', "a & b", "mimikatz", "C:\\\\Temp\\\\x"]
)
def test_v8_keywords_in_markup_are_looked_for_in_the_texts(keyword: str) -> None:
    """``keyword_markup.yml`` of the findings: XML writes a keyword otherwise, or has it in its names."""
    system = {"service": "system"}
    assert agrees("sysmon", system, ("kql",), a=[keyword]) == {"kql": "agrees"}
    assert len(converted("sysmon", system, a=[keyword, "mimikatz", "a < b", "Data"]).queries[0].text) < 3_000


def test_v8_four_keywords_are_a_short_query() -> None:
    """Sentinel takes 10,000 characters (Microsoft, scheduled analytics rules); it were 13,745."""
    rule = ["mimikatz", "sekurlsa", "lsadump", "kerberos::golden"]
    one = converted("windows-security", SECURITY, a=rule)
    assert len(one.queries[0].text) < 3_000
    assert set(agrees("windows-security", SECURITY, ("lucene", "spl", "kql"), a=rule).values()) == {"agrees"}


def test_k7_a_file_that_is_overwritten_is_a_modified_one() -> None:
    """Sysmon's event 11 (Sysinternals) is a file created or overwritten; Defender tells two kinds apart."""
    events = [{"EventID": 11, "TargetFilename": "C:\\x.exe", "Image": "C:\\a.exe"}] * 2
    for target in ALL:
        one = converted(
            "defender", {"category": "file_event"}, target, a={"TargetFilename|endswith": "x.exe"}
        )
        assert hits(one, events) == [0, 1]
        assert "created or overwritten" in str(one.reasons[0].text)


def test_k7_columns_of_any_row_are_of_one_row() -> None:
    """Microsoft, ``take_any``: the values of one call are of one record, chosen anew for each call."""
    rows = [{"a": "1", "b": "x"}, {"a": "2", "b": "y"}]
    columns = {"T": {"a": Column("string"), "b": Column("string")}}
    session = KqlEngine().load([Stored(i, "T", row) for i, row in enumerate(rows)], columns)
    assert session.run("T | summarize take_any(a, b) by c = 1 | project a, b").rows[0] in rows
    assert summarize([("a", "take_any(a)"), ("n", "count()"), ("b", "take_any(b)")], "c") == (
        "summarize take_any(a, b), n = count() by c"
    )


NO_ALARMS = {
    "a renamed file of which no path is asked": (
        *("defender", {"category": "file_rename"}, "s", {"s": {"Image|endswith": "\\a.exe"}}, 4),
    ),
    "a status of a signature": (
        *("crowdstrike", {"category": "image_load"}, "s and not f"),
        {"s": {"ImageLoaded|endswith": "\\x.dll"}, "f": {"SignatureStatus": "Valid"}},
        3,
    ),
    "logon ids": (
        *("crowdstrike", {"category": "process_creation"}, "s"),
        {"s": {"Image|endswith": "\\x.exe", "LogonId": ["0x3e7", "0x3e4"]}},
        4,
    ),
    "logon ids of Defender": (
        *("defender", {"category": "process_creation"}, "s"),
        {"s": {"Image|endswith": "\\x.exe", "LogonId": ["0x3e7", "0x3e4"]}},
        4,
    ),
    "no user": (
        *("crowdstrike", {"category": "process_creation"}, "s and not f"),
        {"s": {"Image|endswith": "\\x.exe"}, "f": {"User": None}},
        4,
    ),
    "no data": (
        *("defender", {"category": "registry_set"}, "s and not f"),
        {"s": {"TargetObject|contains": "\\Run\\"}, "f": {"Details": None}},
        4,
    ),
    "the version of a file": (
        *("defender", {"category": "process_creation"}, "s", {"s": {"FileVersion": "1.2.3.4"}}, 4),
    ),
}


@pytest.mark.parametrize("name", NO_ALARMS)
def test_verify_itself_right_queries_agree(name: str) -> None:
    """False alarms of the findings ("Verify itself"): the query is right, the stored event was not."""
    source, logsource, condition, detections, cells = NO_ALARMS[name]
    found = list(agrees(source, logsource, ALL, condition, **detections).values())
    assert sorted(found) == ["agrees"] * cells + ["refused"] * (4 - cells)


@pytest.mark.parametrize("target", ALL)
def test_assumptions_of_shapes_are_entries_that_queries_name(target: str) -> None:
    """What no public row shows is `assumed` where a query depends on it, and only there."""
    hive = {"TargetObject|startswith": "HKU\\S-1-5-21"}
    share = {"TargetFilename|startswith": "\\\\\\\\127.0.0.1"}
    for source, category, on, off in (
        ("defender", "registry_set", hive, {"TargetObject|contains": "\\CurrentVersion\\Run\\"}),
        ("crowdstrike", "file_event", share, {"TargetFilename|endswith": "\\x.exe"}),
    ):
        depends = converted(source, {"category": category}, target, a=on)
        assert str(depends.fidelity) == "assumed"
        assert re.search(rf"{source}-\w+-1: ", "\n".join(reason.text for reason in depends.reasons))
        other = converted(source, {"category": category}, target, a=off)
        assert not re.search(rf"{source}-\w+-1: ", "\n".join(reason.text for reason in other.reasons))


def test_no_comment_of_a_shape_assumes() -> None:
    """Assumptions are entries of the lists: a comment counts for nothing."""
    for path in (ROOT / "converter" / "shapes").glob("*.py"):
        assert "assumed" not in path.read_text(encoding="utf-8").lower(), path


REGISTRY = {"category": "registry_set"}
PROCESS = {"category": "process_creation"}


@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
def test_k7_a_part_that_names_a_root_is_found_under_the_root(source: str) -> None:
    """``contains 'HKU\\'`` is no root of the value, but every key of a user's hive has it."""
    assert set(agrees(source, REGISTRY, a={"TargetObject|contains": "HKU\\"}).values()) == {"agrees"}


def test_k7_a_parents_folder_is_refused() -> None:
    """FDR has the name of the parent's file only: a folder says nothing of it, under ``not`` neither."""
    folder = {"ParentImage|contains": ":\\Windows\\System32"}
    assert set(agrees("crowdstrike", PROCESS, a=folder).values()) == {"refused"}
    both = agrees("crowdstrike", PROCESS, ALL, "s and not f", s={"Image|endswith": "\\x.exe"}, f=folder)
    assert set(both.values()) == {"refused"}


def test_k7_a_volume_of_three_digits_is_found() -> None:
    """Windows numbers volumes on: the stored path of drive Z is on volume 126 here."""
    event = {"EventID": 1, "Image": "Z:\\a.exe", "Computer": "h"}
    for target in ALL:
        assert hits(converted("crowdstrike", PROCESS, target, a={"Image": "?:\\a.exe"}), [event]) == [0]


def test_verify_itself_an_empty_text_of_a_registry_value_is_no_element() -> None:
    """Sysmon writes (Empty) for no data; ``kql_details_empty.yml`` of the findings, negated."""
    detections = {"a": {"TargetObject|contains": "\\Services\\x\\"}, "f": {"Details": ""}}
    found = agrees("defender", REGISTRY, ("kql", "spl"), "a and not f", **detections)
    assert set(found.values()) == {"agrees"}
