"""Fields without a value are not equal, though the text `null` stands for it in Splunk's Defender data."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.conversion.convert import convert
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import selected

BOTH = {"CommandLine": "a b", "ParentCommandLine": "A B"}
EVENTS: list[dict[str, Any]] = [
    {"EventID": 1, "Image": "C:\\a.exe", **fields}
    for fields in (
        {},
        BOTH,
        {"CommandLine": "null"},
        {"CommandLine": "x null y"},
        {"CommandLine": "a", "ParentCommandLine": "b"},
        {"ParentCommandLine": "null"},
    )
]


@pytest.mark.parametrize("target", ["spl", "kql"])
@pytest.mark.parametrize("modifiers", ["", "|contains", "|startswith", "|endswith"])
@pytest.mark.parametrize(("condition", "match"), [("s", {1}), ("not s", {0, 2, 3, 4, 5})])
def test_a_reference(target: str, modifiers: str, condition: str, match: set[int]) -> None:
    doc = {
        "title": "t",
        "logsource": {"category": "process_creation", "product": "windows"},
        "detection": {
            "s": {f"CommandLine|fieldref{modifiers}": "ParentCommandLine"},
            "condition": condition,
        },
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    conversion = convert(RuleSet(), rule, cells.cell("defender", target))
    assert {mark.event for mark in selected(conversion, EVENTS)} == match
