"""Correlations in SPL over random streams: the alerts must be the reference matcher's.

Times are `_time` in seconds here; the begin of an alert (first_time) is compared too, where both say it.
"""

from __future__ import annotations

import json
import random
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.backends.spl import SplBackend
from converter.conversion.convert import Options, convert
from converter.engines.spl import SplEngine
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.matcher import Matcher
from converter.pipelines.cells import cell
from converter.plan.model import CorrelationPlan, Member, Threshold
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.support import none_base

START_MS = 1_600_000_000_000


def base(name: str, detection: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": name,
        "name": name,
        "logsource": {"category": "t"},
        "detection": {"s": detection, "condition": "s"},
    }


# An event may match several of these; of the others one at most.
OVERLAPPING = [base(name, {name: 1}) for name in "abc"]
APART = [base(name, {"kind": name}) for name in "abc"]
# `?` is not for `search`: the base search is wider than the rules.
WIDER = [base(name, {"kind": f"{name}?"}) for name in "abc"]
BASES = {"overlapping": OVERLAPPING, "apart": APART, "wider": WIDER}


def correlation(kind: str, condition: Any = None, **more: Any) -> dict[str, Any]:
    section = {"type": kind, "rules": ["a", "b"], "group-by": ["host"], "timespan": "4s", **more}
    if condition is not None:
        section["condition"] = condition
    return {"title": "top", "name": "top", "correlation": section}


def query(rules: list[dict[str, Any]]) -> tuple[str, Any]:
    return _query(json.dumps(rules))


@cache
def _query(written: str) -> tuple[str, Any]:
    rules = json.loads(written)
    loaded = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", number) for number, doc in enumerate(rules)]
    (found,) = convert(RuleSet(loaded), loaded[-1], cell("none", "spl"), Options("any")).queries
    assert found.alert is not None
    return found.text, found.alert


def events(stream: list[dict[str, Any]]) -> list[dict[str, Any]]:
    flat = []
    for event in stream:
        fields = {key: event[key] for key in ("host", "v", "w") if key in event}
        kinds = event["kinds"]
        kind = {"kind": kinds + ("x" if "x" in event else "")} if kinds else {}
        flat.append({**fields, **kind, **dict.fromkeys(kinds, 1), "timestamp": START_MS + event["t"]})
    return flat


def rows(text: str, flat: list[dict[str, Any]]) -> list[Any]:
    stored = []
    for number, event in enumerate(flat):
        doc = {key: str(one) for key, one in event.items() if key != "timestamp"}
        stored.append(Stored(number, "Events", {**doc, "_time": event["timestamp"] / 1000}))
    return list(SplEngine().load(stored, {}).run(text).rows)


def run(text: str, alert: Any, flat: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (
            tuple(str(row[name]) for name in alert.group),
            round(float(row[alert.last]) * 1000),
            round(float(row[alert.first]) * 1000),
        )
        for row in rows(text, flat)
    ]


class Begin(Matcher):
    """Also keeps when each alert's window began."""

    def _alert(self, doc: Any, timespan_ms: int, raised: Any) -> Any:
        if doc["name"] == "top":
            self.begun.append((raised.group, raised.time, raised.hit.start()))
        return super()._alert(doc, timespan_ms, raised)


def expected(rules: list[dict[str, Any]], flat: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    matcher = Begin(rules)
    matcher.begun = []
    matcher.run(flat)
    return matcher.begun


def agree(rules: list[dict[str, Any]], stream: list[dict[str, Any]], *, begin: bool) -> None:
    text, alert = query(rules)
    flat = events(stream)
    length = 3 if begin else 2
    found = sorted(one[:length] for one in run(text, alert, flat))
    assert found == sorted(one[:length] for one in expected(rules, flat)), text


SECOND = st.integers(0, 14).map(lambda t: t * 1000)
STREAM = st.lists(
    st.fixed_dictionaries(
        # A millisecond beside a whole second: on the window's edge, and just off it.
        {
            "t": st.one_of(SECOND, SECOND.map(lambda t: t + 1)),
            "kinds": st.sampled_from(["a", "a", "b", "b", "c", "ab", "abc", "bc", ""]),
        },
        optional={
            "host": st.sampled_from(["x", "y", "X"]),
            "v": st.integers(-2, 3),
            "w": st.sampled_from(["1", "2"]),
            "x": st.just(True),
        },
    ),
    max_size=16,
)
OPERATORS = [{op: n} for op in ("gt", "gte", "lt", "lte", "eq", "neq") for n in (1, 2)]
RANGES = [{"gt": 1, "lte": 3}, {"gte": 2, "neq": 3}, {"gt": 1.5}, {"gte": 2.5, "lt": 10}]
ALIAS = {"group-by": ["k"], "aliases": {"k": {"a": "host", "b": "w"}}}
ABC = {"rules": ["a", "b", "c"]}
SIMPLE = [
    *(correlation("event_count", c) for c in [*OPERATORS, *RANGES, {"gte": 4}, {"gte": 0}]),
    *(correlation("value_count", {"field": "v", **c}) for c in [*OPERATORS, *RANGES]),
    correlation("value_count", {"field": ["v", "w"], "gte": 2}),
    *(correlation("value_sum", {"field": "v", **c}) for c in [*OPERATORS, *RANGES]),
    *(correlation("value_avg", {"field": "v", **c}) for c in [*OPERATORS, {"gt": 0.5, "lte": 1.25}]),
    *(correlation("value_percentile", {"field": "v", "percentile": p, "gte": 2}) for p in (10, 50, 90, 99.5)),
    *(correlation("value_percentile", {"field": "v", "percentile": 75, **c}) for c in OPERATORS),
    correlation("value_median", {"field": "v", "eq": 1}),
    correlation("temporal"),
    correlation("temporal", **ABC),
    *(correlation("temporal", c, **ABC) for c in OPERATORS),
    correlation("temporal", "a and not b"),
    correlation("temporal", "a and (b or not c)", **ABC),
    correlation("temporal", **{"group-by": []}),
    correlation("temporal", **{"group-by": ["host", "w"]}),
    correlation("temporal", **ALIAS),
    correlation("event_count", {"gte": 2}, **ALIAS),
    correlation("event_count", {"lte": 1}, **ALIAS),
    correlation(
        "event_count", {"gte": 2}, **{"group-by": ["k"], "aliases": {"k": {"a": "w"}}, "rules": ["a"]}
    ),
    correlation("event_count", {"gte": 3}, **{"group-by": []}),
    correlation("value_count", {"field": "v", "gte": 2}, **ALIAS),
    correlation("value_sum", {"field": "v", "gte": 2}, **{"group-by": []}),
    correlation("temporal_ordered"),
    correlation("temporal_ordered", rules=["b", "a"]),
    correlation("temporal_ordered", **ABC),
    correlation("temporal_ordered", **ALIAS),
    correlation("temporal_ordered", **{"group-by": []}),
    correlation("temporal_ordered", rules=["a"]),
]


@pytest.mark.parametrize("bases", BASES)
@pytest.mark.parametrize(
    "rule", SIMPLE, ids=lambda r: f"{r['correlation']['type']}-{r['correlation'].get('condition')}"
)
@settings(max_examples=15, derandomize=True, deadline=None)
@given(stream=STREAM)
def test_one_correlation(bases: str, rule: dict[str, Any], stream: list[dict[str, Any]]) -> None:
    agree([*BASES[bases], rule], stream, begin=rule["correlation"]["type"].startswith("temporal_o"))


DENSE = st.lists(
    st.fixed_dictionaries(
        {
            "t": st.integers(0, 9).map(lambda t: t * 1000),
            "kinds": st.sampled_from(["a", "b", "c", "ab", "bc"]),
            "host": st.just("x"),
            "v": st.integers(0, 2),
        },
        optional={"x": st.just(True)},
    ),
    max_size=12,
).map(lambda stream: [{**event, "w": "2" if event["t"] % 4000 == 1000 else "1"} for event in stream])
INNER = [
    correlation("event_count", {"gte": 2}, timespan="3s"),
    correlation("temporal", timespan="3s"),
    correlation("temporal_ordered", timespan="3s"),
    correlation("temporal_ordered", timespan="3s", **{"group-by": ["host", "w"]}),
    correlation("event_count", {"gt": 1}, timespan="6s", **{"group-by": ["host", "w"]}),
]
OUTER = [
    correlation("event_count", {"gte": 1}, rules=["inner"], timespan="9s"),
    correlation("temporal_ordered", rules=["inner", "c"], timespan="5s"),
    correlation("temporal_ordered", rules=["c", "inner"], timespan="5s"),
    correlation("temporal_ordered", rules=["inner", "b"], timespan="5s", **{"group-by": []}),
    correlation("temporal_ordered", rules=["c", "inner", "b"], timespan="7s"),
    correlation("temporal", rules=["inner", "c"], timespan="5s"),
    correlation("temporal", "c and not inner", rules=["inner", "c"], timespan="5s"),
    correlation("event_count", {"gte": 2}, rules=["inner"], timespan="6s"),
    correlation("event_count", {"lt": 3}, rules=["inner", "c"], timespan="6s"),
    correlation("value_count", {"field": "host", "gte": 1}, rules=["inner"], timespan="6s"),
]


@pytest.mark.parametrize("bases", BASES)
@pytest.mark.parametrize(
    "outer", OUTER, ids=lambda r: f"{r['correlation']['type']}-{r['correlation']['rules']}"
)
@pytest.mark.parametrize(
    "inner", INNER, ids=lambda r: f"{r['correlation']['type']}-{r['correlation']['group-by']}"
)
@settings(max_examples=12, derandomize=True, deadline=None)
@given(stream=DENSE)
def test_correlation_of_a_correlation(
    bases: str, inner: dict[str, Any], outer: dict[str, Any], stream: list[dict[str, Any]]
) -> None:
    below = {**inner, "title": "inner", "name": "inner"}
    rules = [*BASES[bases], below, outer]
    agree(rules, stream, begin=outer["correlation"]["type"] == "temporal_ordered")


@settings(max_examples=100, derandomize=True, deadline=None)
@given(stream=DENSE, data=st.data())
def test_three_levels(stream: list[dict[str, Any]], data: st.DataObject) -> None:
    first = {**data.draw(st.sampled_from(INNER)), "title": "first", "name": "first"}
    order = data.draw(st.sampled_from([["first", "c"], ["c", "first"]]))
    kind = data.draw(st.sampled_from(["temporal_ordered", "temporal"]))
    middle = {**correlation(kind, rules=order, timespan="5s"), "title": "inner", "name": "inner"}
    agree([*APART, first, middle, data.draw(st.sampled_from(OUTER))], stream, begin=False)


# What each type needs to fire: kinds in order, the span from the first to the last event in milliseconds.
EDGES = [
    (correlation("event_count", {"gte": 2}), ["a", "b"]),
    (correlation("event_count", {"eq": 2}), ["a", "b"]),
    (correlation("value_count", {"field": "v", "gte": 2}), ["a", "b"]),
    (correlation("value_sum", {"field": "v", "gte": 3}), ["a", "b"]),
    (correlation("value_avg", {"field": "v", "eq": 1.5}), ["a", "b"]),
    (correlation("value_percentile", {"field": "v", "percentile": 50, "lt": 2}), ["a", "b"]),
    (correlation("temporal"), ["b", "a"]),
    (correlation("temporal", {"gte": 2}, **ABC), ["b", "a"]),
    (correlation("temporal_ordered"), ["a", "b"]),
    (correlation("temporal_ordered", **ABC), ["a", "b", "c"]),
]


@pytest.mark.parametrize("bases", BASES)
@pytest.mark.parametrize(("rule", "kinds"), EDGES, ids=lambda one: str(one)[:60])
@pytest.mark.parametrize(("span", "fires"), [(4000, True), (4001, False), (3999, True), (1, True)])
def test_the_edge_of_the_window(
    bases: str, rule: dict[str, Any], kinds: list[str], span: int, fires: bool
) -> None:
    # An hour's end lies within: a fixed bin would cut there.
    hour = 3_600_000 - START_MS % 3_600_000
    times = [hour - 1 + span * number // (len(kinds) - 1) for number in range(len(kinds))]
    stream = [
        {"t": t, "kinds": kind, "host": "x", "v": number + 1} | ({"x": True} if bases == "wider" else {})
        for number, (t, kind) in enumerate(zip(times, kinds, strict=True))
    ]
    rules = [*BASES[bases], rule]
    text, alert = query(rules)
    flat = events(stream)
    last = [one for one in run(text, alert, flat) if one[1] == flat[-1]["timestamp"]]
    assert bool(last) == fires
    agree(rules, stream, begin=False)
    # Another group's events do not help.
    agree(rules, [{**event, "host": str(number)} for number, event in enumerate(stream)], begin=False)
    agree(rules, stream[::-1], begin=False)


STAGES = [
    ("apart", [correlation("event_count", {"gte": 3})]),
    ("wider", [correlation("temporal", **ABC)]),
    ("overlapping", [correlation("temporal_ordered", **ABC)]),
    ("apart", [correlation("value_count", {"field": "v", "gte": 2})]),
    ("apart", [correlation("value_sum", {"field": "v", "lt": 2})]),
    ("overlapping", [correlation("event_count", {"gte": 2}, **ALIAS)]),
    ("apart", [INNER[3] | {"title": "inner", "name": "inner"}, OUTER[2]]),
    ("wider", [INNER[4] | {"title": "inner", "name": "inner"}, OUTER[7]]),
    # A window that the streams of five seconds do not all lie in.
    (
        "overlapping",
        [
            INNER[0] | {"title": "inner", "name": "inner"},
            correlation("event_count", {"lt": 3}, rules=["inner", "c"], timespan="3s"),
        ],
    ),
]


@pytest.mark.parametrize(("bases", "chain"), STAGES, ids=lambda one: str(one)[:60])
def test_no_stage_can_go(bases: str, chain: list[dict[str, Any]]) -> None:
    """Without any one of its commands the search fails or gives other alerts on some stream."""
    rules = [*BASES[bases], *chain]
    text, _ = query(rules)
    first, *commands = text.rstrip("\n").split("\n| ")
    generator = random.Random(7)
    kinds = ["a", "b", "c", *(["ab", "bc", "abc", ""] if bases == "overlapping" else [])]
    streams = []
    for _ in range(1000):
        streams.append(
            [
                {
                    "t": generator.randrange(6) * 1000,
                    "kinds": generator.choice(kinds),
                }
                | generator.choice([{}, *({"v": v} for v in (-1, 0, 1, 2))])
                | generator.choice([{"host": "x"}, {"host": "x"}, {"host": "y"}, {}])
                | generator.choice([{"w": "1"}, {"w": "x"}, {}])
                | generator.choice([{"x": True}, {"x": True}, {}] if bases == "wider" else [{}])
                for _ in range(generator.randrange(2, 12))
            ]
        )
    wanted = [_sorted(rows(text, events(stream))) for stream in streams]
    assert any(wanted)
    for position, command in enumerate(commands):
        shorter = "\n| ".join([first, *commands[:position], *commands[position + 1 :]])
        assert any(
            _differs(shorter, events(stream), one) for stream, one in zip(streams, wanted, strict=True)
        ), command


def _sorted(found: list[Any]) -> list[Any]:
    return sorted(found, key=repr)


def _differs(text: str, flat: list[dict[str, Any]], wanted: list[Any]) -> bool:
    try:
        return _sorted(rows(text, flat)) != wanted
    except EngineError:
        return True


def test_of_alerts_of_one_instant_the_latest_begin_counts() -> None:
    """Two alerts end together; only the one that begins after the connection follows it."""
    inner = correlation("temporal_ordered", timespan="9s", **{"group-by": ["host", "w"]})
    outer = correlation("temporal_ordered", rules=["c", "inner"], timespan="9s")
    kinds = [(0, "a", "1"), (1000, "c", "1"), (2000, "a", "2"), (3000, "b", "1"), (3000, "b", "2")]
    stream = [{"t": t, "kinds": kind, "host": "x", "w": w} for t, kind, w in kinds]
    rules = [*APART, {**inner, "title": "inner", "name": "inner"}, outer]
    assert expected(rules, events(stream)) == [(("x",), START_MS + 3000, START_MS + 1000)]
    agree(rules, stream, begin=True)


def test_the_time_is_the_events_own_and_utc() -> None:
    """Sysmon's UtcTime, read in whatever zone the user has; an event without it takes no part."""
    plan = replace(
        none_base({"s": {"kind": "a"}, "condition": "s"}, "spl"),
        state={"time_field": "UtcTime", "time_format": "%Y-%m-%d %H:%M:%S.%3N"},
    )
    member = Member("a", plan, (("host",),))
    (draft,) = SplBackend().correlation(
        CorrelationPlan({}, "top", "event_count", (member,), ("host",), 1000, (Threshold("gte", 2),))
    )
    # Recorded in reverse and long after.
    stored = [
        Stored(0, "Events", {"kind": "a", "host": "x", "_time": 9e8, "UtcTime": "2020-10-19 07:30:46.319"}),
        Stored(1, "Events", {"kind": "a", "host": "x", "_time": 1e8, "UtcTime": "2020-10-19 07:30:45.319"}),
        Stored(2, "Events", {"kind": "a", "host": "x", "_time": 1e8, "UtcTime": "soon"}),
        Stored(3, "Events", {"kind": "a", "host": "x", "_time": 1603092646.5}),
        Stored(4, "Events", {"kind": "a", "host": "x", "_time": 1e8, "UtcTime": "2020-10-19 07:30:47.320"}),
    ]
    (row,) = SplEngine().load(stored, {}).run(draft.text).rows
    assert draft.alert is not None
    assert row[draft.alert.last] == 1603092646.319
    assert row[draft.alert.first] == 1603092645.319
    assert row["host"] == "x"
