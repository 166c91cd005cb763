"""temporal_ordered: joins, step by step, each event with the latest chain that it can follow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from converter.backends.kql import members as rows
from converter.backends.kql.correlation import Scope, lower_bound, member_let
from converter.backends.kql.expression import INDENT
from converter.backends.kql.literals import name
from converter.backends.kql.script import piped, summarize
from converter.backends.kql.windows import compared, latest_starts
from converter.errors import Refusal
from converter.plan import BaseRule


def ordered(scope: Scope) -> tuple[str, list[str]]:
    """Return source and operators of the alerts.

    The condition is about the longest chain that ends at a time. Where it is a lower bound, chains of that
    length are enough; else all lengths are looked at.
    """
    members = scope.plan.members
    bound = len(members) if not scope.plan.thresholds else lower_bound(scope.plan.thresholds)
    if bound is not None and bound > len(members):
        raise Refusal("SC205", "no number of rules satisfies the condition: it would never alert")
    intervals = any(not isinstance(member.source, BaseRule) for member in members)
    event = _event_column(scope, intervals) if bound is None or bound > 1 else None
    every = bound == len(members)
    lets = [
        member_let(
            scope,
            member,
            intervals,
            with_fields=not every or member is members[-1],
            # A join finds no empty key if one side has none; alerts have none.
            with_check=not every or (member is members[0] and not intervals),
            event=event,
        )
        for member in members
    ]
    chain = _Chain(scope, intervals, event)
    if bound is not None:
        return _reaching(scope, chain, lets, max(bound, 1))
    return _measured(
        scope, [(length, *_reaching(scope, chain, lets, length)) for length in range(1, len(lets) + 1)]
    )


def _measured(scope: Scope, chains: Sequence[tuple[int, str, list[str]]]) -> tuple[str, list[str]]:
    """Return the alerts of a condition that is no lower bound, of the chains of each length."""
    alert, by = scope.alert, scope.by(scope.alert.last)
    parts = [
        (source, [*operators, f"extend {alert.count} = {number}"] if scope.nested else operators)
        for number, source, operators in chains
    ]
    found = _union(scope, parts)
    condition = compared(alert.count, scope.plan.thresholds)
    if scope.nested:
        begin = alert.first
        return latest_starts(
            scope,
            found,
            begin,
            [],
            lambda kept, more: (
                [summarize([(alert.count, f"max({alert.count})"), *kept], scope.by(alert.last, *more))],
                condition,
            ),
        )
    fields = [field for field, _ in scope.shape.fields]
    longest = f"arg_max({', '.join(map(name, [alert.count, alert.first, *fields]))})"
    return found, [summarize([(alert.count, longest)], by), f"where {condition.laid_out()}"]


def _reaching(scope: Scope, chain: _Chain, lets: Sequence[str], length: int) -> tuple[str, list[str]]:
    """Return where a chain of this length ends, with its latest start."""
    chains = [chain.of(chosen) for chosen in combinations(lets, length)]
    if len(chains) == 1:
        return chains[0]
    stages = [summarize(scope.latest(scope.alert.first), scope.by(scope.alert.last))]
    if not scope.nested:
        stages.append(f"extend {scope.alert.count} = {length}")
    return _union(scope, chains), stages


def _union(scope: Scope, parts: Sequence[tuple[str, list[str]]]) -> str:
    names = [scope.script.let("Chain", piped(source, operators, INDENT)) for source, operators in parts]
    return f"union {', '.join(names)}"


def _event_column(scope: Scope, intervals: bool) -> rows.Numbered | None:
    """Return numbered events if one event could be two steps of a chain, else None.

    Raises:
        Refusal: SC205 where events cannot be numbered.
    """
    members = scope.plan.members
    pairs = combinations(members, 2)
    if not any(rows.overlap(one, other) for one, other in pairs):
        return None
    if intervals:
        raise Refusal(
            "SC205",
            "KQL: an event can match two of the base rules beside a correlation, and cannot be told apart",
            hint="make the base rules exclude each other",
        )
    numbered = rows.numbered(members, scope.shape, scope.columns.fresh("Event"))
    scope.script.needs |= numbered.needs
    source = scope.script.let("Numbered", numbered.body, once=True)
    return rows.Numbered(source, numbered.column, numbered.needs)


class _Chain:
    """One chain of members, in order."""

    def __init__(self, scope: Scope, intervals: bool, event: rows.Numbered | None) -> None:
        self._scope = scope
        self._intervals = intervals
        self._event = event
        self._time = scope.shape.names.time
        self._start = scope.shape.names.start

    def of(self, lets: Sequence[str]) -> tuple[str, list[str]]:
        """Return source and operators of the chain's alerts."""
        operators: list[str] = []
        first = self._start if self._intervals else self._time
        end = self._time
        if len(lets) == 1 and self._intervals:
            operators.append(f"where {self._time} - {self._start} <= {self._scope.window}")
        for step, right in enumerate(lets[1:], start=1):
            last = step == len(lets) - 1
            end = f"{self._time}{step if self._event else 1}"
            operators += self._join(right, first)
            if self._event and not last and not self._scope.plan.group_by:
                operators.append(f"project-away {self._scope.bin_column}, {self._scope.bin_column}1")
            operators.append("where " + self._follows(step, first, end))
            if not last and not self._event:
                by = self._scope.by(f"{self._time} = {end}")
                operators.append(summarize([(self._start, f"max({first})")], by))
                first = self._start
        alert = self._scope.alert
        operators.append(summarize(self._scope.latest(first), self._scope.by(f"{alert.last} = {end}")))
        if not self._scope.nested:
            operators.append(f"extend {alert.count} = {len(lets)}")
        return lets[0], operators

    def _join(self, right: str, first: str) -> list[str]:
        keys = [name(key) for key in self._scope.plan.group_by]
        if keys:
            return [f"join kind=inner {right} on {', '.join(keys)}"]
        # Without keys the time is the key: what follows lies in one of two bins.
        window, column = self._scope.window, self._scope.bin_column
        expand = f"pack_array(bin({first}, {window}), bin({first}, {window}) + {window})"
        return [
            f"mv-expand {column} = {expand} to typeof(datetime)",
            f"join kind=inner ({right} | extend {column} = bin({self._time}, {window})) on {column}",
        ]

    def _follows(self, step: int, first: str, end: str) -> str:
        limit = f"{first} + {self._scope.window}"
        if self._intervals:
            return f"{self._start}1 >= {self._time} and {end} <= {limit}"
        before = f"{self._time}{step - 1 if self._event and step > 1 else ''}"
        test = f"{end} between ({before} .. ({limit}))"
        if self._event:
            column = self._event.column
            others = [f"{column}{one or ''}" for one in range(step)]
            test += "".join(f" and {column}{step} != {other}" for other in others)
        return test
