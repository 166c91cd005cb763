"""What it means that a query selects events of every log source (the source `none`)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR
from sigma.conditions import ConditionFieldEqualsValueExpression as FieldValue
from sigma.types import SigmaExists, SigmaNumber, SigmaString

from converter.matcher.logsource import Need, needs
from converter.pipelines.transformations.items import string
from converter.plan.contradictions import clash
from converter.plan.model import Fidelity, Reason, Tree

RELAXATION = "log source not looked at"


def unchecked(logsource: Mapping[str, str], tree: Tree) -> Reason:
    """Return the reason of a query that does not look at the log source.

    It is a note and no loss where nothing can come of it: the specification's taxonomy does not say which
    events the log source has, or the rule's own conditions let no others through.

    Args:
        logsource: what the rule says of category, product and service.
        tree: the rule's condition, with Sigma's own names of fields.
    """
    said = ", ".join(f"{key} {name}" for key, name in logsource.items())
    others: list[Any] = [one for need in needs(logsource) for one in _not_of(need)]
    # A condition that only several values of a field satisfy clashes with itself: that tells nothing here.
    told = not others or (not clash(tree) and clash(ConditionAND([tree, ConditionOR(others)])))
    level = Fidelity.EXACT if told else Fidelity.BROADER
    return Reason(level, f"log source not checked: {said}", RELAXATION)


def _not_of(need: Need) -> Iterator[Tree]:
    """Yield the ways in which an event is not of a log source."""
    if need.foreign:
        yield ConditionAND([FieldValue(name, SigmaExists(True)) for name in ("Channel", "EventID")])
    if need.channels:
        yield _none_of("Channel", (*need.channels, "ForwardedEvents"))
    elif need.providers:
        yield _none_of("Provider_Name", need.providers)
    if need.event_ids:
        yield _none_of("EventID", map(int, need.event_ids))
    if need.operations:
        yield ConditionAND([FieldValue("EventID", SigmaNumber(12)), _none_of("EventType", need.operations)])


def _none_of(field: str, values: Iterable[str | int]) -> Tree:
    typed = [
        SigmaNumber(one) if isinstance(one, int) else string(SigmaString(), [one]) for one in sorted(values)
    ]
    return ConditionNOT([ConditionOR([FieldValue(field, one) for one in typed])])
