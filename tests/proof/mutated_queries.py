"""Change the text of emitted queries, one place at a time, and ask whether `verify` notices.

``python -m tests.proof.mutated_queries [--rules N] [--each N] [-s SOURCE] [-t TARGET] [-j N]`` takes so many
rules (shipped ones and public ones, if there are) in each cell of a source and a language, changes each query
in so many places, and prints what `verify` let pass and how many it caught. What passes and means the same is
counted apart, with its reason (``tests/proof/same_meaning.py``). ``--write`` puts the cells that were run
into ``tests/proof/changed_queries.json`` and writes docs/changed-queries.md. The exit code is 1 if a cell
catches less than 98 of 100 changes of meaning.
"""

from __future__ import annotations

import random
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from converter.conversion.convert import Conversion, Emitted, Options, convert
from converter.engines import engine_for
from converter.errors import SigconvError
from converter.pipelines import cells as cells_module
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.judge import Verdict
from converter.verify.prepared import Prepared
from converter.verify.stored import StoredStreams, tables_of
from converter.verify.verify import Stream, streams_of
from tests.proof import changed_queries_page as page
from tests.proof.changed_queries_page import Outcome
from tests.proof.query_changes import Change, chosen
from tests.proof.same_meaning import why_same
from tests.support import ROOT, SHARED

LANGUAGES = ("eql", "lucene", "spl", "kql")
SOURCES = ("sysmon", "defender", "crowdstrike", "windows-security", "none")
SHIPPED, PUBLIC = ROOT / "sigma", SHARED / "sigmahq"
_OPTIONS = Options("broader")
_SPREAD = 3
"""Candidates for each public rule that is wanted: not every rule can be said in every cell."""


@dataclass(frozen=True, slots=True)
class Task:
    """One rule and the cells in which its queries are changed."""

    folder: str
    position: int
    """Among the rules of the folder that are converted."""
    cells: tuple[tuple[str, str], ...]
    each: int


@cache
def ruleset(folder: str) -> RuleSet:
    """Return the rules of a folder."""
    return loading.load([Path(folder)], Path(folder))


@cache
def emitted(folder: str) -> list[Rule]:
    """Return the rules of a folder that are converted."""
    return emitted_rules(ruleset(folder))


def candidates(count: int) -> list[tuple[str, int]]:
    """Return folder and position of rules, of five one that is shipped; more public ones than wanted."""
    shipped = range(len(emitted(str(SHIPPED))))[: -(-count // 5)]
    picked = [(str(SHIPPED), position) for position in shipped]
    if PUBLIC.is_dir():
        number = len(emitted(str(PUBLIC)))
        step = max(number // (max(count - len(shipped), 1) * _SPREAD), 1)
        # The rules in between follow, for cells that few rules fit.
        order = [position for first in range(step) for position in range(first, number, step)]
        picked += [(str(PUBLIC), position) for position in order]
    return picked


def tasks(count: int, each: int, cells: Sequence[tuple[str, str]]) -> list[Task]:
    """Return the first rules that each cell can say, each with its cells."""
    wanted = dict.fromkeys(cells, count)
    made = []
    for folder, position in candidates(count):
        fits = []
        for cell, left in wanted.items():
            if left:
                with suppress(SigconvError):
                    _converted(folder, position, cell)
                    fits.append(cell)
                    wanted[cell] -= 1
        if fits:
            made.append(Task(folder, position, tuple(fits), each))
        if not any(wanted.values()):
            break
    return made


def _converted(folder: str, position: int, cell: tuple[str, str]) -> Conversion:
    one = cells_module.cell(*cell)
    return convert(ruleset(folder), emitted(folder)[position], one.proof or one, _OPTIONS)


class Judge:
    """A rule in a cell, with its streams stored and loaded once."""

    def __init__(
        self,
        found: RuleSet,
        conversion: Conversion,
        streams: Sequence[Stream],
        kept: StoredStreams | None = None,
    ) -> None:
        self.conversion = conversion
        self._tables = tables_of(conversion)
        self._streams = [Prepared(found, conversion, one.name, one.events, _OPTIONS, kept) for one in streams]

    def verdict(self, query: Emitted) -> str | None:
        """Return what `verify` says of the conversion with its first query replaced.

        Raises:
            SigconvError: if the engine rejects or cannot run the query.
        """
        changed = replace(self.conversion, queries=(query, *self.conversion.queries[1:]))
        engine_for(changed.cell.target).validate(query.text, self._tables)
        verdict = Verdict()
        for position, stream in enumerate(self._streams):
            stream.compare(changed, verdict)
            if verdict.wrong:
                # The stream that tells one change tells most.
                self._streams.insert(0, self._streams.pop(position))
                break
        return verdict.problem(changed.fidelity)


def outcomes(task: Task) -> list[Outcome]:
    """Change the queries of a rule in its cells and judge each change."""
    found, rule = ruleset(task.folder), emitted(task.folder)[task.position]
    streams = streams_of(found, rule, Path("/nonexistent"), _OPTIONS)
    kept = StoredStreams()
    results = []
    for cell in task.cells:
        conversion = _converted(task.folder, task.position, cell)
        query = conversion.queries[0]
        judge = Judge(found, conversion, streams, kept)
        name = f"{Path(task.folder).name}/{rule.relative}"
        if (problem := judge.verdict(query)) is not None:
            results.append(Outcome(*cell, name, "", "disagrees", problem))
            continue
        chance = random.Random(f"{' '.join(cell)} {rule.id or rule.name}")
        results += [Outcome(*cell, name, *one) for one in changed(judge, task.each, chance)]
    return results


def changed(judge: Judge, each: int, chance: random.Random) -> list[tuple[str, str, str, str]]:
    """Change a conversion's first query: of each change its kind, what became of it, itself and why."""
    query = judge.conversion.queries[0]
    body = query.body or query.text
    found = []
    for change in chosen(body, each, chance):
        other = replace(query, text=query.text.replace(body, change.text), body=change.text)
        found.append((change.kind, *_judged(judge, other, change)))
    return found


def _judged(judge: Judge, query: Emitted, change: Change) -> tuple[str, str, str]:
    """Return what became of a change, the change if it was not caught, and the reason or the error."""
    try:
        if judge.verdict(query) is not None:
            return "caught", "", ""
    except SigconvError as error:
        return ("rejected", "", "") if error.code == "SC402" else ("unsupported", change.shown, error.message)
    except Exception as error:  # A defect of an engine: counted, and shown.
        return "crashed", change.shown, repr(error)
    reason = why_same(judge.conversion.cell.target, change)
    return "same" if reason else "survived", change.shown, reason or ""


def run(todo: Sequence[Task], processes: int) -> Iterator[Outcome]:
    """Yield the outcomes of tasks."""
    if processes < 2:
        for task in todo:
            yield from outcomes(task)
        return
    # Spawned, as a JVM must not fork.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for results in pool.map(outcomes, todo):
            yield from results


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    parser = ArgumentParser(prog="python -m tests.proof.mutated_queries", description=__doc__)
    parser.add_argument("--rules", type=int, default=100, metavar="N", help="rules in each cell")
    parser.add_argument("--each", type=int, default=12, metavar="N", help="changes of each query")
    parser.add_argument("-s", "--source", action="append", choices=SOURCES)
    parser.add_argument("-t", "--target", action="append", choices=LANGUAGES)
    parser.add_argument("-j", "--processes", type=int, default=2, metavar="N")
    parser.add_argument("--write", action="store_true", help="write the numbers and the page")
    given = parser.parse_args(arguments)
    start = monotonic()
    cells = [(s, t) for s in given.source or SOURCES for t in given.target or LANGUAGES]
    results = []
    for one in run(tasks(given.rules, given.each, cells), given.processes):
        results.append(one)
        if one.shown:
            print(one, flush=True)
    numbers = page.numbers(results)
    print(*page.table(numbers), sep="\n")
    print(f"{monotonic() - start:.0f} s", file=sys.stderr)
    if given.write:
        page.write(numbers)
    return int(any(page.share(one) < page.WANTED for one in numbers.values()))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
