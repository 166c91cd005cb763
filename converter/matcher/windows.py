"""The sliding windows of correlations, one for each group.

A window ends at an event's time t and begins at t - timespan; both ends are inside. All entries of one time
are added before it is judged, once.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter, deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import Any, Protocol

from converter.matcher import condition as conditions
from converter.matcher.correlation_section import Section

Exact = int | Fraction


@dataclass(slots=True)
class Entry:
    """An event, or an alert of another correlation, that takes part in a group."""

    start: int
    """Milliseconds; of an alert the latest possible first event."""
    end: int
    members: frozenset[int]
    """Which of the correlation's rules it stands for."""
    values: tuple[Hashable, ...]
    """Of the fields that value_count and the like look at."""
    fields: Mapping[str, Any]
    positions: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """A window that satisfies the condition."""

    start: Callable[[], int]
    """The latest possible first event; only nested correlations ask."""
    completing: Entry
    positions: tuple[int, ...]


class Window(Protocol):
    """One group of one correlation."""

    def judge(self, time: int, entries: Sequence[Entry]) -> Hit | None:
        """Add all entries that end at `time` (later than any before), and judge the window that ends then."""
        ...


class Aggregate(Protocol):
    """What a window adds up."""

    def add(self, entry: Entry) -> None:
        """Take an entry in."""
        ...

    def remove(self, entry: Entry) -> None:
        """Let an entry go."""
        ...

    def holds(self) -> bool:
        """Tell whether the condition is satisfied."""
        ...


def compare(thresholds: Sequence[tuple[str, float]]) -> Callable[[Exact], bool]:
    """Return a test of a number against all thresholds, exact for decimal fractions."""
    tests = [(_COMPARE[op], exact(value)) for op, value in thresholds]
    return lambda number: all(test(number, value) for test, value in tests)


_COMPARE: Mapping[str, Callable[[Exact, Exact], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
    "eq": lambda a, b: a == b,
    "neq": lambda a, b: a != b,
}


def exact(number: float) -> Exact:
    """Return a number as its decimal digits say."""
    return number if isinstance(number, int) else Fraction(str(number))


class _Count:
    """event_count: an entry counts once, whichever and however many rules it stands for."""

    def __init__(self, section: Section) -> None:
        self.test = compare(section.thresholds)
        self.count = 0

    def add(self, entry: Entry) -> None:
        self.count += 1

    def remove(self, entry: Entry) -> None:
        self.count -= 1

    def holds(self) -> bool:
        return self.test(self.count)


class _Distinct:
    """value_count: distinct values, compared as they are."""

    def __init__(self, section: Section) -> None:
        self.test = compare(section.thresholds)
        self.seen: Counter[Hashable] = Counter()

    def add(self, entry: Entry) -> None:
        self.seen.update(entry.values)

    def remove(self, entry: Entry) -> None:
        for value in entry.values:
            self.seen[value] -= 1
            if not self.seen[value]:
                del self.seen[value]

    def holds(self) -> bool:
        return self.test(len(self.seen))


class _Sum:
    """value_sum and value_avg."""

    def __init__(self, section: Section) -> None:
        self.test = compare(section.thresholds)
        self.average = section.type == "value_avg"
        self.total: Exact = 0
        self.count = 0

    def add(self, entry: Entry) -> None:
        for value in entry.values:
            self.total += value  # type: ignore[operator]
            self.count += 1

    def remove(self, entry: Entry) -> None:
        for value in entry.values:
            self.total -= value  # type: ignore[operator]
            self.count -= 1

    def holds(self) -> bool:
        if not self.count:
            return False
        return self.test(Fraction(self.total) / self.count if self.average else self.total)


class _Percentile:
    """value_percentile by nearest rank: the smallest value that p percent of the values do not exceed."""

    def __init__(self, section: Section) -> None:
        self.test = compare(section.thresholds)
        self.share = exact(section.percentile or 0)
        self.ordered: list[Any] = []

    def add(self, entry: Entry) -> None:
        for value in entry.values:
            insort(self.ordered, value)

    def remove(self, entry: Entry) -> None:
        for value in entry.values:
            del self.ordered[bisect_left(self.ordered, value)]

    def holds(self) -> bool:
        if not self.ordered:
            return False
        rank = ceil(Fraction(self.share) * len(self.ordered) / 100)
        return self.test(self.ordered[rank - 1])


class _Presence:
    """temporal: how many of the rules are there, or which."""

    def __init__(self, section: Section) -> None:
        self.test = compare(section.thresholds)
        self.expression = section.expression
        self.index = {name: position for position, name in enumerate(section.references)}
        self.present: Counter[int] = Counter()

    def add(self, entry: Entry) -> None:
        self.present.update(entry.members)

    def remove(self, entry: Entry) -> None:
        for member in entry.members:
            self.present[member] -= 1
            if not self.present[member]:
                del self.present[member]

    def holds(self) -> bool:
        if self.expression is None:
            return self.test(len(self.present))
        return self._true(self.expression)

    def _true(self, tree: conditions.Tree) -> bool:
        if isinstance(tree, conditions.Name):
            return self.index[tree.name] in self.present
        if isinstance(tree, conditions.Not):
            return not self._true(tree.item)
        join = all if tree.op == "and" else any
        return join(self._true(item) for item in tree.items)


AGGREGATES: Mapping[str, Callable[[Section], Aggregate]] = {
    "event_count": _Count,
    "value_count": _Distinct,
    "value_sum": _Sum,
    "value_avg": _Sum,
    "value_percentile": _Percentile,
    "temporal": _Presence,
}


class Sliding:
    """Every type but temporal_ordered: a window over entries by their start, with a running aggregate."""

    def __init__(self, section: Section) -> None:
        self.section = section
        self.make = AGGREGATES[section.type]
        self.aggregate = self.make(section)
        self.entries: deque[Entry] = deque()

    def judge(self, time: int, entries: Sequence[Entry]) -> Hit | None:
        """See `Window.judge`."""
        begin = time - self.section.timespan_ms
        for entry in entries:
            if entry.start >= begin:
                self._insert(entry)
                self.aggregate.add(entry)
        while self.entries and self.entries[0].start < begin:
            self.aggregate.remove(self.entries.popleft())
        newest = [entry for entry in entries if entry.start >= begin]
        if not newest or not self.aggregate.holds():
            return None
        kept = tuple(self.entries)
        completing = max(newest, key=lambda entry: entry.positions)
        latest = max(entry.start for entry in newest)
        positions = sorted({position for entry in kept for position in entry.positions})
        return Hit(lambda: self._start(kept, latest), completing, tuple(positions))

    def _insert(self, entry: Entry) -> None:
        """Keep the order by start; only alerts ever begin before what is there."""
        if not self.entries or self.entries[-1].start <= entry.start:
            self.entries.append(entry)
        else:
            insort(self.entries, entry, key=lambda one: one.start)

    def _start(self, entries: Sequence[Entry], latest: int) -> int:
        """The begin of the window's shortest end that satisfies the condition and holds what completes it."""
        aggregate = self.make(self.section)
        for position in range(len(entries) - 1, -1, -1):
            entry = entries[position]
            aggregate.add(entry)
            whole = position == 0 or entries[position - 1].start < entry.start
            if whole and entry.start <= latest and aggregate.holds():
                return entry.start
        return entries[0].start
