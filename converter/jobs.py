"""Convert many rules: take what the cache holds, work out the rest, here or in worker processes.

Processes and never threads: pySigma keeps state on classes. What comes out is in the order of rules and
cells, however many processes there are.
"""

from __future__ import annotations

import gc
import multiprocessing
import pickle
import signal
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from converter.cache import Cache
from converter.cells import Cell
from converter.convert import Options
from converter.errors import InternalError
from converter.exports.item import ExportItem
from converter.records import Record, Task, cell_key, lasting, work_out
from converter.rules import RuleSet

Progress = Callable[[int], Callable[[int], None]]
"""Number of conversions to do -> what to call with the number done since."""
Item = tuple[str, int, str]
"""Rule file, document in it, and cell."""
_Todo = tuple[int, list[int]]
"""A rule's position and those of the cells that it is to be converted for."""
_Done = list[tuple[int, int, Record, ExportItem | None]]

ENOUGH = 400
"""Conversions that a process must have to do, or it takes longer to start than it saves (about 0.6 s)."""
_CHUNK = 16
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
) -> tuple[list[list[Record]], dict[Item, ExportItem]]:
    """Return a record for each rule and cell, and what import formats are made from.

    Args:
        rules: where references are resolved.
        tasks: the rules to convert.
        cells: the cells to convert for.
        options: what the user chose.
        exporting: whether import formats need their items, which no cache holds.
        cache: what earlier runs worked out; it is given what this one does.
        workers: how many processes may work.
        progress: see `Progress`; not called if there is nothing to do.

    Raises:
        InternalError: SC900 if a worker process dies.
    """
    names = [cell_key(cell, options) for cell in cells]
    known = cache.get(one.key for one in tasks if one.key) if cache is not None else {}
    found: list[list[Record | None]] = []
    todo: list[_Todo] = []
    for position, one in enumerate(tasks):
        mine = known.get(one.key) if one.key else None
        row: list[Record | None] = [mine.get(name) if mine else None for name in names]
        found.append([None] * len(cells) if exporting else row)
        missing = [number for number, record in enumerate(found[-1]) if record is None]
        if missing:
            todo.append((position, missing))
    items: dict[Item, ExportItem] = {}
    count = sum(len(missing) for _, missing in todo)
    advance = progress(count) if progress is not None and count else None
    job = _Job(rules, tasks, cells, options, exporting)
    workers = min(workers, count // ENOUGH)
    for done in _in_processes(job, todo, workers) if workers > 1 else _here(job, todo):
        fresh: dict[str, Any] = {}
        for position, number, record, item in done:
            one = tasks[position]
            found[position][number] = record
            if item is not None:
                items[one.rule.relative, one.rule.document, str(cells[number])] = item
            if one.key and lasting(record):
                fresh.setdefault(one.key, dict(known.get(one.key) or {}))[names[number]] = record
        if cache is not None:
            cache.put({key: _newest(records) for key, records in fresh.items()})
        if advance is not None:
            advance(len(done))
    if cache is not None and todo:
        cache.trim()
    return [[record for record in row if record is not None] for row in found], items


def _newest(records: dict[str, Record]) -> dict[str, Record]:
    """Keep a rule's record small: cells of other pipelines, options and configurations go, oldest first."""
    return dict(list(records.items())[-48:])


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

    def run(self, chunk: Sequence[_Todo]) -> _Done:
        done: _Done = []
        for position, numbers in chunk:
            one = self.tasks[position]
            for number in numbers:
                cell = self.cells[number]
                made = work_out(self.rules, one.rule, one.suffix, cell, self.options, self.exporting)
                done.append((position, number, *made))
        return done


def _chunks(todo: Sequence[_Todo]) -> Iterator[Sequence[_Todo]]:
    for start in range(0, len(todo), _CHUNK):
        yield todo[start : start + _CHUNK]


def _here(job: _Job, todo: Sequence[_Todo]) -> Iterator[_Done]:
    with _no_collection_of_what_stays():
        for chunk in _chunks(todo):
            yield job.run(chunk)


@contextmanager
def _no_collection_of_what_stays() -> Iterator[None]:
    """Rules and pipelines stay to the end: the collector need not look at them again and again."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


_job: _Job | None = None
"""Of a worker process."""


def _begin(file: str) -> None:
    global _job
    _job = pickle.loads(Path(file).read_bytes())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The parent is interrupted too and ends its workers.
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _run(chunk: Sequence[_Todo]) -> _Done:
    if _job is None:
        raise RuntimeError("no job")
    return _job.run(chunk)


def _in_processes(job: _Job, todo: Sequence[_Todo], workers: int) -> Iterator[_Done]:
    # In a file of this user's: a parent that writes as much to a child's pipe hangs if the child is killed.
    with tempfile.TemporaryDirectory(prefix="sigconv-") as folder:
        file = Path(folder, "job")
        file.write_bytes(pickle.dumps(job))
        yield from _from_workers(str(file), todo, workers)


def _from_workers(file: str, todo: Sequence[_Todo], workers: int) -> Iterator[_Done]:
    context = multiprocessing.get_context("spawn")
    before = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(file,))
    try:
        waiting: set[Future[_Done]] = {pool.submit(_run, chunk) for chunk in _chunks(todo)}
        while waiting:
            finished, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                yield future.result()
    except BrokenProcessPool as problem:
        raise InternalError(
            "SC900",
            "a worker process ended unexpectedly (killed, or out of memory)",
            hint="--jobs 1 works without them",
        ) from problem
    except BaseException:  # An interrupt among others: nobody waits for what the workers still do.
        for child in set(multiprocessing.active_children()) - before:
            child.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)
