"""What a query costs in the SIEM: what is read twice, dead branches, long lists (findings C2 to C4).

Source: Microsoft's "Query best practices" (`materialize` what is read twice; the small table left of a join).
"""

from __future__ import annotations

import re
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from converter.backends.kql import KqlBackend
from converter.backends.kql.conditions import conjuncts
from converter.backends.kql.known_values import without_repeats
from converter.conversion.convert import Options, convert
from converter.engines.kql import KqlEngine
from converter.errors import EngineError, Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.boundary.term_rows import base
from tests.support import ROOT


def shipped() -> list[tuple[str, str]]:
    """Return the KQL of each correlation of the project, in each source."""
    ruleset = loading.load([ROOT / "sigma"])
    found = []
    for source in ("sysmon", "defender", "crowdstrike"):
        for rule in emitted_rules(ruleset):
            if "correlation" in rule.doc:
                with suppress(Refusal):
                    emitted = convert(ruleset, rule, cells.cell(source, "kql"), Options("any"))
                    found.append((f"{source}: {rule.title}", emitted.queries[0].body))
    assert len(found) > 15
    return found


def test_c2_what_is_read_twice_is_materialized() -> None:
    """`let` gives a name to an expression, which Kusto works out at each place ("materialize() function")."""
    several = 0
    for title, text in shipped():
        query = re.sub(r'"[^"\n]*"', '""', text)
        for statement in re.finditer(r"^let (\w+) =\s+(.*)", query, re.MULTILINE):
            if statement[1] in ("EventDataField", "EventDataText") or statement[1].startswith("Timespan"):
                continue
            if len(re.findall(rf"\b{statement[1]}\b", query)) > 2:
                several += 1
                assert statement[2].startswith("materialize("), f"{title}: {statement[1]}"
    assert several


def test_k7_the_fields_of_an_alert_are_of_one_row() -> None:
    """Microsoft's page of `take_any`: several may each take another row, one of several columns not."""
    taking = [query for _, query in shipped() if "take_any(" in query]
    assert taking
    for query in taking:
        assert all(stage.count("take_any(") < 2 for stage in query.split("| "))
    columns = {"A": Column("string"), "B": Column("string"), "K": Column("string")}
    rows = [Stored(i, "T", {"A": f"a{i}", "B": f"b{i}", "K": "k"}) for i in range(3)]
    session = KqlEngine().load(rows, {"T": columns})
    (row,) = session.run("T | summarize take_any(A, B) by K").rows
    assert row["A"][1:] == row["B"][1:]
    with pytest.raises(EngineError, match="each may take another row"):
        session.run("T | summarize A = take_any(A), B = take_any(B) by K")


CONNECTION = {"category": "network_connection", "product": "windows"}


@pytest.mark.parametrize(
    ("detection", "expected", "gone"),
    [
        # The type of an outgoing connection is one of three: neither the list of all four nor the fourth.
        (
            {"s": {"Initiated": "true", "DestinationPort": 4444}, "condition": "s"},
            ['ActionType in ("ConnectionSuccess", "ConnectionFailed", "ConnectionRequest")'],
            ["InboundConnectionAccepted"],
        ),
        (
            {
                "s": {"Initiated": "true", "DestinationPort": 4444},
                "f": {"DestinationIp|cidr": "10.0.0.0/8"},
                "condition": "s and not f",
            },
            ["ipv4_is_in_range(RemoteIP"],
            ["InboundConnectionAccepted", "LocalIP"],
        ),
        (
            {"s": {"Initiated": "false", "DestinationPort": 4444}, "condition": "s"},
            ['ActionType == "InboundConnectionAccepted"', "LocalPort == 4444"],
            ["ConnectionSuccess", "RemotePort"],
        ),
        # Where the rule leaves it open, both are there.
        (
            {"s": {"DestinationPort": 4444}, "condition": "s"},
            ["InboundConnectionAccepted", "RemotePort", "LocalPort"],
            [],
        ),
    ],
)
def test_c3_no_branch_that_is_dead(detection: dict[str, Any], expected: list[str], gone: list[str]) -> None:
    """Findings C3: one list where one holds the other, and no alternative of another kind of event."""
    doc = {"title": "t", "logsource": CONNECTION, "detection": detection}
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    query = convert(RuleSet([rule], [], [], []), rule, cells.cell("defender", "kql")).queries[0].body
    assert [text for text in expected if text not in query] == []
    assert [text for text in gone if text in query] == []


def test_c3_what_is_left_means_the_same() -> None:
    """Random conditions on columns of few values: all rows that there can be."""
    columns = {"K": Column("string"), "N": Column("int"), "X": Column("string")}
    events = [
        {"K": k, "N": n, "X": x} for k in ("a", "A", "b", "c", "") for n in (1, 2, 3) for x in ("p", "q")
    ]
    session = KqlEngine().load(
        [Stored(i, "Events", one) for i, one in enumerate(events)], {"Events": columns}
    )
    shorter = 0
    for number in range(150):
        detection = _few_values(Random(number))
        rule = base(detection, columns)
        matches = compile_detection(detection, empty_is_missing=True)
        meant = {i for i, event in enumerate(events) if matches(event)}
        query = KqlBackend(filters="off").event(rule)[0].text
        assert set(session.run(query).events) == meant, f"{detection}: {query}"
        trees = conjuncts(rule.condition)
        shorter += without_repeats(trees, columns) != trees
    assert shorter > 20


def _few_values(choose: Random) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in ("one", "two", "three"):
        items: dict[str, Any] = {}
        for field in choose.sample(["K", "K|cased", "N", "X"], choose.randint(1, 2)):
            pool = [1, 2, 3] if field == "N" else ["p", "q"] if field == "X" else ["a", "A", "b", "c"]
            items[field] = choose.sample(pool, choose.randint(1, len(pool) - 1))
        found[name] = items
    conditions = [
        "one and two and not three",
        "one and (two or three)",
        "all of them",
        "one and not (two or three)",
    ]
    return found | {"condition": choose.choice(conditions)}


def test_c4_alternatives_are_one_regex_only_where_the_length_demands_it() -> None:
    """A scheduled rule of Sentinel takes 10,000 characters."""
    columns = {"C": Column("string"), "D": Column("string")}
    words = [f"some long (word) number {number}" for number in range(200)]
    (short,) = KqlBackend().event(base({"s": {"C|contains": words[:9]}, "condition": "s"}, columns))
    assert short.text.count("C contains") == 9
    for modifier, last in (
        ("contains", "number 199"),
        ("endswith", "number 199)$"),
        ("contains|cased", "number 199"),
    ):
        detection = {"s": {f"C|{modifier}": words}, "condition": "s"}
        (draft,) = KqlBackend().event(base(detection, columns))
        assert len(draft.text) < 10_000
        assert draft.text.count("matches regex") == 1
        assert draft.text.endswith(f'{last}"')
        texts = [words[7], "x" + words[7].upper(), words[7] + "x", "some long word number 7", ""]
        session = KqlEngine().load(
            [Stored(i, "Events", {"C": text}) for i, text in enumerate(texts)], {"Events": columns}
        )
        matches = compile_detection(detection)
        assert set(session.run(draft.text).events) == {
            i for i, text in enumerate(texts) if matches({"C": text})
        }


def test_c4_letters_that_a_regex_folds_otherwise_stay() -> None:
    """`contains` ignores the case of ASCII letters, `(?i)` that of all (Rust's regex syntax, Unicode)."""
    words = [f"straße number {number}" for number in range(250)]
    (draft,) = KqlBackend().event(
        base({"s": {"C|contains": words}, "condition": "s"}, {"C": Column("string")})
    )
    assert "matches regex" not in draft.text
