"""The index of upstream's defects in correlations (defects_correlations.yml) is whole."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.conversion.convert import convert
from converter.pipelines.cells import cell
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.support import ROOT, shared

INDEX: dict[str, dict[str, Any]] = yaml.safe_load(
    (ROOT / "tests" / "defects_correlations.yml").read_text("utf-8")
)


@cache
def functions(path: str) -> set[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", INDEX)
def test_what_a_row_names_is_there(row: str) -> None:
    entry = INDEX[row]
    assert set(entry) == {"row", "tests"}
    assert entry["tests"]
    for node in entry["tests"]:
        path, _, name = node.partition("::")
        assert (ROOT / path).is_file(), node
        assert not name or name in functions(path), node


@pytest.mark.shared
def test_every_row_of_the_list_is_there() -> None:
    text = shared("facts/upstream-defects.md").read_text(encoding="utf-8")
    eql = text.partition("\n## 2. EQL")[2].partition("\n## 3.")[0].partition("\nCorrelations")[2]
    points = re.findall(r"^- ", eql, re.MULTILINE)
    assert [f"EQL {number + 1}" for number in range(len(points))] == [
        row for row in INDEX if row.startswith("EQL ")
    ]
    assert len(re.findall(r"^Correlations", text, re.MULTILINE)) == 3
    assert {"C8", "L18", "K"} <= set(INDEX)


@pytest.mark.parametrize("language", ["eql", "kql", "spl", "lucene"])
def test_generate_gives_the_base_rule_a_query_of_its_own(language: str) -> None:
    """As for the rule without any correlation: EQL's begins with its category."""
    base = {
        "title": "base",
        "name": "base",
        "logsource": {"category": "t"},
        "detection": {"s": {"F": "a"}, "condition": "s"},
    }
    section = {"type": "event_count", "rules": ["base"], "timespan": "5m", "generate": True}
    top = {"title": "top", "name": "top", "correlation": {**section, "condition": {"gte": 3}}}
    rules = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", at) for at, doc in enumerate((base, top))]
    emitted = emitted_rules(RuleSet(rules))
    assert [rule.name for rule in emitted] == ["base", "top"]
    alone = convert(RuleSet(rules[:1]), rules[0], cell("none", language)).queries
    beside = convert(RuleSet(rules), rules[0], cell("none", language)).queries
    assert alone == beside
    if language == "eql":
        assert "\nany where " in beside[0].text
