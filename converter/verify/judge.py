"""Compare what an emitted query selected with what the rule means, in the light of its label.

docs/semantics.md, "Correlations" (An alert is ...) and "Fidelity", says what agreement is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from converter.plan.model import Fidelity

Group = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something selected: an event, or an alert of a correlation."""

    group: Group
    time_ms: int
    event: int | None = None
    """Position of the event, for event rules."""


@dataclass(slots=True)
class Verdict:
    """What the streams together showed."""

    missed: list[tuple[str, Mark]] = field(default_factory=list)
    """Stream and mark: the matcher selects it, the query does not."""
    extra: list[tuple[str, Mark]] = field(default_factory=list)
    events: int = 0
    hits: int = 0
    foreign: list[str] = field(default_factory=list)
    """What the query selected though one of the columns that the rule demands says otherwise."""
    alike: list[str] = field(default_factory=list)
    """What the query did not select though it is stored in another way that the rule means as well."""
    columns: list[str] = field(default_factory=list)
    """What is wrong with the columns that alerts show."""
    others_tried: bool = False
    """Whether events of another kind were put in place of a correlation's."""
    shown: int = 0
    """How many marks tell the relaxed rule, with which `missed` and `extra` compare, from the rule itself."""

    def compare(self, stream: str, expected: Iterable[Mark], got: Iterable[Mark]) -> None:
        """Add one stream: sets of marks must be equal."""
        wanted, found = set(expected), set(got)
        self.hits += len(wanted & found)
        self.missed += [(stream, mark) for mark in sorted(wanted - found, key=_order)]
        self.extra += [(stream, mark) for mark in sorted(found - wanted, key=_order)]

    def compare_first_of_burst(
        self, stream: str, expected: Iterable[Mark], got: Iterable[Mark], timespan_ms: int
    ) -> None:
        """Add one stream of an engine that consumes events (EQL sequences).

        Each alert of the engine must be the matcher's; each of the matcher's must have one of the
        engine in its group at most a timespan earlier.
        """
        wanted, found = set(expected), set(got)
        self.extra += [(stream, mark) for mark in sorted(found - wanted, key=_order)]
        for mark in sorted(wanted, key=_order):
            near = (
                other.group == mark.group and mark.time_ms - timespan_ms <= other.time_ms <= mark.time_ms
                for other in found
            )
            if any(near):
                self.hits += 1
            else:
                self.missed.append((stream, mark))

    def compare_groups(self, stream: str, expected: Iterable[Mark], got: Iterable[Group]) -> None:
        """Add one stream of a threshold query, which tells groups and not times."""
        wanted = {mark.group for mark in expected}
        found = set(got)
        self.hits += len(wanted & found)
        self.missed += [(stream, Mark(group, 0)) for group in sorted(wanted - found)]
        self.extra += [(stream, Mark(group, 0)) for group in sorted(found - wanted)]

    @property
    def wrong(self) -> bool:
        """Whether something shows already that the query is not what the rule means."""
        return any((self.missed, self.extra, self.foreign, self.alike, self.columns))

    def problem(self, fidelity: Fidelity) -> str | None:
        """Return what is wrong with a label, or None if the streams bear it out.

        Args:
            fidelity: the query's label. A broader or a narrower query selects what the relaxed rule means,
                no less and no more, and something shows that this is not what the rule means.
        """
        wrong = self._first("missed", self.missed) or self._first("returned too much", self.extra)
        wrong = wrong or (f"returned too much: {self.foreign[0]}" if self.foreign else None)
        wrong = wrong or (f"missed: {self.alike[0]}" if self.alike else None)
        wrong = wrong or (self.columns[0] if self.columns else None)
        if wrong or fidelity in (Fidelity.EXACT, Fidelity.ASSUMED):
            return wrong
        return None if self.shown else f"labelled {fidelity}, but no event shows it"

    def _first(self, what: str, marks: Sequence[tuple[str, Mark]]) -> str | None:
        if not marks:
            return None
        stream, mark = marks[0]
        which = f"event {mark.event}" if mark.event is not None else f"group {mark.group} at {mark.time_ms}"
        more = f" and {len(marks) - 1} more" if len(marks) > 1 else ""
        return f"{what}: {which} of '{stream}'{more}"


def _order(mark: Mark) -> tuple[int, int, Group]:
    return (mark.time_ms, mark.event or 0, mark.group)
