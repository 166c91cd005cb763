"""Run the texts of one converter over events, and say how what they select differs from what a rule means."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from converter.engines import ENGINES, engine_for
from converter.engines.base import Result
from converter.errors import EngineError
from converter.events.stored import Stored
from converter.plan.columns import Columns

NO_SUCH_FIELD = "no index has a field"
"""What the engine of Lucene says of a field that Elasticsearch takes for one without values."""


class Outcome(StrEnum):
    """What the queries of one converter do."""

    AGREES = "agrees"
    """They select exactly what the rule means."""
    DIFFERS = "differs"
    """They miss or add events."""
    INVALID = "invalid"
    """The language's parser or analyser rejects one."""
    LOST = "lost"
    """There is no query and no error."""
    REFUSED = "refused"
    """There is an error in place of a query."""
    NOT_HERE = "not here"
    """One uses what the engine here does not execute."""


class Hit(NamedTuple):
    """Something selected of a stream: an event, or an alert of a correlation."""

    stream: int
    event: int = -1
    """Position of the event, for event rules."""
    group: tuple[str, ...] = ()
    """Values of the group, for correlations."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the queries of one converter did."""

    outcome: Outcome
    why: str = ""
    """Of a query that is not there or does not run: the error."""
    missed: frozenset[Hit] = frozenset()
    """What the rule means and no query selects."""
    added: frozenset[Hit] = frozenset()
    """What a query selects and the rule does not mean."""


@dataclass(frozen=True, slots=True)
class Sample:
    """Streams of events as a platform stores them, and what a rule means of them."""

    language: str
    streams: tuple[tuple[Stored, ...], ...]
    tables: Mapping[str, Columns]
    """The columns of each index or table."""
    meant: frozenset[Hit]


Read = Callable[[int, Sequence[Result]], frozenset[Hit]]
"""Takes the number of a stream and the result of each query over it; returns what they selected."""


def events_of(stream: int, results: Sequence[Result]) -> frozenset[Hit]:
    """Return the events that queries selected."""
    return frozenset(Hit(stream, event) for result in results for event in result.events)


def check(language: str, texts: Sequence[str], tables: Mapping[str, Columns]) -> Judgement | None:
    """Return what keeps queries from being run, or None: there is none, or the parser rejects one.

    Args:
        language: of the queries.
        texts: the queries.
        tables: the columns of each index or table.
    """
    if not texts:
        return Judgement(Outcome.LOST, "no query and no error")
    engine = engine_for(language)
    try:
        for text in texts:
            engine.validate(text, tables)
    except EngineError as error:
        if NO_SUCH_FIELD not in error.message:
            return _rejected(error, ENGINES[language].lacks)
    return None


def judge(sample: Sample, texts: Sequence[str], read: Read = events_of) -> Judgement:
    """Run queries over a sample and compare what they select together with what the rule means.

    Args:
        sample: the events.
        texts: queries that `check` lets pass.
        read: what results tell.
    """
    engine, entry = engine_for(sample.language), ENGINES[sample.language]
    selected: set[Hit] = set()
    try:
        for number, stored in enumerate(sample.streams):
            session = engine.load(stored, sample.tables)
            selected |= read(number, [session.run(text) for text in texts])
    except EngineError as error:
        if entry.vendors_check:
            return Judgement(Outcome.NOT_HERE, error.message)
        return _rejected(error, entry.lacks)
    missed, added = sample.meant - selected, frozenset(selected - sample.meant)
    return Judgement(Outcome.DIFFERS if missed or added else Outcome.AGREES, "", missed, added)


def _rejected(error: EngineError, lacks: str) -> Judgement:
    lacking = re.search(lacks, f"{error.code} {error.message}")
    return Judgement(Outcome.NOT_HERE if lacking else Outcome.INVALID, error.message)
