"""temporal_ordered: for each prefix of the chain, the latest begin of a chain that ends by now.

A running maximum over the instants of a group. Events of one instant stand in any order, each used once.
"""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.spl import partial
from converter.backends.spl.lanes import Stage, Step, discriminators
from converter.backends.spl.script import Script
from converter.errors import Refusal

MOST_TOGETHER = 4
"""Up to this many rules that one event may match together: 2^n - 1 counts are kept."""


def judge(script: Script, stage: Stage) -> None:
    """Emit the commands of a temporal_ordered correlation.

    Raises:
        Refusal: SC205.
    """
    steps = stage.steps
    trees = [step.tree for step in steps if step.tree is not None]
    chained = len(trees) < len(steps)
    lengths = partial.lengths(stage)
    if not lengths:
        raise Refusal("SC205", "no number of rules satisfies the condition: it would never alert")
    if lengths != [len(steps)]:
        if chained or len(steps) > MOST_TOGETHER:
            raise Refusal(
                "SC205",
                "SPL says an order of some of the rules, not of all, only for up to "
                f"{MOST_TOGETHER} event rules and not for other correlations",
                hint="KQL can",
            )
        partial.judge(script, stage, lengths, apart=len(trees) < 2 or discriminators(trees) is not None)
        return
    if len(steps) == 1:
        script.merge()
        script.add("where " + script.unless(stage, f"{steps[0].column}>=time_us-{stage.span_us}"))
        script.add(f"eval start_us={steps[0].column}, rule_count=1")
        return
    if len(trees) < 2 or discriminators(trees) is not None:
        _apart(script, stage)
    elif chained or len(steps) > MOST_TOGETHER:
        raise Refusal(
            "SC205",
            f"one event can match several of these rules, and SPL keeps their order only for up to "
            f"{MOST_TOGETHER} of them and not together with other correlations",
            hint="KQL can",
        )
    else:
        _together(script, stage)
    begin = f"time_us-{stage.span_us}"
    script.add("where " + script.unless(stage, f"start_{len(steps)}>={begin}"))
    script.add(f"eval start_us=start_{len(steps)}, rule_count={len(steps)}")


def _apart(script: Script, stage: Stage) -> None:
    """No event matches two of the rules: within an instant the rules simply follow each other."""
    script.merge()
    late = [step for step in stage.steps[1:] if step.tree is None]
    if late:
        _marks(script, stage, late)
    script.add("sort 0 time_us" + (" role" if late else ""))
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
            now = f"if({step.column}=time_us, start_{number - 1}, seen)"
            start = f"if(isnotnull({step.column}), {now}, null())"
        if number > 1:
            script.add(f"eval start_{number}={start}")
        if number < len(stage.steps):
            running = start if number == 1 else f"start_{number}"
            script.add(f"streamstats max({running}) as start_{number}{script.by()}")


def _marks(script: Script, stage: Stage, late: Sequence[Step]) -> None:
    """Add a row at the begin of each alert, after all others of that instant (its role is not 0).

    It only looks: it stands for no event. Alert and row have the alert's begin in common.
    """
    numbers = {step.column: stage.steps.index(step) + 1 for step in late}
    roles = [
        f'if({script.mine(stage, f"{column}<time_us")}, "{number}", null())'
        for column, number in numbers.items()
    ]
    script.add(f'eval role=mvappend("0", {", ".join(roles)})', "mvexpand role")
    begins = [f"role={number}, {column}" for column, number in numbers.items()]
    columns = [step.column for step in stage.steps]
    assignments = [
        *(f"mark_{number}=coalesce({column}, 0)" for column, number in numbers.items()),
        f"time_us=case({', '.join(begins)}, true(), time_us)",
        *(f"{column}=if(role=0, {column}, null())" for column in columns),
    ]
    script.add("eval " + ", ".join(assignments))


def _together(script: Script, stage: Stage) -> None:
    """An event may match several rules: within an instant, distinct events must be found for each.

    By Hall's theorem they are there if every set of the rules has as many events that match any of them.
    """
    columns = [step.column for step in stage.steps]
    partial.count_matches(script, columns)
    script.add("sort 0 time_us")
    for last in range(1, len(columns) + 1):
        begins = ["time_us", *(f"before_{first}" for first in range(1, last))]
        cases = [
            f"{partial.distinct(range(first, last + 1))}, {begin}" for first, begin in enumerate(begins, 1)
        ]
        # What began before stands in the rows before; the first case that holds begins latest.
        script.add(f"eval start_{last}=case({', '.join(cases)})")
        if last < len(columns):
            script.add(f"streamstats current=f max(start_{last}) as before_{last}{script.by()}")
