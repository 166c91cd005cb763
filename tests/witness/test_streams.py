"""Witnesses of correlations: streams that tell every mistake about window, order, count and group."""

from __future__ import annotations

from typing import Any

import pytest

from converter.events import time_of
from converter.matcher import Matcher
from converter.witness import Stream, witnesses

CATEGORIES = {"a": "process_creation", "b": "network_connection", "c": "file_event"}
BASE = [
    {
        "title": name,
        "name": name,
        "logsource": {"product": "windows", "category": category},
        "detection": {"s": {"Image|endswith": f"\\{name}.exe"}, "condition": "s"},
    }
    for name, category in CATEGORIES.items()
]
FLAT = {
    "title": "f",
    "name": "f",
    "logsource": {"product": "okta"},
    "detection": {"s": {"act": "login"}, "condition": "s"},
}


def correlation(kind: str, *rules: str, name: str = "top", **section: Any) -> dict[str, Any]:
    given = {"type": kind, "rules": list(rules), "group-by": ["Computer"], "timespan": "10m", **section}
    return {"title": name, "name": name, "correlation": given}


def streams(top: dict[str, Any], *inner: dict[str, Any]) -> tuple[list[Any], list[Stream]]:
    rules = [*BASE, FLAT, *inner, top]
    return rules, witnesses(rules, top)


def marks(rules: list[Any], found: list[Stream]) -> list[set[Any]]:
    matcher = Matcher(rules)
    return [
        {(alert.group, alert.time_ms) for alert in matcher.run(stream.events) if alert.rule == "top"}
        for stream in found
    ]


BY_USER = {"group-by": ["user"]}
TOPS = {
    "count": correlation("event_count", "a", condition={"gte": 5}),
    "count of two": correlation("event_count", "a", "b", condition={"gt": 2}),
    "few": correlation("event_count", "a", condition={"lt": 3}),
    "exactly": correlation("event_count", "a", condition={"eq": 3}),
    "range": correlation("event_count", "a", condition={"gt": 10, "lte": 20}),
    "flat": correlation("event_count", "f", condition={"gte": 3}, **{"group-by": ["user", "ip"]}),
    "no group": correlation("event_count", "a", condition={"gte": 2}, **{"group-by": []}),
    "distinct": correlation("value_count", "a", condition={"field": "User", "gte": 4}),
    "distinct pairs": correlation("value_count", "a", condition={"field": ["User", "Image"], "gte": 3}),
    "sum": correlation("value_sum", "f", condition={"field": "bytes", "gte": 400}, **BY_USER),
    "average": correlation(
        "value_avg", "f", condition={"field": "bytes", "gt": 40}, **{"group-by": ["user"]}
    ),
    "percentile": correlation(
        "value_percentile",
        "f",
        condition={"field": "n", "percentile": 90, "gt": 40},
        **{"group-by": ["user"]},
    ),
    "temporal": correlation("temporal", "a", "b", "c"),
    "two of three": correlation("temporal", "a", "b", "c", condition={"gte": 2}),
    "boolean": correlation("temporal", "a", "b", condition="a and not b"),
    "ordered": correlation("temporal_ordered", "a", "b"),
    "ordered three": correlation("temporal_ordered", "a", "b", "c"),
    "aliases": correlation(
        "temporal_ordered",
        "c",
        "a",
        **{"group-by": ["file"], "aliases": {"file": {"c": "TargetFilename", "a": "Image"}}},
    ),
}


@pytest.mark.parametrize("name", TOPS, ids=str)
def test_enough_streams(name: str) -> None:
    rules, found = streams(TOPS[name])
    hits = marks(rules, found)
    assert sum(len(stream.events) for stream in found) >= 30
    assert sum(map(len, hits)) >= 5
    assert any(hits)
    assert sum(not hit for hit in hits) >= 3 or name == "few"
    assert len({stream.name for stream in found}) == len(found)
    assert hits[0], "the first stream is a plain hit"
    for stream in found:
        assert all(time_of(event) is not None for event in stream.events)


def changed(top: dict[str, Any], **section: Any) -> dict[str, Any]:
    return {**top, "correlation": {**top["correlation"], **section}}


MISTAKES: list[tuple[str, str, dict[str, Any]]] = [
    ("a longer window", "ordered", {"timespan": "601s"}),
    ("a shorter window", "ordered", {"timespan": "599s"}),
    ("a longer window of a count", "count", {"timespan": "601s"}),
    ("a shorter window of a count", "count", {"timespan": "599s"}),
    ("one less", "count", {"condition": {"gte": 4}}),
    ("one more", "count", {"condition": {"gte": 6}}),
    ("gt for gte", "count", {"condition": {"gt": 5}}),
    ("lte for lt", "few", {"condition": {"lte": 3}}),
    ("gte for lt", "few", {"condition": {"gte": 3}}),
    ("gte for eq", "exactly", {"condition": {"gte": 3}}),
    ("the upper end is lost", "range", {"condition": {"gt": 10}}),
    ("the lower end is lost", "range", {"condition": {"lte": 20}}),
    ("no order", "ordered", {"type": "temporal"}),
    ("the other order", "ordered", {"rules": ["b", "a"]}),
    ("order of three", "ordered three", {"rules": ["a", "c", "b"]}),
    ("an order", "temporal", {"type": "temporal_ordered"}),
    ("a step is lost", "ordered three", {"rules": ["a", "c"]}),
    ("a member is lost", "temporal", {"rules": ["a", "b"]}),
    ("any of three", "two of three", {"condition": {"gte": 1}}),
    ("all of three", "two of three", {"condition": {"gte": 3}}),
    ("not is lost", "boolean", {"condition": "a"}),
    ("no group", "ordered", {"group-by": []}),
    ("no group of a count", "count", {"group-by": []}),
    ("a key is lost", "flat", {"group-by": ["user"]}),
    ("another key", "ordered", {"group-by": ["ProcessGuid"]}),
    ("the alias is lost", "aliases", {"group-by": ["Image"], "aliases": {}}),
    ("events for values", "distinct", {"type": "event_count", "condition": {"gte": 4}}),
    ("another field", "distinct", {"condition": {"field": "Image", "gte": 4}}),
    ("one field of two", "distinct pairs", {"condition": {"field": "User", "gte": 3}}),
    ("sum off by one", "sum", {"condition": {"field": "bytes", "gt": 400}}),
    ("average for sum", "sum", {"type": "value_avg"}),
    ("sum for average", "average", {"type": "value_sum"}),
    ("average off by one", "average", {"condition": {"field": "bytes", "gte": 40}}),
    ("median for percentile", "percentile", {"type": "value_median", "condition": {"field": "n", "gt": 40}}),
    ("a rule less", "count of two", {"rules": ["a"]}),
]


@pytest.mark.parametrize(
    ("name", "section"), [case[1:] for case in MISTAKES], ids=[case[0] for case in MISTAKES]
)
def test_a_query_with_this_mistake_is_found_out(name: str, section: dict[str, Any]) -> None:
    rules, found = streams(TOPS[name])
    mistaken = [*rules[:-1], changed(TOPS[name], **section)]
    assert marks(rules, found) != marks(mistaken, found)


def fixed_bins(rules: list[Any], stream: Stream, span: int) -> set[Any]:
    """Alerts of a query that cuts time into fixed windows."""
    found: set[Any] = set()
    bins = {(time_of(event) or 0) // span for event in stream.events}
    for one in bins:
        inside = [event for event in stream.events if (time_of(event) or 0) // span == one]
        found |= {(a.group, a.time_ms) for a in Matcher(rules).run(inside) if a.rule == "top"}
    return found


@pytest.mark.parametrize("name", ["count", "distinct", "temporal", "ordered", "aliases"])
def test_fixed_windows_are_found_out(name: str) -> None:
    rules, found = streams(TOPS[name])
    assert marks(rules, found) != [fixed_bins(rules, stream, 600_000) for stream in found]


@pytest.mark.parametrize("name", ["ordered", "aliases", "ordered three"])
def test_order_of_arrival_is_found_out(name: str) -> None:
    rules, found = streams(TOPS[name])
    arrived = [
        Stream(s.name, tuple({**e, "UtcTime": None, "timestamp": n} for n, e in enumerate(s.events)))
        for s in found
    ]
    assert [bool(hit) for hit in marks(rules, found)] != [bool(hit) for hit in marks(rules, arrived)]


INNER = [
    correlation("temporal_ordered", "c", "a", name="inner", timespan="1m"),
    correlation("event_count", "a", name="inner", timespan="1m", condition={"gte": 3}),
]


@pytest.mark.parametrize("inner", INNER, ids=lambda one: one["correlation"]["type"])
@pytest.mark.parametrize("order", [("b", "inner"), ("inner", "b")], ids=str)
def test_correlations_of_correlations(inner: dict[str, Any], order: tuple[str, str]) -> None:
    top = correlation("temporal_ordered", *order, timespan="5m")
    rules, found = streams(top, inner)
    hits = marks(rules, found)
    assert hits[0]
    assert sum(map(len, hits)) >= 5
    for other in (changed(inner, timespan="61s"), changed(inner, timespan="59s")):
        assert marks([*BASE, FLAT, other, top], found) != hits
    assert marks([*BASE, FLAT, inner, changed(top, type="temporal")], found) != hits
    assert marks([*BASE, FLAT, inner, changed(top, **{"group-by": []})], found) != hits


def test_high_thresholds_keep_the_telling_streams() -> None:
    top = correlation("event_count", "a", condition={"gte": 1000})
    rules, found = streams(top)
    assert sum(map(len, marks(rules, found))) >= 5
    assert marks(rules, found) != marks([*rules[:-1], changed(top, condition={"gt": 1000})], found)
    assert sum(len(stream.events) for stream in found) <= 8000
