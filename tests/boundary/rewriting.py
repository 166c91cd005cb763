"""Conversions of rules whose values a source writes otherwise, and what they select."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import compare, selected
from converter.witness import defaults
from converter.witness.sysmon_kinds import consistent

TARGETS = ("eql", "lucene", "spl", "kql")


BOTH = ("defender", "crowdstrike")


def rule(category: str, detection: dict[str, Any]) -> Rule:
    doc = {
        "title": "t",
        "id": "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0013",
        "logsource": {"product": "windows", "category": category},
        "detection": detection if "condition" in detection else {"s": detection, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def events(category: str, field: str, values: tuple[Any, ...]) -> list[dict[str, Any]]:
    """Return plain records of a category with each value in a field."""
    (event_id, *_) = defaults.event_ids({"product": "windows", "category": category})
    plain = defaults.sysmon_event(event_id)
    made = [consistent({**plain, field: value}, {field}) for value in values]
    if field == "Details":  # Each its own value of the registry: what one held before is no matter here.
        made = [{**event, "TargetObject": rf"HKLM\QUARTZ\Depot\Level{n}"} for n, event in enumerate(made)]
    return [{**event, **defaults.stamp(1000 * n, sysmon=True)} for n, event in enumerate(made)]


def converted(source: str, target: str, category: str, detection: dict[str, Any]) -> Conversion:
    one = rule(category, detection)
    return convert(RuleSet([one]), one, cells.cell(source, target), Options("any"))


def differences(
    source: str, target: str, category: str, detection: dict[str, Any], records: list[dict[str, Any]]
) -> tuple[list[Any], list[Any]]:
    """Return which records the query misses, and which it selects beside those that the rule means."""
    conversion = converted(source, target, category, detection)
    verdict = compare(RuleSet([conversion.rule]), conversion, "records", records)
    return [mark.event for _, mark in verdict.missed], [mark.event for _, mark in verdict.extra]


def against_the_rule(
    target: str, detection: dict[str, Any], records: list[dict[str, Any]]
) -> tuple[list[int], list[int]]:
    """Return what a query on FDR misses and selects too much by the rule itself, not relaxed."""
    conversion = converted("crowdstrike", target, "process_creation", detection)
    matches = compile_detection(conversion.rule.doc["detection"])
    wanted = {number for number, record in enumerate(records) if matches(record)}
    got = {mark.event for mark in selected(conversion, records) if mark.event is not None}
    return sorted(wanted - got), sorted(got - wanted)


def negated(selection: dict[str, Any]) -> dict[str, Any]:
    return {"s": selection, "condition": "not s"}


def agrees(
    source: str, target: str, category: str, field: str, selection: dict[str, Any], values: tuple[Any, ...]
) -> None:
    """Check a selection, plain and negated, over records with each value."""
    records = events(category, field, values)
    for detection in (selection, negated(selection)):
        assert differences(source, target, category, detection, records) == ([], []), detection


DATA = [
    *("DWORD (0x00000001)", "DWORD (0x00000000)", "QWORD (0x00000000-0x00000001)", "Binary Data", "(Empty)"),
    *("1", r"C:\Temp\a.exe", "Dwords", "x" * 3000),
]


PATHS = [
    *(r"C:\Windows\System32\cmd.exe", r"E:\Windows\System32\cmd.exe", r"\\127.0.0.1\ADMIN$\x.exe"),
    *(r"\\server\share\x.exe", r"C:\cmd.exe", r"C:\A\Windows\System32\cmd.exe", r"C:\Temp\System"),
]
