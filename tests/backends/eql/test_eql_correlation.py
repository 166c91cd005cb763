"""Correlations as sequences, executed over streams and compared with a brute-force reading of the rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations, permutations
from typing import Any

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")

from hypothesis import given, settings
from hypothesis import strategies as st

from converter.backends.eql import EqlBackend
from converter.engines.eql import EqlEngine
from converter.errors import Refusal
from converter.plan.columns import Column
from converter.plan.model import Fidelity, Member
from tests.backends.eql.eql_streams import (
    COLUMNS,
    TAGGED,
    A,
    B,
    C,
    Event,
    alerts,
    any_order,
    first_of_burst,
    in_order,
    is_a,
    plan,
    reference,
    rule,
    stored,
    text,
)

streams = st.lists(
    st.tuples(
        st.sampled_from("abc"),
        st.sampled_from(["h1", "h2", None]),
        st.integers(min_value=1, max_value=6),
        st.sampled_from([None, "x"]),
    ),
    max_size=24,
)


def stream(rows: Sequence[tuple[str, str | None, int, str | None]]) -> list[dict[str, Any]]:
    """Events at different times: ties are EQL's caveat."""
    time, events = 0, []
    for kind, host, gap, tag in rows:
        time += gap
        events.append({"t": time, "kind": kind, "host": host, "tag": tag})
    return events


def test_ordered_pair() -> None:
    (query,) = text(plan("temporal_ordered", A, B))
    assert query == 'sequence by host with maxspan=10s\n  [any where kind : "a"]\n  [any where kind : "b"]'


def test_window_edges() -> None:
    drafts = EqlBackend().correlation(plan("temporal_ordered", A, B))
    on_edge = [{"t": 0, "kind": "a", "host": "h"}, {"t": 10, "kind": "b", "host": "h"}]
    outside = [{"t": 0, "kind": "a", "host": "h"}, {"t": 10.001, "kind": "b", "host": "h"}]
    assert alerts(drafts, on_edge) == {(("h",), 10)}
    assert alerts(drafts, outside) == set()


@settings(max_examples=75, derandomize=True, deadline=None)
@given(streams)
def test_ordered_pair_streams(rows: Any) -> None:
    events = stream(rows)
    found = alerts(EqlBackend().correlation(plan("temporal_ordered", A, B)), events)
    first_of_burst(found, reference(events, in_order(is_a("a"), is_a("b"))))


@settings(max_examples=75, derandomize=True, deadline=None)
@given(streams)
def test_ordered_with_an_event_that_is_several_rules_streams(rows: Any) -> None:
    events = stream(rows)
    drafts = EqlBackend().correlation(plan("temporal_ordered", A, TAGGED, A))
    tagged = lambda event: event.get("tag") == "x"  # noqa: E731
    first_of_burst(alerts(drafts, events), reference(events, in_order(is_a("a"), tagged, is_a("a"))))


@settings(max_examples=75, derandomize=True, deadline=None)
@given(streams, st.integers(min_value=2, max_value=4), st.sampled_from(["gte", "gt"]))
def test_event_count_streams_raise_every_alert(rows: Any, count: int, op: str) -> None:
    events = stream(rows)
    threshold = (op, count if op == "gte" else count - 1)
    found = alerts(EqlBackend().correlation(plan("event_count", A, B, thresholds=[threshold])), events)
    either = lambda event: event["kind"] in "ab"  # noqa: E731

    def enough(window: Sequence[Event], last: Event) -> bool:
        return either(last) and sum(map(either, window)) >= count

    assert found == reference(events, enough)


@pytest.mark.parametrize("count", [1, 2])
@settings(max_examples=40, derandomize=True, deadline=None)
@given(rows=streams)
def test_event_count_of_one_rule_streams(count: int, rows: Any) -> None:
    events = stream(rows)
    found = alerts(EqlBackend().correlation(plan("event_count", A, thresholds=[("gte", count)])), events)
    assert found == reference(events, lambda w, last: is_a("a")(last) and sum(map(is_a("a"), w)) >= count)


@settings(max_examples=75, derandomize=True, deadline=None)
@given(streams)
def test_temporal_pair_streams(rows: Any) -> None:
    events = stream(rows)
    drafts = EqlBackend().correlation(plan("temporal", A, TAGGED))
    tagged = lambda event: event.get("tag") == "x"  # noqa: E731
    first_of_burst(alerts(drafts, events), reference(events, any_order(is_a("a"), tagged)))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(streams)
def test_temporal_triple_streams(rows: Any) -> None:
    events = stream(rows)
    drafts = EqlBackend().correlation(plan("temporal", A, TAGGED, C))
    tagged = lambda event: event.get("tag") == "x"  # noqa: E731
    first_of_burst(alerts(drafts, events), reference(events, any_order(is_a("a"), tagged, is_a("c"))))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(streams)
def test_temporal_two_of_three_streams(rows: Any) -> None:
    events = stream(rows)
    drafts = EqlBackend().correlation(plan("temporal", A, B, C, thresholds=[("gte", 2)]))
    pairs = [any_order(is_a(x), is_a(y)) for x, y in combinations("abc", 2)]
    first_of_burst(alerts(drafts, events), reference(events, lambda w, last: any(p(w, last) for p in pairs)))


@settings(max_examples=50, derandomize=True, deadline=None)
@given(streams)
def test_boolean_temporal_streams(rows: Any) -> None:
    events = stream(rows)
    drafts = EqlBackend().correlation(plan("temporal", A, B, C, expression=("or", ("and", "a", "b"), "c")))
    pair = any_order(is_a("a"), is_a("b"))
    wanted = reference(events, lambda w, last: pair(w, last) or is_a("c")(last))
    first_of_burst(alerts(drafts, events), wanted)


@settings(max_examples=50, derandomize=True, deadline=None)
@given(streams)
def test_count_then_event_streams(rows: Any) -> None:
    """Three failures, then a success: an event_count inside a temporal_ordered."""
    events = stream(rows)
    burst = plan("event_count", A, thresholds=[("gte", 3)], name="burst")
    drafts = EqlBackend().correlation(plan("temporal_ordered", burst, B))
    assert drafts[0].text.count("with runs=3") == 1
    first_of_burst(alerts(drafts, events), reference(events, in_order(*[is_a("a")] * 3, is_a("b"))))


def test_names_of_orders() -> None:
    assert [draft.name for draft in EqlBackend().correlation(plan("temporal", A, B))] == [
        "a_then_b",
        "b_then_a",
    ]
    assert [draft.name for draft in EqlBackend().correlation(plan("temporal", A, TAGGED))] == [
        "a_then_t",
        "t_then_a",
        "a_with_t",
    ]
    assert len(EqlBackend().correlation(plan("temporal", A, B, C))) == 6


def test_a_rule_that_two_values_of_one_event_can_be_is_not_disjoint() -> None:
    several = {**COLUMNS, "kind": Column("keyword", multi=True)}
    a, b = replace(A, columns=several), replace(B, columns=several)
    drafts = EqlBackend().correlation(plan("temporal", a, b))
    assert [draft.name for draft in drafts] == ["a_then_b", "b_then_a", "a_with_b"]
    assert alerts(drafts, [{"t": 0, "kind": ["a", "b"], "host": "h"}]) == {(("h",), 0)}


def test_own_keys_of_each_item() -> None:
    drafts = EqlBackend().correlation(
        plan(
            "temporal_ordered", A, B, by=("host", "address"), keys={"a": ["host", "ip"], "b": ["host", "tag"]}
        )
    )
    assert drafts[0].text.splitlines() == [
        "sequence by host with maxspan=10s",
        '  [any where kind : "a"] by ip',
        '  [any where kind : "b"] by tag',
    ]
    events = [
        {"t": 0, "kind": "a", "host": "h", "ip": "1"},
        {"t": 1, "kind": "b", "host": "h", "tag": "2"},
        {"t": 2, "kind": "b", "host": "h", "tag": "1"},
    ]
    assert alerts(drafts, events) == {(("h", "1"), 2)}


def test_missing_optional_key_takes_no_part() -> None:
    columns = {**COLUMNS, "host": Column("keyword", optional=True)}
    members = [replace(one, columns=columns) for one in (A, B)]
    drafts = EqlBackend().correlation(plan("temporal_ordered", *members))
    session = EqlEngine().load(stored([{"t": 0, "kind": "a"}, {"t": 1, "kind": "b"}]), {"Events": columns})
    assert session.run(drafts[0].text).rows == ()
    assert "sequence by ?host with" in drafts[0].text


def test_no_group_by() -> None:
    drafts = EqlBackend().correlation(plan("temporal_ordered", A, B, by=()))
    assert drafts[0].text.splitlines()[0] == "sequence with maxspan=10s"
    assert alerts(drafts, [{"t": 0, "kind": "a", "host": "h"}, {"t": 1, "kind": "b"}]) == {((), 1)}


def test_categories() -> None:
    process, network = (rule(n, {"kind": "a"}, eql_category=n) for n in ("process", "network"))
    (ordered,) = text(plan("temporal_ordered", process, network))
    assert '[process where kind : "a"]' in ordered
    assert '[network where kind : "a"]' in ordered
    (counted,) = text(plan("event_count", process, network, thresholds=[("gte", 3)]))
    assert counted.splitlines()[1] == (
        '  [any where kind : "a" and '
        '(event.category == "process" or event.category == "network")] with runs=3'
    )


def test_chain_that_drops_a_key_is_broader() -> None:
    inner = plan(
        "temporal_ordered",
        B,
        C,
        by=("host", "file"),
        keys={"b": ["host", "ip"], "c": ["host", "tag"]},
        name="inner",
    )
    outer = replace(
        plan("temporal_ordered", A, name="outer"),
        members=(Member("a", A, (("host",),)), Member("inner", inner, (("host",),))),
    )
    (draft,) = EqlBackend().correlation(outer)
    assert draft.text.splitlines() == [
        "sequence by host with maxspan=10s",
        '  [any where kind : "a"]',
        '  [any where kind : "b"]',
        '  [any where kind : "c"]',
    ]
    lost = [reason for reason in draft.reasons if reason.fidelity != Fidelity.EXACT]
    assert [reason.fidelity for reason in lost] == [Fidelity.BROADER]
    assert "inner is not joined by file" in lost[0].text
    # And an event stream shows that it is broader: b and c of different files.
    events = [
        {"t": 0, "kind": "a", "host": "h"},
        {"t": 1, "kind": "b", "host": "h", "ip": "f1"},
        {"t": 2, "kind": "c", "host": "h", "tag": "f2"},
    ]
    assert alerts([draft], events) == {(("h",), 2)}


@pytest.mark.parametrize(("inner_span", "labels"), [(10, 0), (20, 0), (5, 1)])
def test_chain_with_a_shorter_window_is_broader(inner_span: int, labels: int) -> None:
    inner = plan("temporal_ordered", A, B, span=inner_span, name="inner")
    (draft,) = EqlBackend().correlation(plan("temporal_ordered", inner, C))
    lost = [reason for reason in draft.reasons if reason.fidelity == Fidelity.BROADER]
    assert len(lost) == labels


@pytest.mark.parametrize(
    ("milliseconds", "shown"),
    [
        (1, "1ms"),
        (1500, "1500ms"),
        (60_000, "1m"),
        (90_000, "90s"),
        (3_600_000, "1h"),
        (86_400_000 * 30, "30d"),
    ],
)
def test_spans(milliseconds: int, shown: str) -> None:
    one = replace(plan("temporal_ordered", A, B), timespan_ms=milliseconds)
    assert f"with maxspan={shown}\n" in text(one)[0]


@pytest.mark.parametrize(
    ("op", "value", "runs"), [("gte", 100, 100), ("gt", 99, 100), ("gte", 2.5, 3), ("gt", 2.5, 3)]
)
def test_runs(op: str, value: float, runs: int) -> None:
    assert text(plan("event_count", A, thresholds=[(op, value)]))[0].endswith(f"with runs={runs}")


REFUSED = {
    "count over the limit": plan("event_count", A, thresholds=[("gte", 101)]),
    "gt over the limit": plan("event_count", A, thresholds=[("gt", 100)]),
    "lt": plan("event_count", A, thresholds=[("lt", 3)]),
    "lte": plan("event_count", A, thresholds=[("lte", 3)]),
    "eq": plan("event_count", A, thresholds=[("eq", 3)]),
    "neq": plan("event_count", A, thresholds=[("neq", 3)]),
    "range": plan("event_count", A, thresholds=[("gt", 3), ("lte", 9)]),
    "value_count": plan("value_count", A, thresholds=[("gte", 3)]),
    "value_sum": plan("value_sum", A, thresholds=[("gte", 3)]),
    "value_avg": plan("value_avg", A, thresholds=[("gte", 3)]),
    "value_percentile": plan("value_percentile", A, thresholds=[("gte", 3)]),
    "four in any order": plan("temporal", A, B, C, TAGGED),
    "not in a boolean condition": plan("temporal", A, B, expression=("and", "a", ("not", "b"))),
    "two of three in order": plan("temporal_ordered", A, B, C, thresholds=[("gte", 2)]),
    "count of alerts": plan("event_count", plan("temporal_ordered", A, B, name="x"), thresholds=[("gte", 2)]),
    "alerts in any order": plan("temporal", plan("temporal_ordered", A, B, name="x"), C),
    "count joined by different fields": plan(
        "event_count", A, B, keys={"a": ["host"], "b": ["ip"]}, thresholds=[("gte", 2)]
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_the_language_that_can(name: str) -> None:
    with pytest.raises(Refusal) as error:
        EqlBackend().correlation(REFUSED[name])
    assert error.value.code == "SC205"
    assert "KQL" in str(error.value)


def test_all_orders_are_needed() -> None:
    """Without any one of the queries of a temporal rule some stream is missed."""
    drafts = EqlBackend().correlation(plan("temporal", A, TAGGED, C))
    kinds = [{"kind": "a"}, {"tag": "x"}, {"kind": "c"}, {"kind": "a", "tag": "x"}, {"kind": "c", "tag": "x"}]
    several = [
        [{"t": t, "host": "h", **one} for t, one in enumerate(chosen)]
        for size in (1, 2, 3)
        for chosen in permutations(kinds, size)
    ]
    found = [[bool(alerts([draft], events)) for events in several] for draft in drafts]
    for number, left_out in enumerate(drafts):
        rest = found[:number] + found[number + 1 :]
        missed = [
            any(row[at] for row in found) and not any(row[at] for row in rest) for at in range(len(several))
        ]
        assert any(missed), left_out.name
    assert len(drafts) == len({draft.name for draft in drafts}) == len(list(permutations("abc"))) + 4


def test_alerts_of_one_event_name_their_group() -> None:
    """What is one event, not a sequence, says in which columns its group is."""
    for correlation in (plan("event_count", A, thresholds=[("gte", 1)]), plan("temporal", A, TAGGED)):
        draft = EqlBackend().correlation(correlation)[-1]
        assert draft.alert is not None
        assert draft.alert.group == ("host",)
        assert "host != null" in draft.text
