"""Correlations on the engine against the matcher: random streams for every type and operator, and edges."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from converter.engines.kql import KqlEngine
from converter.errors import Refusal
from converter.plan.columns import Column
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
CROSSED = {"aliases": {"who": {"a": "host", "b": "peer", "c": "host"}}, "group-by": ["who"]}
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
    for kind, condition in (
        ("event_count", {"gte": 2}),
        ("event_count", {"lte": 2}),
        ("value_sum", {"field": "v", "gte": 2}),
        ("value_avg", {"field": "v", "lt": 1}),
        ("value_percentile", {"field": "v", "eq": 1, "percentile": 50}),
        ("value_count", {"field": "v", "gte": 2}),
        ("temporal", None),
        ("temporal_ordered", None),
    ):
        # An event that both rules match belongs to two groups, or to one of which it is one event.
        rules.append(correlation(kind, condition, **CROSSED))
        rules.append(correlation(kind, condition, **{**CROSSED, "rules": ["a", "b", "c"]}))
    for name in ("ordered", "few"):
        # Rules that one event can match beside an alert, in an order and counted.
        rules += [
            correlation("temporal_ordered", rules=["a", name, "b"]),
            correlation("temporal_ordered", {"gte": 2}, rules=["a", "b", name]),
            correlation("temporal_ordered", {"eq": 2}, rules=["a", name, "b"], **{"group-by": []}),
            correlation("event_count", {"gte": 3}, rules=["a", name, "b"]),
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


APART = 1_000_000
"""Milliseconds between streams of one load: no window reaches from one into another."""


def _streams(random: Random, count: int) -> list[dict[str, Any]]:
    """Streams of 3 to 12 events within 15 seconds, one after another."""
    events = []
    for number in range(count):
        for _ in range(random.randint(3, 12)):
            event = {
                "timestamp": EPOCH + number * APART + random.randrange(15) * 1000,
                "kind": random.choice("abcd"),
                **dict.fromkeys(random.choice(["a", "b", "c", "ab", "abc", ""]), 1),
            }
            optional = {
                "host": random.choice("xxyX"),
                "peer": random.choice("xxy"),
                "v": random.randint(-2, 3),
                "w": random.choice("12"),
            }
            event |= {key: value for key, value in optional.items() if random.random() < 0.8}
            events.append(event)
    random.shuffle(events)
    return events


@pytest.mark.parametrize("rule", _rules(), ids=_label)
def test_streams(rule: dict[str, Any]) -> None:
    draft = query(rule, DOCS)
    KqlEngine().validate(draft.text, {"Events": COLUMNS})
    stream = _streams(Random(_label(rule)), 12)
    found = run(draft, stream)
    assert found == expected(rule, DOCS, stream), draft.text


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


def both(t: float, host: str, peer: str) -> dict[str, Any]:
    return {"timestamp": EPOCH + round(t * 1000), "a": 1, "b": 1, "host": host, "peer": peer, "v": 1}


@pytest.mark.parametrize(
    ("condition", "stream", "groups"),
    [
        pytest.param({"gte": 2}, [both(0, "x", "x")], "", id="one event of both rules is one"),
        pytest.param({"gte": 2}, [both(0, "x", "x"), both(0, "x", "x")], "x", id="a tie is two"),
        pytest.param({"gte": 2}, [both(0, "x", "x"), both(4, "x", "x")], "x", id="on the edge"),
        pytest.param({"gte": 2}, [both(0, "x", "x"), both(4.001, "x", "x")], "", id="a millisecond outside"),
        pytest.param({"gte": 2}, [both(1, "y", "x"), both(0, "x", "y")], "xy", id="both in both groups"),
        pytest.param({"gte": 2}, [both(1, "y", ""), both(0, "", "y")], "y", id="a missing key"),
        pytest.param({"gte": 3}, [both(1, "y", "x"), both(0, "x", "y")], "", id="one short"),
        pytest.param({"eq": 1}, [both(0, "x", "x")], "x", id="one and not two"),
    ],
)
def test_one_event_under_two_keys(condition: Any, stream: list[dict[str, Any]], groups: str) -> None:
    rule = correlation("event_count", condition, **CROSSED)
    for order in (stream, stream[::-1]):
        present = [{key: value for key, value in event.items() if value != ""} for event in order]
        found = run(query(rule, DOCS), present)
        assert "".join(sorted(group for (group,), _ in found)) == groups
        assert found == expected(rule, DOCS, present)
    summed = correlation("value_sum", {"field": "v", **condition}, **CROSSED)
    assert run(query(summed, DOCS), present) == found


def test_the_rules_fields_are_those_of_the_completing_event() -> None:
    rule = {**PAIR, "fields": ["v", "peer"]}
    draft = query(rule, DOCS)
    stream = at((0, "a"), (1, "b"))
    stream[0] |= {"v": 1, "peer": "first"}
    stream[1] |= {"v": 2, "peer": "last"}
    (row,) = result(draft, stream)
    assert (row["host"], row["v"], row["peer"], row["EventCount"]) == ("x", 2, "last", 2)
    assert row["LastTime"].timestamp() - row["FirstTime"].timestamp() == 1


@pytest.mark.parametrize("rules", [["ka", "kb", "kc"], ["a", "b", "c"]])
@pytest.mark.parametrize("condition", [{"gte": 2}, {"eq": 2}])
def test_so_of_some_of_the_rules_in_order(rules: list[str], condition: dict[str, int]) -> None:
    draft = query({**correlation("temporal_ordered", condition, rules=rules), "fields": ["v"]}, DOCS)
    stream = at((0, "a"), (1, "b"))
    stream[0] |= {"v": 1, "a": 1}
    stream[1] |= {"v": 2, "b": 1}
    (row,) = result(draft, stream)
    assert row["v"] == 2


def test_refused() -> None:
    rule = correlation("temporal_ordered", {"gt": 2}, rules=["ka", "kb"])
    with pytest.raises(Refusal, match="never alert"):
        query(rule, DOCS)


@pytest.mark.parametrize("kind", ["bool", "datetime"])
@pytest.mark.parametrize("type_", ["value_sum", "value_avg", "value_median"])
@pytest.mark.parametrize("chained", [False, True])
def test_what_is_no_number_is_not_added_up(
    monkeypatch: pytest.MonkeyPatch, kind: str, type_: str, chained: bool
) -> None:
    """`toreal(true)` is 1 in Kusto; to the matcher a boolean is no number."""
    monkeypatch.setitem(COLUMNS, "flag", Column(kind))
    inner = correlation("event_count", {"gte": 1}, name="inner", rules=["ka"], **{"group-by": ["flag"]})
    keys = ["flag"] if chained else ["host"]
    rules = ["inner" if chained else "ka"]
    rule = correlation(type_, {"field": "flag", "gte": 1}, rules=rules, **{"group-by": keys})
    with pytest.raises(Refusal, match=f"SC204 'flag' is of type {kind}"):
        query(rule, [*DOCS, inner])


def test_nothing_is_estimated_or_binned() -> None:
    for rule in _rules():
        text = query(rule, DOCS).text
        assert not any(word in text for word in ("dcount", "percentile(", "serialize", "scan", "partition"))
        # A bin is only ever the key of a join, beside the exact window.
        assert (
            "bin(" not in text or "where Seen between" in text or "Time1 between" in text or "Start" in text
        )
