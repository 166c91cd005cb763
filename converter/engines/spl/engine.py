"""The engine: events loaded once, searches compiled and run over them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from converter.engines.base import Result
from converter.engines.spl import split
from converter.engines.spl.commands import ID, TRANSFORMING, Command, compile_command, search
from converter.engines.spl.failures import invalid, unknown
from converter.engines.spl.search import INDEX
from converter.engines.spl.values import Row
from converter.events.stored import Stored
from converter.plan.columns import Columns


class SplEngine:
    """SPL by its documentation (not Splunk); see the package."""

    def load(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> SplSession:
        """Load events. ``tables`` is not needed: a search over a field that no event has finds nothing."""
        return SplSession(events)

    def validate(self, text: str, tables: Mapping[str, Columns]) -> None:
        """Parse a search without running it.

        Raises:
            EngineError: SC402 if it is not SPL, SC403 if it is not of the subset.
        """
        _compile(text)


class SplSession:
    """Events that searches run over."""

    def __init__(self, events: Sequence[Stored]) -> None:
        self._rows: list[Row] = [
            {"index": event.index}
            | {name: one for name, one in event.doc.items() if one is not None}
            | {ID: event.id, INDEX: event.index}
            for event in events
        ]

    def run(self, text: str) -> Result:
        """Run a search.

        Returns:
            Events in the order in which the search leaves them; rows too, if it makes rows. `table` makes a
            row of each event; after `stats` there are no events.

        Raises:
            EngineError: SC402, SC403.
        """
        commands, transforming = _compile(text)
        rows = self._rows
        for command in commands:
            rows = command(rows)
        if transforming:
            return Result(
                tuple(row[ID] for row in rows if ID in row),
                tuple({key: row[key] for key in row if key not in (ID, INDEX)} for row in rows),
            )
        return Result(events=tuple(row[ID] for row in rows))


def _compile(text: str) -> tuple[list[Command], bool]:
    try:
        first, *rest = split.commands(text)
        if first.startswith("search "):
            first = first.removeprefix("search ")
        commands = [search(first), *(compile_command(one) for one in rest)]
    except RecursionError:
        raise unknown("a search nested this deeply") from None
    if not first:
        raise invalid("the search is empty")
    return commands, any(one.split(maxsplit=1)[0] in TRANSFORMING for one in rest)
