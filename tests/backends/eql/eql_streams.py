"""Correlation plans, streams of events, and a brute-force reading of the rules to compare EQL with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import combinations
from typing import Any

from converter.backends.eql import EqlBackend
from converter.engines.eql import EqlEngine
from converter.events.stored import Stored
from converter.plan.columns import Column
from converter.plan.model import BaseRule, CorrelationPlan, Draft, Member, Threshold
from tests.support import none_base

SPAN = 10
COLUMNS = {
    "kind": Column("keyword"),
    "host": Column("keyword"),
    "ip": Column("keyword"),
    "tag": Column("keyword"),
}
Event = Mapping[str, Any]
START = datetime(2026, 1, 1, tzinfo=UTC)


def rule(name: str, detection: dict[str, Any], **state: str) -> BaseRule:
    return replace(
        none_base({"s": detection, "condition": "s"}, "eql"), name=name, columns=COLUMNS, state=state
    )


A, B, C = (rule(letter, {"kind": letter}) for letter in "abc")
TAGGED = rule("t", {"tag": "x"})


def plan(
    kind: str,
    *sources: BaseRule | CorrelationPlan,
    by: Sequence[str] = ("host",),
    keys: Mapping[str, Sequence[str]] | None = None,
    thresholds: Iterable[tuple[str, float]] = (),
    expression: Any = None,
    span: int = SPAN,
    name: str = "plan",
) -> CorrelationPlan:
    """Return a correlation; ``keys`` gives a member's own columns where they differ from the names."""
    members = tuple(
        Member(source.name, source, tuple((column,) for column in (keys or {}).get(source.name, by)))
        for source in sources
    )
    found = tuple(Threshold(op, value) for op, value in thresholds)
    return CorrelationPlan({}, name, kind, members, tuple(by), span * 1000, found, expression=expression)


def stored(events: Sequence[Event]) -> list[Stored]:
    """Events with ``t`` in seconds."""
    return [
        Stored(
            position,
            "Events",
            {
                **{name: value for name, value in event.items() if name != "t"},
                "@timestamp": (START + timedelta(seconds=event["t"])).isoformat(),
            },
        )
        for position, event in enumerate(events)
    ]


def alerts(drafts: Sequence[Draft], events: Sequence[Event]) -> set[tuple[Any, float]]:
    """Return group and time of every alert of the queries."""
    session = EqlEngine().load(stored(events), {"Events": COLUMNS})
    found = set()
    for draft in drafts:
        EqlEngine().validate(draft.text, {"Events": COLUMNS})
        result = session.run(draft.text)
        found |= {(tuple(row["keys"]), events[row["events"][-1]]["t"]) for row in result.rows}
        found |= {((events[one].get("host"),), events[one]["t"]) for one in result.events}
    return found


def text(correlation: CorrelationPlan) -> list[str]:
    return [draft.text for draft in EqlBackend().correlation(correlation)]


def is_a(letter: str) -> Callable[[Event], bool]:
    return lambda event: event.get("kind") == letter


def reference(
    events: Sequence[Event],
    holds: Callable[[Sequence[Event], Event], bool],
    group: str = "host",
    span: int = SPAN,
) -> set[tuple[Any, float]]:
    """Alerts of the rule: at each event, whether the window that ends there holds, by group."""
    found = set()
    for last in events:
        if last.get(group) is None:
            continue
        window = [
            one
            for one in events
            if one.get(group) == last[group] and last["t"] - span <= one["t"] <= last["t"]
        ]
        if holds(window, last):
            found.add(((last[group],), last["t"]))
    return found


def in_order(*tests: Callable[[Event], bool]) -> Callable[[Sequence[Event], Event], bool]:
    def holds(window: Sequence[Event], last: Event) -> bool:
        ordered = sorted(window, key=lambda event: event["t"])
        return any(
            chosen[-1] is last and all(test(one) for test, one in zip(tests, chosen, strict=True))
            for chosen in combinations(ordered, len(tests))
        )

    return holds


def any_order(*tests: Callable[[Event], bool]) -> Callable[[Sequence[Event], Event], bool]:
    def holds(window: Sequence[Event], last: Event) -> bool:
        present = [[one for one in window if test(one)] for test in tests]
        return all(present) and any(last in some for some in present)

    return holds


def first_of_burst(found: set[tuple[Any, float]], wanted: set[tuple[Any, float]], span: int = SPAN) -> None:
    """EQL's alerts are the rule's, and each of the rule's has one of EQL's at most a span earlier."""
    assert found <= wanted
    for group, time in wanted:
        assert any(g == group and time - span <= t <= time for g, t in found), (group, time)
