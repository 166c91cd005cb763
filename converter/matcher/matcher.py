"""Run rules over events: what fires, when, for which group and on which events."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.events.times import time_of
from converter.matcher.compiled_rules import EventRule, Rules, label
from converter.matcher.correlation import Engine, Raised
from converter.matcher.event import Event
from converter.matcher.logsource import fits, identity
from converter.matcher.modifiers import Placeholders

DEFAULT_LATENESS_MS = 600_000


@dataclass(frozen=True, slots=True)
class Alert:
    """A rule fired. A correlation's alert is told apart by rule, group and time."""

    rule: str
    """The rule's id, else its name, else its title."""
    title: str
    time_ms: int | None
    """The event's own time, of a correlation the completing event's; None if the event has none."""
    group: tuple[str, ...]
    """The values of a correlation's group-by, in its order, as they stand in the event."""
    events: tuple[int, ...]
    """Positions: the event; of a correlation those in the completing window, of an ordered one the chain."""


class Matcher:
    """Rules, compiled, and what correlations remember."""

    def __init__(
        self,
        rules: Sequence[Mapping[str, Any]],
        *,
        placeholders: Placeholders | None = None,
        time: Callable[[Event], int | None] = time_of,
        lateness_ms: int | None = DEFAULT_LATENESS_MS,
        since_ms: int | None = None,
        empty_is_missing: bool = False,
    ) -> None:
        """Compile the rules.

        Args:
            rules: rules, correlations and filters as YAML gives them, with all that they refer to.
            placeholders: values for the `expand` modifier.
            time: an event's own time in milliseconds, or None.
            lateness_ms: how late, behind the newest event that matched a correlation's base rules, events
                may come and still be put in order; None waits for `finish`.
            since_ms: the begin of the searched range: correlation alerts whose window begins before it are
                left out.
            empty_is_missing: as in `compile_detection`.

        Raises:
            RuleError: for a rule that is not valid Sigma.
        """
        self._time = time
        self._since = since_ms
        self._rules = Rules(rules, placeholders, empty_is_missing)
        self._lateness_ms = lateness_ms
        alerting = {id(doc) for doc in self._rules.alerting()}
        self._alerting = alerting
        ordered = [self._rules.correlation(doc) for doc in self._rules.order()]
        below = {id(one.doc): one for one in ordered}
        self._engines = []
        for one in ordered:
            if id(one.doc) in alerting:
                reached = self._reached(one.doc, below)
                chain = [inner for inner in ordered if id(inner.doc) in reached]
                self._engines.append((one, Engine(chain, lateness_ms)))
        base = {rule for _, engine in self._engines for rule in engine.base}
        self._event_rules = [
            self._rules.event_rule(doc)
            for doc in self._rules.docs
            if "correlation" not in doc and (id(doc) in alerting or id(doc) in base)
        ]
        self._base = base
        self._candidates: dict[tuple[str, str, str, str], list[EventRule]] = {}

    def _reached(self, doc: Mapping[str, Any], below: Mapping[int, Any]) -> set[int]:
        reached = {id(doc)}
        for member in below[id(doc)].members:
            if "correlation" in member:
                reached |= self._reached(member, below)
        return reached

    @property
    def late(self) -> int:
        """How many events came too late for some correlation and were left out of it."""
        return sum(engine.late for _, engine in self._engines)

    def matched(self, event: Event) -> list[EventRule]:
        """Return the event rules that an event satisfies, by logsource and detection."""
        who = identity(event)
        candidates = self._candidates.get(who)
        if candidates is None:
            candidates = [rule for rule in self._event_rules if fits(rule.needs, who)]
            self._candidates[who] = candidates
        return [rule for rule in candidates if rule.holds(event)]

    def feed(self, position: int, event: Event) -> Iterator[Alert]:
        """Take one event and yield the alerts that are now certain.

        Args:
            position: what `Alert.events` names the event by.
            event: flat (`converter.events.flatten`).
        """
        matched = self.matched(event)
        if not matched:
            return
        time = self._time(event)
        for rule in matched:
            if id(rule.doc) in self._alerting:
                yield Alert(label(rule.doc), str(rule.doc.get("title", "")), time, (), (position,))
        rules = frozenset(id(rule.doc) for rule in matched) & self._base
        if time is None or not rules:
            return
        for correlation, engine in self._engines:
            if rules & engine.base:
                for raised in engine.feed(time, position, event, rules):
                    yield from self._alert(correlation.doc, correlation.section.timespan_ms, raised)

    def finish(self) -> Iterator[Alert]:
        """Yield the alerts of what waited for late events."""
        for correlation, engine in self._engines:
            for raised in engine.finish():
                yield from self._alert(correlation.doc, correlation.section.timespan_ms, raised)

    def _alert(self, doc: Mapping[str, Any], timespan_ms: int, raised: Raised) -> Iterator[Alert]:
        if self._since is None or raised.time - timespan_ms >= self._since:
            positions = raised.hit.positions
            yield Alert(label(doc), str(doc.get("title", "")), raised.time, raised.group, positions)

    def run(self, events: Iterable[Event]) -> list[Alert]:
        """Return all alerts of a whole search, by time: no event is too late, nothing is remembered.

        Args:
            events: flat events; positions count from 0.
        """
        kept = self._engines
        self._engines = [
            (one, Engine([node.correlation for node in engine.nodes], None)) for one, engine in kept
        ]
        try:
            alerts = [alert for position, event in enumerate(events) for alert in self.feed(position, event)]
            alerts += self.finish()
        finally:
            self._engines = kept
        order = {label(doc): number for number, doc in enumerate(self._rules.docs)}
        return sorted(alerts, key=lambda a: (_sortable(a.time_ms), order[a.rule], a.group, a.events))


def _sortable(time_ms: int | None) -> float:
    return float("-inf") if time_ms is None else time_ms


def run(rules: Sequence[Mapping[str, Any]], events: Iterable[Event]) -> list[Alert]:
    """Return the alerts of rules over flat events, by time (see `Matcher`)."""
    return Matcher(rules).run(events)
