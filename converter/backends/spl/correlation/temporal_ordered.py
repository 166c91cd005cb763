"""temporal_ordered: for each prefix of the chain, the latest begin of a chain that ends by now.

A running maximum over the instants of a group. Events of one instant stand in any order, each used once.
"""

from __future__ import annotations

from converter.backends.spl.correlation import begin_markers, partial_order
from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.stages import Stage, discriminators
from converter.errors import Refusal

MOST_TOGETHER = 6
"""Up to this many rules that one event may match together: 2^n - 1 counts are kept."""


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a temporal_ordered correlation.

    Raises:
        Refusal: SC205.
    """
    steps = stage.steps
    trees = [step.tree for step in steps if step.tree is not None]
    chained = len(trees) < len(steps)
    lengths = partial_order.lengths(stage)
    if not lengths:
        raise Refusal("SC205", "no number of rules satisfies the condition: it would never alert")
    if len(steps) == 1:
        script.merge()
        script.add("where " + script.unless(stage, f"{steps[0].column}>=time_ms-{stage.span_ms}"))
        script.add(f"eval start_ms={steps[0].column}, rule_count=1")
        return
    apart = len(trees) < 2 or discriminators(trees) is not None
    every = lengths == [len(steps)]
    if len(steps) > MOST_TOGETHER and not (every and apart):
        what = (
            "some of the rules in an order, not all"
            if apart
            else "rules in an order that one event can match"
        )
        raise Refusal("SC205", f"SPL says {what} for up to {MOST_TOGETHER} of them", hint="KQL can")
    if not every or (chained and not apart):
        partial_order.judge(script, stage, lengths, apart=apart)
        return
    if apart:
        _apart(script, stage)
    else:
        _together(script, stage)
    begin = f"time_ms-{stage.span_ms}"
    script.add("where " + script.unless(stage, f"start_{len(steps)}>={begin}"))
    script.add(f"eval start_ms=start_{len(steps)}, rule_count={len(steps)}")


def _apart(script: Script, stage: Stage) -> None:
    """No event matches two of the rules: within an instant the rules simply follow each other."""
    script.merge()
    late = [step for step in stage.steps[1:] if step.tree is None]
    if late:
        begin_markers.add(script, stage, late)
    script.add("sort 0 time_ms" + (" role" if late else ""))
    for number, step in enumerate(stage.steps, 1):
        if number == 1:
            start = step.column
        elif step.tree is not None:
            start = f"if(isnotnull({step.column}), start_{number - 1}, null())"
        else:
            # What had begun when the alert began: seen at its mark, found again by the alert's begin.
            script.add(
                f"eval seen=if(role={number}, start_{number - 1}, null())",
                f"streamstats max(seen) as seen{script.by(f'mark_{number}')}",
            )
            now = f"if({step.column}=time_ms, start_{number - 1}, seen)"
            start = f"if(isnotnull({step.column}), {now}, null())"
        if number > 1:
            script.add(f"eval start_{number}={start}")
        if number < len(stage.steps):
            running = start if number == 1 else f"start_{number}"
            script.add(f"streamstats max({running}) as start_{number}{script.by()}")


def _together(script: Script, stage: Stage) -> None:
    """An event may match several rules: within an instant, distinct events must be found for each.

    By Hall's theorem they are there if every set of the rules has as many events that match any of them.
    """
    columns = [step.column for step in stage.steps]
    partial_order.count_matches(script, stage, columns, range(1, len(columns) + 1))
    script.add("sort 0 time_ms")
    for last in range(1, len(columns) + 1):
        begins = ["time_ms", *(f"before_{first}" for first in range(1, last))]
        cases = [
            f"{partial_order.distinct(range(first, last + 1))}, {begin}"
            for first, begin in enumerate(begins, 1)
        ]
        # What began before is in the rows before; the first case that holds begins latest.
        script.add(f"eval start_{last}=case({', '.join(cases)})")
        if last < len(columns):
            script.add(f"streamstats current=f max(start_{last}) as before_{last}{script.by()}")
