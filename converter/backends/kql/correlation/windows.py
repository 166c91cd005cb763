"""Correlations over the events of a window, in any order."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

from converter.backends.kql.correlation.scope import Rows, Scope
from converter.backends.kql.expression import INDENT, Expr, all_of, any_of, atom, negation
from converter.backends.kql.let_statements import assignments, piped, summarize, taken
from converter.backends.kql.literals import name, number, string
from converter.plan.model import CorrelationPlan, Threshold
from converter.plan.thresholds import lower_bound

Summing = Callable[[list[tuple[str, str]], Sequence[str]], tuple[list[str], Expr]]
LISTED = 100
"""Values that an alert of a value_count lists at the most."""
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "==", "neq": "!="}


def looking_back(scope: Scope, found: Rows) -> tuple[str, list[str]]:
    """Count N or more: the event N - 1 rows before, in the same group, is within the timespan."""
    bound = lower_bound(scope.plan.thresholds)
    assert bound is not None
    names, alert, back = scope.shape.names, scope.alert, bound - 1
    operators = list(found.operators)
    first = names.time
    if back > 0:
        operators.append(
            "sort by " + ", ".join(f"{name(key)} asc" for key in (*scope.plan.group_by, names.time))
        )
        first = alert.first
        before = {key: scope.columns.fresh(f"Previous{key}") for key in scope.plan.group_by}
        previous = [(first, f"prev({names.time}, {back})")]
        previous += [(held, f"prev({name(key)}, {back})") for key, held in before.items()]
        operators.append("extend " + assignments(previous))
        same = [f"{held} == {name(key)}" for key, held in before.items()]
        operators.append("where " + " and ".join([*same, f"{names.time} - {first} <= {scope.window}"]))
    operators.append(summarize(scope.latest(first), scope.by(f"{alert.last} = {names.time}")))
    if not scope.nested:
        operators.append(f"extend {alert.count} = {max(bound, 1)}")
    return found.source, operators


def windowed(scope: Scope, found: Rows) -> tuple[str, list[str]]:
    """Join every completing time with the rows of its window, and judge them together."""
    script, names, window = scope.script, scope.shape.names, scope.window
    # Read twice: the ends of windows, and what is inside.
    if found.is_let:
        matches = found.source
        script.read_again(matches)
    else:
        matches = script.let("Matches", piped(found.source, found.operators, INDENT), once=True)
    last, bin_ = scope.alert.last, scope.bin_column
    seen = scope.columns.fresh("Seen")
    ends = [f"where {names.time} - {names.start} <= {window}"] if found.intervals else []
    limit = (
        [(scope.columns.fresh("LatestStart"), f"max({names.start})")]
        if found.intervals and scope.nested
        else []
    )
    by_end = scope.by(f"{last} = {names.time}")
    carried = [*scope.taken_fields(), *limit]
    ends.append(summarize(carried, by_end))
    ends.append(f"extend {bin_} = bin({last}, {window})")
    # A window reaches into two bins at most. The right side has a row for each of the two: the left one, of
    # ends that differ, is then never the larger (Microsoft, "join operator": "if one table is always smaller
    # than the other, use it as the left side").
    bins = f"pack_array(bin({names.time}, {window}), bin({names.time}, {window}) + {window})"
    inside = [(key, name(key)) for key in scope.plan.group_by]
    inside += [(seen, names.time), (bin_, bin_)]
    inside += [(names.start, names.start)] if found.intervals else []
    inside += [(value, name(value)) for value in names.values]
    inside += [(names.rule, names.rule)] if scope.shape.labelled else []
    stages = [matches, f"mv-expand {bin_} = {bins} to typeof(datetime)", f"project {assignments(inside)}"]
    right = "\n" + f"\n{INDENT}| ".join([f"{INDENT}{stages[0]}", *stages[1:]]) + "\n"
    begin = names.start if found.intervals else seen
    operators = [*ends, f"join kind=inner ({right}) on {scope.by(bin_)}"]
    if found.intervals:
        operators.append(f"where {begin} >= {last} - {window} and {seen} <= {last}")
    else:
        operators.append(f"where {seen} between (({last} - {window}) .. {last})")
    if scope.nested and least(scope.plan) is None:
        return latest_starts(
            scope,
            piped(matches, operators, INDENT),
            begin,
            [column for column, _ in limit],
            lambda kept, by: summed(scope, begin, kept, by),
        )
    operators += _judged(scope, begin, [column for column, _ in limit])
    return matches, operators


def latest_starts(
    scope: Scope, rows: str, begin: str, limit: list[str], total: Summing
) -> tuple[str, list[str]]:
    """Judge windows and their later parts: the latest part that satisfies the condition begins the alert.

    Args:
        scope: the correlation.
        rows: a table expression of the rows of all windows.
        begin: the column of a row's begin.
        limit: the column of the latest begin of what completes the window, where rows can be alerts.
        total: gives the stages that sum up rows, and the condition on the sum.
    """
    alert, fresh = scope.alert, scope.columns.fresh
    rows = scope.script.let("Windows", rows, once=True)
    from_, held, whole, earliest = fresh("From"), fresh("Held"), fresh("WholeHeld"), fresh("Earliest")
    kept = scope.taken_fields()
    stages, condition = total(kept, [from_])
    late = f" and {from_} <= {limit[0]}" if limit else ""
    found = [(alert.first, f"max({held})"), (whole, f"min({held})"), (earliest, f"min({from_})"), *kept]
    return rows, [
        summarize(kept, scope.by(alert.last, f"{from_} = {begin}", *limit)),
        f"join kind=inner {rows} on {scope.by(alert.last)}",
        f"where {begin} >= {from_}{late}",
        *stages,
        f"extend {held} = iff({condition}, {from_}, datetime(null))",
        summarize(found, scope.by(alert.last)),
        # The alert is the whole window's.
        f"where {whole} == {earliest}",
    ]


def _judged(scope: Scope, begin: str, limit: list[str]) -> list[str]:
    """Return the stages that add up windows and keep those that satisfy the condition."""
    plan, alert, names = scope.plan, scope.alert, scope.shape.names
    carried = taken([*(field for field, _ in scope.shape.fields), *limit])
    bound = least(plan)
    if not scope.nested or bound is None:
        stages, condition = summed(scope, begin, carried, [])
        return [*stages, f"where {condition.laid_out()}"]
    by = scope.by(alert.last)
    starts = scope.columns.fresh("Starts")
    made = [(starts, f"array_sort_desc(make_list({begin}))"), (alert.count, "count()"), *carried]
    stages = []
    if plan.type != "event_count":
        distinct = [names.rule] if plan.type == "temporal" else [name(value) for value in names.values]
        stages.append(summarize([(alert.first, f"max({begin})"), *carried], scope.by(alert.last, *distinct)))
        made[0] = (starts, f"array_sort_desc(make_list({alert.first}))")
    stages += [summarize(made, by), f"where {_counted(scope).laid_out()}"]
    # The latest start that still satisfies "N or more" is the N-th latest.
    stages.append(f"extend {alert.first} = todatetime({starts}[{max(bound, 1) - 1}])")
    if limit:
        stages.append(f"extend {alert.first} = min_of({alert.first}, {limit[0]})")
    return stages


def least(plan: CorrelationPlan) -> int | None:
    """Return N if the condition is N or more events, values or rules, of which each counts by itself."""
    if plan.type not in ("event_count", "value_count", "temporal") or plan.expression is not None:
        return None
    return len(plan.members) if not plan.thresholds else lower_bound(plan.thresholds)


def summed(
    scope: Scope, begin: str, carried: list[tuple[str, str]], by: Sequence[str]
) -> tuple[list[str], Expr]:
    """Return the stages that sum up windows, or parts of them, and the condition on what they sum up to.

    Args:
        scope: the correlation.
        begin: the column of a row's begin.
        carried: columns to keep, for `summarize`.
        by: columns beside the group and the window's end that tell what is summed up together.
    """
    plan, alert, names = scope.plan, scope.alert, scope.shape.names
    if plan.type not in ("event_count", "value_count", "temporal"):
        return _measured(scope, begin, carried, scope.by(alert.last, *by))
    made = [(alert.first, f"min({begin})"), (alert.count, "count()"), *carried]
    stages = []
    if plan.type != "event_count":
        distinct = [names.rule] if plan.type == "temporal" else [name(value) for value in names.values]
        each = [(alert.first, f"min({begin})"), *carried]
        stages.append(summarize(each, scope.by(alert.last, *by, *distinct)))
        made[0] = (alert.first, f"min({alert.first})")
    if alert.values is not None:
        listed = [name(value) for value in names.values]
        text = listed[0] if len(listed) == 1 else f'strcat_delim(" ", {", ".join(listed)})'
        made.insert(2, (alert.values, f"make_set({text}, {LISTED})"))
    condition = _counted(scope)
    if plan.expression is not None:
        held = scope.columns.fresh("Rules")
        made.append((held, f"make_set({names.rule})"))
        condition = _expression(plan.expression, held)
    return [*stages, summarize(made, scope.by(alert.last, *by))], condition


def _counted(scope: Scope) -> Expr:
    if scope.plan.type == "temporal" and not scope.plan.thresholds:
        return atom(f"{scope.alert.count} == {len(scope.plan.members)}")
    return compared(scope.alert.count, scope.plan.thresholds)


def _measured(scope: Scope, begin: str, carried: list[tuple[str, str]], by: str) -> tuple[list[str], Expr]:
    """Sum, average, or nearest-rank percentile of a number."""
    plan, alert = scope.plan, scope.alert
    (value,) = map(name, scope.shape.names.values)
    made = [(alert.first, f"min({begin})"), *carried]
    if plan.type == "value_sum":
        # Sums of decimals drift by the last digits of a double.
        total = alert.count if scope.shape.whole else f"round({alert.count}, 6)"
        condition = compared(total, plan.thresholds)
        made.append((alert.count, f"sum({value})"))
    elif plan.type == "value_avg":
        total, events = (scope.columns.fresh(hint) for hint in ("Total", "EventCount"))
        made += [(alert.count, f"avg({value})"), (total, f"sum({value})"), (events, "count()")]
        condition = all_of(
            atom(f"round({total} - {events} * {_plain(one.value)}, 6) {_OPERATORS[one.op]} 0")
            for one in plan.thresholds
        )
    else:
        made.append((alert.count, "count()"))
        condition, counts = _ranked(scope, value)
        made += counts
    return [summarize(made, by)], condition


def _ranked(scope: Scope, value: str) -> tuple[Expr, list[tuple[str, str]]]:
    """Return a condition on the percentile by nearest rank, and the counts that it reads.

    It is v or more if fewer values than its rank, share * count rounded up, are below v. In whole numbers.
    """
    plan, count = scope.plan, scope.alert.count
    share = Fraction(str(plan.percentile if plan.percentile is not None else 50)) / 100
    rank = f"{share.numerator} * {count}"
    tests, counts = [], []
    for one in plan.thresholds:
        limit, parts = _plain(one.value), {}
        for hint, operator, needed in (("Below", "<", "gte lt eq neq"), ("UpTo", "<=", "gt lte eq neq")):
            if one.op in needed.split():
                column = scope.columns.fresh(hint)
                counts.append((column, f"countif({value} {operator} {limit})"))
                parts[hint] = atom(f"{share.denominator} * {column} < {rank}")
        below, up_to = parts.get("Below"), parts.get("UpTo")
        tests.append(_compared(one.op, below, up_to))
    return all_of(tests), counts


def _compared(op: str, below: Expr | None, up_to: Expr | None) -> Expr:
    """Return a comparison with a value, given that the percentile is at least it, and that it is above it."""
    if below is None or up_to is None:
        (only,) = [one for one in (below, up_to) if one is not None]
        return only if op in ("gte", "gt") else negation(only)
    return all_of([below, negation(up_to)]) if op == "eq" else any_of([negation(below), up_to])


def compared(column: str, thresholds: Sequence[Threshold]) -> Expr:
    """Return the comparisons of a column with all thresholds."""
    return all_of(atom(f"{column} {_OPERATORS[one.op]} {_plain(one.value)}") for one in thresholds)


def _plain(value: float) -> str:
    return number(int(value) if value == int(value) else value)


def _expression(expression: Any, held: str) -> Expr:
    """Return a boolean condition over the rules that a window has."""
    if isinstance(expression, str):
        return atom(f"set_has_element({held}, {string(expression)})")
    operator, *operands = expression
    parts = [_expression(operand, held) for operand in operands]
    if operator == "not":
        return negation(parts[0])
    return all_of(parts) if operator == "and" else any_of(parts)
