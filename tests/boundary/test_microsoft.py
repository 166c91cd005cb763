"""Findings about Microsoft's platforms, each with its source, tried on an engine of KQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from converter import pipelines
from converter.columns import Column
from converter.convert import Conversion, Options, convert
from converter.engines.base import Stored
from converter.engines.kql import KqlEngine
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify.run import selected, verify_rule

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
    return convert(rules, rule, pipelines.cell(source, target), Options("any"))


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
    cells = [pipelines.cell(source, target) for target in targets]
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
