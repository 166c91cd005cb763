"""Sigma filters: what they concern, and what a filtered rule means in every language."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.conversion.convert import convert
from converter.engines import engine_for
from converter.matcher import Matcher
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.shapes import inferred as none_shape
from converter.verify.alerts import alerts_of
from converter.verify.stored import tables_of

RULE = """\
title: Rule
id: 11111111-1111-4111-8111-111111111111
name: rule
logsource: {category: c, product: p}
detection:
    selection_a: {A: x}
    selection_b: {B: y}
    condition: 1 of them
"""
EVENTS = [
    {"A": "x"},
    {"A": "x", "User": "admin"},
    {"B": "y", "User": "other"},
    {"B": "y", "Host": "test"},
    {"A": "z"},
]


def filter_text(body: str, logsource: str = "{category: c}") -> str:
    return f"title: Filter\nlogsource: {logsource}\nfilter:\n{body}"


@pytest.mark.parametrize(
    ("body", "logsource", "expected"),
    [
        (
            "    rules: [rule]\n    selection: {User: admin}\n    condition: not selection\n",
            "{category: c}",
            [0, 2, 3],
        ),
        (
            "    rules: any\n    a: {User: admin}\n    b: {Host: test}\n    condition: not 1 of them\n",
            "{category: c}",
            [0, 2],
        ),
        ("    rules: any\n    selection_a: {User: other}\n    condition: selection_a\n", "{product: p}", [2]),
        (
            "    rules: [11111111-1111-4111-8111-111111111111]\n    s: {User: admin}\n    condition: not s\n",
            "{category: c, product: p}",
            [0, 2, 3],
        ),
        ("    rules: [another]\n    s: {User: admin}\n    condition: not s\n", "{category: c}", [0, 1, 2, 3]),
        ("    rules: any\n    s: {User: admin}\n    condition: not s\n", "{category: d}", [0, 1, 2, 3]),
    ],
)
@pytest.mark.parametrize("target", ["eql", "lucene", "spl", "kql"])
def test_filter(body: str, logsource: str, expected: list[int], target: str, tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    (tmp_path / "filter.yml").write_text(filter_text(body, logsource))
    loaded = loading.load([tmp_path])
    assert loaded.errors == []
    (rule,) = emitted_rules(loaded)
    conversion = convert(loaded, rule, cells.cell(cells.NONE, target))
    columns = conversion.plan.columns  # type: ignore[union-attr]
    stored = none_shape.store(EVENTS, columns, target)
    session = engine_for(target).load(stored, tables_of(conversion, stored))
    found = alerts_of(conversion, EVENTS, stored, [session.run(query.text) for query in conversion.queries])
    assert sorted(mark.event for mark in found if mark.event is not None) == expected
    import yaml

    docs = [yaml.safe_load(RULE), yaml.safe_load(filter_text(body, logsource))]
    assert sorted(alert.events[0] for alert in Matcher(docs).run(EVENTS)) == expected


def test_filter_without_rules_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "rule.yml").write_text(RULE)
    (tmp_path / "filter.yml").write_text(filter_text("    s: {User: admin}\n    condition: not s\n"))
    loaded = loading.load([tmp_path])
    # It may concern every rule of its log source: none is converted without it.
    assert [error.code for error in loaded.errors] == ["SC103", "SC111"]
    assert loaded.rules == []


@pytest.mark.parametrize("broken", [False, True])
def test_filters_apply_however_many_rules_are_asked_for(tmp_path: Path, broken: bool) -> None:
    """A query that is printed to be pasted is the one that a whole build writes."""
    folder = tmp_path / "sigma"
    (folder / "x").mkdir(parents=True)
    (folder / "x/rule.yml").write_text(RULE)
    text = filter_text("    rules: [rule]\n    selection: {User: admin}\n    condition: not selection\n")
    other = RULE.replace("1111", "2222").replace("name: rule", "name: other")
    (folder / "filter.yml").write_text(f"{text.replace('{User', '[{User') if broken else text}---\n{other}")
    whole = loading.load([folder], filtered=True)
    part = loading.load([folder / "x"], filtered=True)
    assert [str(error) for error in part.errors] == [str(error) for error in whole.errors]
    assert bool(part.errors) == broken
    assert [rule.doc for rule in emitted_rules(part)] == [
        r.doc for r in emitted_rules(whole) if r.doc["name"] == "rule"
    ]
    assert ("_filter0_selection" in str([rule.doc for rule in part.rules])) != broken
    assert len(loading.load([folder / "x"]).rules) == 1
