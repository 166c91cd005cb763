"""Query DSL bodies and threshold rules on the engine; expected ids are worked out from Elastic's pages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from converter.engines.lucene import LuceneEngine, LuceneSession
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Column

COLUMNS = {
    "@timestamp": Column("date"),
    "k": Column("keyword"),
    "w": Column("wildcard"),
    "n": Column("long"),
    "ip": Column("ip"),
    "user": Column("keyword"),
    "code": Column("keyword"),
    "t": Column("text"),
}


def session(docs: list[dict[str, Any]], index: str = "logs-a-1") -> LuceneSession:
    stored = [Stored(number, index, doc) for number, doc in enumerate(docs)]
    return LuceneEngine().load(stored, {index: COLUMNS})


DOCS = [
    {"k": "Cmd.exe", "n": 1, "ip": "10.0.0.1", "t": "Hello World"},
    {"k": "cmd.exe", "n": 5},
    {"k": "a*b", "n": 9, "t": "hello"},
    {"w": "CMD"},
    {"k": "É"},
]


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ({"match_all": {}}, [0, 1, 2, 3, 4]),
        ({"term": {"k": {"value": "cmd.exe"}}}, [1]),
        ({"term": {"k": "cmd.exe"}}, [1]),
        ({"term": {"k": {"value": "cmd.exe", "case_insensitive": True}}}, [0, 1]),
        ({"term": {"k": {"value": "A*B", "case_insensitive": True}}}, [2]),
        # ASCII only: "ASCII case insensitive matching" (term query, case_insensitive).
        ({"term": {"k": {"value": "é", "case_insensitive": True}}}, []),
        ({"terms": {"k": ["cmd.exe", "a*b"]}}, [1, 2]),
        ({"prefix": {"k": {"value": "cm"}}}, [1]),
        ({"prefix": {"k": {"value": "CM", "case_insensitive": True}}}, [0, 1]),
        ({"prefix": {"k": {"value": "a*"}}}, [2]),
        ({"wildcard": {"k": {"value": "*.exe"}}}, [0, 1]),
        ({"wildcard": {"k": {"value": "c*E"}}}, []),
        ({"wildcard": {"k": {"value": "c*E", "case_insensitive": True}}}, [0, 1]),
        ({"wildcard": {"k": {"value": r"a\*b"}}}, [2]),
        ({"regexp": {"k": {"value": "[cC].*"}}}, [0, 1]),
        ({"regexp": {"w": {"value": "cmd", "case_insensitive": True}}}, [3]),
        ({"range": {"n": {"gt": 1, "lte": 9}}}, [1, 2]),
        ({"range": {"n": {"gte": 5}}}, [1, 2]),
        ({"range": {"n": {"lt": 5}}}, [0]),
        ({"term": {"ip": {"value": "10.0.0.0/8"}}}, [0]),
        ({"term": {"n": {"value": 5}}}, [1]),
        ({"exists": {"field": "w"}}, [3]),
        ({"term": {"nowhere": {"value": "x"}}}, []),
        ({"query_string": {"query": "k:cmd.exe OR w:C*"}}, [1, 3]),
        ({"bool": {"filter": [{"exists": {"field": "k"}}], "must_not": [{"term": {"n": 1}}]}}, [1, 2, 4]),
        ({"bool": {"must_not": {"exists": {"field": "k"}}}}, [3]),
        ({"bool": {"should": [{"term": {"n": 1}}, {"term": {"n": 5}}]}}, [0, 1]),
        # Beside a filter, should is optional unless a minimum is set.
        ({"bool": {"filter": [{"exists": {"field": "n"}}], "should": [{"term": {"n": 1}}]}}, [0, 1, 2]),
        (
            {
                "bool": {
                    "filter": [{"exists": {"field": "n"}}],
                    "should": [{"term": {"n": 1}}, {"term": {"n": 5}}],
                    "minimum_should_match": 1,
                }
            },
            [0, 1],
        ),
        (
            {"bool": {"should": [{"term": {"n": 1}}, {"exists": {"field": "t"}}], "minimum_should_match": 2}},
            [0],
        ),
        ({"bool": {}}, [0, 1, 2, 3, 4]),
    ],
    ids=str,
)
def test_dsl(query: dict[str, Any], ids: list[int]) -> None:
    text = json.dumps({"query": query})
    LuceneEngine().validate(text, {"i": COLUMNS})
    assert list(session(DOCS).run(text).events) == ids


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"query": {"fuzzy": {"k": {"value": "x"}}}}, r"no query \[fuzzy\]"),
        ({"query": {"term": {"k": {"value": "x", "boost": 2}}}}, r"no parameter \[boost\]"),
        ({"query": {"wildcard": {"n": {"value": "1*"}}}}, "Can only use wildcard queries"),
        ({"query": {"regexp": {"k": {"value": "("}}}}, "end-of-string"),
        ({"query": {"regexp": {"k": {"value": "a" * 1001}}}}, "length of regex"),
        ({"query": {"term": {"n": {"value": "x"}}}}, "failed to parse"),
        ({"query": {"a": 1, "b": 2}}, "one name"),
        ({"query": {"match_all": {}}, "size": 3}, "has the key 'query'"),
    ],
    ids=str,
)
def test_bad_dsl(body: dict[str, Any], message: str) -> None:
    for call in (session(DOCS).run, lambda text: LuceneEngine().validate(text, {"i": COLUMNS})):
        with pytest.raises(EngineError, match=message):
            call(json.dumps(body))


# Minutes, user, code. Runs at 0, 5, 10, ... minutes look back over 10 minutes here.
STREAM = [
    *[(1, "ann", "1"), (4, "ann", "3"), (9, "ann", "1"), (2, "bob", "1"), (14, "bob", "1")],
    *[(3, None, "1"), (3, None, "1"), (3, None, "1"), (20, "eve", "1"), (20, "eve", "1"), (21, "eve", "2")],
]


def threshold(**changes: Any) -> str:
    body = {
        "type": "threshold",
        "language": "lucene",
        "index": ["logs-*"],
        "query": "_exists_:code",
        "threshold": {"field": ["user"], "value": 2},
        "window": "5m",
        "from": "now-10m",
        "interval": "5m",
        **changes,
    }
    return json.dumps({key: value for key, value in body.items() if value is not None})


def rows(text: str, index: str = "logs-a-1") -> set[tuple[Any, ...]]:
    docs = [
        {"@timestamp": f"2026-01-01T00:{minute:02}:00Z", "code": code} | ({"user": user} if user else {})
        for minute, user, code in STREAM
    ]
    found = session(docs, index).run(text).rows
    return {(*row["group"].values(), row["count"], row["events"]) for row in found}


def test_threshold_counts_per_group_within_the_lookback() -> None:
    # ann: the run at 5 sees 1 and 4, that at 10 also 9, that at 15 only 9 (5 and later). bob: 12 apart.
    assert rows(threshold()) == {
        ("ann", 2, (0, 1)),
        ("ann", 3, (0, 1, 2)),
        ("eve", 2, (8, 9)),
        ("eve", 3, (8, 9, 10)),
    }


def test_threshold_cardinality_is_anded() -> None:
    distinct = [{"field": "code", "value": 2}]
    assert rows(threshold(threshold={"field": ["user"], "value": 1, "cardinality": distinct})) == {
        ("ann", 2, (0, 1)),
        ("ann", 3, (0, 1, 2)),
        ("eve", 3, (8, 9, 10)),
    }
    assert rows(threshold(threshold={"field": ["user"], "value": 4, "cardinality": distinct})) == set()


def test_threshold_counts_what_query_and_filters_select() -> None:
    kept = {
        "meta": {"negate": False},
        "query": {"term": {"user": {"value": "EVE", "case_insensitive": True}}},
    }
    barred = {"meta": {"negate": True}, "query": {"term": {"code": {"value": "2"}}}}
    assert rows(threshold(filters=[kept])) == {("eve", 2, (8, 9)), ("eve", 3, (8, 9, 10))}
    assert rows(threshold(filters=[kept, barred])) == {("eve", 2, (8, 9))}
    with pytest.raises(EngineError, match="a filter has a query"):
        rows(threshold(filters=[{"query": {"match_all": {}}}]))


def test_threshold_without_fields_counts_everything() -> None:
    found = rows(threshold(threshold={"field": [], "value": 7}))
    assert found == {(7, (0, 3, 5, 6, 7, 1, 2))}


def test_threshold_by_two_fields() -> None:
    assert rows(threshold(threshold={"field": ["user", "code"], "value": 2})) == {
        ("ann", "1", 2, (0, 2)),
        ("eve", "1", 2, (8, 9)),
    }


def test_threshold_searches_its_indices_only() -> None:
    assert rows(threshold(), index="winlogbeat-1") == set()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"type": "query"}, "type threshold"),
        ({"more": 1}, "no key 'more'"),
        ({"threshold": {"field": ["user"], "value": 0}}, "whole number from 1"),
        ({"threshold": {"field": list("abcdef"), "value": 1}}, "at most 5 fields"),
        ({"from": "10m"}, "now-"),
        ({"from": "now-1m"}, "at least the interval"),
        ({"interval": "5 minutes"}, "no duration"),
        ({"query": "("}, "Lucene"),
        ({"query": "nofield:1"}, "no index has a field"),
    ],
)
def test_bad_threshold(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(EngineError, match=message):
        LuceneEngine().validate(threshold(**changes), {"logs-a-1": COLUMNS})


def test_what_a_field_cannot_hold_is_not_indexed() -> None:
    """ignore_malformed of logs@settings: the document is kept, the field is as if missing."""
    malformed = session([{"n": "abc", "ip": "host", "k": "x"}, {"n": "5"}])
    assert malformed.run("k:x").events == (0,)
    assert malformed.run("_exists_:n OR _exists_:ip").events == (1,)


def test_strict_and_lenient() -> None:
    docs = [{"n": 5}]
    stored = [Stored(0, "i", doc) for doc in docs]
    for query in ("n:abc", "n:1*", "k:/(/", "ip:1.2.3"):
        with pytest.raises(EngineError, match="SC402"):
            LuceneEngine().load(stored, {"i": COLUMNS}).run(query)
        assert LuceneEngine(lenient=True).load(stored, {"i": COLUMNS}).run(query).events == ()


def test_too_many_clauses() -> None:
    clauses = " OR ".join(f"k:{number}" for number in range(1025))
    with pytest.raises(EngineError, match="too many clauses"):
        session(DOCS).run(clauses)


def test_ignore_above() -> None:
    stored = [Stored(0, "i", {"k": "a" * 1025, "w": "a" * 1025})]
    loaded = LuceneEngine(ignore_above=1024).load(stored, {"i": COLUMNS})
    assert loaded.run("k:a*").events == ()
    assert loaded.run("w:a*").events == (0,)


def test_an_index_without_columns() -> None:
    with pytest.raises(EngineError, match="no columns"):
        LuceneEngine().load([Stored(0, "other", {})], {"i": COLUMNS})
