"""Streams of events as the platforms store them, and the columns of the tables that they are stored in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from converter.conversion.convert import Conversion
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.pipelines.cells import Cell
from converter.plan.columns import Columns
from converter.plan.model import BaseRule, CorrelationPlan
from converter.project import stock_pipelines
from converter.shapes import inferred as none_shape
from converter.shapes import shape_for

Event = Mapping[str, Any]


class StoredStreams:
    """The streams of a rule, each stored once for all languages of a platform."""

    def __init__(self) -> None:
        """Begin with none."""
        self._place: tuple[str, str] | None = None
        self._kept: dict[int, tuple[Sequence[Event], tuple[list[Event], list[Stored]]]] = {}

    def of(self, events: Sequence[Event], conversion: Conversion) -> tuple[list[Event], list[Stored]]:
        """Return what `stored_events` returns; nobody may change it.

        The cells of a platform come one after the other, so the streams of one platform are kept at a time.
        """
        cell = conversion.cell
        if cell.source == cells.NONE:  # Its columns follow from the rule and the language.
            return stored_events(events, conversion)
        if self._place != (cell.source, cell.stem):
            self._place, self._kept = (cell.source, cell.stem), {}
        if id(events) not in self._kept:
            self._kept[id(events)] = (events, stored_events(events, conversion))
        return self._kept[id(events)][1]


def stored_events(events: Sequence[Event], conversion: Conversion) -> tuple[list[Event], list[Stored]]:
    """Return the events as the matcher must see them on this platform, and as it stores them."""
    cell, plan = conversion.cell, conversion.plan
    columns = columns_of(plan, cell) if cell.source == cells.NONE else {}
    return stored_in(events, cell, columns, timed=isinstance(plan, CorrelationPlan))


def stored_in(
    events: Sequence[Event], cell: Cell, columns: Columns, *, timed: bool = False
) -> tuple[list[Event], list[Stored]]:
    """Return the events as the matcher must see them in a cell, and as its platform stores them.

    Args:
        events: flat events.
        cell: the cell.
        columns: of the source `none`: those of the rule; other sources have their own.
        timed: of the source `none`: whether events have a time that a query looks at.
    """
    if cell.source == cells.NONE:
        seen = none_shape.view(events, cell.target, columns)
        stored = none_shape.store(events, columns, cell.target)
        return seen, none_shape.with_times(stored, seen, cell.target) if timed else stored
    shape = shape_for(cell.source, cell.stem, stock_pipelines.folder())
    raw = shape.history(events)
    return [shape.view(event) for event in events], [shape.store(event, i) for i, event in enumerate(raw)]


def columns_of(plan: BaseRule | CorrelationPlan, cell: Cell) -> Columns:
    """Return the columns that a plan's events have."""
    if isinstance(plan, BaseRule):
        return plan.columns
    if cell.source == cells.NONE:
        return none_shape.correlation_columns(plan, cell.target)
    return {
        name: column for member in plan.members for name, column in columns_of(member.source, cell).items()
    }


def tables_of(conversion: Conversion, stored: Iterable[Stored] = ()) -> dict[str, Columns]:
    """Return the columns of every table that the rule's query names or that has events."""
    columns = columns_of(conversion.plan, conversion.cell)
    names = {one.index for one in stored}
    stack: list[BaseRule | CorrelationPlan] = [conversion.plan]
    while stack:
        one = stack.pop()
        if isinstance(one, CorrelationPlan):
            stack.extend(member.source for member in one.members)
            continue
        index = one.state.get("table") or one.state.get("index") or ()
        names.update([index] if isinstance(index, str) else index)
    return dict.fromkeys(names, columns)
