"""Broader forms that ordinary days fire on are no default (issue 12); docs/bounds.md has the measure."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

APART = "may be apart"
SYSTEM = {"ScriptBlockText|contains": "Get-System"}
"""findings/rules/r6_scriptblock.yml: 57 scripts of the public logs hold both words and not the value."""


def rule(detection: dict[str, Any], level: str | None, **more: Any) -> Rule:
    logsource = {"product": "windows", "category": "ps_script"}
    doc = {"title": "t", "name": "scripts", "logsource": logsource, "detection": detection, **more}
    doc |= {"level": level} if level else {}
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def refusal(one: Rule, source: str = "crowdstrike", limit: str = "broader", *others: Rule) -> str:
    """Return why a rule is refused in Lucene, or nothing."""
    try:
        convert(RuleSet([one, *others]), one, cells.cell(source, "lucene"), Options(limit))
    except Refusal as refused:
        return f"{refused.code} {refused.message} ({refused.hint})"
    return ""


# The standard analyser takes "Get-System" apart (Unicode Standard Annex 29: a hyphen is no letter), and the
# rule's text may go on at both ends: only `*get` and `system*` can be looked for.
@pytest.mark.parametrize("level", ["critical", "high", "medium", "informational", None])
def test_words_that_may_be_apart_are_no_default(level: str | None) -> None:
    """57 alerts where none is meant are more than 20 times what the rule means, whatever its level."""
    one = rule({"s": SYSTEM, "condition": "s"}, level)
    why = refusal(one)
    assert APART in why
    assert why.startswith("SC208 ")
    assert why.endswith(" (--fidelity any gives it)")
    assert refusal(one, limit="any") == ""


@pytest.mark.parametrize(
    ("detection", "bounded"),
    [
        # Another demand holds the query: a single word anywhere, a whole word, a phrase.
        ({"s": {"ScriptBlockText|contains|all": ["Get-System", "mimikatz"]}, "condition": "s"}, True),
        ({"s": SYSTEM, "p": {"ScriptBlockText|contains": " a mimikatz b"}, "condition": "s and p"}, True),
        ({"s": {"ScriptBlockText|contains": "x = Get-System -All y"}, "condition": "s"}, True),
        # What excludes holds nothing, and an alternative stands for itself.
        ({"s": SYSTEM, "f": {"ScriptBlockText|contains": "x"}, "condition": "s and not f"}, False),
        ({"s": SYSTEM, "p": {"ScriptBlockText|contains": "mimikatz"}, "condition": "s or p"}, False),
        ({"s": {"ScriptBlockText|contains": ["mimikatz", "Get-System"]}, "condition": "s"}, False),
        ({"s": {"ScriptBlockText|contains|all": ["Get-System", "Set-Item"]}, "condition": "s"}, False),
        # One word, of which an end is known: it is in the text.
        ({"s": {"ScriptBlockText|contains": "mimikatz("}, "condition": "s"}, True),
    ],
)
def test_what_holds_a_query_of_words(detection: dict[str, Any], bounded: bool) -> None:
    assert (APART in refusal(rule(detection, "high"))) != bounded


# The pattern analyser of the integration for Windows keeps hyphens and takes dots for separators
# (elastic/integrations packages/windows/data_stream/powershell_operational/manifest.yml).
@pytest.mark.parametrize(("value", "bounded"), [("Get-System", True), ("System.IO", False)])
def test_which_words_stand_apart_is_the_analysers_matter(value: str, bounded: bool) -> None:
    one = rule({"s": {"ScriptBlockText|contains": value}, "condition": "s"}, "high")
    assert (APART in refusal(one, "sysmon")) != bounded


def test_a_correlation_of_such_a_rule_is_no_default() -> None:
    base = rule({"s": SYSTEM, "condition": "s"}, "low")
    counted = {
        "type": "event_count",
        "rules": ["scripts"],
        "group-by": ["Computer"],
        "timespan": "5m",
        "condition": {"gte": 3},
    }
    doc = {"title": "c", "name": "many", "level": "low", "correlation": counted}
    many = Rule(doc, "c.yml", Path("c.yml"), "c.yml", 0)
    assert APART in refusal(many, "crowdstrike", "broader", base)
