"""What stood before an alert began: a row at its begin that looks, and hands what it sees on to the alert."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.spl.correlation.commands import Script
from converter.backends.spl.correlation.stages import Stage, Step


def add(script: Script, stage: Stage, late: Sequence[Step], counted: Sequence[str] = ()) -> None:
    """Add a row at the begin of each alert, after all others of that instant (its role is not 0).

    It only looks: it stands for no event. Alert and row have the alert's begin in common.

    Args:
        script: the search.
        stage: the correlation.
        late: the members that are correlations, but for the first of all.
        counted: columns that count events.
    """
    numbers = {step.column: stage.steps.index(step) + 1 for step in late}
    roles = [
        f'if({script.mine(stage, f"{column}<time_ms")}, "{number}", null())'
        for column, number in numbers.items()
    ]
    script.add(f'eval role=mvappend("0", {", ".join(roles)})', "mvexpand role")
    begins = [f"role={number}, {column}" for column, number in numbers.items()]
    columns = [step.column for step in stage.steps]
    assignments = [
        *(f"mark_{number}=coalesce({column}, 0)" for column, number in numbers.items()),
        f"time_ms=case({', '.join(begins)}, true(), time_ms)",
        *(f"{column}=if(role=0, {column}, null())" for column in columns),
        *(f"{column}=if(role=0, {column}, 0)" for column in counted),
    ]
    script.add("eval " + ", ".join(assignments))
