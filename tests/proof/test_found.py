"""What random streams found, each as a small case. The alerts are worked out by hand."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.errors import Refusal
from tests.proof.stream_rules import Chain, bases, correlation
from tests.proof.streams import compare, converted, expected

HOST = {"group-by": ["host"]}
START = 1_700_000_000_000


def inner(kind: str, rules: list[str], timespan: str, condition: Any = None, **more: Any) -> dict[str, Any]:
    return {**correlation(kind, rules, timespan, condition, **more), "title": "inner", "name": "inner"}


def rules(which: str, *correlations: dict[str, Any]) -> Chain:
    docs = [{key: value for key, value in doc.items() if key != "id"} for doc in bases(Random(1), which)]
    span = int(correlations[-1]["correlation"]["timespan"][:-1]) * 1000
    return Chain((*docs, *correlations), which, span)


def event(second: float, what: str = "", host: str = "x", **more: Any) -> dict[str, Any]:
    """An event that is of the kind `what`, and of the flags that it names after a comma."""
    kind, _, flags = what.partition(",")
    found = {"src": "one", "timestamp": START + round(second * 1000), "host": host, **more}
    return {**found, **({"kind": kind} if kind else {}), **{f"f{flag}": 1 for flag in flags}}


# Rules, events, seconds of the alerts, languages.
FOUND: dict[str, tuple[Chain, list[dict[str, Any]], set[float], str]] = {
    "the value of a chained value_count is the inner key": (
        rules(
            "apart",
            inner("event_count", ["a"], "4s", {"gte": 2}, **{"group-by": ["host", "user"]}),
            correlation("value_count", ["inner"], "90s", {"field": "user", "gte": 2}, **HOST),
        ),
        [event(t, "a", user=user) for t, user in ((1, "u"), (2, "u"), (3, "v"), (4, "v"), (5, "v"))],
        {4, 5},
        "kql spl",
    ),
    "an event without a key of the inner correlation takes no part": (
        rules(
            "apart",
            inner("event_count", ["a"], "90s", {"gte": 1}, **{"group-by": ["host", "user"]}),
            correlation("temporal_ordered", ["inner", "b"], "9s", **HOST),
        ),
        [event(1, "a"), event(2, "b"), event(20, "a", user="u"), event(21, "b")],
        {21},
        "eql kql spl",
    ),
    "percentiles are of numbers, not of texts": (
        rules(
            "apart",
            correlation("value_percentile", ["a"], "9s", {"field": "n", "percentile": 1, "eq": -2}, **HOST),
        ),
        [event(1, "a", n=-0.5), event(2, "a", n=-2), event(3, "a", n=10), event(4, "a", n=9)],
        {2, 3, 4},
        "kql spl",
    ),
    "sums of decimals": (
        rules("apart", correlation("value_sum", ["a"], "9s", {"field": "n", "eq": 0.3}, **HOST)),
        [event(1, "a", n=0.1), event(2, "a", n=0.2), event(3, "a", n=0.25)],
        {2},
        "kql spl",
    ),
    "averages of decimals": (
        rules("apart", correlation("value_avg", ["a"], "9s", {"field": "n", "lte": 0.1}, **HOST)),
        [event(t, "a", n=0.1) for t in (1, 2, 3)],
        {1, 2, 3},
        "kql spl",
    ),
    "a number and a text are one key": (
        rules(
            "apart",
            inner("event_count", ["a"], "4s", {"gte": 2}, **{"group-by": ["p"]}),
            correlation(
                "temporal_ordered",
                ["inner", "b"],
                "90s",
                aliases={"who": {"inner": "p", "b": "w"}},
                **{"group-by": ["who"]},
            ),
        ),
        [event(1, "a", p=1), event(2, "a", p=1), event(3, "b", w="1"), event(4, "b", w="2")],
        {3},
        "kql spl",
    ),
    "an event ends an alert and is the next rule": (
        rules(
            "flags",
            inner("temporal_ordered", ["a", "b"], "4s", **HOST),
            correlation("temporal_ordered", ["inner", "c"], "90s", **HOST),
        ),
        [event(1, ",a"), event(2, ",bc")],
        {2},
        "kql spl eql",
    ),
    "an event of both rules is an alert by itself": (
        rules("flags", correlation("temporal", ["a", "b"], "4s", **HOST)),
        [event(1, ",a"), event(9, ",ab"), event(20, ",b")],
        {9},
        "kql spl eql",
    ),
    "the latest part of the window that satisfies the condition begins an alert": (
        rules(
            "apart",
            inner("value_sum", ["a"], "9s", {"field": "n", "gte": 3}, **HOST),
            correlation("temporal_ordered", ["c", "inner"], "90s", **HOST),
        ),
        # At 3 the sum of the events at 2 and 3 is enough: the alert begins at 2, after c.
        [event(0, "a", n=1), event(1, "c"), event(2, "a", n=2), event(3, "a", n=1)],
        {3},
        "kql",
    ),
    "some of the rules, in order": (
        rules("flags", correlation("temporal_ordered", ["a", "b", "c"], "4s", {"eq": 2}, **HOST)),
        [event(1, ",a"), event(2, ",c"), event(3, ",ab"), event(4, ",c")],
        {2, 3},
        "kql spl",
    ),
}


@pytest.mark.parametrize(
    ("name", "language"), [(name, one) for name in FOUND for one in FOUND[name][3].split()]
)
def test_found(name: str, language: str) -> None:
    chain, events, seconds, _ = FOUND[name]
    wanted = {START + round(second * 1000) for second in seconds}
    assert {mark.time_ms for mark in expected(chain, events, language)} == wanted
    for order in (events, events[::-1]):
        problems, _, extras = compare(chain, converted(chain, language), [order])
        assert problems == []
        assert not extras


def test_eql_joins_keys_of_one_type() -> None:
    """Elasticsearch refuses others since 7.11 (elastic/elasticsearch, pull request 66183)."""
    top = correlation(
        "temporal_ordered", ["a", "b"], "4s", aliases={"who": {"a": "p", "b": "w"}}, **{"group-by": ["who"]}
    )
    with pytest.raises(Refusal, match=r"SC204.*port and word.*number, string.*KQL and SPL can"):
        converted(rules("apart", top), "eql")
