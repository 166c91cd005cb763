"""event_count, value_count, value_sum, value_avg and value_percentile over a sliding window."""

from __future__ import annotations

from converter.backends.spl.correlation import alert_begins
from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.measures import ranks, taking_part, test
from converter.backends.spl.correlation.stages import Stage
from converter.plan.thresholds import lower_bound

MAX_WINDOW = 10_000
"""limits.conf, [stats|sistats] max_stream_window: the most events in a window of streamstats."""


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a correlation that counts or sums."""
    least = _least(stage)
    if least is not None and all(step.tree is not None for step in stage.steps):
        _back(script, stage, least)
    elif stage.parent is not None:
        alert_begins.judge(script, stage)
    else:
        _expiring(script, stage)


def _least(stage: Stage) -> int | None:
    """Return the number of events from which on an event_count alerts, if that is what it asks."""
    if stage.plan.type != "event_count":
        return None
    least = lower_bound(stage.plan.thresholds)
    return max(1, least) if least is not None and least <= MAX_WINDOW else None


def _back(script: Script, stage: Stage, least: int) -> None:
    """N within T: the event N-1 places back is at most T old."""
    script.add("sort 0 time_ms")
    script.add(
        f"streamstats window={least} global=f count as event_count min(time_ms) as start_ms{script.by()}"
        if script.groups()
        else f"streamstats window={least} count as event_count min(time_ms) as start_ms"
    )
    near = f"event_count={least} AND time_ms-start_ms<={stage.span_ms}"
    script.add("where " + script.unless(stage, near))
    if script.numbered:
        script.add(f"eval row=if(stage={stage.label}, 0, row)")
    # Of several events of one instant, the last has the latest begin.
    script.merge("max(start_ms) as start_ms", "max(event_count) as event_count", seen=script.nested)


def _expiring(script: Script, stage: Stage) -> None:
    """Each event comes once more, just after it has left the window, to be taken off the running results."""
    kind = stage.plan.type
    alone = not script.nested and not script.numbered
    begin = taking_part(script, stage, grouped=alone)
    weight = ""
    if alone:
        # One row for the events of one instant and value. The command transforms: max_stream_window does not
        # hold for streamstats after it, and the indexers do a part of it.
        rows = [*(["value"] if kind.startswith("value_") else []), *([begin] if begin != "time_ms" else [])]
        script.merge("count as together", seen=False, rows=rows)
        weight = "*together"
    both = 'mvappend("1", "-1")'
    script.add(
        f"eval step={f'if(stage={stage.label}, {both}, 1)' if script.nested else both}", "mvexpand step"
    )
    gone = f"{begin}+{stage.span_ms + 1}"
    script.add(
        f"eval left=if(step=-1, {begin}, null()), time_ms=if(step=-1, {gone}, time_ms)", "sort 0 time_ms"
    )
    results = _running(script, stage, weight)
    if script.numbered:
        script.add(f"eval row=if(stage={stage.label}, 0, row)")
    kept = [f"last({name}) as {name}" for name in results]
    script.merge(*kept, "max(step) as step", "min(left) as left", seen=script.nested)
    # Backwards, the event that leaves next is the earliest that is still there.
    script.add("sort 0 -time_ms", f"streamstats current=f last(left) as start_ms{script.by()}")
    tests = [test(stage, one, number) for number, one in enumerate(stage.plan.thresholds)]
    script.add("where " + " AND ".join(["step=1", *tests]))
    if kind == "value_avg":
        script.add("eval value_avg=value_sum/event_count")


def _running(script: Script, stage: Stage, weight: str) -> list[str]:
    """Emit running results at each row; return their columns.

    Args:
        script: the search.
        stage: the correlation.
        weight: what a row's step is multiplied by, if one row counts several events.
    """
    kind = stage.plan.type
    if weight:
        script.add(f"eval amount=step{weight}")
    step = "amount" if weight else "step"
    if kind == "value_count":
        first = "together" if weight else "1"
        # How often each value is in the window; it comes with the first and goes with the last.
        script.add(
            f"streamstats sum({step}) as held{script.by('value')}",
            f"eval change=case(step=1 AND held={first}, 1, step=-1 AND held=0, -1, true(), 0)",
            f"streamstats sum(change) as value_count{script.by()}",
        )
        return ["value_count"]
    if kind == "event_count":
        script.add(f"streamstats sum({step}) as event_count{script.by()}")
        return ["event_count"]
    if kind in ("value_sum", "value_avg"):
        script.add(
            f"eval change=value*{step}",
            f"streamstats sum(change) as value_sum sum({step}) as event_count{script.by()}",
        )
        return ["value_sum", "event_count"]
    counted = ranks(stage, step)
    names = [one.split("=", 1)[0] for one in counted]
    sums = " ".join([f"sum({step}) as event_count", *(f"sum({name}) as {name}" for name in names)])
    script.add("eval " + ", ".join(counted), f"streamstats {sums}{script.by()}")
    return ["event_count", *names]
