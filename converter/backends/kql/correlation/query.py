"""Correlations as KQL: one row for each group and completing time whose window satisfies the condition.

Three forms. Plain counts look back N rows (`sort by`, `prev`), which is linear. Counts of distinct values,
sums and unordered rules join each completing time with the events of its window. Ordered rules join step by
step. Nothing is estimated: no dcount, no percentile; and no fixed windows: `bin` only narrows joins.
"""

from __future__ import annotations

from converter.backends.kql.correlation import member_rows as rows
from converter.backends.kql.correlation.member_lets import member_let
from converter.backends.kql.correlation.scope import Form, Rows, Scope, scope_of
from converter.backends.kql.correlation.shared_events import counted_once, groups
from converter.backends.kql.correlation.temporal_ordered import ordered
from converter.backends.kql.correlation.windows import looking_back, windowed
from converter.backends.kql.event_query import AS_USUAL, Writing, read_from, table_of
from converter.backends.kql.let_statements import Script, piped
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan
from converter.plan.thresholds import lower_bound


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


def _form(plan: CorrelationPlan, script: Script, nested: bool, writing: Writing) -> Form:
    """Return a table expression of the alerts: source, operators, and its columns."""
    scope = scope_of(plan, script, nested, writing, lambda inner: _form(inner, script, True, writing))
    if plan.type == "temporal_ordered":
        return (*ordered(scope), scope.alert)
    found = member_rows(scope)
    if plan.type == "event_count" and not found.intervals and lower_bound(plan.thresholds) is not None:
        return (*looking_back(scope, found), scope.alert)
    return (*windowed(scope, found), scope.alert)


def member_rows(scope: Scope) -> Rows:
    """Return the rows of all members together."""
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
