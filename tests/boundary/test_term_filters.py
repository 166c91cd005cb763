"""KQL's term filters: which terms a value has, and that no filter loses an event (finding C1).

Sources: Microsoft's "String operators" (what a term is, and that `has`, `hasprefix` and `has_any` look it up
in an index of terms of three characters and more), "has_any operator" (no index beyond 128 terms), and "Query
best practices" (`DynamicColumn has "Rare value"` before a look inside).
"""

from __future__ import annotations

from contextlib import suppress
from random import Random
from typing import Any

import pytest
from sigma.exceptions import SigmaError

from converter.backends.kql import KqlBackend
from converter.backends.kql.term_filters import terms
from converter.backends.kql.text_sources import Source, sources
from converter.conversion.convert import Options, convert
from converter.engines.kql import KqlEngine
from converter.errors import Refusal, SigconvError
from converter.events import flatten, read_events
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.plan.conditions import Comparison
from converter.plan.model import BaseRule
from converter.shapes import shape_for
from converter.verify.stored import tables_of
from tests.boundary import term_rows
from tests.boundary.term_rows import JSON, TEXT, base
from tests.proof.coverage import corpus
from tests.support import none_base, shared


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
