"""Alerts of counts and sums that feed another correlation: when they began.

An alert begins where the shortest part of its window begins that ends with it and satisfies the condition
too. Of sums, averages, percentiles, distinct values and upper bounds that is no matter of counting back: each
window is laid out, one row for each event in it, and added up from its end.
"""

from __future__ import annotations

from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.measures import ranks, taking_part, test
from converter.backends.spl.correlation.stages import Stage

# How an event is written in the list of its window: begin, number, value. A value may hold colons.
_NOTHING = '"-"'
_VALUE = '.":".value'
_BEGIN = 'tonumber(mvindex(split(seen, ":"), 0))'
_REST = r'replace(seen, "^\d+:\d+:", "")'


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a correlation that counts or sums and is handed on."""
    begin = taking_part(script, stage)
    chained = begin == "start_ms"
    _lay_out(script, stage, begin)
    by = ["time_ms", *(["row"] if script.numbered else [])]
    results = _added_up(script, stage, by)
    script.merge(
        *(f"last({name}) as {name}" for name in results),
        *(["max(latest) as latest"] if chained else []),
        rows=[*by[1:], "begin"],
    )
    tests = [test(stage, one, number) for number, one in enumerate(stage.plan.thresholds)]
    # What completes the alert is in every part.
    held = [*tests, *(["begin<=latest"] if chained else [])]
    script.add(f"eval held=if({' AND '.join(held)}, begin, null())")
    script.merge("max(held) as start_ms", "min(held) as whole", "min(begin) as begin")
    # The alert is the whole window's.
    script.add("where " + script.unless(stage, "whole=begin"))


def _lay_out(script: Script, stage: Stage, begin: str) -> None:
    """Make a row of each window and event in it, with ``begin``.

    A window reaches into two bins at most: each row is in its own and in the next, and sees what stands
    there so far. The last of an instant sees all.
    """
    span, valued = stage.span_ms, stage.plan.type.startswith("value_")
    bins = f"mvappend(floor({begin}/{span}), floor({begin}/{span})+1)"
    seen = f'{begin}.":".number{_VALUE if valued else ""}'
    script.add(
        "streamstats count as number",
        f"eval bin={_mine(stage, bins, '0')}, seen={_mine(stage, seen, _NOTHING)}",
        "mvexpand bin",
        "sort 0 time_ms",
        f"streamstats values(seen) as seen{script.by('bin')}",
    )
    if script.numbered:
        script.add(f"eval row=if(stage={stage.label}, 0, row)")
    script.merge("values(seen) as seen", *(["max(start_ms) as latest"] if begin == "start_ms" else []))
    script.add("mvexpand seen", f"eval begin={_mine(stage, _BEGIN, '0')}")
    if valued:
        script.add(f"eval value={_mine(stage, _REST, 'value')}")
    script.add("where " + script.unless(stage, f"begin>=time_ms-{span}"))


def _mine(stage: Stage, then: str, other: str) -> str:
    return f"if(stage={stage.label}, {then}, {other})"


def _added_up(script: Script, stage: Stage, by: list[str]) -> list[str]:
    """Emit the results of each part of a window, from its end; return their columns."""
    kind = stage.plan.type
    script.add("sort 0 -begin")
    if kind == "event_count":
        script.add(f"streamstats count as event_count{script.by(*by)}")
        return ["event_count"]
    if kind == "value_count":
        script.add(
            f"streamstats count as held{script.by(*by, 'value')}",
            "eval change=if(held=1, 1, 0)",
            f"streamstats sum(change) as value_count{script.by(*by)}",
        )
        return ["value_count"]
    if kind in ("value_sum", "value_avg"):
        script.add(f"streamstats sum(value) as value_sum count as event_count{script.by(*by)}")
        return ["value_sum", "event_count"]
    counted = ranks(stage, "1")
    names = [one.split("=", 1)[0] for one in counted]
    sums = " ".join(f"sum({name}) as {name}" for name in names)
    script.add("eval " + ", ".join(counted), f"streamstats {sums} count as event_count{script.by(*by)}")
    return ["event_count", *names]
