"""The KQL engine against rows worked out from Microsoft's documentation, and the analyser."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from converter.engines.base import Session
from converter.engines.kql import KqlEngine, validator
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Column

TRUTH = json.loads(Path(__file__).with_name("kql_documented.json").read_text(encoding="utf-8"))
TABLES = {
    name: {column: Column(kind) for column, kind in table["columns"]}
    for name, table in TRUTH["tables"].items()
}
REFUSED = {
    "extract",
    "let function",
    "summarize full",
    "dcount null/empty",
    "count(), dcountif, countif",
    "join leftouter",
    "union cols differ",
    "union withsource",
    "lookup",
    "mv-apply",
    "row_cumsum",
    "next",
    "row_window_session",
    "row_rank_dense",
    "partition by",
    "partition hint native",
    "scan",
    "scan cumsum",
    "project-keep",
    "search op",
    "search op substr",
    "column_ifexists",
    "make-series",
    "bag_unpack",
}
"""Cases that the engine must refuse rather than answer: it lacks them, or Kusto estimates them."""


@pytest.fixture(scope="module")
def documented() -> Session:
    events = []
    for name, table in TRUTH["tables"].items():
        for row in table["rows"]:
            doc = {column: value for (column, _), value in zip(table["columns"], row, strict=True)}
            for column, kind in table["columns"]:
                if kind == "dynamic" and doc[column] is not None:
                    doc[column] = json.loads(doc[column])
            events.append(Stored(len(events), name, doc))
    return KqlEngine().load(events, TABLES)


def _plain(value: Any) -> Any:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else value


@pytest.mark.parametrize("case", TRUTH["cases"], ids=lambda case: case["name"])
def test_documented(case: dict[str, Any], documented: Session) -> None:
    if case["name"] in REFUSED:
        with pytest.raises(EngineError, match=r"SC40[23]"):
            documented.run(case["query"])
        return
    rows = [[_plain(value) for value in row.values()] for row in documented.run(case["query"]).rows]
    if case["compare"] == "list":
        assert rows == case["expect"]
    else:
        assert sorted(rows, key=repr) == sorted(case["expect"], key=repr)


@pytest.mark.parametrize("case", TRUTH["cases"], ids=lambda case: case["name"])
def test_analyser_takes_what_is_documented(case: dict[str, Any]) -> None:
    KqlEngine().validate(case["query"], TABLES)


T = {"T": {"a": Column("string"), "n": Column("long"), "t": Column("datetime"), "d": Column("dynamic")}}


def _load(*docs: dict[str, Any], tables: Any = T) -> Session:
    return KqlEngine().load([Stored(i, next(iter(tables)), doc) for i, doc in enumerate(docs)], tables)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("T | where zz == 1", "KS142"),
        ("U | where a == 'x'", "KS204"),
        ("T | where n =~ 'x'", "KS10"),
        ("T | where nosuch(a)", "KS211"),
        ("T | where a == 'x\n'", "KS001"),
        ('T | where a matches regex "a(?=b)"', "look-around"),
        (r'T | where a matches regex @"(a)\1"', "backreferences"),
        ('T | where a matches regex "' + "(a)" * 17 + '"', "17 capturing groups"),
        ("T | where " + " or ".join(f"a contains '{i}'" for i in range(1000)), "KS245"),
    ],
)
def test_analyser_rejects(query: str, code: str) -> None:
    with pytest.raises(EngineError, match=code) as caught:
        KqlEngine().validate(query, T)
    assert caught.value.code == "SC402"


def test_analyser_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(validator.HOME_VARIABLE, str(tmp_path))
    monkeypatch.setattr(validator, "_running", None)
    with pytest.raises(EngineError, match=r"SC401 .*kusto_analyser\.install"):
        KqlEngine().validate("T", T)


def test_columns_inside_event_data_are_not_of_the_table() -> None:
    tables = {"Event": {"EventID": Column("int"), "Image": Column("string", via="eventdata_xml")}}
    KqlEngine().validate("Event | where EventID == 1 and EventData has 'x'", tables)
    with pytest.raises(EngineError, match="KS142"):
        KqlEngine().validate("Event | where Image == 'x'", tables)


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'"\u0041\x41\101"', "AAA"),
        (r'h"x"', "x"),
        (r"h@'a''b'", "a'b"),
        ('```a\nb"c```', 'a\nb"c'),
        (r'"a\nb\tc\rd\"e\\f"', 'a\nb\tc\rd"e\\f'),
        (r"""@"a\nb""c" """, 'a\\nb"c'),
        ('"//" // "x"', "//"),
        ('"\u2028\u0085\x07"', "\u2028\u0085\x07"),
    ],
)
def test_literals(literal: str, value: str) -> None:
    session = _load({"a": value}, {"a": value + "x"})
    assert session.run(f"T | where a == {literal}").events == (0,)


@pytest.mark.parametrize(
    ("pattern", "hits"),
    [
        # Kusto's \d, \w, \s and \b are Unicode's, as in the Rust regex crate; RE2's are ASCII's.
        (r"^\d$", (0, 1)),
        (r"^\w$", (0, 1, 2)),
        (r"(?i)^Ä$", (2,)),
        (r"^[a-z&&[^b]]+$", (3,)),
        ("^a.b$", ()),
        ("(?s)^a.b$", (4,)),
    ],
)
def test_regular_expressions_are_rusts(pattern: str, hits: tuple[int, ...]) -> None:
    session = _load({"a": "7"}, {"a": "\u0667"}, {"a": "ä"}, {"a": "cd"}, {"a": "a\nb"})
    assert session.run(f'T | where a matches regex @"{pattern}"').events == hits


def test_event_ids_and_times() -> None:
    moment = datetime(2026, 1, 1, 12, tzinfo=UTC)
    session = _load({"t": moment}, {"t": "2026-01-01T13:00:00.123+01:00", "a": "x"})
    result = session.run("// header\nT | where t >= datetime(2026-01-01 12:00:00)")
    assert result.events == (0, 1)
    assert result.rows[0] == {"a": "", "n": None, "t": moment, "d": None}
    assert session.run("T | summarize n = count()").rows == ({"n": 2},)


@pytest.mark.parametrize(
    "query",
    [
        "T | extend p = prev(n)",
        "T | sort by n asc | summarize c = count() by a | extend p = prev(c)",
        "T | where a matches regex a",
        "T | join kind=leftouter (T | project a) on a",
        "T | summarize dcount(a)",
        "T | extend x = extract(@'(\\d)', 1, a)",
        "union (T | project a), (T | project n)",
    ],
)
def test_refuses_what_it_would_get_wrong(query: str) -> None:
    with pytest.raises(EngineError, match="SC403"):
        _load({"a": "x", "n": 1}).run(query)


def test_prev_over_two_keys() -> None:
    session = _load(*({"a": a, "n": n} for a, n in [("y", 3), ("x", 2), ("x", 1), ("y", 1), ("x", 5)]))
    rows = session.run(
        "T | sort by a desc, n asc | extend p = prev(n, 2), q = prev(a, 1, 'none') | project a, n, p, q"
    ).rows
    assert [tuple(row.values()) for row in rows] == [
        ("y", 1, None, "none"),
        ("y", 3, None, "y"),
        ("x", 1, 1, "y"),
        ("x", 2, 3, "x"),
        ("x", 5, 1, "x"),
    ]


def test_xml_entities() -> None:
    session = _load({"a": '<Data Name="X">a &amp;lt; &lt;b&gt;</Data>'})
    query = (
        "T | extend X = replace_strings(extract('<Data Name=\"X\">([^<]*)</Data>', 1, a),"
        ' dynamic(["&lt;", "&gt;", "&amp;"]), dynamic(["<", ">", "&"])) | project X'
    )
    assert session.run(query).rows == ({"X": "a &lt; <b>"},)
