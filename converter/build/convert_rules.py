"""Convert many rules: take what the cache holds, work out the rest, here or in worker processes.

What comes out is in the order of rules and cells, however many processes there are. A rule can also be
converted in the process that reads it (`Ahead`): what pySigma parsed to check the rule is what is converted.
That is done before all rules are known, so a result counts only for a rule that stands alone in its file and
whose document no filter changed (`work` looks at that); correlations need others and come later.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from converter.backends import backend_for
from converter.build.cache import Cache
from converter.build.records import (
    PackedRecords,
    Ready,
    Record,
    Task,
    cell_key,
    complete,
    identified,
    lasting,
    lean,
    packed,
    text_of,
    unpacked,
    work_out,
)
from converter.conversion.convert import Options
from converter.pipelines.cells import Cell
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.workers import shared_out

Progress = Callable[[int], Callable[[int], None]]
"""Number of conversions to do -> what to call with the number done since."""
_Todo = tuple[int, list[int]]
"""A rule's position and those of the cells that it is to be converted for."""
_Done = list[tuple[int, list[int], PackedRecords, list[bool]]]
"""A rule's position, its cells', their records packed, and whether each lasts."""

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
    found: list[_Row] = []
    todo: list[_Todo] = []
    new: dict[str, _Kept] = {}
    for position, one in enumerate(tasks):
        ready: Ready | None = rules.ahead.pop(id(one.rule.doc), None)
        if ready is not None:
            found.append([(range(len(cells)), ready.records)])
            if one.key and any(ready.lasting):
                new[one.key] = ready.records, names, ready.lasting
            continue
        mine = known.get(one.key) if one.key else None
        row = [mine.get(name) if mine else None for name in names]
        held = {n: one for n, one in enumerate(row) if one and complete(one, exporting)}
        found.append([held])
        missing = [number for number in range(len(cells)) if number not in held]
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
        fresh: dict[str, str] = {}
        for position, numbers, records, lasts in done:
            key = tasks[position].key
            found[position].append((numbers, records))
            if cache is not None and key and any(lasts):
                theirs = [names[number] for number in numbers]
                fresh[key] = _newest(known.get(key) or {}, (records, theirs, lasts))
        if cache is not None:
            cache.put_texts(fresh)
        if advance is not None:
            advance(sum(len(numbers) for _, numbers, *_ in done))
    return _unpacked(found)


_Row = list[dict[int, Record] | tuple[Sequence[int], PackedRecords]]
"""What there is of a rule: records of the cache by the numbers of their cells, and packed ones with these."""
_Kept = tuple[PackedRecords, Sequence[str], Sequence[bool]]
"""Records, the keys of their cells, and whether each lasts."""


def _newest(known: Mapping[str, Record], new: _Kept) -> str:
    """Return a rule's records as JSON; of other pipelines, options and configurations the oldest go."""
    records, names, lasts = new
    made = zip(names, unpacked(records), lasts, strict=True)
    fresh = {name: text_of(one) for name, one, last in made if last}
    texts = {name: json.dumps(one, separators=(",", ":")) for name, one in known.items() if name not in fresh}
    texts |= fresh
    return "{" + ",".join(f'"{name}":{text}' for name, text in list(texts.items())[-_MOST:]) + "}"


def _unpacked(found: Sequence[_Row]) -> Iterator[list[Record]]:
    kept: dict[object, Any] = {}
    for row in found:
        records: dict[int, Record] = {}
        for part in row:
            if isinstance(part, dict):
                records |= part
            else:
                numbers, some = part
                records |= {n: lean(one, kept) for n, one in zip(numbers, unpacked(some), strict=True)}
        yield [records[number] for number in sorted(records)]


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
            made = [
                work_out(self.rules, one.rule, one.suffix, self.cells[n], self.options, self.exporting)
                for n in numbers
            ]
            done.append((position, numbers, packed(made), list(map(lasting, made))))
        return done


class Ahead:
    """What `loading.load` needs to convert on the way."""

    def __init__(
        self,
        cells: Sequence[Cell],
        options: Options,
        takes: Callable[[Rule], bool],
        exporting: bool = False,
        keyed: bool = True,
        progress: Progress | None = None,
    ) -> None:
        """Name what rules are converted for.

        Args:
            cells: the cells.
            options: what the user chose.
            takes: which rules to convert; can be pickled.
            exporting: whether import formats are made from the records.
            keyed: whether there is a cache.
            progress: see `Progress`.
        """
        self.convert = ReadConverter(cells, options, takes, exporting, keyed)
        self.steps = len(cells)
        self._progress = progress
        self._advance: Callable[[int], None] | None = None

    def expect(self, files: int) -> None:
        """Make ready for so many files: load what converts, so that a fork has it."""
        for target in {cell.target for cell in self.convert.cells}:
            backend_for(target)
        if self._progress is not None and files:
            self._advance = self._progress(files * len(self.convert.cells))

    def done(self, files: int) -> None:
        """Say that so many files more were read and converted."""
        if self._advance is not None:
            self._advance(files * len(self.convert.cells))


class ReadConverter:
    """Converts one rule for all cells; can be sent to another process."""

    def __init__(
        self,
        cells: Sequence[Cell],
        options: Options,
        takes: Callable[[Rule], bool],
        exporting: bool,
        keyed: bool,
    ) -> None:
        self.cells, self._options, self._takes = cells, options, takes
        self._exporting, self._keyed = exporting, keyed

    def __call__(self, rule: Rule) -> Ready | None:
        """Convert a rule; None if it is not for itself, or not asked for."""
        if rule.kind != "rule" or not self._takes(rule):
            return None
        alone = RuleSet([rule])
        made = [work_out(alone, rule, None, cell, self._options, self._exporting) for cell in self.cells]
        return Ready(identified([rule], None, self._keyed), packed(made), tuple(map(lasting, made)))
