"""The commands of a correlation as they are put together, and the columns that rows must keep."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.spl.correlation.stages import Stage
from converter.backends.spl.text import listed_field


def _chained(stage: Stage) -> int:
    return sum(step.tree is None for step in stage.steps)


class Script:
    """A search under construction."""

    def __init__(self, stages: Sequence[Stage], fields: Sequence[str], search: str) -> None:
        """Begin with the base search; ``fields`` are carried along for the alert."""
        self.stages = list(stages)
        self.fields = list(dict.fromkeys(fields))
        self.commands = [search]
        self.nested = len(self.stages) > 1
        self.kept = {stage.label for stage in self.stages[1:] if stage.tells_apart}
        """Stages whose rows of one instant are merged in their own turn only, though they are ordered."""
        self.numbered = bool(self.kept) or any(
            not stage.ordered and (_chained(stage) > 1 or (position and _chained(stage) < len(stage.steps)))
            for position, stage in enumerate(stages)
        )
        """Whether rows carry a number, so that those of a counting stage are not merged in others' turn."""
        self.raised: set[str] = set()
        """Columns of members that are correlations and have been judged."""
        self.valued = any(stage.plan.type.startswith("value_") for stage in stages)

    def add(self, *commands: str) -> None:
        """Append commands; an `eval` after another continues it (assignments run from left to right)."""
        for command in commands:
            if command.startswith("eval ") and self.commands[-1].startswith("eval "):
                self.commands[-1] += ", " + command.removeprefix("eval ")
            else:
                self.commands.append(command)

    def narrow(self, stage: Stage) -> None:
        """Begin the last stage: all rows are its own now."""
        self.stages = [stage]
        self.nested = self.numbered = False

    def text(self) -> str:
        """Return the search."""
        return "\n| ".join(self.commands)

    def groups(self) -> list[str]:
        """Return the columns of a group: those of all stages, so that no row lacks one."""
        slots = dict.fromkeys(slot for stage in self.stages for slot in stage.slots)
        return [*(["stage"] if self.nested else []), *slots]

    def by(self, *more: str) -> str:
        """Return the by-clause of the groups, "" if there is one group for all."""
        names = [*self.groups(), *more]
        return " by " + " ".join(map(listed_field, names)) if names else ""

    def unless(self, stage: Stage, test: str) -> str:
        """Return a test that only a stage's rows must pass."""
        return f"stage!={stage.label} OR {test}" if self.nested else test

    def mine(self, stage: Stage, test: str) -> str:
        """Return a test that only a stage's rows can pass."""
        return f"stage={stage.label} AND {test}" if self.nested else test

    def seen(self) -> list[str]:
        """Return the columns that say when each member was seen, as far as rows have them by now."""
        return [
            step.column
            for stage in self.stages
            for step in stage.steps
            if step.tree is not None or step.column in self.raised
        ]

    def merge(self, *aggregations: str, seen: bool = True, rows: Sequence[str] | None = None) -> None:
        """Make one row of those of one group and instant.

        Args:
            aggregations: beyond the columns that rows must keep.
            seen: whether rows say when members were seen.
            rows: further columns of the group; default: the number, if rows have one.
        """
        further = (["row"] if self.numbered else []) if rows is None else list(rows)
        kept = [f"max({name}) as {name}" for name in self.seen()] if seen else []
        kept += aggregations
        if self.valued and (self.nested or rows is not None) and "value" not in further:
            kept.append("last(value) as value")
        names = [name for name in self.fields if name not in self.groups()]
        kept += [f"values({listed_field(name)}) as {listed_field(name)}" for name in names]
        self.add(f"stats {' '.join(kept)}{self.by('time_ms', *further)}")

    def unnumber(self) -> None:
        """Give all rows of stages that merge them the number 0."""
        merging = [
            f"stage={stage.label}" for stage in self.stages if stage.ordered and stage.label not in self.kept
        ]
        if merging:
            self.add(f"eval row=if({' OR '.join(merging)}, 0, row)")

    def unnumber_kept(self, stage: Stage) -> None:
        """Do the same for a stage that was kept apart until its turn."""
        if self.numbered and stage.label in self.kept:
            self.add(f"eval row=if(stage={stage.label}, 0, row)")

    def number_alerts(self, stage: Stage) -> None:
        """Give alerts that a stage is to count numbers of their own, if others' turn comes before its own."""
        if _chained(stage) < 2:
            return
        self.add("streamstats count as place", f'eval row=if(stage={stage.label} AND row=0, "a".place, row)')
