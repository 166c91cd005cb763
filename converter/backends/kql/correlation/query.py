"""Correlations as KQL: one row for each group and completing time whose window satisfies the condition.

Three forms. Plain counts look back N rows (`sort by`, `prev`), which is linear. Counts of distinct values,
sums and unordered rules join each completing time with the events of its window. Ordered rules join step by
step. Nothing is estimated: no dcount, no percentile; and no fixed windows: `bin` only narrows joins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import floor

from converter.backends.kql.correlation import member_rows as rows
from converter.backends.kql.correlation.member_rows import Names, Shape
from converter.backends.kql.event_query import AS_USUAL, Writing, read_from, table_of
from converter.backends.kql.expression import INDENT
from converter.backends.kql.let_statements import Script, piped, taken
from converter.backends.kql.literals import name
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan, Member, Threshold

NUMERIC_TYPES = frozenset({"value_sum", "value_avg", "value_percentile", "value_median"})
_MEASURED = {
    "value_count": "DistinctCount",
    "temporal": "RuleCount",
    "value_sum": "Total",
    "value_avg": "Average",
}
_LABELLED_TYPES = frozenset({"temporal"})


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of all members, as a table expression that a query can begin with."""

    source: str
    operators: tuple[str, ...]
    intervals: bool
    """Whether rows can be alerts, which have a start before their end."""
    is_let: bool = False
    """Whether the source is the name of one `let` statement, and all there is."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What the forms need to know of one correlation."""

    plan: CorrelationPlan
    shape: Shape
    script: Script
    columns: Script
    """Hands out names of columns."""
    window: str
    """The name of the timespan."""
    alert: AlertColumns
    bin_column: str
    nested: bool
    """Whether its alerts feed another correlation, which needs their latest possible start."""

    def by(self, *others: str) -> str:
        """Return the group keys and other columns, as `by` and `on` list them."""
        return ", ".join([*map(name, self.plan.group_by), *others])

    def taken_fields(self) -> list[tuple[str, str]]:
        """Return, for `summarize`, the fields of the completing event."""
        return taken([field for field, _ in self.shape.fields])

    def latest(self, first: str) -> list[tuple[str, str]]:
        """Return, for `summarize`, the latest of some starts, and the fields of a completing event."""
        fields = [name(field) for field, _ in self.shape.fields]
        value = f"arg_max({', '.join([first, *fields])})" if fields else f"max({first})"
        return [(self.alert.first, value)]


def correlate(plan: CorrelationPlan, writing: Writing = AS_USUAL) -> tuple[str, AlertColumns]:
    """Return the query and what its columns are.

    Raises:
        Refusal: SC205 for a correlation that KQL cannot say, and what its base rules are refused for.
    """
    script = Script(_taken(plan))
    source, operators, alert = _form(plan, script, False, writing)
    return script.text(piped(source, operators)), alert


def _taken(plan: CorrelationPlan) -> set[str]:
    found = {*plan.group_by, *plan.fields}
    for member in plan.members:
        if isinstance(member.source, BaseRule):
            base = member.source
            found |= {table_of(base.state), *base.columns}
            found |= {column for columns in (*member.group_by, *member.values) for column in columns}
        else:
            found |= _taken(member.source)
    return found


def _form(
    plan: CorrelationPlan, script: Script, nested: bool, writing: Writing
) -> tuple[str, list[str], AlertColumns]:
    """Return a table expression of the alerts: source, operators, and its columns."""
    from converter.backends.kql.correlation.temporal_ordered import ordered
    from converter.backends.kql.correlation.windows import looking_back, windowed

    scope = _scope(plan, script, nested, writing)
    if plan.type == "temporal_ordered":
        return (*ordered(scope), scope.alert)
    found = member_rows(scope)
    if plan.type == "event_count" and not found.intervals and lower_bound(plan.thresholds) is not None:
        return (*looking_back(scope, found), scope.alert)
    return (*windowed(scope, found), scope.alert)


def lower_bound(thresholds: Sequence[Threshold]) -> int | None:
    """Return N if the thresholds say "N or more" of a count, else None."""
    bounds = []
    for threshold in thresholds:
        if threshold.op not in ("gt", "gte"):
            return None
        whole = floor(threshold.value)
        above = threshold.op == "gt" or whole != threshold.value
        bounds.append(whole + 1 if above else whole)
    return max(bounds) if bounds else None


def _scope(plan: CorrelationPlan, script: Script, nested: bool, writing: Writing) -> Scope:
    columns = script.columns()
    last = completing(plan)
    fields = tuple(
        (field, last.columns[field].type)
        for field in dict.fromkeys((*plan.fields, *(() if nested else _defender(last))))
        if field in last.columns and field not in plan.group_by
    )
    values: list[str] = []
    for found in plan.members[0].values:
        held = {*plan.group_by, *(field for field, _ in fields), *values}
        own = len(found) == 1 and found[0] not in held
        values.append(found[0] if own else columns.fresh("Value"))
    names = Names(columns.fresh("Time"), columns.fresh("Start"), columns.fresh("Rule"), tuple(values))
    shape = Shape(
        names,
        plan.group_by,
        tuple(_differs(plan, position) for position in range(len(plan.group_by))),
        plan.type in NUMERIC_TYPES,
        _whole(plan),
        plan.type in _LABELLED_TYPES,
        fields,
        writing,
    )
    alert = AlertColumns(
        columns.fresh("FirstTime"),
        columns.fresh("LastTime"),
        plan.group_by,
        columns.fresh(_MEASURED.get(plan.type, "EventCount")),
        columns.fresh("Values") if plan.type == "value_count" and not nested else None,
    )
    window = script.timespan(plan.timespan_ms)
    return Scope(plan, shape, script, columns, window, alert, columns.fresh("Bin"), nested)


def completing(plan: CorrelationPlan) -> BaseRule:
    """Return the base rule whose event completes an alert: the last member's, at any depth."""
    source = plan.members[-1].source
    return source if isinstance(source, BaseRule) else completing(source)


def _defender(base: BaseRule) -> tuple[str, ...]:
    """What a custom detection of Defender XDR must return, where the table has it."""
    wanted = ("Timestamp", "DeviceId", "ReportId")
    return wanted if set(wanted) <= set(base.columns) else ()


def _differs(plan: CorrelationPlan, position: int) -> bool:
    kinds = set()
    for member in plan.members:
        columns = member.group_by[position]
        if isinstance(member.source, BaseRule):
            kinds |= {rows.column_of(member.source, column).type for column in columns}
        else:
            kinds |= rows.types_of(member.source, columns[0])
    return len(kinds) > 1


def _whole(plan: CorrelationPlan) -> bool:
    """Tell whether the values of all members are whole numbers."""
    return all(
        isinstance(member.source, BaseRule) and rows.column_of(member.source, column).type in ("int", "long")
        for member in plan.members
        for columns in member.values
        for column in columns
    )


def member_rows(scope: Scope) -> Rows:
    """Return the rows of all members together."""
    from converter.backends.kql.correlation.shared_events import counted_once, groups

    plan, script = scope.plan, scope.script
    bases = [member for member in plan.members if isinstance(member.source, BaseRule)]
    if len(bases) == len(plan.members):
        found = None if scope.shape.labelled and len(bases) > 1 else rows.merged(bases)
        if found is not None:
            stages = rows.event_rows(found[0], scope.shape, found[1])
            script.needs |= stages.needs
            return Rows(read_from(stages.table), stages.operators, False)
    intervals = len(bases) < len(plan.members)
    # Where all rules must be there, no group of empty keys is complete if one rule leaves them out.
    every = plan.type == "temporal" and plan.expression is None
    every = every and (not plan.thresholds or lower_bound(plan.thresholds) == len(plan.members))
    # Distinct values and distinct rules do not mind an event that is there twice; counts and sums do.
    minds = plan.type not in ("temporal", "value_count")
    shared = [group for group in groups(plan.members) if len(group) > 1] if minds else []
    lets = []
    for member in plan.members:
        group = next((group for group in shared if member in group), None)
        if group is None:
            check = not every or (member is plan.members[0] and not intervals)
            lets.append(member_let(scope, member, intervals, with_check=check))
        elif member is group[0]:
            lets += counted_once(scope, group, intervals)
    if len(lets) == 1:
        return Rows(lets[0], (), intervals, is_let=True)
    return Rows(f"union {', '.join(lets)}", (), intervals)


def member_let(
    scope: Scope,
    member: Member,
    intervals: bool,
    *,
    with_fields: bool = True,
    with_check: bool = True,
    event: rows.Numbered | None = None,
) -> str:
    """Add the rows of one member as a `let`, and return its name (see `members.event_rows`)."""
    script, names = scope.script, scope.shape.names
    if isinstance(member.source, BaseRule):
        stages = rows.event_rows(
            member, scope.shape, with_fields=with_fields, with_check=with_check, event=event
        )
        script.needs |= stages.needs
        body = stages.text(INDENT)
        if intervals:
            body += f"\n{INDENT}| extend {names.start} = {names.time}"
        return script.let(member.name, body)
    # The alert's fields are those of its completing event, which is one of the inner correlation.
    shown = tuple(field for field, _ in scope.shape.fields) if with_fields else ()
    inner = replace(member.source, fields=tuple(dict.fromkeys((*member.source.fields, *shown))))
    source, operators, alert = _form(inner, script, True, scope.shape.writing)
    columns = [alert.first, alert.last, *alert.group]
    shape = scope.shape if with_fields else replace(scope.shape, fields=())
    row = rows.alert_row(member, shape, member.source, columns, completing(inner).columns)
    return script.let(member.name, piped(source, [*operators, row], INDENT))
