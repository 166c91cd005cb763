"""What satisfies a correlation at the least: which of its rules, how often, with which values."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Any

from converter.matcher.compiled_rules import Correlation
from converter.matcher.correlation_section import Section
from converter.matcher.windows import AGGREGATES, Entry, compare, exact

_MANY = 200
_MOST_ATTEMPTS = 500
_MOST_WAYS = 6


@dataclass(frozen=True, slots=True)
class Part:
    """One of the correlation's rules, and the value that its event has where the condition looks at one."""

    member: int
    value: Any = None
    """A number; for value_count the number, as text, of one of several different values."""

    def another(self, number: int) -> Part:
        """Return a part like this one; of a value_count with a further value."""
        return replace(self, value=str(number)) if isinstance(self.value, str) else self


def too_many(pieces: Sequence[Part]) -> bool:
    """Tell whether the threshold is so high that only the most telling streams are made."""
    return len(pieces) > _MANY


def parts(correlation: Correlation) -> list[Part]:
    """Return the fewest parts that satisfy the condition; if none do, one of each rule."""
    section = correlation.section
    members = len(section.references)
    for pieces in _attempts(section, members):
        if pieces and _satisfy(section, pieces):
            return pieces
    return [Part(member, 1 if section.fields else None) for member in range(members)]


def ways(correlation: Correlation) -> list[list[Part]]:
    """Return the ways to satisfy a condition on which rules are there, none with a part too many."""
    section = correlation.section
    if section.type not in ("temporal", "temporal_ordered"):
        return [parts(correlation)]
    found: list[list[Part]] = []
    for pieces in islice(_attempts(section, len(section.references)), _MOST_ATTEMPTS):
        less = any(all(piece in pieces for piece in one) for one in found)
        if not less and _satisfy(section, pieces):
            found.append(pieces)
    return found[:_MOST_WAYS] or [parts(correlation)]


def _attempts(section: Section, members: int) -> Iterator[list[Part]]:
    highest = int(max((abs(value) for _, value in section.thresholds), default=members)) + 2
    if section.type in ("temporal", "temporal_ordered"):
        for count in range(1, members + 1):
            yield from ([Part(member) for member in chosen] for chosen in combinations(range(members), count))
    elif section.type in ("event_count", "value_count"):
        holds = compare(section.thresholds)
        count = next((number for number in range(1, highest + 1) if holds(number)), 0)
        counts_values = section.type == "value_count"
        yield [Part(n % members, str(n) if counts_values else None) for n in range(count)]
    else:
        numbers = [value for _, threshold in section.thresholds for value in _near(threshold)]
        for count in (3, 2, 1):
            for number in numbers:
                whole = number // count if section.type == "value_sum" else number
                for last in (0, 1, -1, number - whole * count):
                    values = [whole] * (count - 1) + [whole + last]
                    yield [Part(n % members, value) for n, value in enumerate(values)]


def _near(threshold: float) -> list[int]:
    whole = int(threshold)
    return [whole, whole + 1, whole - 1, whole + 2]


def _satisfy(section: Section, pieces: Sequence[Part]) -> bool:
    kind = "temporal" if section.type == "temporal_ordered" else section.type
    aggregate = AGGREGATES[kind](section)
    for piece in pieces:
        value = (
            ()
            if piece.value is None
            else (piece.value if isinstance(piece.value, str) else exact(piece.value),)
        )
        aggregate.add(Entry(0, 0, frozenset({piece.member}), value, {}, ()))
    return aggregate.holds()
