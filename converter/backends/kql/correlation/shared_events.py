"""Base rules that one event can match together: its rows must be known to be of one event."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.kql.correlation import member_rows as rows
from converter.backends.kql.correlation.member_lets import member_let
from converter.backends.kql.correlation.member_rows import Numbered
from converter.backends.kql.correlation.scope import Scope
from converter.backends.kql.expression import INDENT
from converter.backends.kql.let_statements import piped, summarize
from converter.backends.kql.literals import name
from converter.plan.model import BaseRule, Member


def groups(members: Sequence[Member]) -> list[list[Member]]:
    """Return the base rules in groups, in order: an event that matches several matches those of one group."""
    found: list[list[Member]] = []
    for member in members:
        if not isinstance(member.source, BaseRule):
            continue
        met = [group for group in found if any(rows.overlap(one, member) for one in group)]
        found = [group for group in found if group not in met]
        found.append([*(one for group in met for one in group), member])
    places = {id(member): place for place, member in enumerate(members)}
    return sorted(
        (sorted(group, key=lambda one: places[id(one)]) for group in found),
        key=lambda group: places[id(group[0])],
    )


def number(scope: Scope, group: Sequence[Member], column: str) -> Numbered:
    """Add the events of a group of base rules, each with its number, as a `let`.

    Raises:
        Refusal: SC205 if they have different times.
    """
    numbered = rows.numbered(group, scope.shape, column)
    scope.script.needs |= numbered.needs
    # The numbers of two readings need not be the same.
    source = scope.script.let("Numbered", numbered.body, once=True)
    return Numbered(source, column, numbered.needs)


def counted_once(scope: Scope, group: Sequence[Member], intervals: bool) -> list[str]:
    """Add the rows of base rules with different keys, of which one event can match several.

    An event counts once in each group of keys that it belongs to; values of different columns are different.

    Returns:
        The names of `let` statements.

    Raises:
        Refusal: SC205 if the rules have different times.
    """
    event = number(scope, group, scope.columns.fresh("Event"))
    alike: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for member in group:
        source = member_let(scope, member, intervals, event=event)
        alike.setdefault(member.values, []).append(source)
    return [_once(scope, lets, event, intervals) for lets in alike.values()]


def _once(scope: Scope, lets: Sequence[str], event: Numbered, intervals: bool) -> str:
    names, without = scope.shape.names, f"project-away {event.column}"
    if len(lets) == 1:
        return scope.script.let("Either", piped(lets[0], [without], INDENT))
    by = scope.by(names.time, *([names.start] if intervals else []), *map(name, names.values), event.column)
    operators = [summarize(scope.taken_fields(), by), without]
    return scope.script.let("Either", piped(f"union {', '.join(lets)}", operators, INDENT))
