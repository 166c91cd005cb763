"""What the forms of a correlation in KQL know of it; how a nested one is asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from converter.backends.kql.correlation import member_rows as rows
from converter.backends.kql.correlation.member_rows import Names, Shape
from converter.backends.kql.event_query import Writing
from converter.backends.kql.let_statements import Script, taken
from converter.backends.kql.literals import name
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan

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


Form = tuple[str, list[str], AlertColumns]
"""The alerts of a correlation: the source of a table expression, its operators and its columns."""


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
    alerts_of: Callable[[CorrelationPlan], Form]
    """Returns the table expression of a nested correlation's alerts."""

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


def scope_of(
    plan: CorrelationPlan,
    script: Script,
    nested: bool,
    writing: Writing,
    alerts_of: Callable[[CorrelationPlan], Form],
) -> Scope:
    """Return what the forms need to know of a correlation, with fresh names of its columns.

    Args:
        plan: the correlation.
        script: the query so far.
        nested: whether its alerts feed another correlation.
        writing: how the query is written.
        alerts_of: returns the table expression of a nested correlation's alerts.
    """
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
    return Scope(plan, shape, script, columns, window, alert, columns.fresh("Bin"), nested, alerts_of)


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
