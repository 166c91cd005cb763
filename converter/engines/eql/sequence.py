"""Elasticsearch's sequence matcher: a state machine per join key that consumes events.

As its SequenceMatcher does: a hit of the first stage opens a sequence; a hit of a later stage takes the
sequence of its key at the stage before whose last event is the latest one strictly before the hit, and
that sequence and all before it are gone from the stage, whether or not the span then turns out too long.

Not modelled: pages of the search (only sequences longer than a page of 1,000 hits per stage can tell),
the API's default size of 10 results, and ``result_position`` (which results are kept).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from converter.engines.eql.evaluate import event_test
from converter.engines.eql.nodes import Field, Item, Node, Sequence
from converter.engines.eql.schema import Doc, Schema, values
from converter.engines.eql.syntax import invalid

Ordinal = tuple[int, ...]
"""Order of events: timestamp in ms, tiebreaker, position; never equal for two events."""
Key = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Hit:
    """An event with its place in the order."""

    ordinal: Ordinal
    id: int
    doc: Doc


@dataclass(frozen=True, slots=True)
class Match:
    """One sequence: its join keys and its events in order."""

    keys: Key
    events: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Open:
    start: int
    last: Ordinal
    events: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    test: Callable[[Doc], bool]
    key: Callable[[Doc], Key | None]


def find(sequence: Sequence, schema: Schema, hits: Iterable[Hit]) -> list[Match]:
    """Return the completed sequences in the order in which they complete.

    Args:
        sequence: the parsed query.
        schema: the fields.
        hits: all events in ascending order.

    Raises:
        EngineError: SC402 if Elasticsearch's verifier would reject a part.
    """
    if len({len(item.by) for item in sequence.items}) > 1:
        raise invalid("every item of a sequence needs the same number of join keys")
    stages = [stage for item in sequence.items for stage in [_stage(item, schema)] * item.runs]
    until = _stage(sequence.until, schema) if sequence.until else None
    machine = _Machine(len(stages), sequence.maxspan_ms)
    for hit in hits:
        # From the last stage down, so that no hit follows itself.
        for number in range(len(stages) - 1, -1, -1):
            key = _key_of(stages[number], hit)
            if key is not None:
                machine.advance(number, key, hit)
        if until and (key := _key_of(until, hit)) is not None:
            machine.until[key] = hit.ordinal
    return machine.done


class _Machine:
    def __init__(self, stages: int, maxspan_ms: int | None) -> None:
        self._stages = stages
        self._maxspan = maxspan_ms
        self._open: dict[tuple[int, Key], list[_Open]] = {}
        self.until: dict[Key, Ordinal] = {}
        self.done: list[Match] = []

    def advance(self, stage: int, key: Key, hit: Hit) -> None:
        if stage == 0:
            opened = _Open(hit.ordinal[0], hit.ordinal, (hit.id,))
            self._open.setdefault((0, key), []).append(opened)
            return
        # Events come in order, so all that wait at the stage before are strictly earlier: the last one
        # is taken, and the others are trimmed with it.
        waiting = self._open.pop((stage - 1, key), None)
        if not waiting:
            return
        found = waiting[-1]
        if self._maxspan is not None and hit.ordinal[0] - found.start > self._maxspan:
            return
        until = self.until.get(key)
        if until is not None and until >= found.last:
            return
        events = (*found.events, hit.id)
        if stage == self._stages - 1:
            self.done.append(Match(key, events))
        else:
            self._open.setdefault((stage, key), []).append(_Open(found.start, hit.ordinal, events))


def _stage(item: Item, schema: Schema) -> _Stage:
    return _Stage(event_test(item.query, schema), _keys(item.by, schema))


def _key_of(stage: _Stage, hit: Hit) -> Key | None:
    return stage.key(hit.doc) if stage.test(hit.doc) else None


def _keys(nodes: tuple[Node, ...], schema: Schema) -> Callable[[Doc], Key | None]:
    columns: list[tuple[str, str | None, bool]] = []
    for node in nodes:
        if not isinstance(node, Field):
            raise invalid("this engine joins by fields only")
        columns.append((node.name, schema.family(node), node.optional))

    def key(doc: Doc) -> Key | None:
        found: list[Any] = []
        for name, family, optional in columns:
            held = values(doc, name, family) if family else []
            if not held and not optional:
                return None  # Elasticsearch: events with a null join key are dropped, unless `?key`.
            # Several values join as the whole list.
            found.append(None if not held else held[0] if len(held) == 1 else tuple(held))
        return tuple(found)

    return key
