"""EQL: parsed by Elastic's `eql`, evaluated to Elasticsearch's documented semantics, patterns on Lucene.

A field that an index has only after the first event that carries it is not mapped where none of the loaded
events does: ``?field`` is then the literal null, of which nothing holds but ``== null``, nor does its ``not``
(elastic/elasticsearch x-pack/plugin/eql, analysis/Analyzer.java, ResolveOrReplaceOptionalRefs; a filter whose
condition folds to null is pruned to nothing, optimizer/Optimizer.java).

Not Elasticsearch itself, so not shown here: ``text`` fields, normalizers, ``_shard_doc`` as tiebreaker,
result size (the search API returns 10 by default) and paging.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from converter.engines.base import Result
from converter.engines.eql.evaluate import event_test
from converter.engines.eql.nodes import EventQuery, Query, fields
from converter.engines.eql.schema import Schema, milliseconds
from converter.engines.eql.sequence import Hit, find
from converter.engines.eql.syntax import parse
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Columns

__all__ = ["EqlEngine", "EqlSession"]


class EqlSession:
    """Events in the order in which EQL sees them: by timestamp, tiebreaker, position."""

    def __init__(
        self,
        events: Sequence[Stored],
        tables: Mapping[str, Columns],
        timestamp_field: str,
        tiebreaker_field: str | None,
    ) -> None:
        carried = {name for event in events for name, value in event.doc.items() if value is not None}
        self._schema = Schema(tables, carried)
        hits = []
        for position, event in enumerate(events):
            raw = event.doc.get(timestamp_field)
            try:
                # EQL needs a timestamp to order by; without sequences any will do.
                time = 0 if raw is None else milliseconds(raw)
            except ValueError as error:
                raise EngineError(
                    "SC403", f"event {event.id}: {timestamp_field} is not a date: {raw}"
                ) from error
            tie = event.doc.get(tiebreaker_field) if tiebreaker_field else None
            order = (time, 0, int(tie), position) if tie is not None else (time, 1, 0, position)
            hits.append(Hit(order, event.id, self._schema.indexed(event.doc)))
        self._hits = sorted(hits, key=lambda hit: hit.ordinal)

    def run(self, text: str) -> Result:
        """Execute a query; sequences come as rows ``{"keys": (...), "events": (...)}``.

        Raises:
            EngineError: SC402 if Elasticsearch would reject the text, or if it uses what we do not run.
        """
        query = parse(text)
        if isinstance(query.base, EventQuery):
            test = event_test(query.base, self._schema)
            return Result(events=tuple(_pipe([hit.id for hit in self._hits if test(hit.doc)], query)))
        found = _pipe(find(query.base, self._schema, self._hits), query)
        return Result(rows=tuple({"keys": match.keys, "events": match.events} for match in found))


class EqlEngine:
    """The engine of EQL.

    Args:
        timestamp_field: orders the events.
        tiebreaker_field: orders events of the same millisecond; None: their position.
    """

    def __init__(self, timestamp_field: str = "@timestamp", tiebreaker_field: str | None = None) -> None:
        self._timestamp = timestamp_field
        self._tiebreaker = tiebreaker_field

    def load(self, events: Sequence[Stored], tables: Mapping[str, Columns]) -> EqlSession:
        """Load events; ``tables`` has the columns of each index.

        Raises:
            EngineError: SC403 for an event whose timestamp is not a date.
        """
        return EqlSession(events, tables, self._timestamp, self._tiebreaker)

    def validate(self, text: str, tables: Mapping[str, Columns]) -> None:
        """Check the text with Elastic's parser and the column list.

        Raises:
            EngineError: SC402 with what is wrong.
        """
        _verify(parse(text), Schema(tables))


T = TypeVar("T")


def _verify(query: Query, schema: Schema) -> None:
    """Check every field and comparison by compiling them; nothing is run."""
    if isinstance(query.base, EventQuery):
        event_test(query.base, schema)
    else:
        find(query.base, schema, ())
    for field in fields(query):
        schema.known(field)


def _pipe(found: list[T], query: Query) -> list[T]:
    for name, count in query.pipes:
        found = found[:count] if name == "head" else found[-count:] if count else []
    return found
