"""What Elasticsearch documents of EQL, on the engine: one small index, queries, and the ids they return.

Sources: elastic/elasticsearch docs (eql-syntax, eql functions, limitations), querytranslator_tests.txt,
#76610 (missing fields under not).
"""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")

from converter.engines.eql import EqlEngine, EqlSession
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Column

COLUMNS = {
    "name": Column("keyword"),
    "path": Column("wildcard"),
    "pid": Column("long"),
    "score": Column("double"),
    "ok": Column("boolean"),
    "ip": Column("ip"),
    "at": Column("date"),
    "rare": Column("keyword", optional=True),
    "script": Column("match_only_text"),
    "body": Column("text"),
    "extra": Column("flattened"),
    "my-field": Column("keyword"),
}
TABLES = {"logs": COLUMNS}
DOCS: list[dict[str, Any]] = [
    {"event.category": "process", "name": "cmd.exe", "pid": 1, "ok": True, "ip": "10.0.0.1", "my-field": "x"},
    {
        "event.category": ["process", "network"],
        "name": ["CMD.exe", "b*d"],
        "pid": [2, 3],
        "ip": "::1",
        "path": "",
    },
    {"event.category": "network", "path": "a\\b\nc", "pid": 4, "ok": False, "score": 1.5, "rare": "r"},
    {"name": "ÄÖ", "at": "2026-01-01T00:00:00.123456Z", "ip": ["fe80::1", "192.168.1.9"]},
]


@pytest.fixture(scope="module")
def session() -> EqlSession:
    return EqlEngine().load([Stored(n, "logs", doc) for n, doc in enumerate(DOCS)], TABLES)


SELECTS: list[tuple[str, list[int]]] = [
    # Categories: arrays, `any`, and documents without one.
    ("process where true", [0, 1]),
    ("network where true", [1, 2]),
    ("any where true", [0, 1, 2, 3]),
    ("Process where true", []),
    # Case: == and in mind it, `:` and ~ do not; only ASCII letters fold.
    ('any where name == "cmd.exe"', [0]),
    ('any where name : "cmd.exe"', [0, 1]),
    ('any where name in ("cmd.exe", "x")', [0]),
    ('any where name in~ ("cmd.exe", "x")', [0, 1]),
    ('any where name in~ ("cmd*")', []),
    ('any where name like "cmd*"', [0]),
    ('any where name like~ "cmd*"', [0, 1]),
    ('any where name regex "cmd.*"', [0]),
    ('any where name regex~ "cmd.*"', [0, 1]),
    ('any where name : "äö"', []),
    ('any where name : "ÄÖ"', [3]),
    # A range of letters in a class keeps its case under ~; a class of single letters does not.
    ('any where name regex~ "[C][M][D].*"', [0, 1]),
    ('any where name regex~ "[a-z]+.exe"', [0]),
    # Wildcards: `?` is one character; a backslash is a backslash; * and ? cannot be escaped.
    ('any where name : "cmd?exe"', [0, 1]),
    ('any where name : "cmd.exe?"', []),
    ('any where path : "a\\\\b*"', [2]),
    ('any where path : "*b\\nc"', [2]),
    ('any where name == "b*d"', [1]),
    ('any where name : "b*d"', [1]),
    # Regexes match the whole value, and a dot is any character.
    ('any where path regex ".*b.c"', [2]),
    ('any where path regex "b"', []),
    ('any where name regex~ """b\\*d"""', [1]),
    # Missing fields: two-valued; `not` and != select them.
    ('any where not name : "cmd.exe"', [2, 3]),
    ('any where name != "cmd.exe"', [1, 2, 3]),
    ("any where not pid > 1", [0, 3]),
    ('any where not cidrMatch(ip, "10.0.0.0/8")', [1, 2, 3]),
    ("any where pid == null", [3]),
    ("any where pid != null", [0, 1, 2]),
    ("any where ok == null", [1, 3]),
    # An empty string is not null.
    ("any where path == null", [0, 3]),
    ('any where path == ""', [1]),
    # Arrays: any element, and two conditions may hit different ones.
    ("any where pid == 2 and pid == 3", [1]),
    ("any where pid > 1 and pid < 3", [1]),
    # Numbers, booleans, dates, addresses.
    ("any where pid in (1, 4)", [0, 2]),
    ("any where not pid in (1, 4)", [1, 3]),
    ("any where pid not in (1, 4)", [1, 3]),
    ("any where score == 1.5", [2]),
    ("any where score > -1e3", [2]),
    ("any where ok == true", [0]),
    ("any where ok", [0]),
    ("any where not ok", [1, 2, 3]),
    ('any where at >= "2026-01-01T00:00:00.123Z"', [3]),
    ('any where ip == "10.0.0.1"', [0]),
    ('any where ip == "0:0:0:0:0:0:0:1"', [1]),
    ('any where cidrMatch(ip, "192.168.0.0/16", "::1/128")', [1, 3]),
    ('any where cidrMatch(ip, "::/0")', [0, 1, 3]),
    ('any where string(pid) : "?"', [0, 1, 2]),
    ("any where length(name) == 2", [3]),
    # Optional fields: as others where an index maps them, else null, which is neither true nor false.
    ('any where ?rare : "R"', [2]),
    ('any where not ?rare : "R"', [0, 1, 3]),
    ('any where ?nowhere : "x"', []),
    ('any where not ?nowhere : "x"', []),
    ("any where ?nowhere == null", [0, 1, 2, 3]),
    ("any where ?nowhere != null", []),
    ('any where ?nowhere : "x" or pid == 1', [0]),
    ("any where ?nowhere", []),
    # Names, precedence, comments.
    ('any where `my-field` == "x"', [0]),
    ("any where pid == 1 or pid == 4 and ok == true", [0]),
    ("any where not (pid == 1 or pid == 4)", [1, 3]),
    ('// a comment "\n/* another */ any where pid == 1 // end', [0]),
    ('any where name : "\\u{63}md.exe"', [0, 1]),
    ("any where true | head 2", [0, 1]),
    ("any where true | tail 1", [3]),
]


@pytest.mark.parametrize(("query", "ids"), SELECTS, ids=[query for query, _ in SELECTS])
def test_selects(query: str, ids: list[int], session: EqlSession) -> None:
    assert sorted(session.run(query).events) == ids


REJECTED = [
    "any where unknown == 1",
    'any where rare : "x"',
    'any where script : "x"',
    'any where body == "x"',
    'any where extra : "x"',
    'any where pid : "1"',
    "any where pid : 1",
    'any where pid == "1"',
    "any where name == 1",
    "any where ok : true",
    'any where ok == "true"',
    'any where ip : "10.*"',
    'any where ip in ("10.0.0.1")',
    'any where ip == "10.0.0"',
    'any where name in ("a", 1)',
    "any where name like 1",
    'any where cidrMatch(name, "10.0.0.0/8")',
    'any where cidrMatch(ip, "10.0.0.0/99")',
    "any where name == path",
    "any where name",
    'any where "foo"',
    'any where name == "a\\*b"',
    'any where name == "a\nb"',
    "any where cs-uri == 1",
    "any where name = 1",
    'any where name == "a" and',
    'name == "a"',
    'any where startsWith(name, "c")',
    '"my category" where true',
    'any where name regex "("',
    "any where ip > 1",
    "sequence [any where true]",
    "sequence [any where true] with runs=1",
    "sequence [any where true] with runs=101",
    "sequence with maxspan=5 [any where true] [any where true]",
    "sequence [any where true] by pid [any where true]",
    "sequence by unknown [any where true] [any where true]",
    "sequence by body [any where true] [any where true]",
    "sequence with maxspan=1m [any where true] ![any where true]",
    "sample by pid [any where true] [any where true]",
    "any where true | count",
    "any where " + "not (" * 5000 + "true" + ")" * 5000,
]


@pytest.mark.parametrize("query", REJECTED, ids=lambda query: query[:70])
def test_rejects(query: str, session: EqlSession) -> None:
    with pytest.raises(EngineError) as error:
        session.run(query)
    assert error.value.code == "SC402"
    with pytest.raises(EngineError):
        EqlEngine().validate(query, TABLES)


def test_validate_knows_the_column_list() -> None:
    EqlEngine().validate("sequence by pid [any where ?rare == null] [process where true]", TABLES)
    # Elasticsearch takes a `?field` that nothing maps; a column list does not.
    with pytest.raises(EngineError, match="nowhere"):
        EqlEngine().validate("any where ?nowhere == null", TABLES)
    with pytest.raises(EngineError, match="nowhere"):
        EqlEngine().validate("sequence by ?nowhere [any where true] [any where true]", TABLES)


def test_field_of_two_types_is_ambiguous() -> None:
    with pytest.raises(EngineError, match="several types"):
        EqlEngine().validate("any where pid == 1", {**TABLES, "more": {"pid": Column("keyword")}})
    EqlEngine().validate('any where name == "a"', {**TABLES, "more": {"name": Column("wildcard")}})


def sequence(
    query: str, rows: list[tuple[Any, str, dict[str, Any]]], **options: Any
) -> list[tuple[int, ...]]:
    docs = [
        Stored(n, "logs", {"@timestamp": time, "event.category": kind, **doc})
        for n, (time, kind, doc) in enumerate(rows)
    ]
    return [row["events"] for row in EqlEngine(**options).load(docs, TABLES).run(query).rows]


PAIR = "sequence with maxspan=1s [a where true] [b where true]"


def test_sequence_consumes_events() -> None:
    assert sequence(PAIR, [(0, "a", {}), (1, "b", {}), (2, "b", {})]) == [(0, 1)]
    assert sequence(PAIR, [(0, "a", {}), (1, "a", {}), (2, "b", {}), (3, "b", {})]) == [(1, 2)]


def test_maxspan_is_inclusive_and_in_milliseconds() -> None:
    assert sequence(PAIR, [(0, "a", {}), (1000, "b", {})]) == [(0, 1)]
    assert sequence(PAIR, [(0, "a", {}), (1001, "b", {})]) == []


def test_a_sequence_that_takes_too_long_is_gone() -> None:
    rows = [(0, "a", {}), (10, "a", {}), (5000, "b", {}), (5001, "b", {})]
    assert sequence(PAIR, rows) == []


def test_order_is_strict_by_time_then_tiebreaker_then_position() -> None:
    assert sequence(PAIR, [(0, "b", {}), (0, "a", {})]) == []
    assert sequence(PAIR, [(0, "b", {"pid": 2}), (0, "a", {"pid": 1})], tiebreaker_field="pid") == [(1, 0)]
    assert sequence(PAIR, [("2026-01-01T00:00:01Z", "b", {}), ("2026-01-01T00:00:00.999Z", "a", {})]) == [
        (1, 0)
    ]


def test_join_keys() -> None:
    by = "sequence by name with maxspan=1s [a where true] [b where true]"
    assert sequence(by, [(0, "a", {"name": "x"}), (1, "b", {"name": "X"})]) == []
    assert sequence(by, [(0, "a", {}), (1, "b", {})]) == []
    assert sequence(by.replace("by name", "by ?rare"), [(0, "a", {}), (1, "b", {})]) == [(0, 1)]
    own = "sequence by pid [a where true] by name [b where true] by path"
    assert sequence(own, [(0, "a", {"pid": 1, "name": "x"}), (1, "b", {"pid": 1, "path": "x"})]) == [(0, 1)]
    assert sequence(own, [(0, "a", {"pid": 1, "name": "x"}), (1, "b", {"pid": 2, "path": "x"})]) == []


def test_runs_slide() -> None:
    runs = "sequence with maxspan=1s [a where true] with runs=3"
    assert sequence(runs, [(n, "a", {}) for n in range(5)]) == [(0, 1, 2), (1, 2, 3), (2, 3, 4)]


def test_timestamp_that_is_no_date() -> None:
    with pytest.raises(EngineError) as error:
        EqlEngine().load([Stored(0, "logs", {"@timestamp": "yesterday"})], TABLES)
    assert error.value.code == "SC403"
