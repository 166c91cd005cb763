"""One stream of a rule in a cell: stored and loaded once, for any number of queries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from converter.conversion.convert import DEFAULT, Conversion, Options
from converter.engines import ENGINES, engine_for
from converter.engines.base import Result, Session
from converter.events.stored import Stored
from converter.plan.model import BaseRule, CorrelationPlan, Fidelity
from converter.rules.ruleset import RuleSet
from converter.shapes.windows import registry_names
from converter.verify import foreign
from converter.verify.alerts import alerts_of, shown_wrongly
from converter.verify.expected import expected_marks, milliseconds_of
from converter.verify.judge import Mark, Verdict
from converter.verify.relaxations import Situation, known, relaxed
from converter.verify.stored import StoredStreams, tables_of
from converter.witness import ANOTHER_WAY

FIRST_OF_BURST = "first of burst"
"""How the reason begins if the engine counts each event once only (EQL sequences)."""

_MOST_NAMED = 60

Event = Mapping[str, Any]


class Prepared:
    """A stream as a platform stores it, what a rule means of it, and an engine that holds it.

    Args:
        rules: where references are resolved.
        conversion: the rule in a cell.
        name: what the stream is called in a verdict.
        events: flat events, in the order of arrival.
        options: what the user chose.
        kept: what the rule's other cells have stored.
    """

    def __init__(
        self,
        rules: RuleSet,
        conversion: Conversion,
        name: str,
        events: Sequence[Event],
        options: Options = DEFAULT,
        kept: StoredStreams | None = None,
    ) -> None:
        self.name = name
        self._conversion, self._plan = conversion, conversion.plan
        self._seen, self._stored = (kept or StoredStreams()).of(events, conversion)
        self._situation = Situation(
            tuple(one.doc for one in rules.closure(conversion.rule)),
            tuple(self._seen),
            tuple(one.doc for one in self._stored),
            options.placeholders,
        )

    @cached_property
    def _strict(self) -> list[Mark]:
        """What the rule means."""
        return expected_marks(self._conversion.rule, self._situation, self._conversion.cell)

    @cached_property
    def _expected(self) -> list[Mark]:
        """What the rule means as the label relaxes it."""
        return self._meant(self._situation) if relaxations_of(self._conversion) else self._strict

    def _meant(self, situation: Situation) -> list[Mark]:
        names = relaxations_of(self._conversion)
        situation = relaxed(names, situation) if names else situation
        return expected_marks(self._conversion.rule, situation, self._conversion.cell)

    @cached_property
    def _session(self) -> Session:
        """The events, and beside those of an event rule some of another kind."""
        return self._load([*self._stored, *(one for one, _ in self._others)])

    @cached_property
    def _others(self) -> list[tuple[Stored, bool]]:
        """Events of another kind, and the same event stored otherwise; and whether it is to be selected."""
        if not isinstance(self._plan, BaseRule):
            return []
        hits = [mark.event for mark in self._expected if mark.event is not None]
        chosen = [self._stored[event] for event in dict.fromkeys((*hits[:1], *hits[-1:]))]
        made = [(one, False) for one in foreign.of_event(self._plan, chosen)]
        made += [(one, True) for one in foreign.alike(self._plan, chosen)]
        wanted = set(hits)
        named = [(other, one.id in wanted) for one in self._stored if (other := registry_names.longer(one))]
        made += named[:: -(-len(named) // _MOST_NAMED) or 1]
        return [(replace(one, id=len(self._stored) + n), hit) for n, (one, hit) in enumerate(made)]

    @cached_property
    def _streams(self) -> list[tuple[list[Stored], Session, bool]]:
        """Streams of a correlation with other stored events: due the same alerts, or none."""
        assert isinstance(self._plan, CorrelationPlan)
        made = [(one, False) for one in foreign.of_correlation(self._plan, self._stored, self._needs)]
        made += [(one, True) for one in foreign.alike_streams(self._plan, self._stored)]
        return [(one, self._load(one), same) for one, same in made]

    def _needs(self, position: int) -> bool:
        """Tell whether the rule means nothing of the stream without one of its events."""

        def without(events: Sequence[Event]) -> tuple[Event, ...]:
            return (*events[:position], *events[position + 1 :])

        whole = self._situation
        less = replace(whole, events=without(whole.events), stored=without(whole.stored))
        return not self._meant(less)

    def _load(self, stored: Sequence[Stored]) -> Session:
        return engine_for(self._conversion.cell.target).load(stored, tables_of(self._conversion, stored))

    def compare(self, conversion: Conversion, verdict: Verdict) -> None:
        """Run queries over the stream and add to a verdict how what they select differs from the meaning.

        Args:
            conversion: the rule in the cell, with these or other queries.
            verdict: one to add to.

        Raises:
            EngineError: if the engine rejects or cannot run a query.
        """
        plan, name = self._plan, self.name
        engine, correlates = ENGINES[conversion.cell.target], isinstance(plan, CorrelationPlan)
        if correlates and not engine.orders_ties and self._has_ties():
            return
        groups = correlates and engine.alerts == "groups"
        verdict.shown += _differences(self._strict, self._expected, groups)
        verdict.events += len(self._seen)
        marks, results = run_queries(conversion, self._session, self._seen, self._stored)
        selected = {mark for mark in marks if mark.event is None or mark.event < len(self._seen)}
        found = {mark.event for mark in marks}
        for one, wanted in self._others:
            if wanted and one.id not in found:
                verdict.alike.append(f"'{name}': an event stored in another way")
            elif not wanted and one.id in found:
                verdict.foreign.append(f"'{name}': an event of another kind")
        if isinstance(plan, CorrelationPlan):
            verdict.columns += shown_wrongly(plan, results, self._stored)
            more = all(one.op in ("gt", "gte") for one in plan.thresholds)
            if self._expected and more and (not verdict.others_tried or name.startswith(ANOTHER_WAY)):
                verdict.others_tried = True
                self._compare_others(conversion, marks, verdict)
        burst = any(reason.text.startswith(FIRST_OF_BURST) for reason in conversion.reasons)
        if isinstance(plan, CorrelationPlan) and burst:
            verdict.compare_first_of_burst(name, self._expected, selected, plan.timespan_ms)
        elif groups:
            verdict.compare_groups(name, self._expected, {mark.group for mark in selected})
        else:
            verdict.compare(name, self._expected, selected)

    def _compare_others(self, conversion: Conversion, marks: set[Mark], verdict: Verdict) -> None:
        """Run queries over a correlation's other streams; ``marks`` is what they select of this one."""
        for stored, session, same in self._streams:
            selected = run_queries(conversion, session, self._seen, stored)[0]
            if same and not marks <= selected:
                verdict.alike.append(f"'{self.name}': events stored in another way")
            elif not same and selected:
                verdict.foreign.append(f"'{self.name}': events of another kind")

    def _has_ties(self) -> bool:
        times = [milliseconds_of(event) for event in self._seen]
        return len(set(times)) < len(times)


def run_queries(
    conversion: Conversion, session: Session, events: Sequence[Event], stored: Sequence[Stored]
) -> tuple[set[Mark], list[Result]]:
    """Return what queries select of the events that a session holds, and their results as they are."""
    results = [session.run(query.text) for query in conversion.queries]
    return alerts_of(conversion, events, stored, results), results


def relaxations_of(conversion: Conversion) -> list[str]:
    """Return the relaxations that the reasons of a label name, in order."""
    return [
        reason.relaxation
        for reason in conversion.reasons
        if reason.fidelity in (Fidelity.BROADER, Fidelity.NARROWER) and known(reason.relaxation)
    ]


def _differences(strict: Sequence[Mark], expected: Sequence[Mark], groups: bool) -> int:
    if groups:
        return len({mark.group for mark in strict} ^ {mark.group for mark in expected})
    return len(set(strict) ^ set(expected))
