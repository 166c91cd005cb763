"""Convert many rules: take what the cache holds, work out the rest, here or in worker processes.

What comes out is in the order of rules and cells, however many processes there are.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from converter.backends import backend_for
from converter.cache import Cache
from converter.cells import Cell
from converter.convert import Options
from converter.processes import shared_out
from converter.records import (
    PackedRecord,
    Record,
    Task,
    cell_key,
    complete,
    lasting,
    lean,
    packed,
    text_of,
    unpacked,
    work_out,
)
from converter.rules import RuleSet

Progress = Callable[[int], Callable[[int], None]]
"""Number of conversions to do -> what to call with the number done since."""
_Todo = tuple[int, list[int]]
"""A rule's position and those of the cells that it is to be converted for."""
_Done = list[tuple[int, int, PackedRecord, bool]]
"""Rule, cell, the record packed, and whether it lasts."""

ENOUGH = 200
"""Conversions that there must be for each process, or it takes longer to start than it saves."""
_MOST = 48
"""Cells of a rule that the cache holds."""
_ROWS = 100
"""Rules whose records are written to the cache at once."""
_CHUNK = 4
"""Rules that a process is given at once: enough that messages do not matter."""


def work(
    rules: RuleSet,
    tasks: Sequence[Task],
    cells: Sequence[Cell],
    options: Options,
    exporting: bool = False,
    cache: Cache | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Iterator[list[Record]]:
    """Return the records of each rule, one for each cell.

    The records stay packed until they are asked for, because this process is then alone.

    Args:
        rules: where references are resolved.
        tasks: the rules to convert.
        cells: the cells to convert for.
        options: what the user chose.
        exporting: whether import formats are made from the records.
        cache: what earlier runs worked out; it is given what this one does.
        workers: how many processes may work.
        progress: see `Progress`; not called if there is nothing to do.

    Raises:
        InternalError: SC900 if a worker process dies.
    """
    names = [cell_key(cell, options) for cell in cells]
    known = cache.get(one.key for one in tasks if one.key) if cache is not None else {}
    found: list[list[Record | PackedRecord | None]] = []
    todo: list[_Todo] = []
    new: dict[str, dict[str, PackedRecord]] = {}
    for position, one in enumerate(tasks):
        ready = rules.ahead.pop(id(one.rule.doc), None)
        if ready is not None:
            found.append([record for record, _ in ready])
            kept = {name: record for name, (record, last) in zip(names, ready, strict=True) if last}
            if one.key and kept:
                new[one.key] = kept
            continue
        mine = known.get(one.key) if one.key else None
        row = [mine.get(name) if mine else None for name in names]
        found.append([one if one and complete(one, exporting) else None for one in row])
        missing = [number for number, record in enumerate(found[-1]) if record is None]
        if missing:
            todo.append((position, missing))
    if cache is not None:
        for start in range(0, len(new), _ROWS):  # As JSON they are megabytes.
            part = list(new.items())[start : start + _ROWS]
            cache.put_texts({key: _newest(known.get(key) or {}, one) for key, one in part})
    count = sum(len(missing) for _, missing in todo)
    advance = progress(count) if progress is not None and count else None
    job = _Job(rules, tasks, cells, options, exporting)
    chunks = [todo[start : start + _CHUNK] for start in range(0, len(todo), _CHUNK)]
    if chunks:
        job.prepare()
    for _, done in shared_out(job.run, chunks, min(workers, count // ENOUGH)):
        fresh: dict[str, dict[str, PackedRecord]] = {}
        for position, number, record, lasts in done:
            one = tasks[position]
            found[position][number] = record
            if one.key and lasts:
                fresh.setdefault(one.key, {})[names[number]] = record
        if cache is not None:
            cache.put_texts({key: _newest(known.get(key) or {}, new) for key, new in fresh.items()})
        if advance is not None:
            advance(len(done))
    return _unpacked(found)


def _newest(known: Mapping[str, Record], new: Mapping[str, PackedRecord]) -> str:
    """Return a rule's records as JSON; of other pipelines, options and configurations the oldest go."""
    texts = {name: json.dumps(one, separators=(",", ":")) for name, one in known.items() if name not in new}
    texts |= {name: text_of(one) for name, one in new.items()}
    return "{" + ",".join(f'"{name}":{text}' for name, text in list(texts.items())[-_MOST:]) + "}"


def _unpacked(found: Sequence[Sequence[Record | PackedRecord | None]]) -> Iterator[list[Record]]:
    kept: dict[object, Any] = {}
    for row in found:
        yield [lean(unpacked(one), kept) if isinstance(one, tuple) else one for one in row if one]


class _Job:
    """What a process needs to convert."""

    def __init__(
        self,
        rules: RuleSet,
        tasks: Sequence[Task],
        cells: Sequence[Cell],
        options: Options,
        exporting: bool,
    ) -> None:
        self.rules, self.tasks, self.cells = rules, tasks, cells
        self.options, self.exporting = options, exporting

    def prepare(self) -> None:
        """Load what converts, so that a fork has it."""
        for target in {cell.target for cell in self.cells}:
            backend_for(target)

    def run(self, chunk: Sequence[_Todo]) -> _Done:
        """Convert the rules of a chunk."""
        done: _Done = []
        for position, numbers in chunk:
            one = self.tasks[position]
            for number in numbers:
                cell = self.cells[number]
                record = work_out(self.rules, one.rule, one.suffix, cell, self.options, self.exporting)
                done.append((position, number, packed(record), lasting(record)))
        return done
