"""Findings of kind C: what a query costs in the SIEM.

Sources: Microsoft's "String operators" (what a term is, and that `has`, `hasprefix` and `has_any` look it up
in an index of terms of three characters and more), "has_any operator" (no index beyond 128 terms), "Query
best practices" (`DynamicColumn has "Rare value"` before a look inside; `materialize` what is read twice; the
small table left of a join).
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
from sigma.exceptions import SigmaError

from converter.backends.kql import KqlBackend
from converter.backends.kql.conditions import conjuncts
from converter.backends.kql.known_values import without_repeats
from converter.backends.kql.term_filters import terms
from converter.backends.kql.text_sources import Source, sources
from converter.conversion.convert import Options, convert
from converter.engines.kql import KqlEngine
from converter.errors import EngineError, Refusal, SigconvError
from converter.events import flatten, read_events
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.plan.conditions import Comparison
from converter.plan.model import BaseRule
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.verify.stored import tables_of
from tests.boundary import term_rows
from tests.proof.coverage import corpus
from tests.support import ROOT, none_base, shared

TEXT, JSON = Source(("T",)), Source(("T",), json=True)


def base(detection: dict[str, Any], columns: dict[str, Column] = term_rows.COLUMNS) -> BaseRule:
    return replace(none_base(detection, "kql"), columns=columns)


def value_of(key: str, value: str) -> Any:
    condition = none_base({"s": {key: value}, "condition": "s"}, "kql").condition
    assert isinstance(condition, Comparison)
    return condition.value


@pytest.mark.parametrize(
    ("key", "value", "source", "whole", "beginnings"),
    [
        # Anchored at both ends, at one, at none.
        ("F", "cmd.exe", TEXT, ["cmd", "exe"], []),
        ("F|startswith", "cmd.exe", TEXT, ["cmd"], ["exe"]),
        ("F|endswith", "cmd.exe", TEXT, ["exe"], []),
        ("F|contains", "cmd.exe", TEXT, [], ["exe"]),
        ("F|contains", r"\cmd.exe ", TEXT, ["cmd", "exe"], []),
        ("F|endswith", r"\cmd.exe", TEXT, ["cmd", "exe"], []),
        ("F|contains", "mimikatz", TEXT, [], []),
        # Two characters are not in the index.
        ("F", "a bc def", TEXT, ["def"], []),
        # `_` and letters outside ASCII bound nothing: they may be part of a term.
        ("F", "run_me.exe", TEXT, ["exe"], ["run"]),
        ("F", "_cmd.exe", TEXT, ["exe"], []),
        ("F", "éabc xyz", TEXT, ["xyz"], []),
        ("F", "–abc xyz", TEXT, ["xyz"], []),
        ("F", "abcé xyz", TEXT, ["xyz"], []),
        # A wildcard stands for anything.
        ("F", "C:*cmd.exe", TEXT, ["exe"], []),
        ("F", r"C:\cmd*.exe", TEXT, ["exe"], ["cmd"]),
        ("F", r"C:\cmd?exe", TEXT, [], ["cmd"]),
        # In JSON a control character and what a careful writer escapes end in a letter or digit.
        ("F", "one\ntwo", TEXT, ["one", "two"], []),
        ("F", "one\ntwo three", JSON, ["one", "three"], []),
        ("F", "one'two <b>four", JSON, ["one"], []),
        ("F", r"\one\two", JSON, ["one", "two"], []),
        ("F|cased", "Cmd.exe", TEXT, ["cmd", "exe"], []),
    ],
)
def test_c1_terms_of_a_value(
    key: str, value: str, source: Source, whole: list[str], beginnings: list[str]
) -> None:
    """Findings C1, 1 to 3: runs of three ASCII letters and digits, and what bounds them."""
    found = list(terms(value_of(key, value), source))
    assert [term.text for term in found if term.whole] == whole
    assert [term.text for term in found if not term.whole] == beginnings


@pytest.mark.parametrize(
    ("via", "expected"),
    [
        ('=strcat(A, @"\\", B)', Source(("A", "B"))),
        ('=strcat(A, "", B)', None),
        ('=strcat(A, "x", B)', None),
        ("=strcat(A, B)", None),
        ('=iff(isempty(A), B, strcat(A, @"\\", B))', Source(("B", "A"))),
        (
            '=case(A in ("1", "2"), A, B == "x,)", B, "Some-text")',
            Source(("A", "B"), False, frozenset({"some", "text"})),
        ),
        ('=iff(isempty(A), EventDataField(B, "X"), A)', Source(("B", "A"))),
        ("=EventDataText(A)", None),
        ("=tostring(parse_json(A).X)", Source(("A",), json=True)),
        ("=tostring(parse_json(A).X.Y)", Source(("A",), json=True)),
        # What is removed may join what stood apart.
        ('=replace_string(A, @"\\Device", "")', None),
        ("=tostring(N)", None),
        ("=coalesce(tostring(N), A)", None),
        ("=tolower(A)", None),
        ("=A", Source(("A",))),
        ("=N", None),
        ("=Missing", None),
        ("eventdata_xml", Source(("EventData",))),
        ("eventdata_dynamic", Source(("EventData",), json=True)),
        ("other", None),
    ],
)
def test_c1_where_the_text_of_a_column_is(via: str, expected: Source | None) -> None:
    """Findings C1, 5: a run is in one of the parts if a separator is between them."""
    columns = {
        "A": Column("string"),
        "B": Column("string"),
        "N": Column("int"),
        "F": Column("string", via=via),
    }
    assert sources(columns, "F") == expected


def stages(detection: dict[str, Any]) -> list[str]:
    (draft,) = KqlBackend().event(base(detection))
    return list(term_rows.filters(draft.text))


@pytest.mark.parametrize(
    ("selections", "condition", "expected"),
    [
        ({"Xml|endswith": r"\psexec.exe"}, "a", ['where EventData has "psexec"']),
        (
            {"Xml|endswith": [r"\psexec.exe", r"\paexec.exe"]},
            "a",
            ['where EventData has_any ("psexec", "paexec")'],
        ),
        # `or` needs all, `and` takes one, `not` gives none.
        ({"Xml|endswith": r"\psexec.exe", "b": {"Xml|contains": "x"}}, "a or b", []),
        (
            {"Xml|endswith": r"\psexec.exe", "b": {"Xml|contains": "x"}},
            "a and b",
            ['where EventData has "psexec"'],
        ),
        ({"Xml|endswith": r"\psexec.exe"}, "not a", []),
        # One value that stands for several is an `or`.
        ({"Xml|windash|contains": " -abc-def "}, "a", ['where EventData has_any ("abc", "def")']),
        ({"Xml|base64offset|contains": "psexec"}, "a", []),
        ({"Xml|re": "psexec"}, "a", []),
        ({"Xml": 4711}, "a", []),
        ({"Xml": None}, "a", []),
        # What is in most events filters nothing.
        ({"Xml|endswith": r"\Windows\System32\x.exe"}, "a", []),
        ({"Json|contains": " psexec "}, "a", ['where AdditionalFields has "psexec"']),
        (
            {"Path|contains": r"\IniFile\Run"},
            "a",
            ['where RegistryKey has "inifile" or RegistryValueName has "inifile"'],
        ),
        ({"Text|endswith": r"\psexec.exe"}, "a", ['where Text has "psexec"']),
        # Kusto looks equal texts up as they are.
        ({"Text|endswith": r"\psexec.exe", "Computer": "host"}, "a", []),
        ({"Text": "psexec.exe"}, "a", []),
        # What may come out of the expression is in no column.
        ({"Either|endswith": r"\(Unnamed)"}, "a", []),
    ],
)
def test_c1_filters(selections: dict[str, Any], condition: str, expected: list[str]) -> None:
    """Findings C1, 4: the old condition stays, and a filter comes before it."""
    more = {"b": selections["b"]} if "b" in selections else {}
    first = {key: value for key, value in selections.items() if key != "b"}
    assert stages({"a": first, **more, "condition": condition}) == expected


def test_c1_no_more_terms_than_the_index_takes() -> None:
    """More than 128 terms and Kusto reads every row ("has_any operator", Performance tips)."""
    most = [rf"\tool{number}.bin" for number in range(128)]
    assert len(stages({"a": {"Xml|endswith": most}, "condition": "a"})) == 1
    assert stages({"a": {"Xml|endswith": [*most, r"\more.bin"]}, "condition": "a"}) == []


def test_c1_a_source_that_declares_no_columns_gets_none() -> None:
    """Of ``-s none`` nothing is known: a column may be of another type or hold JSON."""
    detection = {"a": {"Text|endswith": r"\psexec.exe"}, "condition": "a"}
    (draft,) = KqlBackend().event(none_base(detection, "kql"))
    assert list(term_rows.filters(draft.text)) == []


def lost(seed: int, count: int) -> list[str]:
    """Return what a filter removes of what the condition keeps, over random conditions and rows."""
    found: list[str] = []
    kept = 0
    for number in range(count):
        choose = Random(f"{seed}/{number}")
        detection = term_rows.detection(choose)
        try:
            rule = base(detection)
            with_, without = (KqlBackend(filters=way).event(rule)[0].text for way in ("on", "off"))
        except (Refusal, SigmaError):
            continue
        texts = term_rows.values(detection)
        events = [term_rows.event(choose, texts) for _ in range(24)]
        matches = compile_detection(detection, empty_is_missing=True)
        meant = [held for held in events if matches(held)]
        kept += len(meant)
        stages_ = list(term_rows.filters(with_))
        assert with_ != without or not stages_
        for stage in stages_:
            for held in meant:
                for write in term_rows.WRITERS:
                    doc = term_rows.row(held, write)
                    found += [
                        f"{name}: {stage} of {detection} removes {doc}"
                        for name, tokens in term_rows.TOKENS.items()
                        if not term_rows.keeps(stage, doc, tokens)
                    ]
        if number % 8 == 0:
            found += _differences(rule, (with_, without), events)
    assert kept > count
    return found


def _differences(rule: BaseRule, queries: tuple[str, str], events: list[dict[str, str]]) -> list[str]:
    """Return the query if duckdb-kql selects other rows with its filters than without."""
    columns = dict(rule.columns)
    stored = [
        Stored(i, "Events", term_rows.row(held, term_rows.WRITERS[i % 2])) for i, held in enumerate(events)
    ]
    session = KqlEngine().load(stored, {"Events": columns})
    with_, without = (set(session.run(query).events) for query in queries)
    return [] if with_ == without else [f"{queries[0]} selects {with_}, not {without}"]


def test_c1_no_filter_removes_what_the_condition_keeps() -> None:
    """A sample of `test_c1_no_filter_removes_what_the_condition_keeps_of_many`."""
    assert lost(0, 250) == []


@pytest.mark.proof
def test_c1_no_filter_removes_what_the_condition_keeps_of_many() -> None:
    assert lost(1, 5_000) == []


def over_real_events(source: str, log: str, every: int) -> tuple[int, list[str]]:
    """Return the hits of public rules on a public log, and what the filters lose of them."""
    cell, shape = cells.cell(source, "kql"), shape_for(source, "kusto")
    events = [dict(flatten(event)) for event in read_events(shared(log))]
    stored = [shape.store(event, position) for position, event in enumerate(events)]
    hits, found = 0, []
    queries: dict[str, list[str]] = {}
    tables: dict[str, Any] = {}
    for rule in corpus().rules[::every]:
        with suppress(SigconvError):
            ways = [
                convert(corpus(), rule, cell, Options("any", {"kql": {"filters": way}}))
                for way in ("on", "off")
            ]
            queries[rule.relative] = [one.queries[0].body for one in ways]
            tables |= tables_of(ways[0], stored)
    session = KqlEngine().load(stored, tables)
    for name, (with_, without) in queries.items():
        if with_ != without:
            selected = set(session.run(without).events)
            hits += len(selected)
            if set(session.run(with_).events) != selected:
                found.append(f"{name}: {selected - set(session.run(with_).events)}")
    return hits, found


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "log"),
    [
        ("sysmon", "corpus/sigma_regression.jsonl.gz"),
        ("defender", "corpus/sigma_regression.jsonl.gz"),
        ("crowdstrike", "corpus/sigma_regression.jsonl.gz"),
    ],
)
@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.proof)])
def test_c1_no_filter_loses_a_real_event(source: str, log: str, every: int) -> None:
    """The public rules over SigmaHQ's regression logs, as each platform stores them."""
    hits, found = over_real_events(source, log, every)
    assert hits > 0
    assert found == []


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
