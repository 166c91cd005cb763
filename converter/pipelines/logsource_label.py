"""What it means that a query selects events of every log source (the source `none`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from converter.matcher.logsource import Need, needs
from converter.plan.conditions import And, Comparison, Condition, Not, Or
from converter.plan.contradictions import clash
from converter.plan.model import Fidelity, Reason
from converter.plan.values import Exists, Number, Text

RELAXATION = "log source not looked at"


def unchecked(logsource: Mapping[str, str], condition: Condition) -> Reason:
    """Return the reason of a query that does not look at the log source.

    It is a note and no loss where nothing can come of it: the specification's taxonomy does not say which
    events the log source has, or the rule's own conditions let no others through.

    Args:
        logsource: what the rule says of category, product and service.
        condition: the rule's condition, with Sigma's own names of fields.
    """
    said = ", ".join(f"{key} {name}" for key, name in logsource.items())
    others = [one for need in needs(logsource) for one in _not_of(need)]
    # A condition that only several values of a field satisfy clashes with itself: that tells nothing here.
    told = not others or (not clash(condition) and clash(And((condition, Or(tuple(others))))))
    level = Fidelity.EXACT if told else Fidelity.BROADER
    return Reason(level, f"log source not checked: {said}", RELAXATION)


def _not_of(need: Need) -> Iterator[Condition]:
    """Yield the ways in which an event is not of a log source."""
    if need.foreign:
        yield And(tuple(Comparison(name, Exists(True)) for name in ("Channel", "EventID")))
    if need.channels:
        yield _none_of("Channel", (*need.channels, "ForwardedEvents"))
    elif need.providers:
        yield _none_of("Provider_Name", need.providers)
    if need.event_ids:
        yield _none_of("EventID", map(int, need.event_ids))
    if need.operations:
        yield And((Comparison("EventID", Number(12)), _none_of("EventType", need.operations)))


def _none_of(field: str, values: Iterable[str | int]) -> Condition:
    typed = [Number(one) if isinstance(one, int) else Text((one,)) for one in sorted(values)]
    return Not(Or(tuple(Comparison(field, one) for one in typed)))
