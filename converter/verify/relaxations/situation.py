"""What a relaxation changes: rules, and the events as the reference matcher sees them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from converter.matcher.modifiers import Placeholders

Doc = Mapping[str, Any]
Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Situation:
    """A rule with all that it refers to, and one stream of events."""

    docs: tuple[Doc, ...]
    """The rule and the rules that it refers to, as YAML gives them; the rule itself is the last."""
    events: tuple[Event, ...]
    """As the matcher sees them, in the order of arrival."""
    stored: tuple[Event, ...] = ()
    """The same as the platform stores them: columns with values."""
    placeholders: Placeholders | None = None
    interval_ms: int | None = None
    """If set, a rule that runs so often looks each time at the events of the last timespan: what it finds in
    any run counts, and not what a sliding window would."""

    @property
    def rule(self) -> Doc:
        """The rule that is judged."""
        return self.docs[-1]

    def with_docs(self, change: Callable[[Doc], Doc]) -> Situation:
        """Return the situation with each rule changed."""
        return replace(self, docs=tuple(change(doc) for doc in self.docs))

    def with_events(self, change: Callable[[Event], Event]) -> Situation:
        """Return the situation with each event changed."""
        return replace(self, events=tuple(change(event) for event in self.events))


Relax = Callable[[Situation, str], Situation]
"""Takes the situation and the argument that the reason gives ("" for none)."""


@dataclass(frozen=True, slots=True)
class Relaxation:
    """A rule's meaning made looser, or narrower, in one way."""

    name: str
    means: str
    """One sentence: what the relaxed rule does not look at, or looks at in another way."""
    relax: Relax
