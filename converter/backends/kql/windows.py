"""Correlations over the events of a window, in any order."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from converter.backends.kql.correlation import Rows, Scope, lower_bound
from converter.backends.kql.expression import INDENT, Expr, all_of, any_of, atom, negation
from converter.backends.kql.literals import name, number, string
from converter.backends.kql.script import assignments, piped, summarize
from converter.plan import Threshold

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
    body = piped(found.source, found.operators, INDENT)
    # Read twice: the ends of windows, and what is inside.
    matches = script.let("Matches", body, once=bool(found.operators))
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
    # A window reaches into two bins at most.
    ends.append(
        f"mv-expand {bin_} = pack_array(bin({last}, {window}), bin({last}, {window}) - {window})"
        " to typeof(datetime)"
    )
    inside = [(key, name(key)) for key in scope.plan.group_by]
    inside += [(seen, names.time), (bin_, f"bin({names.time}, {window})")]
    inside += [(names.start, names.start)] if found.intervals else []
    inside += [(value, value) for value in names.values]
    inside += [(names.rule, names.rule)] if scope.shape.labelled else []
    right = f"{matches} | project {assignments(inside)}"
    if len(right) > 70:
        right = f"\n{INDENT}{matches}\n{INDENT}| project {assignments(inside)}\n"
    begin = names.start if found.intervals else seen
    operators = [*ends, f"join kind=inner ({right}) on {scope.by(bin_)}"]
    if found.intervals:
        operators.append(f"where {begin} >= {last} - {window} and {seen} <= {last}")
    else:
        operators.append(f"where {seen} between (({last} - {window}) .. {last})")
    operators += _judged(scope, begin, [column for column, _ in limit])
    return matches, operators


def _judged(scope: Scope, begin: str, limit: list[str]) -> list[str]:
    """Return the stages that add up windows and keep those that satisfy the condition."""
    plan, alert, names = scope.plan, scope.alert, scope.shape.names
    carried = [
        (column, f"take_any({name(column)})")
        for column in (*(field for field, _ in scope.shape.fields), *limit)
    ]
    by = scope.by(alert.last)
    kind, condition = plan.type, _condition(alert.count, plan.thresholds)
    first = alert.first
    bound = len(plan.members) if kind == "temporal" and not plan.thresholds else lower_bound(plan.thresholds)
    latest = scope.nested and bound is not None
    starts = scope.columns.fresh("Starts") if latest else None
    if kind in ("temporal", "value_count"):
        distinct = [names.rule] if kind == "temporal" else [name(value) for value in names.values]
        each = [(first, f"{'max' if latest else 'min'}({begin})"), *carried]
        stages = [summarize(each, scope.by(alert.last, *distinct))]
        made = [_first(first, first, starts), (alert.count, "count()"), *carried]
        held = scope.columns.fresh("Rules")
        if plan.expression is not None:
            made.append((held, f"make_set({names.rule})"))
            condition = _expression(plan.expression, held)
        elif not plan.thresholds:
            condition = atom(f"{alert.count} == {len(plan.members)}")
        stages += [summarize(made, by), f"where {condition.laid_out()}"]
    elif kind == "event_count":
        made = [_first(first, begin, starts), (alert.count, "count()"), *carried]
        stages = [summarize(made, by), f"where {condition.laid_out()}"]
    else:
        stages = _measured(scope, begin, carried, condition)
    if starts and bound is not None:
        # The latest start that still satisfies "N or more" is the N-th latest.
        stages.append(f"extend {first} = todatetime({starts}[{max(bound, 1) - 1}])")
    if limit:
        stages.append(f"extend {first} = min_of({first}, {limit[0]})")
    return stages


def _first(first: str, begin: str, starts: str | None) -> tuple[str, str]:
    """Return the first time of a window, or all times of it, latest first."""
    return (starts, f"array_sort_desc(make_list({begin}))") if starts else (first, f"min({begin})")


def _measured(scope: Scope, begin: str, carried: list[tuple[str, str]], condition: Expr) -> list[str]:
    """Sum, average, or nearest-rank percentile of a number."""
    plan, alert = scope.plan, scope.alert
    (value,) = map(name, scope.shape.names.values)
    by = scope.by(alert.last)
    made = [(alert.first, f"min({begin})"), *carried]
    function = {"value_sum": "sum", "value_avg": "avg"}.get(plan.type)
    if function:
        made.append((alert.count, f"{function}({value})"))
        return [summarize(made, by), f"where {condition.laid_out()}"]
    values = scope.columns.fresh("Values")
    made.append((values, f"array_sort_asc(make_list({value}))"))
    share = Fraction(str(plan.percentile if plan.percentile is not None else 50)) / 100
    # Nearest rank: the smallest value that `share` of all are at most. Whole numbers only: no rounding.
    up = share.denominator - 1
    rank = f"max_of(({share.numerator} * array_length({values}) + {up}) / {share.denominator}, 1)"
    return [
        summarize(made, by),
        f"extend {alert.count} = toreal({values}[{rank} - 1])",
        f"where {condition.laid_out()}",
    ]


def _condition(column: str, thresholds: tuple[Threshold, ...]) -> Expr:
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
