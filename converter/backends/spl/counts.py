"""event_count, value_count, value_sum, value_avg and value_percentile over a sliding window."""

from __future__ import annotations

from decimal import Decimal
from math import ceil, floor

from converter.backends.spl.lanes import Stage, Step
from converter.backends.spl.script import Script
from converter.errors import Refusal
from converter.plan import CorrelationPlan, Threshold

MAX_WINDOW = 10_000
"""limits.conf, max_stream_window: the most events in a window of streamstats."""
_OPERATORS = {"gt": ">", "gte": ">=", "lt": "<", "lte": "<=", "eq": "=", "neq": "!="}
_FROM = ("gt", "gte")


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a correlation that counts or sums.

    Raises:
        Refusal: SC205.
    """
    least = _least(stage)
    if stage.parent is not None and (least is None or any(step.tree is None for step in stage.steps)):
        raise Refusal(
            "SC205",
            f"SPL hands on the alerts of an event_count from a number of events up, to {MAX_WINDOW}, not "
            f"those of {stage.plan.type} with these thresholds: their begin is not a matter of counting back",
            hint="KQL can",
        )
    if least is not None and all(step.tree is not None for step in stage.steps):
        _back(script, stage, least)
    else:
        _expiring(script, stage)


def _least(stage: Stage) -> int | None:
    """Return the number of events from which on an event_count alerts, if that is what it asks."""
    if stage.plan.type != "event_count" or any(one.op not in _FROM for one in stage.plan.thresholds):
        return None
    bounds = [floor(one.value) + 1 if one.op == "gt" else ceil(one.value) for one in stage.plan.thresholds]
    least = max(1, *bounds)
    return least if least <= MAX_WINDOW else None


def _back(script: Script, stage: Stage, least: int) -> None:
    """N within T: the event N-1 places back is at most T old."""
    script.add("sort 0 time_us")
    script.add(
        f"streamstats window={least} global=f count as event_count min(time_us) as start_us{script.by()}"
        if script.groups()
        else f"streamstats window={least} count as event_count min(time_us) as start_us"
    )
    near = f"event_count={least} AND time_us-start_us<={stage.span_us}"
    script.add("where " + script.unless(stage, near))
    if script.numbered:
        script.add(f"eval row=if(stage={stage.label}, 0, row)")
    # Of several events of one instant, the last has the latest begin.
    script.merge("max(start_us) as start_us", "max(event_count) as event_count", seen=script.nested)


def _expiring(script: Script, stage: Stage) -> None:
    """Each event comes once more, just after it has left the window, to be taken off the running results."""
    kind = stage.plan.type
    begin = "time_us"
    nested = [step.column for step in stage.steps if step.tree is None]
    if nested and len(stage.steps) == 1:
        begin = "start_us"
    elif nested:
        script.add(f"eval start_us=coalesce({', '.join(nested)}, time_us)")
        begin = "start_us"
    if any(_span_us(step) > stage.span_us for step in stage.steps):
        # An alert that began before the window is not in it.
        script.add("where " + script.unless(stage, f"time_us-start_us<={stage.span_us}"))
    if kind.startswith("value_"):
        script.add("where " + script.unless(stage, "isnotnull(value)"))
    both = 'mvappend("1", "-1")'
    script.add(
        f"eval step={f'if(stage={stage.label}, {both}, 1)' if script.nested else both}", "mvexpand step"
    )
    gone = f"{begin}+{stage.span_us + 1}"
    script.add(
        f"eval left=if(step=-1, {begin}, null()), time_us=if(step=-1, {gone}, time_us)", "sort 0 time_us"
    )
    results = _running(script, stage)
    if script.numbered:
        script.add(f"eval row=if(stage={stage.label}, 0, row)")
    kept = [f"last({name}) as {name}" for name in results]
    script.merge(*kept, "max(step) as step", "min(left) as left", seen=script.nested)
    # Backwards, the event that leaves next is the earliest that is still there.
    script.add("sort 0 -time_us", f"streamstats current=f last(left) as start_us{script.by()}")
    tests = [_test(stage, one, number) for number, one in enumerate(stage.plan.thresholds)]
    script.add("where " + " AND ".join(["step=1", *tests]))
    if kind == "value_avg":
        script.add("eval value_avg=value_sum/event_count")


def _span_us(step: Step) -> int:
    """Return how long an alert of a member can be; 0 for an event."""
    source = step.member.source
    return source.timespan_ms * 1000 if isinstance(source, CorrelationPlan) else 0


def _running(script: Script, stage: Stage) -> list[str]:
    """Emit running results at each row; return their columns."""
    kind = stage.plan.type
    if kind == "value_count":
        # How often each value is in the window; it comes with the first and goes with the last.
        script.add(
            f"streamstats sum(step) as held{script.by('value')}",
            "eval change=case(step=1 AND held=1, 1, step=-1 AND held=0, -1, true(), 0)",
            f"streamstats sum(change) as value_count{script.by()}",
        )
        return ["value_count"]
    if kind == "event_count":
        script.add(f"streamstats sum(step) as event_count{script.by()}")
        return ["event_count"]
    if kind in ("value_sum", "value_avg"):
        script.add(
            "eval amount=value*step",
            f"streamstats sum(amount) as value_sum sum(step) as event_count{script.by()}",
        )
        return ["value_sum", "event_count"]
    # The percentile by nearest rank is at least v if fewer values than its rank are below v.
    parts = []
    for number, one in enumerate(stage.plan.thresholds):
        below, upto = f"below_{number}", f"upto_{number}"
        parts.append(f"{below}=if(value<{one.value}, step, 0)")
        parts.append(f"{upto}=if(value<={one.value}, step, 0)")
    names = [part.split("=", 1)[0] for part in parts]
    sums = " ".join(f"sum({name}) as {name}" for name in ["step", *names]).replace(
        "as step", "as event_count"
    )
    script.add("eval " + ", ".join(parts), f"streamstats {sums}{script.by()}")
    return ["event_count", *names]


def _test(stage: Stage, threshold: Threshold, number: int) -> str:
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
