"""temporal_ordered: joins, step by step, each event with the latest chain that it can follow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from converter.backends.kql.conditions import conjuncts, used_fields
from converter.backends.kql.correlation.member_lets import member_let
from converter.backends.kql.correlation.member_rows import Numbered
from converter.backends.kql.correlation.scope import Scope
from converter.backends.kql.correlation.shared_events import groups, number
from converter.backends.kql.correlation.windows import compared, latest_starts
from converter.backends.kql.expression import INDENT
from converter.backends.kql.let_statements import piped, summarize
from converter.backends.kql.literals import name
from converter.backends.kql.term_filters import KIND_COLUMNS
from converter.errors import Refusal
from converter.plan.conditions import Not
from converter.plan.model import BaseRule, Member
from converter.plan.thresholds import lower_bound


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
    events = _events(scope) if bound is None or bound > 1 else {}
    every = bound == len(members)
    lets = [
        member_let(
            scope,
            member,
            intervals,
            with_fields=not every or member is members[-1],
            # A join finds no empty key if one side has none; alerts have none.
            with_check=not every or (member is members[0] and not intervals),
            event=events.get(member.name),
        )
        for member in members
    ]
    chain = _Chain(scope, intervals, [events.get(member.name) for member in members], every)
    if bound is not None:
        return _reaching(scope, chain, lets, max(bound, 1))
    for member in lets:
        scope.script.read_again(member)
    every_length = [some for size in range(1, len(lets) + 1) for some in combinations(range(len(lets)), size)]
    return _measured(scope, [(len(some), *chain.of(lets, some)) for some in every_length])


def _measured(scope: Scope, chains: Sequence[tuple[int, str, list[str]]]) -> tuple[str, list[str]]:
    """Return the alerts of a condition that is no lower bound, of chains of each length."""
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
    chains = [chain.of(lets, chosen) for chosen in combinations(range(len(lets)), length)]
    if len(chains) == 1:
        return chains[0]
    for member in lets:
        scope.script.read_again(member)
    stages = [summarize(scope.latest(scope.alert.first), scope.by(scope.alert.last))]
    if not scope.nested:
        stages.append(f"extend {scope.alert.count} = {length}")
    return _union(scope, chains), stages


def _union(scope: Scope, parts: Sequence[tuple[str, list[str]]]) -> str:
    names = [scope.script.let("Chain", piped(source, operators, INDENT)) for source, operators in parts]
    return f"union {', '.join(names)}"


def _events(scope: Scope) -> dict[str, Numbered]:
    """Return, for base rules that one event could match together, the numbered events that they read.

    Raises:
        Refusal: SC205 where such rules have different times.
    """
    found: dict[str, Numbered] = {}
    shared = [group for group in groups(scope.plan.members) if len(group) > 1]
    column = scope.columns.fresh("Event") if shared else ""
    for group in shared:
        event = number(scope, group, column)
        found |= {member.name: event for member in group}
    return found


class _Chain:
    """Chains of members, in order."""

    def __init__(self, scope: Scope, intervals: bool, events: Sequence[Numbered | None], every: bool) -> None:
        self._scope = scope
        self._intervals = intervals
        self._events = events
        self._every = every
        self._time = scope.shape.names.time
        self._start = scope.shape.names.start

    def of(self, lets: Sequence[str], chosen: Sequence[int]) -> tuple[str, list[str]]:
        """Return source and operators of the alerts of some of the members."""
        operators: list[str] = []
        first = self._start if self._intervals else self._time
        end = self._time
        others = self._others(chosen)
        apart = any(others)
        if len(chosen) == 2 and not apart and self._scope.plan.group_by and self._later_is_fewer(*chosen):
            return self._from_later(lets, chosen)
        if len(chosen) == 1 and self._intervals:
            operators.append(f"where {self._time} - {self._start} <= {self._scope.window}")
        for step, place in enumerate(chosen[1:], start=1):
            last = step == len(chosen) - 1
            end = f"{self._time}{step if apart else 1}"
            if not self._every and (apart or step == 1):
                # The fields are those of the event that completes the chain.
                operators += self._without_fields()
            operators += self._join(lets[place], first)
            if apart and not last and not self._scope.plan.group_by:
                operators.append(f"project-away {self._scope.bin_column}, {self._scope.bin_column}1")
            tests = [self._follows(step if apart else 1, first, end), *others[step]]
            operators.append("where " + " and ".join(tests))
            if not last and not apart:
                by = self._scope.by(f"{self._time} = {end}")
                operators.append(summarize([(self._start, f"max({first})")], by))
                first = self._start
        alert = self._scope.alert
        operators.append(summarize(self._scope.latest(first), self._scope.by(f"{alert.last} = {end}")))
        if not self._scope.nested:
            operators.append(f"extend {alert.count} = {len(chosen)}")
        return lets[chosen[0]], operators

    def _later_is_fewer(self, first: int, later: int) -> bool:
        """Tell whether a member is expected to have fewer rows than one before it."""
        members = self._scope.plan.members
        return asked(members[later]) > asked(members[first]) > 0

    def _from_later(self, lets: Sequence[str], chosen: Sequence[int]) -> tuple[str, list[str]]:
        """Return a chain of two that begins with the later event, of which fewer rows are expected.

        Microsoft, "join operator": "For best performance, if one table is always smaller than the other, use
        it as the left side of the join operator."
        """
        keys = ", ".join(map(name, self._scope.plan.group_by))
        before = f"{self._time}1"
        test = f"{self._time} between ({before} .. ({before} + {self._scope.window}))"
        operators = [f"join kind=inner {lets[chosen[0]]} on {keys}", f"where {test}"]
        alert = self._scope.alert
        by = self._scope.by(f"{alert.last} = {self._time}")
        operators.append(summarize(self._scope.latest(before), by))
        if not self._scope.nested:
            operators.append(f"extend {alert.count} = {len(chosen)}")
        return lets[chosen[1]], operators

    def _without_fields(self) -> list[str]:
        fields = [name(field) for field, _ in self._scope.shape.fields]
        return [f"project-away {', '.join(fields)}"] if fields else []

    def _others(self, chosen: Sequence[int]) -> list[list[str]]:
        """Return for each step the tests that its event is no earlier one."""
        seen: list[tuple[Numbered, str]] = []
        tests: list[list[str]] = []
        for place in chosen:
            event = self._events[place]
            # A join appends numbers to columns that the left has already.
            column = f"{event.column}{len(seen) or ''}" if event else ""
            tests.append([f"{column} != {other}" for one, other in seen if one is event])
            seen += [(event, column)] if event else []
        return tests

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
        """Return the test of a step, counted from the last `summarize`."""
        limit = f"{first} + {self._scope.window}"
        before = f"{self._time}{step - 1 or ''}"
        if self._intervals:
            return f"{self._start}{step} >= {before} and {end} <= {limit}"
        return f"{end} between ({before} .. ({limit}))"


def asked(member: Member) -> int:
    """Return of how many fields a member asks for something; 0 where that tells nothing of its rows.

    What asks for more selects less, as a rule. A correlation's alerts are not counted so.
    """
    if not isinstance(member.source, BaseRule):
        return 0
    positive = [tree for tree in conjuncts(member.source.condition) if not isinstance(tree, Not)]
    return len({field for tree in positive for field in used_fields(tree)[0]} - KIND_COLUMNS)
