"""temporal: when each rule was last seen, in each group, and which of them are still within the timespan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.stages import Stage
from converter.plan.model import Threshold

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a temporal correlation."""
    plan = stage.plan
    every = plan.expression is None and plan.thresholds in ((), (Threshold("gte", len(stage.steps)),))
    chained = any(step.tree is None for step in stage.steps)
    if chained:
        # An alert counts from its begin; it may have begun before the window.
        starts = ", ".join(step.column for step in stage.steps if step.tree is None)
        plain = " OR ".join(f"isnotnull({step.column})" for step in stage.steps if step.tree is not None)
        newest = f"coalesce({starts})" if not plain else f"if({plain}, time_ms, coalesce({starts}))"
        script.add(f"eval newest={newest}")
        script.merge("max(newest) as newest")
    else:
        script.merge()
    script.add("sort 0 time_ms")
    last = {step.column: "last" + step.column.removeprefix("at") for step in stage.steps}
    running = " ".join(f"max({column}) as {name}" for column, name in last.items())
    script.add(f"streamstats {running}{script.by()}")
    begin = f"time_ms-{stage.span_ms}"
    fresh = f"newest>={begin} AND " if chained else ""
    within = {column: f"{name}>={begin}" for column, name in last.items()}
    if every:
        script.add("where " + script.unless(stage, fresh + " AND ".join(within.values())))
        ends = [*last.values(), *(["newest"] if chained else [])]
        script.add(f"eval start_ms=min({', '.join(ends)}), rule_count={len(last)}")
        return
    # in_x: the rule x is within the timespan. Null (never seen) is not.
    inside = {step.column: "in" + step.column.removeprefix("at") for step in stage.steps}
    flags = [f"{inside[column]}=if({test}, 1, 0)" for column, test in within.items()]
    script.add("eval " + ", ".join([*flags, f"rule_count={'+'.join(inside.values())}"]))
    holds = _holds(stage, [f"{name}=1" for name in inside.values()], "rule_count", bool(fresh))
    script.add("where " + script.unless(stage, fresh + holds))
    if stage.parent is not None:
        _begin(script, stage, list(zip(last.values(), inside.values(), strict=True)), chained)
        return
    begins = [f"if({inside[column]}=1, {name}, time_ms)" for column, name in last.items()]
    script.add(f"eval start_ms=min({', '.join(begins)})")


def _begin(script: Script, stage: Stage, rules: Sequence[tuple[str, str]], chained: bool) -> None:
    """Emit the latest begin of a part of the window that satisfies the condition, as the whole does.

    That is when one of the rules was last seen, or the begin of what completes the alert.
    """
    names = [last for last, _ in rules]
    script.add("eval " + ", ".join(f"{last}=coalesce({last}, 0)" for last in names))
    begins = []
    for begin, inside in [*rules, *([("newest", "")] if chained else [])]:
        tests = [f"{last}>={begin}" for last in names]
        total = "+".join(f"if({test}, 1, 0)" for test in tests)
        needed = [f"{inside}=1"] if inside else []
        needed += [f"{begin}<=newest"] if inside and chained else []
        holds = _holds(stage, tests, total, bool(needed))
        begins.append(f"if({' AND '.join([*needed, holds])}, {begin}, 0)")
    script.add(f"eval start_ms=max({', '.join(begins)})")


def _holds(stage: Stage, tests: Sequence[str], total: str, wrapped: bool) -> str:
    """Return the condition as an expression.

    Args:
        stage: the correlation.
        tests: for each rule, whether it is there.
        total: how many are.
        wrapped: whether it is beside AND.
    """
    plan = stage.plan
    if plan.expression is None:
        wanted = plan.thresholds or (Threshold("gte", len(tests)),)
        return " AND ".join(f"{total}{_OPERATORS[one.op]}{one.value}" for one in wanted)
    named = {step.member.name: test for step, test in zip(stage.steps, tests, strict=True)}
    # AND binds tighter than OR.
    return _expression(plan.expression, named, wrapped and plan.expression[0] == "or")


def _expression(tree: Any, tests: Mapping[str, str], wrapped: bool) -> str:
    """Return a boolean condition over members as an expression."""
    if isinstance(tree, str):
        return tests[tree]
    operator, *operands = tree
    if operator == "not":
        return f"NOT ({_expression(operands[0], tests, False)})"
    text = f" {operator.upper()} ".join(_expression(one, tests, True) for one in operands)
    return f"({text})" if wrapped else text
