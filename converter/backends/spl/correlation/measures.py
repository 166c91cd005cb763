"""What a correlation that counts or sums looks at, and its condition on the results."""

from __future__ import annotations

from decimal import Decimal

from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.stages import Stage, Step
from converter.plan.model import CorrelationPlan, Threshold

_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}


def taking_part(script: Script, stage: Stage, grouped: bool = False) -> str:
    """Keep the rows that can be in a window; return the column of their begin.

    Args:
        script: the search.
        stage: a correlation that counts or sums.
        grouped: rows are grouped by their value next, which leaves out those without.
    """
    begin = "time_ms"
    nested = [step.column for step in stage.steps if step.tree is None]
    if nested and len(stage.steps) == 1:
        begin = "start_ms"
    elif nested:
        script.add(f"eval start_ms=coalesce({', '.join(nested)}, time_ms)")
        begin = "start_ms"
    if any(_span_ms(step) > stage.span_ms for step in stage.steps):
        # An alert that began before the window is not in it.
        script.add("where " + script.unless(stage, f"time_ms-start_ms<={stage.span_ms}"))
    if stage.plan.type.startswith("value_") and not grouped:
        script.add("where " + script.unless(stage, "isnotnull(value)"))
    return begin


def _span_ms(step: Step) -> int:
    """Return how long an alert of a member can be; 0 for an event."""
    source = step.member.source
    return source.timespan_ms if isinstance(source, CorrelationPlan) else 0


def ranks(stage: Stage, step: str) -> list[str]:
    """Return assignments of what a row adds to the counts below and up to each limit of a percentile.

    The percentile by nearest rank is at least v if fewer values than its rank are below v.
    """
    found = []
    for number, one in enumerate(stage.plan.thresholds):
        found.append(f"below_{number}=if(value<{one.value}, {step}, 0)")
        found.append(f"upto_{number}=if(value<={one.value}, {step}, 0)")
    return found


def test(stage: Stage, threshold: Threshold, number: int) -> str:
    """Return one comparison of the condition, over the columns of the results."""
    operator, limit = _OPERATORS[threshold.op], threshold.value
    kind = stage.plan.type
    if kind == "value_sum":
        # Running sums of decimals drift by the last digits of a double.
        return f"round(value_sum, 6){operator}{limit}"
    if kind == "value_avg":
        return f"round(value_sum-event_count*{limit}, 6){operator}0"
    if kind != "value_percentile":
        return f"{kind}{operator}{limit}"
    # below < share * count / 100, in whole numbers.
    share = Decimal(str(stage.plan.percentile))
    scale = 10 ** max(0, -int(share.normalize().as_tuple().exponent))
    rank = f"event_count*{int(share * scale)}"
    least = f"below_{number}*{100 * scale}<{rank}"
    above = f"upto_{number}*{100 * scale}<{rank}"
    return {
        "gte": least,
        "gt": above,
        "lt": f"NOT {least}",
        "lte": f"NOT {above}",
        "eq": f"{least} AND NOT {above}",
        "neq": f"(NOT {least} OR {above})",
    }[threshold.op]
