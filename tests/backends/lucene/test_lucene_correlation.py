"""Correlations as threshold rules, run over streams: their groups are a superset of the matcher's."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engine needs sigconv[verify]")

from hypothesis import given, settings
from hypothesis import strategies as st

from converter.backends.lucene import LuceneBackend
from converter.engines.lucene import LuceneEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import Matcher
from converter.plan.columns import Column
from converter.plan.model import BaseRule, CorrelationPlan, Fidelity, Member, Threshold
from tests.support import none_base

COLUMNS = {
    "@timestamp": Column("date"),
    "event.code": Column("keyword"),
    "kind": Column("keyword"),
    "host": Column("keyword"),
    "user": Column("keyword"),
    "ip": Column("keyword"),
    "net": Column("ip"),
    "note": Column("text"),
    **{f"k{number}": Column("keyword") for number in range(6)},
}
ENGINE = LuceneEngine()
START = datetime(2026, 1, 1, tzinfo=UTC)
SPAN = 600
Event = Mapping[str, Any]


def detection(name: str, code: str) -> dict[str, Any]:
    selection = {"event.code": code, "kind|contains": name}
    return {"s": selection, "condition": "s"}


DETECTIONS = {name: detection(name, code) for name, code in (("a", "1"), ("b", "3"), ("c", "11"))}


def rule(name: str, found: dict[str, Any] | None = None, **state: Any) -> BaseRule:
    base = none_base(found or DETECTIONS[name], "lucene")
    return replace(base, name=name, columns=COLUMNS, state=state or {"index": ["Events"]})


A, B, C = (rule(name) for name in "abc")


def plan(
    kind: str,
    *sources: BaseRule | CorrelationPlan,
    by: Sequence[str] = ("host",),
    keys: Mapping[str, Sequence[str]] | None = None,
    values: Mapping[str, Sequence[str]] | None = None,
    thresholds: Iterable[tuple[str, float]] = (),
    expression: Any = None,
    span: int = SPAN,
    name: str = "plan",
) -> CorrelationPlan:
    """A correlation; ``keys`` gives a member's own columns where they differ from the names."""
    members = tuple(
        Member(
            source.name,
            source,
            tuple((column,) for column in (keys or {}).get(source.name, by)),
            tuple((column,) for column in (values or {}).get(source.name, ())),
        )
        for source in sources
    )
    found = tuple(Threshold(op, value) for op, value in thresholds)
    return CorrelationPlan({}, name, kind, members, tuple(by), span * 1000, found, expression=expression)


def body(correlation: CorrelationPlan) -> dict[str, Any]:
    [draft] = LuceneBackend().correlation(correlation)
    ENGINE.validate(draft.text, {"Events": COLUMNS})
    found: dict[str, Any] = json.loads(draft.text)
    return found


def test_the_whole_rule() -> None:
    logs = rule("a", index=["logs-a-*", "logs-b-*"])
    other = rule("b", index="winlogbeat-*")
    [draft] = LuceneBackend().correlation(plan("temporal", logs, other, by=("host", "user")))
    alternatives = [
        {
            "bool": {
                "filter": [
                    {"term": {"event.code": {"value": code}}},
                    {"wildcard": {"kind": {"value": f"*{kind}*", "case_insensitive": True}}},
                ]
            }
        }
        for code, kind in (("1", "a"), ("3", "b"))
    ]
    either = {"bool": {"should": alternatives, "minimum_should_match": 1}}
    assert json.loads(draft.text) == {
        "type": "threshold",
        "language": "lucene",
        "index": ["logs-a-*", "logs-b-*", "winlogbeat-*"],
        "query": "*",
        "filters": [{"meta": {"negate": False}, "query": either}],
        "threshold": {
            "field": ["host", "user"],
            "value": 1,
            "cardinality": [{"field": "event.code", "value": 2}],
        },
        "window": "10m",
        "from": "now-15m",
        "interval": "5m",
    }
    assert draft.extra == json.loads(draft.text)
    assert {reason.fidelity for reason in draft.reasons} == {Fidelity.BROADER}
    assert LuceneBackend.correlation_extension == "json"


@pytest.mark.parametrize(
    ("span", "window", "lookback"),
    [
        (30, "30s", "now-330s"),
        (600, "10m", "now-15m"),
        (7_200, "2h", "now-125m"),
        (172_800, "2d", "now-2885m"),
    ],
)
def test_windows_in_the_largest_whole_unit(span: int, window: str, lookback: str) -> None:
    found = body(plan("event_count", A, thresholds=[("gte", 3)], span=span))
    assert (found["window"], found["from"]) == (window, lookback)


@pytest.mark.parametrize(
    ("thresholds", "value"),
    [
        ([("gte", 3)], 3),
        ([("gt", 3)], 4),
        ([("gte", 2.5)], 3),
        ([("gt", 2.5)], 3),
        ([("gte", 2), ("gt", 4)], 5),
        ([("gte", 0)], 1),
    ],
)
def test_counts(thresholds: list[tuple[str, float]], value: int) -> None:
    assert body(plan("event_count", A, thresholds=thresholds))["threshold"] == {
        "field": ["host"],
        "value": value,
    }
    assert body(plan("value_count", A, values={"a": ["user"]}, thresholds=thresholds))["threshold"] == {
        "field": ["host"],
        "value": 1,
        "cardinality": [{"field": "user", "value": value}],
    }


@pytest.mark.parametrize(
    ("expression", "thresholds", "kinds"),
    [
        (None, [], 3),
        (None, [("gte", 2)], 2),
        (None, [("gt", 1)], 2),
        (None, [("gte", 9)], 3),
        (("and", "a", ("or", "b", "c")), [], 2),
        (("or", "a", ("and", "b", "c")), [], 1),
        (("and", "a", "a"), [], 1),
    ],
)
def test_how_many_kinds(expression: Any, thresholds: list[tuple[str, float]], kinds: int) -> None:
    found = body(plan("temporal", A, B, C, expression=expression, thresholds=thresholds))["threshold"]
    assert found.get("cardinality", [{"value": 1}])[0]["value"] == kinds
    assert found["value"] == 1


def test_a_field_that_tells_the_rules_apart() -> None:
    def telling(*detections: dict[str, Any]) -> str:
        rules = [rule(f"r{n}", {"s": one, "condition": "s"}) for n, one in enumerate(detections)]
        return str(body(plan("temporal", *rules))["threshold"]["cardinality"][0]["field"])

    assert telling({"kind": "a", "event.code": "1"}, {"kind": "b", "event.code": "2"}) == "event.code"
    assert telling({"kind": "a", "event.code": "1"}, {"kind": "b", "event.code": "1"}) == "kind"
    assert telling({"kind": ["a", "x"]}, {"kind": ["b", "y"]}) == "kind"
    for pair in (
        ({"kind": "a"}, {"kind": "A"}),  # one value in two cases
        ({"kind": ["a", "b"]}, {"kind": ["b", "c"]}),
        ({"kind|contains": "a"}, {"kind|contains": "b"}),
        ({"kind": "a"}, {"user": "b"}),
        ({"net|cidr": "10.0.0.0/8"}, {"net|cidr": "10.1.0.0/16"}),  # the second is within the first
    ):
        with pytest.raises(Refusal, match="tell which of the rules fired"):
            telling(*pair)


@pytest.mark.parametrize(
    ("correlation", "code", "message"),
    [
        (plan("event_count", A, thresholds=[("lt", 3)]), "SC205", "with lt"),
        (plan("event_count", A, thresholds=[("gte", 3), ("lte", 5)]), "SC205", "with lte"),
        (plan("event_count", A, thresholds=[("eq", 3)]), "SC205", "with eq"),
        (plan("event_count", A, thresholds=[("neq", 3)]), "SC205", "with neq"),
        (plan("temporal", A, B, thresholds=[("lt", 2)]), "SC205", "with lt"),
        (plan("value_sum", A, values={"a": ["user"]}, thresholds=[("gte", 3)]), "SC205", "value_sum"),
        (plan("value_count", A, values={"a": ["user", "ip"]}, thresholds=[("gte", 3)]), "SC205", "together"),
        (plan("value_count", A, values={"a": ["note"]}, thresholds=[("gte", 3)]), "SC204", "type text"),
        (plan("event_count", A, by=("note",), thresholds=[("gte", 3)]), "SC204", "type text"),
        (plan("temporal", A, B, keys={"b": ["ip"]}), "SC205", "host and ip"),
        (plan("temporal", A, B, expression=("and", "a", ("not", "b"))), "SC205", "did not fire"),
        (
            plan("event_count", A, by=[f"k{n}" for n in range(6)], thresholds=[("gte", 3)]),
            "SC205",
            "6 fields",
        ),
        (replace(plan("temporal", A, B), timespan_ms=1500), "SC205", "1500 milliseconds"),
    ],
)
def test_refused(correlation: CorrelationPlan, code: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        LuceneBackend().correlation(correlation)
    assert caught.value.code == code
    assert code == "SC204" or "KQL and SPL can" in caught.value.message


def test_four_group_fields_are_noted() -> None:
    correlation = plan("event_count", A, by=[f"k{n}" for n in range(4)], thresholds=[("gte", 3)])
    [draft] = LuceneBackend().correlation(correlation)
    assert any(r.fidelity == Fidelity.EXACT and "9.2" in r.text for r in draft.reasons)


INNER = plan("temporal_ordered", A, B, name="inner", by=("host", "user"))
BURST = plan("event_count", A, name="burst", thresholds=[("gte", 4)], by=("host", "user"))


def test_nested_correlations_are_flattened() -> None:
    outer = body(plan("temporal_ordered", INNER, C))
    assert json.dumps(outer["filters"]).count("event.code") == 3
    assert outer["threshold"]["cardinality"] == [{"field": "event.code", "value": 3}]
    counted = body(plan("event_count", INNER, thresholds=[("gte", 3)]))
    assert counted["threshold"] == {"field": ["host"], "value": 3}
    both = body(plan("event_count", INNER, BURST, C, thresholds=[("gte", 5)]))
    assert both["threshold"]["value"] == 2  # one event can end an alert of each of the three
    distinct = body(plan("value_count", INNER, values={"inner": ["user"]}, thresholds=[("gte", 2)]))
    assert distinct["threshold"]["cardinality"] == [{"field": "user", "value": 2}]


# Each correlation in the matcher's form beside the plan.
def docs(correlation: CorrelationPlan) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for member in correlation.members:
        if isinstance(member.source, CorrelationPlan):
            found += docs(member.source)
        else:
            found.append(
                {
                    "title": member.name,
                    "name": member.name,
                    "logsource": {"category": "any"},
                    "detection": DETECTIONS[member.name],
                }
            )
    condition: dict[str, Any] = {threshold.op: threshold.value for threshold in correlation.thresholds}
    if correlation.type == "value_count":
        condition["field"] = correlation.members[0].values[0][0]
    section = {
        "type": correlation.type,
        "rules": [member.name for member in correlation.members],
        "group-by": list(correlation.group_by),
        "timespan": f"{correlation.timespan_ms // 1000}s",
        **({"condition": condition} if condition else {}),
    }
    found.append({"title": correlation.name, "name": correlation.name, "correlation": section})
    return list({doc["name"]: doc for doc in found}.values())


def groups(correlation: CorrelationPlan, events: Sequence[Event]) -> tuple[set[Any], set[Any]]:
    """The matcher's groups and the threshold rule's."""
    alerts = Matcher(docs(correlation)).run(events)
    wanted = {tuple(map(str, alert.group)) for alert in alerts if alert.rule == correlation.name}
    [draft] = LuceneBackend().correlation(correlation)
    stored = [Stored(number, "Events", event) for number, event in enumerate(events)]
    rows = ENGINE.load(stored, {"Events": COLUMNS}).run(draft.text).rows
    return wanted, {tuple(row["group"].values()) for row in rows}


def event(second: float, code: str, host: str | None = "h1", user: str = "u1") -> Event:
    kind = {"1": "xa", "3": "XB", "11": "c"}.get(code, "")
    time = (START + timedelta(seconds=second)).isoformat()
    made = {"@timestamp": time, "event.code": code, "kind": kind, "user": user}
    return made if host is None else {**made, "host": host}


CORRELATIONS = [
    plan("event_count", A, thresholds=[("gte", 3)]),
    plan("event_count", A, B, thresholds=[("gt", 3)]),
    plan("event_count", A, by=(), thresholds=[("gte", 4)]),
    plan("value_count", A, B, values={"a": ["user"], "b": ["user"]}, thresholds=[("gte", 3)]),
    plan("temporal", A, B),
    plan("temporal", A, B, C, thresholds=[("gte", 2)]),
    plan("temporal_ordered", A, B, C, by=("host", "user")),
    plan("temporal_ordered", INNER, C),
    plan("event_count", BURST, thresholds=[("gte", 2)]),
    plan("temporal", BURST, C),
]


@pytest.mark.parametrize("correlation", CORRELATIONS, ids=lambda one: one.type)
@settings(max_examples=40, derandomize=True, deadline=None)
@given(
    st.lists(
        st.builds(
            event,
            st.integers(0, 20).map(lambda step: step * 60.0),
            st.sampled_from(["1", "1", "3", "11", "7"]),
            st.sampled_from(["h1", "h1", "h2", None]),
            st.sampled_from(["u1", "u2", "u3"]),
        ),
        max_size=30,
    )
)
def test_groups_are_a_superset(correlation: CorrelationPlan, events: list[Event]) -> None:
    wanted, found = groups(correlation, sorted(events, key=lambda one: one["@timestamp"]))
    assert wanted <= found


@pytest.mark.parametrize(
    ("correlation", "events", "fires"),
    [
        (plan("event_count", A, thresholds=[("gte", 2)]), [event(0, "1"), event(600, "1")], True),
        # One millisecond outside the window: the schedule sees both, the sliding window does not.
        (plan("event_count", A, thresholds=[("gte", 2)]), [event(0, "1"), event(600.001, "1")], False),
        (plan("temporal_ordered", A, B), [event(0, "1"), event(1, "3")], True),
        (plan("temporal_ordered", A, B), [event(1, "3"), event(2, "1")], False),
        (
            plan("temporal_ordered", INNER, C),
            [event(0, "1"), event(1, "3", user="u2"), event(2, "11")],
            False,
        ),
    ],
)
def test_broader_shows(correlation: CorrelationPlan, events: list[Event], fires: bool) -> None:
    wanted, found = groups(correlation, events)
    assert found == {("h1",)}
    assert wanted == ({("h1",)} if fires else set())


@pytest.mark.parametrize(
    ("correlation", "events"),
    [
        (plan("event_count", A, thresholds=[("gte", 3)]), [event(0, "1"), event(1, "1"), event(1, "3")]),
        (plan("event_count", A, thresholds=[("gt", 1)]), [event(0, "1"), event(1, "1", "h2")]),
        (plan("event_count", A, thresholds=[("gt", 1)]), [event(0, "1", None), event(1, "1", None)]),
        (plan("event_count", A, thresholds=[("gt", 1)]), [event(0, "1"), event(901, "1")]),
        (plan("temporal", A, B), [event(0, "1"), event(1, "1"), event(1, "3", "h2")]),
        (
            plan("value_count", A, values={"a": ["user"]}, thresholds=[("gte", 2)]),
            [event(0, "1"), event(1, "1"), event(1, "3", user="u2")],
        ),
    ],
)
def test_near_misses_do_not_fire(correlation: CorrelationPlan, events: list[Event]) -> None:
    """Each clause of the threshold is needed: what it keeps out stays out."""
    assert groups(correlation, events) == (set(), set())
