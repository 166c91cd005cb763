"""Conversions to Elastic's languages and what they select of documents."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.engines.eql import EqlEngine
from converter.engines.lucene.index import Fields
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import selected

SCRIPTS = "powershell.file.script_block_text"


PATTERN = r"[\W&&[^-]]+"


INDEX = "logs-windows.powershell_operational-default"


def tokens(column: Column, text: str) -> list[str]:
    """Return what Lucene's analyser makes of a text."""
    import jpype

    stream = Fields({"t": column}, []).analyzer().tokenStream(jpype.JString("t"), jpype.JString(text))
    term = stream.addAttribute(jpype.JClass("org.apache.lucene.analysis.tokenattributes.CharTermAttribute"))
    stream.reset()
    found = []
    while stream.incrementToken():
        found.append(str(term.toString()))
    stream.close()
    return found


def run_eql(text: str, docs: list[dict[str, Any]], columns: dict[str, Column]) -> list[int]:
    stored = [Stored(number, "i", doc) for number, doc in enumerate(docs)]
    return list(EqlEngine().load(stored, {"i": columns}).run(text).events)


def rule_of(detection: dict[str, Any], level: str = "high", **logsource: str) -> Rule:
    doc = {
        "title": "t",
        "id": "11111111-0000-4000-8000-000000000005",
        "level": level,
        "logsource": {"product": "windows", **logsource},
        "detection": detection,
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def converted(rule: Rule, source: str, language: str, fidelity: str = "any") -> Conversion:
    return convert(RuleSet([rule], [], []), rule, cells.cell(source, language), Options(fidelity))


def hits(conversion: Conversion, events: list[dict[str, Any]]) -> list[int]:
    return sorted(mark.event for mark in selected(conversion, events) if mark.event is not None)
