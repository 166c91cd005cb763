"""Correlations on the engine against the matcher: random streams for every type and operator, and edges."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.engines.kql import KqlEngine
from converter.errors import Refusal
from tests.backends.kql.streams import COLUMNS, EPOCH, base, correlation, expected, query, result, run

OPERATORS = ("gte", "gt", "lt", "lte", "eq", "neq")
A, B, C = (base(name) for name in "abc")
"""Rules that one event can match together."""
KA, KB, KC = (base(f"k{name}", {"kind": name}) for name in "abc")
"""Rules that exclude each other."""
INNER = (
    correlation("temporal_ordered", name="ordered", rules=["ka", "kb"], **{"group-by": ["host", "w"]}),
    correlation("event_count", {"gte": 2}, name="count", rules=["ka", "kb"]),
    correlation("temporal", name="both", rules=["ka", "kb"]),
    correlation("value_count", {"field": "w", "gte": 2}, name="distinct", rules=["ka"]),
    correlation("temporal", {"gte": 2}, name="two", rules=["ka", "kb", "kc"]),
    # The latest start of these is that of the latest part of the window that satisfies the condition.
    correlation("event_count", {"lte": 2}, name="few", rules=["ka", "kb"]),
    correlation("value_sum", {"field": "v", "gte": 2}, name="sum", rules=["ka"]),
    correlation("value_avg", {"field": "v", "lt": 1}, name="average", rules=["ka", "kb"]),
    correlation("value_percentile", {"field": "v", "eq": 1, "percentile": 50}, name="middle", rules=["ka"]),
    correlation("temporal", "ka and not kb", name="without", rules=["ka", "kb"]),
    correlation("temporal_ordered", {"lt": 2}, name="begun", rules=["ka", "kb"]),
)
DOCS = [A, B, C, KA, KB, KC, *INNER]


def _rules() -> list[dict[str, Any]]:
    rules = []
    for keys in ({"group-by": ["host"]}, {"group-by": []}, {"group-by": ["host", "w"]}):
        for op in OPERATORS:
            rules += [
                correlation("event_count", {op: 2}, **keys),
                correlation("value_count", {"field": "v", op: 2}, **keys),
                correlation("temporal", {op: 2}, rules=["a", "b", "c"], **keys),
                correlation("temporal_ordered", {op: 2}, rules=["ka", "kb", "kc"], **keys),
                correlation("temporal_ordered", {op: 2}, rules=["a", "b", "c"], **keys),
                correlation("value_sum", {"field": "v", op: 1}, **keys),
                correlation("value_avg", {"field": "v", op: 1}, **keys),
                correlation("value_percentile", {"field": "v", op: 1, "percentile": 40}, **keys),
            ]
        rules += [
            correlation("value_median", {"field": "v", "gte": 1}, **keys),
            correlation("temporal_ordered", rules=["ka", "kb", "kc"], **keys),
            correlation("temporal_ordered", rules=["ka", "kb"], **keys),
            correlation("temporal_ordered", rules=["a", "b"], **keys),
            correlation("temporal_ordered", rules=["a", "b", "c"], **keys),
            correlation("temporal", rules=["ka", "kb"], **keys),
            correlation("temporal", "a and not b", rules=["a", "b"], **keys),
            correlation("temporal", "a or b and c", rules=["a", "b", "c"], **keys),
            correlation("event_count", {"gt": 1, "lte": 3}, **keys),
            correlation("event_count", {"gte": 3}, rules=["ka", "kb"], **keys),
            correlation("value_count", {"field": ["v", "w"], "gte": 3}, **keys),
        ]
    for inner in INNER:
        for keys in ({"group-by": []}, {"group-by": ["host"]}):
            name = inner["name"]
            rules += [
                correlation("temporal_ordered", rules=["kc", name], **keys),
                correlation("temporal_ordered", rules=[name, "kc"], **keys),
                correlation("temporal_ordered", {"gte": 1}, rules=[name, "kc"], **keys),
                correlation("temporal", rules=[name, "kc"], **keys),
                correlation("event_count", {"gte": 2}, rules=[name], **keys),
                correlation("event_count", {"lt": 2}, rules=[name, "kc"], **keys),
            ]
    return rules


def _label(rule: dict[str, Any]) -> str:
    section = rule["correlation"]
    parts = [section["type"], section.get("condition", ""), section["rules"], section["group-by"]]
    return " ".join(str(part) for part in parts)


EVENT = st.fixed_dictionaries(
    {
        "timestamp": st.integers(0, 14).map(lambda second: EPOCH + second * 1000),
        "kind": st.sampled_from("abcd"),
        "kinds": st.sampled_from(["a", "b", "c", "ab", "abc", ""]),
    },
    optional={
        "host": st.sampled_from("xxyX"),
        "v": st.integers(-2, 3),
        "w": st.sampled_from("12"),
    },
)


def _flat(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**{key: value for key, value in event.items() if key != "kinds"}, **dict.fromkeys(event["kinds"], 1)}
        for event in stream
    ]


@pytest.mark.parametrize("rule", _rules(), ids=_label)
def test_streams(rule: dict[str, Any]) -> None:
    draft = query(rule, DOCS)
    KqlEngine().validate(draft.text, {"Events": COLUMNS})

    @settings(max_examples=3, deadline=None, derandomize=True, database=None)
    @given(st.lists(EVENT, min_size=3, max_size=12).map(_flat))
    def check(stream: list[dict[str, Any]]) -> None:
        assert run(draft, stream) == expected(rule, DOCS, stream), draft.text

    check()


def at(*events: tuple[float, str], host: str = "x") -> list[dict[str, Any]]:
    """Events of a kind at seconds after the epoch of the tests."""
    return [
        {"timestamp": EPOCH + round(t * 1000), "kind": kind, "host": host, "w": "1"} for t, kind in events
    ]


PAIR = correlation("temporal_ordered", rules=["ka", "kb"])
COUNT = correlation("event_count", {"gte": 3}, rules=["ka"])
BOTH = correlation("temporal", rules=["ka", "kb"])


@pytest.mark.parametrize(
    ("rule", "stream", "alerts"),
    [
        pytest.param(PAIR, at((0, "a"), (4, "b")), 1, id="ordered on the edge"),
        pytest.param(PAIR, at((0, "a"), (4.001, "b")), 0, id="ordered one millisecond outside"),
        pytest.param(PAIR, at((1, "b"), (2, "a")), 0, id="ordered the other way"),
        pytest.param(PAIR, at((1, "b"), (1, "a")), 1, id="ordered at one time"),
        pytest.param(PAIR, at((3.9, "a"), (4.1, "b")), 1, id="ordered across a bin"),
        pytest.param(PAIR, at((0, "a")) + at((1, "b"), host="X"), 0, id="keys compare verbatim"),
        pytest.param(PAIR, at((0, "a"), (1, "b"), (2, "b")), 2, id="every completing time"),
        pytest.param(PAIR, at((0, "a"), (1, "b"), (1, "b")), 1, id="one alert for one time"),
        pytest.param(COUNT, at((0, "a"), (2, "a"), (4, "a")), 1, id="count on the edge"),
        pytest.param(COUNT, at((0, "a"), (2, "a"), (4.001, "a")), 0, id="count one millisecond outside"),
        pytest.param(COUNT, at((3, "a"), (3.9, "a"), (4.1, "a")), 1, id="count across a bin"),
        pytest.param(COUNT, at((1, "a"), (1, "a"), (1, "a")), 1, id="count at one time"),
        pytest.param(COUNT, at((1, "a"), (2, "a")), 0, id="count one short"),
        pytest.param(BOTH, at((1, "b"), (5, "a")), 1, id="temporal on the edge"),
        pytest.param(BOTH, at((1, "b"), (5.001, "a")), 0, id="temporal one millisecond outside"),
    ],
)
def test_edges(rule: dict[str, Any], stream: list[dict[str, Any]], alerts: int) -> None:
    for order in (stream, stream[::-1]):
        found = run(query(rule, DOCS), order)
        assert len(found) == alerts
        assert found == expected(rule, DOCS, order)


def test_no_group_field_no_part() -> None:
    stream = [{"timestamp": EPOCH, "kind": kind} for kind in "ab"]
    assert run(query(PAIR, DOCS), stream) == set()


def test_aliases() -> None:
    rule = correlation(
        "temporal_ordered",
        rules=["ka", "kb"],
        aliases={"who": {"ka": "host", "kb": "peer"}},
        **{"group-by": ["who"]},
    )
    stream = [
        {"timestamp": EPOCH, "kind": "a", "host": "x", "peer": "y"},
        {"timestamp": EPOCH + 1000, "kind": "b", "host": "y", "peer": "x"},
        {"timestamp": EPOCH + 2000, "kind": "b", "host": "x", "peer": "z"},
    ]
    assert run(query(rule, DOCS), stream) == {(("x",), EPOCH + 1000)} == expected(rule, DOCS, stream)


def test_the_rules_fields_are_those_of_the_completing_event() -> None:
    rule = {**PAIR, "fields": ["v", "peer"]}
    draft = query(rule, DOCS)
    stream = at((0, "a"), (1, "b"))
    stream[0] |= {"v": 1, "peer": "first"}
    stream[1] |= {"v": 2, "peer": "last"}
    (row,) = result(draft, stream)
    assert (row["host"], row["v"], row["peer"], row["EventCount"]) == ("x", 2, "last", 2)
    assert row["LastTime"].timestamp() - row["FirstTime"].timestamp() == 1


def test_refused() -> None:
    rule = correlation("temporal_ordered", {"gt": 2}, rules=["ka", "kb"])
    with pytest.raises(Refusal, match="never alert"):
        query(rule, DOCS)


def test_nothing_is_estimated_or_binned() -> None:
    for rule in _rules():
        text = query(rule, DOCS).text
        assert not any(word in text for word in ("dcount", "percentile(", "serialize", "scan", "partition"))
        # A bin is only ever the key of a join, beside the exact window.
        assert (
            "bin(" not in text or "where Seen between" in text or "Time1 between" in text or "Start" in text
        )
