"""Events made from a rule: hits, near misses and, for correlations, streams around the window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.matcher.modifiers import Placeholders
from converter.witness.defaults import stamp
from converter.witness.event_rules import Single

ANOTHER_WAY = "another way"
"""How the names begin of streams of other rules than the usual ones that satisfy a correlation."""


@dataclass(frozen=True, slots=True)
class Stream:
    """Events that belong together, in the order of arrival; each has a time."""

    name: str
    events: tuple[Mapping[str, Any], ...]


def witnesses(
    rules: Sequence[Mapping[str, Any]],
    rule: Mapping[str, Any],
    *,
    placeholders: Placeholders | None = None,
) -> list[Stream]:
    """Return events from a rule: the same for the same rule, always.

    Args:
        rules: the rule and all that it refers to, as YAML gives them.
        rule: the one to make events from.
        placeholders: values for the `expand` modifier.

    Returns:
        For a rule that looks at one event one stream; for a correlation a stream for each situation. Events
        are flat: raw Sysmon records where the logsource is one of Sysmon's, else the rule's own fields.

    Raises:
        RuleError: if a rule is not valid Sigma.
    """
    if "correlation" in rule:
        from converter.witness.correlation_streams import correlation_streams

        return [Stream(name, events) for name, events in correlation_streams(rules, rule, placeholders)]
    single = Single(rule, placeholders)
    made = single.events()
    sysmon = single.builder.sysmon
    timed = [{**event, **stamp(1000 * number, sysmon=sysmon)} for number, event in enumerate(made)]
    return [Stream("witnesses", tuple(timed))]
