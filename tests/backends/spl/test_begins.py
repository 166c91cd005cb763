"""When alerts that feed another correlation began, and orders of rules that one event can match."""

from __future__ import annotations

import random
from typing import Any

import pytest

from converter.errors import Refusal
from tests.backends.spl.test_streams import (
    APART,
    BASES,
    OVERLAPPING,
    START_MS,
    base,
    correlation,
    events,
    expected,
    query,
    run,
)

# What begins an alert of these is no matter of counting back.
INNER = {
    "few": correlation("event_count", {"lt": 3}, timespan="3s"),
    "not three": correlation("event_count", {"gte": 2, "neq": 3}, timespan="3s"),
    "two": correlation("event_count", {"eq": 2}, timespan="3s", **{"group-by": ["host", "w"]}),
    "distinct": correlation("value_count", {"field": "v", "gte": 2}, timespan="3s", rules=["a"]),
    "sum": correlation("value_sum", {"field": "v", "gte": 3}, timespan="3s"),
    "average": correlation("value_avg", {"field": "v", "lt": 1.5}, timespan="3s"),
    "percentile": correlation("value_percentile", {"field": "v", "percentile": 60, "neq": 1}, timespan="3s"),
    "median": correlation("value_median", {"field": "v", "gt": 1}, timespan="3s"),
    "without": correlation("temporal", "a and not b", timespan="3s"),
    "either": correlation("temporal", "a or not b", timespan="3s"),
    "one": correlation("temporal", {"lt": 2}, timespan="3s"),
}
ALONE = correlation("temporal_ordered", rules=["inner"], timespan="9s")
OUTER = {
    "alone": ALONE,
    "after": correlation("temporal_ordered", rules=["c", "inner"], timespan="5s"),
    "between": correlation("temporal_ordered", rules=["c", "inner", "b"], timespan="7s"),
    "some": correlation("temporal_ordered", {"gte": 2}, rules=["c", "inner", "b"], timespan="7s"),
}
GAP_MS = 1_000_000
"""Between streams that are searched together: no window reaches from one into another."""


def below(rule: dict[str, Any], name: str = "inner") -> dict[str, Any]:
    return {**rule, "title": name, "name": name}


def agree(rules: list[dict[str, Any]], streams: list[list[dict[str, Any]]], *, begin: bool) -> int:
    """Compare group, end and, if said, begin of all alerts; return how many there are."""
    text, alert = query(rules)
    flat = events(
        [{**event, "t": event["t"] + number * GAP_MS} for number, one in enumerate(streams) for event in one]
    )
    length = 3 if begin else 2
    wanted = sorted(one[:length] for one in expected(rules, flat))
    assert sorted(one[:length] for one in run(text, alert, flat)) == wanted, text
    return len(wanted)


def some(seed: str, count: int, kinds: tuple[str, ...]) -> list[list[dict[str, Any]]]:
    """Streams of up to 12 events within ten seconds, many at one time, not in their order."""
    generator = random.Random(seed)
    return [
        [
            {
                "t": generator.randrange(10) * 1000 + generator.choice((0, 0, 1)),
                "kinds": generator.choice(kinds),
                **({"host": "x"} if generator.random() < 0.9 else {}),
                **({"v": generator.randrange(3)} if generator.random() < 0.9 else {}),
                "w": generator.choice("12"),
            }
            for _ in range(generator.randrange(2, 12))
        ]
        for _ in range(count)
    ]


@pytest.mark.parametrize("bases", ["overlapping", "apart"])
@pytest.mark.parametrize("outer", OUTER)
@pytest.mark.parametrize("inner", INNER)
def test_random_streams(bases: str, inner: str, outer: str) -> None:
    kinds = ("a", "b", "c", "c", "ab", "bc") if bases == "overlapping" else ("a", "b", "c", "c")
    rules = [*BASES[bases], below(INNER[inner]), OUTER[outer]]
    assert agree(rules, some(f"{inner}{outer}", 60, kinds), begin=True) > 5


@pytest.mark.parametrize(
    ("inner", "moments", "found"),
    [
        pytest.param("sum", [(0, "a", 1), (3, "a", 2)], [(3, 0)], id="sum on the edge"),
        pytest.param("sum", [(0, "a", 1), (3.001, "a", 2)], [], id="sum a millisecond outside"),
        pytest.param("sum", [(0, "a", 1), (1, "a", 1)], [], id="sum one below"),
        pytest.param("sum", [(0, "a", 2), (1, "a", 1), (2, "a", 2)], [(1, 0), (2, 1)], id="the shortest"),
        pytest.param("sum", [(0, "a", 9), (1, "a", -7), (2, "a", 3)], [(0, 0), (2, 2)], id="sum, negative"),
        pytest.param("sum", [(1, "a", 1), (1, "b", 2)], [(1, 1)], id="sum of a tie"),
        pytest.param("sum", [(1, "a", 2), (2, "c", 2), (2.5, "a", 1)], [(2.5, 1)], id="sum, other rules"),
        pytest.param("average", [(0, "a", 2), (1, "a", 0)], [(1, 1)], id="average of a part"),
        pytest.param("average", [(0, "a", 0), (1, "a", 2)], [(0, 0), (1, 0)], id="average of the whole"),
        pytest.param("distinct", [(0, "a", 1), (1, "a", 2), (2, "a", 2)], [(1, 0), (2, 0)], id="distinct"),
        pytest.param("distinct", [(0, "a", 1), (1, "a", 2), (2, "a", 1)], [(1, 0), (2, 1)], id="again"),
        pytest.param("few", [(0, "a", 1), (1, "a", 1), (2, "a", 1)], [(0, 0), (1, 1)], id="few"),
        pytest.param("not three", [(0, "a", 1), (1, "a", 1), (1, "b", 1)], [], id="not three"),
        pytest.param("either", [(0, "a", 1), (2, "b", 1)], [(0, 0), (2, 0)], id="a rule seen before"),
        pytest.param("either", [(0, "a", 1), (3.001, "b", 1)], [(0, 0)], id="a rule no longer seen"),
    ],
)
def test_by_hand(inner: str, moments: Any, found: list[tuple[float, float]]) -> None:
    stream = [{"t": round(t * 1000), "kinds": kind, "host": "x", "v": v} for t, kind, v in moments]
    rules = [*APART, below(INNER[inner]), ALONE]
    text, alert = query(rules)
    for order in (stream, stream[::-1]):
        agree(rules, [order], begin=True)
        rows = sorted(one[1:] for one in run(text, alert, events(order)))
        assert [((end - START_MS) / 1000, (begin - START_MS) / 1000) for end, begin in rows] == found


def test_a_missing_key_or_value_is_no_part() -> None:
    rules = [*APART, below(INNER["sum"]), ALONE]
    for lost in ("host", "v"):
        stream = [{"t": t, "kinds": "a", "host": "x", "v": 2} for t in (0, 1000, 2000)]
        del stream[1][lost]
        assert agree(rules, [stream], begin=True) == 1
        del stream[0][lost]
        assert agree(rules, [stream], begin=True) == 0


@pytest.mark.parametrize("names", ["abcde", "fedcba"])
def test_orders_of_rules_that_one_event_can_match(names: str) -> None:
    """Up to six; an instant has a distinct event for each."""
    rules = [base(name, {name: 1}) for name in "abcdef"]
    top = correlation("temporal_ordered", rules=list(names))
    generator = random.Random(5)
    streams = [
        [
            {
                "t": generator.randrange(5) * 1000,
                "kinds": "".join(one for one in "abcdef" if generator.random() < 0.5),
                "host": "x",
            }
            for _ in range(generator.randrange(3, 12))
        ]
        for _ in range(60)
    ]
    assert agree([*rules, top], streams, begin=True) > 10
    with pytest.raises(Refusal, match="up to 6"):
        query([*rules, base("g", {"g": 1}), correlation("temporal_ordered", rules=list("abcdefg"))])


@pytest.mark.parametrize("kind", ["order", "sum"])
def test_two_correlations_below_one(kind: str) -> None:
    """The events of the second are not merged in the first one's turn."""
    first = below(correlation("event_count", {"gte": 2}, rules=["a"], timespan="3s"), "first")
    order = correlation("temporal_ordered", rules=["b", "c"])
    second = below(order if kind == "order" else INNER["sum"], "second")
    for top in (
        correlation("temporal", rules=["first", "second"]),
        # AND binds tighter than OR.
        correlation("temporal", "first or not second", rules=["first", "second"]),
        correlation("event_count", {"gte": 2}, rules=["first", "second"]),
    ):
        streams = some(kind, 40, ("a", "b", "bc", "ab", "c"))
        assert agree([*OVERLAPPING, first, second, top], streams, begin=False) > 5
