"""The engine against brute force, on random streams: same alerts, same windows."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.matcher import Matcher
from tests.matcher.oracle import Thing, alerts

BASE = {
    name: {
        "title": name,
        "name": name,
        "logsource": {"category": "t"},
        "detection": {"s": {name: 1}, "condition": "s"},
    }
    for name in ("a", "b", "c")
}


def correlation(kind: str, condition: Any = None, **more: Any) -> dict[str, Any]:
    section = {"type": kind, "rules": ["a", "b"], "group-by": ["host"], "timespan": "4s", **more}
    if condition is not None:
        section["condition"] = condition
    return {"title": "top", "name": "top", "correlation": section}


EVENT = st.fixed_dictionaries(
    {"t": st.integers(0, 14), "kinds": st.sampled_from(["a", "a", "b", "b", "c", "ab", "abc", ""])},
    optional={
        "host": st.sampled_from(["x", "y", "X"]),
        "v": st.integers(-2, 3),
        "w": st.sampled_from(["1", "2"]),
    },
)
STREAM = st.lists(EVENT, max_size=14)


def flat(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    found = []
    for event in stream:
        fields = {key: event[key] for key in ("host", "v", "w") if key in event}
        found.append({**fields, **dict.fromkeys(event["kinds"], 1), "timestamp": 10**12 + event["t"] * 1000})
    return found


def expected(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> set[Any]:
    things = [
        Thing(
            e["timestamp"],
            e["timestamp"],
            tuple(e.items()),
            frozenset(k for k in "abc" if e.get(k) == 1),
            (number,),
        )
        for number, e in enumerate(events)
    ]
    found: list[Any] = []
    for rule in rules:
        found = alerts(rule, things)
        things += [thing for _, thing in found]
    ordered = any(rule["correlation"]["type"] == "temporal_ordered" for rule in rules)
    return {(g, thing.end, thing.start, () if ordered else thing.positions) for g, thing in found}


class Spy(Matcher):
    """Also keeps the start of each alert, which only correlations above would see."""

    def _alert(self, doc: Any, timespan_ms: int, raised: Any) -> Any:
        self.raised.append((doc["name"], raised))
        return super()._alert(doc, timespan_ms, raised)


def actual(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> set[Any]:
    matcher = Spy([*BASE.values(), *rules])
    matcher.raised = []
    found = [alert for alert in matcher.run(events) if alert.rule == "top"]
    keys = [(alert.group, alert.time_ms) for alert in found]
    assert len(keys) == len(set(keys)), "one alert for each rule, group and time"
    top = [raised for name, raised in matcher.raised if name == "top"]
    assert sorted(keys) == sorted((raised.group, raised.time) for raised in top)
    ordered = any(rule["correlation"]["type"] == "temporal_ordered" for rule in rules)
    return {(r.group, r.time, r.hit.start(), () if ordered else r.hit.positions) for r in top}


OPERATORS = [{op: n} for op in ("gt", "gte", "lt", "lte", "eq", "neq") for n in (1, 2)]
RANGES = [{"gt": 1, "lte": 3}, {"gte": 2, "neq": 3}]
SIMPLE = [
    *(correlation("event_count", c) for c in [*OPERATORS, *RANGES]),
    *(correlation("value_count", {"field": "v", **c}) for c in [*OPERATORS, *RANGES]),
    correlation("value_count", {"field": ["v", "w"], "gte": 2}),
    *(correlation("value_sum", {"field": "v", **c}) for c in [*OPERATORS, *RANGES]),
    *(correlation("value_avg", {"field": "v", **c}) for c in [*OPERATORS, {"gt": 0.5, "lte": 1.25}]),
    *(correlation("value_percentile", {"field": "v", "percentile": p, "gte": 2}) for p in (10, 50, 90, 100)),
    correlation("value_median", {"field": "v", "eq": 1}),
    correlation("temporal"),
    correlation("temporal", rules=["a", "b", "c"]),
    correlation("temporal", {"gte": 2}, rules=["a", "b", "c"]),
    correlation("temporal", {"eq": 2}, rules=["a", "b", "c"]),
    correlation("temporal", "a and not b"),
    correlation("temporal", "a and (b or not c)", rules=["a", "b", "c"]),
    correlation("temporal", **{"group-by": []}),
    correlation("temporal", **{"group-by": ["host", "w"]}),
    correlation("temporal", **{"group-by": ["k"], "aliases": {"k": {"a": "host", "b": "w"}}}),
    correlation("event_count", {"gte": 2}, **{"group-by": ["k"], "aliases": {"k": {"a": "host", "b": "w"}}}),
    correlation("temporal_ordered"),
    correlation("temporal_ordered", rules=["b", "a"]),
    correlation("temporal_ordered", {"gte": 1}),
    correlation("temporal_ordered", **{"group-by": []}),
]


@pytest.mark.parametrize(
    "rule", SIMPLE, ids=lambda r: f"{r['correlation']['type']}-{r['correlation'].get('condition')}"
)
@settings(max_examples=60, derandomize=True, deadline=None)
@given(stream=STREAM)
def test_one_correlation(rule: dict[str, Any], stream: list[dict[str, Any]]) -> None:
    events = flat(stream)
    assert actual([rule], events) == expected([rule], events)


@pytest.mark.parametrize("condition", [None, {"gte": 2}, {"eq": 2}, {"lte": 2}], ids=str)
@settings(max_examples=150, derandomize=True, deadline=None)
@given(
    stream=st.lists(
        st.tuples(st.integers(0, 3), st.sampled_from(["a", "b", "c", "ab", "bc", "abc"])), max_size=5
    )
)
def test_three_in_order(condition: Any, stream: list[tuple[int, str]]) -> None:
    events = flat([{"t": t, "kinds": kinds, "host": "x"} for t, kinds in stream])
    rule = correlation("temporal_ordered", condition, rules=["a", "b", "c"], timespan="8s")
    assert actual([rule], events) == expected([rule], events)


# Few hosts and no gaps: most streams raise alerts.
DENSE = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.integers(0, 9),
            "kinds": st.sampled_from(["a", "b", "c", "ab", "bc"]),
            "host": st.just("x"),
            "v": st.integers(0, 2),
        }
    ),
    max_size=9,
    # Which of several events of one time completes an alert is open: here they do not differ in it.
).map(lambda stream: [{**event, "w": "2" if event["t"] % 4 == 1 else "1"} for event in stream])
INNER = [
    correlation("event_count", {"gte": 2}, timespan="3s"),
    correlation("value_count", {"field": "v", "gte": 2}, timespan="3s"),
    correlation("temporal", timespan="3s"),
    correlation("temporal_ordered", timespan="3s"),
    correlation("temporal_ordered", timespan="3s", **{"group-by": ["host", "w"]}),
]
INNER.append(correlation("event_count", {"gte": 2}, timespan="6s", **{"group-by": ["host", "w"]}))
OUTER = [
    correlation("event_count", {"gte": 1}, rules=["inner"], timespan="9s"),
    correlation("temporal_ordered", rules=["inner", "c"], timespan="5s"),
    correlation("temporal_ordered", rules=["c", "inner"], timespan="5s"),
    correlation("temporal_ordered", rules=["inner", "b"], timespan="5s", **{"group-by": []}),
    correlation("temporal", rules=["inner", "c"], timespan="5s"),
    correlation("event_count", {"gte": 2}, rules=["inner"], timespan="6s"),
    correlation("value_count", {"field": "w", "gte": 2}, rules=["inner"], timespan="6s"),
]


@pytest.mark.parametrize(
    "outer", OUTER, ids=lambda r: f"{r['correlation']['type']}-{r['correlation']['rules']}"
)
@pytest.mark.parametrize(
    "inner", INNER, ids=lambda r: f"{r['correlation']['type']}-{r['correlation']['group-by']}"
)
@settings(max_examples=40, derandomize=True, deadline=None)
@given(stream=DENSE)
def test_correlation_of_a_correlation(
    inner: dict[str, Any], outer: dict[str, Any], stream: list[dict[str, Any]]
) -> None:
    events = flat(stream)
    below = {**inner, "title": "inner", "name": "inner"}
    assert actual([below, outer], events) == expected([below, outer], events)


@settings(max_examples=300, derandomize=True, deadline=None)
@given(stream=DENSE, data=st.data())
def test_three_levels(stream: list[dict[str, Any]], data: st.DataObject) -> None:
    events = flat(stream)
    first = {**data.draw(st.sampled_from(INNER)), "title": "first", "name": "first"}
    middle = correlation("temporal_ordered", rules=["first", "c"], timespan="5s")
    middle = {**middle, "title": "inner", "name": "inner"}
    outer = data.draw(st.sampled_from(OUTER))
    assert actual([first, middle, outer], events) == expected([first, middle, outer], events)


@settings(max_examples=60, derandomize=True, deadline=None)
@given(stream=STREAM, order=st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(stream: list[dict[str, Any]], order: Any) -> None:
    events = flat(stream)
    shuffled = list(events)
    order.shuffle(shuffled)
    for rule in (correlation("temporal_ordered"), correlation("event_count", {"lt": 3})):
        assert {hit[:3] for hit in actual([rule], events)} == {hit[:3] for hit in actual([rule], shuffled)}
