"""The public rules' own events, as each platform stores them: every query selects what `match` selects.

All 116 records are stored together, so that a query is also tried on the records of the other rules.
"""

from __future__ import annotations

import json
from collections import Counter
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

import pytest

from converter.conversion.convert import Options, convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.events import flatten, read_events
from converter.matcher import Matcher
from converter.pipelines import cells
from converter.plan.model import Fidelity
from converter.rules import loading
from converter.rules import ruleset as ruleset_module
from converter.shapes import shape_for
from converter.verify.stored import tables_of
from tests.support import shared

pytestmark = pytest.mark.shared

# Cell, its option, the shape. winlogbeat's documents are searched by the same queries as the agent's.
CELLS = (
    ("eql", "", "elastic"),
    ("eql", "", "elastic-winlogbeat"),
    ("lucene", "", "elastic"),
    ("lucene", "", "elastic-winlogbeat"),
    ("spl", "", "splunk"),
    ("kql", "", "kusto"),
    ("kql", "windowsevent", "kusto-windowsevent"),
)
# What the cells refuse, and why it is true.
REFUSED = {
    # Sysmon does not log them: the task scheduler's, WMI's provider's and the Security log's records.
    *((target, "service") for target in ("eql", "lucene", "spl", "kql")),
    # User compared with ParentUser: Elastic's languages cannot compare two fields.
    *((target, "field User compared with field ParentUser") for target in ("eql", "lucene")),
}
RULES = 98


@cache
def events() -> list[dict[str, Any]]:
    return [dict(flatten(event)) for event in read_events(shared("corpus/sigma_regression.jsonl.gz"))]


@cache
def ruleset() -> ruleset_module.RuleSet:
    tests = json.loads(shared("corpus/sigma_regression_tests.json").read_text())
    return loading.load([shared(f"sigmahq/{test['rule_path']}") for test in tests])


@cache
def expected() -> dict[str, set[int]]:
    """Return rule id -> positions of the raw records on which `match` fires."""
    alerts = Matcher([rule.doc for rule in ruleset().rules]).run(events())
    found: dict[str, set[int]] = {}
    for alert in alerts:
        found.setdefault(alert.rule, set()).update(alert.events)
    return found


@pytest.mark.parametrize(("target", "variant", "shape_name"), CELLS, ids=[f"{t}-{s}" for t, _, s in CELLS])
def test_queries_select_what_match_selects(target: str, variant: str, shape_name: str) -> None:
    cell = cells.cell("sysmon", target, variant)
    shape = shape_for("sysmon", shape_name)
    stored = [shape.store(event, position) for position, event in enumerate(events())]
    conversions, refused = [], Counter()
    for rule in ruleset().rules:
        try:
            conversions.append(convert(ruleset(), rule, cell, Options("any")))
        except Refusal as refusal:
            why = "service" if refusal.code == "SC207" else refusal.message.partition(":")[0]
            refused[target, why] += 1
    assert set(refused) <= REFUSED
    assert refused.total() <= 4
    tables = {name: columns for one in conversions for name, columns in tables_of(one, stored).items()}
    engine = engine_for(target)
    session = engine.load(stored, tables)
    # Rules on what winlogbeat does not keep (a registry value's data) name the agent's indices alone.
    indices = {one.index for one in stored}
    searched = [one for one in conversions if target in ("spl", "kql") or _searches(one.plan, indices)]
    assert len(searched) >= len(conversions) - 15
    wrong = []
    for conversion in searched:
        selected: set[int] = set()
        for query in conversion.queries:
            engine.validate(query.text, tables_of(conversion))
            selected |= set(session.run(query.text).events)
        wanted = expected()[conversion.rule.id]
        if conversion.fidelity == Fidelity.EXACT:
            agrees = selected == wanted
        elif conversion.fidelity == Fidelity.BROADER:
            agrees = selected >= wanted
        else:
            agrees = bool(selected & wanted)
        if not agrees:
            wrong.append((conversion.rule.title, str(conversion.fidelity), sorted(selected), sorted(wanted)))
    assert wrong == []
    assert sum(one.fidelity == Fidelity.EXACT for one in searched) >= len(searched) - 2


def _searches(plan: Any, indices: set[str]) -> bool:
    """Tell whether the query is run over an index that holds Sysmon's records."""
    own = {index for index in indices if "forwarded" not in index}
    return any(fnmatchcase(index, pattern) for index in own for pattern in plan.state["index"])


def test_every_rule_has_a_record() -> None:
    assert len(ruleset().rules) == RULES
    assert len(events()) == 116
    assert set(expected()) == {rule.id for rule in ruleset().rules}
