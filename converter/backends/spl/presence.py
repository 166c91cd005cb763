"""temporal: when each rule was last seen, in each group, and which of them are still within the timespan."""

from __future__ import annotations

from typing import Any

from converter.backends.spl.lanes import Stage
from converter.backends.spl.script import Script
from converter.errors import Refusal
from converter.plan import Threshold

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a temporal correlation.

    Raises:
        Refusal: SC205.
    """
    plan = stage.plan
    every = plan.expression is None and plan.thresholds in ((), (Threshold("gte", len(stage.steps)),))
    if stage.parent is not None and not every:
        raise Refusal(
            "SC205",
            "SPL hands an alert on only of a temporal correlation that needs all of its rules: "
            "the begin of any other is not a matter of when each rule was last seen",
        )
    chained = any(step.tree is None for step in stage.steps)
    if chained:
        # An alert counts from its begin; it may have begun before the window.
        starts = ", ".join(step.column for step in stage.steps if step.tree is None)
        plain = " OR ".join(f"isnotnull({step.column})" for step in stage.steps if step.tree is not None)
        newest = f"coalesce({starts})" if not plain else f"if({plain}, time_us, coalesce({starts}))"
        script.add(f"eval newest={newest}")
        script.merge("max(newest) as newest")
    else:
        script.merge()
    script.add("sort 0 time_us")
    last = {step.column: "last" + step.column.removeprefix("at") for step in stage.steps}
    running = " ".join(f"max({column}) as {name}" for column, name in last.items())
    script.add(f"streamstats {running}{script.by()}")
    begin = f"time_us-{stage.span_us}"
    fresh = f"newest>={begin} AND " if chained else ""
    within = {column: f"{name}>={begin}" for column, name in last.items()}
    if every:
        script.add("where " + script.unless(stage, fresh + " AND ".join(within.values())))
        ends = [*last.values(), *(["newest"] if chained else [])]
        script.add(f"eval start_us=min({', '.join(ends)}), rule_count={len(last)}")
        return
    # in_x: the rule x is within the timespan. Null (never seen) is not.
    inside = {step.member.name: "in" + step.column.removeprefix("at") for step in stage.steps}
    flags = [f"{inside[step.member.name]}=if({within[step.column]}, 1, 0)" for step in stage.steps]
    total = "+".join(inside.values())
    script.add("eval " + ", ".join([*flags, f"rule_count={total}"]))
    if plan.expression is None:
        tests = [f"rule_count{_OPERATORS[one.op]}{one.value}" for one in plan.thresholds]
    else:
        tests = [_expression(plan.expression, inside, False)]
    script.add("where " + fresh + " AND ".join(tests))
    starts = ", ".join(
        f"if({inside[step.member.name]}=1, {last[step.column]}, time_us)" for step in stage.steps
    )
    script.add(f"eval start_us=min({starts})")


def _expression(tree: Any, inside: dict[str, str], wrapped: bool) -> str:
    """Return a boolean condition over members as an expression."""
    if isinstance(tree, str):
        return f"{inside[tree]}=1"
    operator, *operands = tree
    if operator == "not":
        return f"NOT ({_expression(operands[0], inside, False)})"
    text = f" {operator.upper()} ".join(_expression(one, inside, True) for one in operands)
    return f"({text})" if wrapped else text
