"""What the comparison of two converters says of a rule in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from converter.upstream.judge import Judgement, Outcome


class Verdict(StrEnum):
    """The kinds of lines that `sigconv compare` prints, in the order of its counts."""

    SAME = "same events"
    MISSES = "upstream misses events"
    ADDS = "upstream adds events"
    MISSES_AND_ADDS = "upstream misses and adds events"
    INVALID = "upstream's does not parse"
    LOST = "upstream gives no query"
    UPSTREAM_REFUSES = "upstream refuses"
    OURS_REFUSES = "ours refuses"
    BOTH_REFUSE = "both refuse"
    OURS_BROADER = "ours adds or misses events, and says so"
    OURS_WRONG = "ours differs from the rule"
    NOT_HERE = "upstream's is not run here"
    NO_PIPELINE = "upstream has no pipeline"
    ERROR = "error"


_UPSTREAM_WRONG = frozenset(
    {Verdict.MISSES, Verdict.ADDS, Verdict.MISSES_AND_ADDS, Verdict.INVALID, Verdict.LOST}
)


@dataclass(frozen=True, slots=True)
class Decider:
    """An event, or of a correlation a group of events, that one of the converters judges wrongly."""

    rule: bool
    """Whether the rule selects it."""
    upstream: bool | None
    """Whether upstream's query does; None: there is none that runs."""
    ours: bool | None
    stream: str = ""
    """Of a correlation: the name of the stream of events."""
    group: tuple[str, ...] = ()
    event: Mapping[str, Any] | None = None
    """The event as its source records it; of a correlation none."""
    index: str = ""
    """The index or table that the platform stores it in."""
    stored: Mapping[str, Any] | None = None
    """The same as it is stored there."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One rule in one cell: plain data, which processes can exchange."""

    rule: str
    """Id, or name."""
    title: str
    file: str
    source: str
    target: str
    verdict: Verdict
    text: str
    """The verdict with its numbers and reasons, in one line."""
    wrong: bool = False
    """Whether a query that does not say so is not what the rule means."""
    events: int = 0
    meant: int = 0
    """How many of the events (of a correlation: alerts) the rule means."""
    pipelines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What upstream was granted."""
    fidelity: str = ""
    upstream_queries: tuple[str, ...] = ()
    our_queries: tuple[str, ...] = ()
    deciders: tuple[Decider, ...] = ()

    @property
    def cell(self) -> str:
        """Source and target."""
        return f"{self.source}/{self.target}"


RAN = (Outcome.AGREES, Outcome.DIFFERS)
"""Outcomes of queries that were run."""


def decide(
    upstream: Judgement, ours: Judgement | None, fidelity: str, unit: str, case_alone: bool
) -> tuple[Verdict, str, bool]:
    """Return verdict, its line, and whether a query is wrong and does not say so.

    Args:
        upstream: what upstream's queries did.
        ours: what ours did; None if they were not run because upstream's cannot be.
        fidelity: the label of ours.
        unit: what is counted: "event" or "alert".
        case_alone: whether letter case is all that upstream's query differs in.
    """
    verdict, text = _of_upstream(upstream, unit, case_alone)
    wrong = verdict in _UPSTREAM_WRONG
    if ours is None:
        return verdict, text, wrong
    if ours.outcome is Outcome.REFUSED:
        if upstream.outcome is Outcome.REFUSED:
            return Verdict.BOTH_REFUSE, f"both refuse: {_brief(upstream.why)}; ours: {ours.why}", False
        there = text if verdict is not Verdict.SAME else "upstream's selects what the rule means"
        return Verdict.OURS_REFUSES, f"ours refuses: {ours.why}; {there}", wrong
    if ours.outcome is not Outcome.AGREES and not _labelled(ours, fidelity):
        why = ours.why or _difference(ours, unit)
        return Verdict.OURS_WRONG, f"ours differs from the rule, a defect of sigconv: {why}", True
    if ours.outcome is Outcome.AGREES:
        return verdict, text, wrong
    label = f"as its label {fidelity} says"
    if upstream.outcome is Outcome.AGREES:
        return Verdict.OURS_BROADER, f"ours {_difference(ours, unit)}, {label}", False
    if (upstream.missed, upstream.added) == (ours.missed, ours.added):
        both = f"both {_difference(upstream, unit, plural=True)}; ours is labelled {fidelity}"
        return Verdict.SAME, f"same {unit}s: {both}", False
    return verdict, f"{text}; ours {_difference(ours, unit)}, {label}", wrong


def _of_upstream(upstream: Judgement, unit: str, case_alone: bool) -> tuple[Verdict, str]:
    match upstream.outcome:
        case Outcome.AGREES:
            return Verdict.SAME, f"same {unit}s"
        case Outcome.INVALID:
            return Verdict.INVALID, f"upstream's does not parse: {_brief(upstream.why)}"
        case Outcome.LOST:
            return Verdict.LOST, "upstream gives no query and no error"
        case Outcome.REFUSED:
            return Verdict.UPSTREAM_REFUSES, f"upstream refuses: {_brief(upstream.why)}"
        case Outcome.NOT_HERE:
            return Verdict.NOT_HERE, f"upstream's is not run here: {_brief(upstream.why)}"
    kind = Verdict.MISSES if upstream.missed else Verdict.ADDS
    if upstream.missed and upstream.added:
        kind = Verdict.MISSES_AND_ADDS
    alone = ", by letter case alone" if case_alone else ""
    return kind, f"upstream {_difference(upstream, unit)}{alone}"


def _labelled(ours: Judgement, fidelity: str) -> bool:
    """Tell whether the label of our query says that it may differ in this way."""
    if ours.outcome is not Outcome.DIFFERS:
        return False
    return fidelity == "narrower" or (fidelity == "broader" and not ours.missed)


def _difference(judgement: Judgement, unit: str, *, plural: bool = False) -> str:
    verbs = ("miss", "add") if plural else ("misses", "adds")
    parts = [
        f"{verb} {len(hits)} {unit}{'s' if len(hits) != 1 else ''}"
        for verb, hits in zip(verbs, (judgement.missed, judgement.added), strict=True)
        if hits
    ]
    return " and ".join(parts)


def _brief(why: str) -> str:
    """Return an error in one line that a terminal can hold: upstream's lists every field of a table."""
    line = " ".join(why.split())
    return line if len(line) <= 200 else f"{line[:197]}..."
