"""What raises an alert, when, for which group and on which events."""

from __future__ import annotations

import itertools
import tracemalloc
from typing import Any

import pytest

from converter.errors import RuleError
from converter.matcher import Alert, Matcher

T0 = 1709632800000


def rule(name: str, **more: Any) -> dict[str, Any]:
    return {
        "title": f"The rule {name}",
        "name": name,
        "logsource": {"category": "test"},
        "detection": {"s": {"kind": name}, "condition": "s"},
        **more,
    }


def correlation(kind: str, *rules: str, name: str = "top", **section: Any) -> dict[str, Any]:
    given = {"type": kind, "rules": list(rules), "group-by": ["host"], "timespan": "1m", **section}
    return {"title": f"The correlation {name}", "name": name, "correlation": given}


def event(kind: str, seconds: float, host: str | None = "h", **more: Any) -> dict[str, Any]:
    fields = {"kind": kind, "timestamp": T0 + round(seconds * 1000), **more}
    return fields if host is None else {**fields, "host": host}


def raised(rules: list[dict[str, Any]], events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    """(seconds, group, events) of the alerts of the rule named top."""
    found = [alert for alert in Matcher(rules).run(events) if alert.rule == "top"]
    return [((alert.time_ms or 0) / 1000 - T0 / 1000, alert.group, alert.events) for alert in found]


def test_an_event_rule_alerts_at_each_event() -> None:
    matcher = Matcher([rule("a", id="7a8")])
    events = [event("a", 2), event("b", 3), {"kind": "a"}]
    found = [alert for position, one in enumerate(events) for alert in matcher.feed(position + 10, one)]
    assert found == [
        Alert("7a8", "The rule a", T0 + 2000, (), (10,)),
        Alert("7a8", "The rule a", None, (), (12,)),
    ]


def test_rules_that_serve_a_correlation_are_silent_unless_it_generates() -> None:
    rules = [rule("a"), rule("b"), correlation("temporal", "a", "b")]
    events = [event("a", 0), event("b", 1)]
    assert [alert.rule for alert in Matcher(rules).run(events)] == ["top"]
    assert [alert.rule for alert in Matcher([*rules[:2], {**rules[2], "generate": True}]).run(events)] == [
        "a",
        "b",
        "top",
    ]
    rules[2]["correlation"]["generate"] = True
    assert [alert.rule for alert in Matcher(rules).run(events)] == ["a", "b", "top"]


def test_the_window_includes_both_ends() -> None:
    rules = [rule("a"), rule("b"), correlation("temporal_ordered", "a", "b")]
    assert raised(rules, [event("a", 0), event("b", 60)]) == [(60, ("h",), (0, 1))]
    assert raised(rules, [event("a", 0), event("b", 60.001)]) == []


def test_order_is_that_of_the_events_own_time() -> None:
    rules = [rule("a"), rule("b"), correlation("temporal_ordered", "a", "b")]
    assert raised(rules, [event("b", 5), event("a", 4)]) == [(5, ("h",), (1, 0))]
    assert raised(rules, [event("a", 5), event("b", 4)]) == []
    assert raised(rules, [event("b", 5), event("a", 5)]) == [(5, ("h",), (1, 0))]


def test_one_event_is_not_two_steps() -> None:
    rules = [rule("a"), rule("b", detection={"s": {"kind": ["a", "b"]}, "condition": "s"})]
    rules.append(correlation("temporal_ordered", "a", "b"))
    assert raised(rules, [event("a", 0)]) == []
    assert raised(rules, [event("a", 0), event("a", 0)]) == [(0, ("h",), (0, 1))]
    rules[2] = correlation("temporal", "a", "b")
    assert raised(rules, [event("a", 0)]) == [(0, ("h",), (0,))]


def test_an_event_of_several_rules_counts_once() -> None:
    rules = [rule("a"), rule("b", detection={"s": {"kind": "a"}, "condition": "s"})]
    rules.append(correlation("event_count", "a", "b", condition={"gte": 2}))
    assert raised(rules, [event("a", 0)]) == []
    assert raised(rules, [event("a", 0), event("a", 1)]) == [(1, ("h",), (0, 1))]


def test_groups_are_apart_and_verbatim() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 2})]
    events = [
        event("a", 0, "x"),
        event("a", 1, "y"),
        event("a", 2, "X"),
        event("a", 3, None),
        event("a", 4, "y"),
    ]
    assert raised(rules, events) == [(4, ("y",), (1, 4))]
    rules[1] = correlation("event_count", "a", condition={"gte": 5}, **{"group-by": []})
    assert raised(rules, events) == [(4, (), (0, 1, 2, 3, 4))]


def test_group_values_are_text_in_the_order_of_the_rule() -> None:
    rules = [
        rule("a"),
        correlation("event_count", "a", condition={"gte": 2}, **{"group-by": ["port", "host", "up"]}),
    ]
    events = [event("a", 0, port=445, up=True), event("a", 1, port="445", up="true")]
    assert raised(rules, events) == [(1, ("445", "h", "true"), (0, 1))]


def test_an_event_with_several_values_is_in_each_group() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 2}, **{"group-by": ["ip"]})]
    events = [
        event("a", 0, ip=["1", "2"]),
        event("a", 1, ip="2"),
        event("a", 2, ip=[]),
        event("a", 3, ip=None),
    ]
    assert raised(rules, events) == [(1, ("2",), (0, 1))]


def test_one_alert_for_events_of_one_time() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 2})]
    assert raised(rules, [event("a", 0), event("a", 1), event("a", 1), event("a", 1)]) == [
        (1, ("h",), (0, 1, 2, 3))
    ]


def test_fewer_than_is_judged_after_all_events_of_the_time() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"lt": 2})]
    assert raised(rules, [event("a", 0), event("a", 0)]) == []
    assert raised(rules, [event("a", 0), event("a", 61), event("a", 62)]) == [
        (0, ("h",), (0,)),
        (61, ("h",), (1,)),
    ]


def test_values_that_are_no_numbers_take_no_part() -> None:
    rules = [rule("a"), correlation("value_sum", "a", condition={"field": "n", "gte": 0.3})]
    events = [
        event("a", 0, n="x"),
        event("a", 1, n="0.1"),
        event("a", 2, n=0.2),
        event("a", 3),
        event("a", 4, n=-1),
    ]
    assert raised(rules, events) == [(2, ("h",), (1, 2))]


def test_a_field_that_is_missing_is_no_distinct_value() -> None:
    rules = [rule("a"), correlation("value_count", "a", condition={"field": "n", "gte": 2})]
    events = [event("a", 0, n="x"), event("a", 1), event("a", 2, n="x"), event("a", 3, n="X")]
    assert raised(rules, events) == [(3, ("h",), (0, 2, 3))]


def test_aliases_by_name_or_id_and_references_likewise() -> None:
    rules = [rule("a", id="11"), rule("b", id="22")]
    for first, second in itertools.product(("a", "11"), ("b", "22")):
        keys = {"group-by": ["who"], "aliases": {"who": {first: "from", second: "to"}}}
        for references in (("a", "b"), ("11", "22")):
            top = correlation("temporal_ordered", *references, **keys)
            events = [event("a", 0, **{"from": "z", "to": "y"}), event("b", 1, **{"from": "y", "to": "z"})]
            assert raised([top, *rules], events) == [(1, ("z",), (0, 1))]


def test_an_alias_is_a_field_of_the_alert() -> None:
    inner = {"group-by": ["w"], "aliases": {"w": {"a": "x", "b": "y"}}}
    outer = {"group-by": ["who"], "aliases": {"who": {"inner": "w", "c": "z"}}}
    rules = [
        correlation("temporal_ordered", "inner", "c", **outer),
        correlation("temporal", "a", "b", name="inner", **inner),
        *map(rule, "cba"),
    ]
    events = [event("a", 0, x="me"), event("b", 1, y="me"), event("c", 2, z="me")]
    assert raised(rules, events) == [(2, ("me",), (0, 1, 2))]


def test_the_latest_possible_start_of_an_alert_counts() -> None:
    rules = [rule("a"), rule("b"), rule("c"), correlation("temporal_ordered", "a", "b", name="inner")]
    rules.append(correlation("temporal_ordered", "c", "inner", timespan="30s"))
    assert raised(rules, [event("a", 0), event("c", 20), event("a", 25), event("b", 40)]) == [
        (40, ("h",), (1, 2, 3))
    ]
    assert raised(rules, [event("a", 0), event("c", 20), event("b", 40)]) == []


def test_alerts_before_the_searched_range_are_left_out() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 1})]
    events = [event("a", 59), event("a", 60)]
    assert [alert.events for alert in Matcher(rules, since_ms=T0).run(events)] == [(0, 1)]


def test_late_events_are_put_in_order_within_the_lateness() -> None:
    rules = [rule("a"), rule("b"), correlation("temporal_ordered", "a", "b")]
    events = [event("b", 10), event("x", 100), event("b", 40), event("a", 9)]
    for lateness, wanted, late in ((None, [10, 40], 0), (30_000, [10, 40], 0), (29_999, [], 1), (0, [], 1)):
        matcher = Matcher(rules, lateness_ms=lateness)
        found = [alert for position, one in enumerate(events) for alert in matcher.feed(position, one)]
        found += matcher.finish()
        assert [((a.time_ms or 0) - T0) // 1000 for a in found] == wanted
        assert matcher.late == late


def test_alerts_come_as_soon_as_they_are_certain() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 1})]
    matcher = Matcher(rules, lateness_ms=1000)
    assert list(matcher.feed(0, event("a", 0))) == []
    assert list(matcher.feed(1, event("a", 1))) == []
    assert [alert.events for alert in matcher.feed(2, event("a", 1.001))] == [(0,)]
    assert [alert.events for alert in matcher.finish()] == [(0, 1), (0, 1, 2)]


def test_memory_is_that_of_the_window_and_the_lateness() -> None:
    rules = [rule("a"), rule("b"), correlation("temporal_ordered", "a", "b", name="inner", generate=True)]
    rules += [correlation("event_count", "a", "inner", condition={"gte": 3})]
    matcher = Matcher(rules, lateness_ms=5_000)
    for number in range(5000):
        kind, host = "ab"[number % 2], f"h{number % 50}"
        list(matcher.feed(number, event(kind, number, host)))
    for _, engine in matcher._engines:
        assert len(engine.waiting) <= 6
        for node in engine.nodes:
            assert len(node.windows) <= 62
            for _, window in node.windows.values():
                assert len(getattr(window, "entries", ())) <= 6
                assert sum(len(one.chains) for one in getattr(window, "stairs", {}).values()) <= 6


@pytest.mark.slow
def test_memory_does_not_grow_with_the_number_of_events() -> None:
    """Four times the events over four times the time, in the same window: about the same peak."""
    peaks = []
    for count in (15_000, 60_000):
        matcher = Matcher(
            [
                rule("a"),
                rule("b"),
                correlation("temporal_ordered", "a", "b"),
                correlation("value_count", "a", condition={"field": "n", "gte": 100}),
            ],
            lateness_ms=60_000,
        )
        events = (event("ab"[n % 2], n / 10 - n % 7, f"h{n % 49}", n=str(n % 99)) for n in range(count))
        alerts = 0
        tracemalloc.start()
        try:
            for position, one in enumerate(events):
                alerts += sum(1 for _ in matcher.feed(position, one))
            alerts += sum(1 for _ in matcher.finish())
            peaks.append(tracemalloc.get_traced_memory()[1])
        finally:
            tracemalloc.stop()
        assert alerts > count / 10
        assert matcher.late == 0
    assert peaks[1] < 1.2 * peaks[0]


def test_run_remembers_nothing() -> None:
    matcher = Matcher([rule("a"), correlation("event_count", "a", condition={"gte": 2})])
    assert len(matcher.run([event("a", 0), event("a", 1)])) == 1
    assert matcher.run([event("a", 2)]) == []


FILTER = {
    "title": "Not on servers",
    "logsource": {"category": "test"},
    "filter": {"rules": ["a"], "selection": {"host|startswith": "srv"}, "condition": "not selection"},
}


def test_a_filter_says_what_remains() -> None:
    events = [event("a", 0, "pc"), event("a", 1, "SRV1"), event("b", 2, "srv2")]
    found = Matcher([rule("a"), rule("b"), FILTER]).run(events)
    assert [alert.events for alert in found] == [(0,), (2,)]


@pytest.mark.parametrize(
    ("rules", "logsource", "hits"),
    [
        ("any", {"category": "test"}, 1),
        ([], {"category": "test"}, 1),
        ("a", {"category": "test"}, 1),
        (["other", "the-id"], {"category": "test"}, 1),
        (["other"], {"category": "test"}, 2),
        ("any", {"category": "else"}, 2),
        ("any", {"category": "test", "product": "windows"}, 2),
    ],
)
def test_which_rules_a_filter_concerns(rules: Any, logsource: dict[str, str], hits: int) -> None:
    given = {**FILTER, "logsource": logsource, "filter": {**FILTER["filter"], "rules": rules}}
    found = Matcher([rule("a", id="the-id"), given]).run([event("a", 0, "pc"), event("a", 1, "srv")])
    assert len(found) == hits


def test_a_filter_applies_to_the_base_rules_of_a_correlation() -> None:
    rules = [rule("a"), correlation("event_count", "a", condition={"gte": 1}), FILTER]
    assert raised(rules, [event("a", 0, "srv1"), event("a", 1, "pc")]) == [(1, ("pc",), (1,))]


@pytest.mark.parametrize(
    ("code", "section"),
    [
        ("SC111", {"rules": ["a", "none"]}),
        ("SC112", {"rules": []}),
        ("SC112", {"rules": ["a", "a"]}),
        ("SC112", {"rules": ["a", "top"]}),
        ("SC112", {"type": "near"}),
        ("SC112", {"type": None}),
        ("SC112", {"timespan": "5 minutes"}),
        ("SC112", {"timespan": "0s"}),
        ("SC112", {"timespan": "1M"}),
        ("SC112", {"timespan": None}),
        ("SC112", {"type": "event_count"}),
        ("SC112", {"type": "event_count", "condition": {}}),
        ("SC112", {"type": "event_count", "condition": {"gte": "many"}}),
        ("SC112", {"type": "event_count", "condition": {"above": 3}}),
        ("SC112", {"type": "event_count", "condition": "a and b"}),
        ("SC112", {"type": "temporal_ordered", "condition": "a and b"}),
        ("SC105", {"condition": "a and c"}),
        ("SC105", {"condition": "a and"}),
        ("SC112", {"type": "value_count", "condition": {"gte": 3}}),
        ("SC112", {"type": "value_sum", "condition": {"field": ["x", "y"], "gte": 3}}),
        ("SC112", {"type": "value_percentile", "condition": {"field": "x", "gte": 3, "percentile": 0}}),
        ("SC112", {"group-by": ["who"], "aliases": {"who": {"a": "x"}}}),
        ("SC112", {"aliases": {"who": "x"}}),
        ("SC112", {"aliases": ["who"]}),
    ],
)
def test_what_is_no_correlation(code: str, section: dict[str, Any]) -> None:
    top = correlation("temporal", "a", "b")
    top["correlation"].update(section)
    with pytest.raises(RuleError) as caught:
        Matcher([rule("a"), rule("b"), top])
    assert caught.value.code == code


def test_a_circle_of_two() -> None:
    one, two = (
        correlation("temporal", "a", "two", name="one"),
        correlation("temporal", "a", "one", name="two"),
    )
    with pytest.raises(RuleError, match=r"SC112.*refers to itself"):
        Matcher([rule("a"), one, two])


@pytest.mark.parametrize("doc", [{}, {"title": "x"}, [], rule("a", logsource=None)])
def test_what_is_no_rule(doc: Any) -> None:
    with pytest.raises(RuleError, match="SC103"):
        Matcher([doc])
