"""A rule's test events as a reader sees them best: a few whole events, and how the others differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.verify.test_files import RuleTest

Event = Mapping[str, Any]
_MOST_CHANGED = 0.5
"""An event of which a greater part differs is shown whole."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One event of a test."""

    base: str
    """The letter of the whole event that it is shown by."""
    changed: tuple[tuple[str, Any], ...]
    dropped: tuple[str, ...]
    fires: bool
    """The test expects an alert at it (of an event rule)."""


@dataclass(frozen=True, slots=True)
class ShownTest:
    """One test."""

    name: str
    events: tuple[Shown, ...]
    alerts: tuple[Any, ...]
    """As the test has them: positions of events, or mappings of a correlation's alerts."""


@dataclass(frozen=True, slots=True)
class ShownTests:
    """The tests of a rule."""

    bases: Mapping[str, Event]
    """Letter -> a whole event."""
    tests: tuple[ShownTest, ...]


def shown(tests: Sequence[RuleTest]) -> ShownTests:
    """Return a rule's tests with each event told by the most similar of the whole ones before it."""
    bases: list[Event] = []
    made = []
    for test in tests:
        events = []
        for position, event in enumerate(test.events):
            near = min(range(len(bases)), key=lambda one: _distance(bases[one], event), default=None)
            if near is None or _distance(bases[near], event) > _MOST_CHANGED * len(event):
                near = len(bases)
                bases.append(event)
            base = bases[near]
            changed = tuple((key, value) for key, value in event.items() if not _same(base, event, key))
            dropped = tuple(key for key in base if key not in event)
            events.append(Shown(_letter(near), changed, dropped, position in test.alerts))
        made.append(ShownTest(test.name, tuple(events), test.alerts))
    return ShownTests({_letter(number): base for number, base in enumerate(bases)}, tuple(made))


def _same(base: Event, event: Event, key: str) -> bool:
    """Tell 1 from True and from 1.0, as the events do."""
    return key in base and type(base[key]) is type(event[key]) and bool(base[key] == event[key])


def _distance(base: Event, event: Event) -> int:
    return sum(not _same(base, event, key) for key in event) + sum(key not in event for key in base)


def _letter(number: int) -> str:
    """Return A to Z, then AA, AB and so on."""
    text = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        text = chr(ord("A") + rest) + text
    return text
