"""A correlation and those it refers to as one list of nodes, and the ways in which events reach them.

A lane is a set of base rules of one node that are read alike: the same columns for the group-by keys and for
the values of the condition. An event that several lanes take in becomes several rows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from converter.backends.spl import condition
from converter.backends.spl.nodes import Junction, Leaf, Node
from converter.errors import Refusal
from converter.plan.columns import Columns as ColumnList
from converter.plan.demanded import one_of_few
from converter.plan.model import BaseRule, CorrelationPlan, Member

Columns = tuple[tuple[str, ...], ...]


@dataclass(slots=True)
class Step:
    """One member of a node."""

    member: Member
    column: str
    """Holds, in milliseconds, when it was seen: for a correlation the begin of its alert."""
    tree: Node | None
    """The condition of a base rule; None if the member is a correlation."""


@dataclass(slots=True)
class Stage:
    """One correlation of the chain."""

    plan: CorrelationPlan
    label: str
    steps: list[Step]
    slots: list[str] = field(default_factory=list)
    """The column of each group-by key."""
    parent: tuple[Stage, Step] | None = None

    @property
    def ordered(self) -> bool:
        """Whether rows of one instant are merged before they are judged."""
        return self.plan.type in ("temporal", "temporal_ordered")

    @property
    def tells_apart(self) -> bool:
        """Whether it matters which events of one instant are one: an order of rules that one can match."""
        trees = [step.tree for step in self.steps if step.tree is not None]
        return self.plan.type == "temporal_ordered" and len(trees) > 1 and discriminators(trees) is None

    @property
    def span_ms(self) -> int:
        """The timespan in milliseconds."""
        return self.plan.timespan_ms


@dataclass(slots=True)
class Lane:
    """Base rules of one stage that are read alike."""

    stage: Stage
    keys: Columns
    values: Columns
    steps: list[Step]

    @property
    def columns(self) -> ColumnList:
        """The columns of the cell."""
        source = self.steps[0].member.source
        return source.columns if isinstance(source, BaseRule) else {}


def stages(plan: CorrelationPlan) -> list[Stage]:
    """Return the correlations, each after those it refers to; the last is the plan itself.

    Raises:
        Refusal: as `condition.build`.
    """
    found: list[Stage] = []
    taken: set[str] = set()

    def visit(current: CorrelationPlan) -> Stage:
        stage = Stage(current, "", [])
        for member in current.members:
            column = _column(member.name, taken)
            if isinstance(member.source, CorrelationPlan):
                step = Step(member, column, None)
                visit(member.source).parent = (stage, step)
            else:
                step = Step(member, column, condition.build(member.source.condition, member.source.columns))
            stage.steps.append(step)
        found.append(stage)
        stage.label = str(len(found))
        return stage

    visit(plan)
    return found


def _column(name: str, taken: set[str]) -> str:
    stem = "at_" + re.sub(r"\W", "_", name, flags=re.ASCII)
    column, number = stem, 1
    while column in taken:
        number += 1
        column = f"{stem}_{number}"
    taken.add(column)
    return column


def lanes(found: list[Stage]) -> list[Lane]:
    """Return the lanes of all stages, in order."""
    out: list[Lane] = []
    for stage in found:
        for step in stage.steps:
            if step.tree is None:
                continue
            member = step.member
            for lane in out:
                if (lane.stage, lane.keys, lane.values) == (stage, member.group_by, member.values):
                    lane.steps.append(step)
                    break
            else:
                out.append(Lane(stage, member.group_by, member.values, [step]))
    return out


def base_rules(found: list[Stage]) -> dict[str, tuple[BaseRule, Node]]:
    """Return the distinct base rules by name, in order of appearance."""
    rules: dict[str, tuple[BaseRule, Node]] = {}
    for stage in found:
        for step in stage.steps:
            source = step.member.source
            if step.tree is None or isinstance(source, CorrelationPlan):
                continue
            key = source.name
            if key in rules and rules[key][1] != step.tree:
                raise Refusal("SC205", f"two different base rules are called '{key}'")
            rules[key] = (source, step.tree)
    return rules


def discriminators(trees: list[Node]) -> list[Leaf | Junction] | None:
    """Return for each condition an AND-ed part that no event satisfies together with another's, if there are.

    That is a comparison of one field, the same in all, with values that no two have in common.
    """
    choices = [dict(_equalities(tree)) for tree in trees]
    for subject in choices[0]:
        if not all(subject in choice for choice in choices):
            continue
        values = [value for choice in choices for value in choice[subject][1]]
        if len(set(values)) == len(values):
            return [choice[subject][0] for choice in choices]
    return None


def _equalities(tree: Node) -> Iterator[tuple[str, tuple[Leaf | Junction, tuple[str, ...]]]]:
    parts = tree.items if isinstance(tree, Junction) and tree.op == "and" else (tree,)
    for part in parts:
        if isinstance(part, Leaf):
            leaves: tuple[Node, ...] = (part,)
        elif isinstance(part, Junction):
            leaves = part.items
        else:
            continue
        if found := one_of_few(leaves, _equality):
            field, values = found
            yield field, (part, values)


def _equality(leaf: Node) -> tuple[str, str] | None:
    """Return field and value of a comparison with one text or number, as lower-case text."""
    if not isinstance(leaf, Leaf) or leaf.field is None or leaf.value is None or leaf.search is None:
        return None
    if "*" in leaf.value or "/" in leaf.value:
        return None
    return leaf.field, leaf.value.strip('"').lower()
