"""What every engine offers: load stored events, run emitted text over them, validate text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from converter.events.stored import Stored
from converter.plan.columns import Columns


@dataclass(frozen=True, slots=True)
class Result:
    """What a query selected.

    ``events``: ids of the selected events in the order returned; empty for queries that aggregate.
    ``rows``: for correlations, one mapping per alert. KQL and SPL: the row's columns, times as
    ``datetime`` in UTC (KQL) or epoch seconds (SPL). EQL sequences: ``{"keys": (...), "events": (...)}``.
    Lucene threshold: ``{"group": {field: value}, "count": n, "events": (...)}``.
    """

    events: tuple[int, ...] = ()
    rows: tuple[Mapping[str, Any], ...] = ()


class Session(Protocol):
    """Events loaded into an engine; many queries run over them."""

    def run(self, text: str) -> Result:
        """Execute an emitted file's text (header comments and all).

        Raises:
            EngineError: if the text is not valid or uses what the engine does not have.
        """
        ...


class Engine(Protocol):
    """An engine of one language."""

    def load(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> Session:
        """Load events; ``tables`` has the columns of each index, table or sourcetype."""
        ...

    def validate(self, text: str, tables: Mapping[str, Columns]) -> None:
        """Check the text with the language's own parser or analyser, without running it.

        Raises:
            EngineError: SC402 with what the parser says.
        """
        ...
