"""Every public rule in every cell, its queries executed and compared with the matcher: `make proof`.

``python -m tests.proof.everything [--every N --offset K] [-s SOURCE] [-t TARGET] [--match TEXT] [-j N]``. The
rules are those of ../shared (sigmahq, findings/rules), the project's own, and those of the folders that the
environment variable PROOF_RULES names (separated as PATH is). The cells: four languages for sysmon (both
tables of Sentinel), defender, crowdstrike, windows-security and none.

What does not agree goes to stdout with rule, cell and reason, a table of the cells to stderr; the exit code
is 1 if anything disagrees or fails. What has been proven is not run again (tests/proof/proven.py), so a run
that was broken off goes on where it was.
A run of everything writes the table's numbers to ``tests/proof/everything.json``, for docs/coverage.md.
"""

from __future__ import annotations

import json
import os
import re
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from converter.conversion.convert import Options
from converter.errors import SigconvError
from converter.pipelines import cells as cells_module
from converter.pipelines.cells import Cell
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify_rule
from tests.proof.proven import Proven
from tests.support import ROOT, SHARED

SOURCES = ("sysmon", "defender", "crowdstrike", "windows-security", "none")
TARGETS = ("eql", "lucene", "spl", "kql")
NUMBERS = Path(__file__).parent / "everything.json"
"""Cell to label or status to count, of the last run over everything."""
COLUMNS = ("exact", "assumed", "broader", "narrower", "refused", "disagrees", "error")
_PART = 3
"""Rules of one task of a process."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule in one cell."""

    rule: str
    """Folder and path below it, and the number of the document if it is not the first."""
    cell: str
    status: str
    """agrees, refused, disagrees or error."""
    fidelity: str
    events: int
    hits: int
    reason: str
    detail: tuple[str, ...] = ()

    @property
    def wrong(self) -> bool:
        """Whether a query is not what its label says, or could not be run."""
        return self.status in ("disagrees", "error")

    @property
    def column(self) -> str:
        """The column of the table that it counts to."""
        return self.fidelity if self.status == "agrees" else self.status


@dataclass(frozen=True, slots=True)
class Given:
    """One rule of one of the folders."""

    folder: str
    position: int
    """Among those of the folder that are converted."""
    name: str


def name_of(cell: Cell) -> str:
    """Return a cell's name, with its variant."""
    return f"{cell} {cell.variant}".strip()


@cache
def cells() -> tuple[Cell, ...]:
    """Return every cell, the variants among them."""
    found = []
    for source in SOURCES:
        for target in TARGETS:
            found += [
                cells_module.cell(source, target, one) for one in ("", *cells_module.variants(source, target))
            ]
    return tuple(found)


def folders() -> list[Path]:
    """Return where the rules are."""
    more = [Path(one) for one in os.environ.get("PROOF_RULES", "").split(os.pathsep) if one]
    given = [SHARED / "sigmahq", SHARED / "findings" / "rules", ROOT / "sigma", *more]
    return [one for one in given if one.is_dir()]


@cache
def ruleset(folder: str) -> RuleSet:
    """Return the rules of a folder that load; those with an error are no matter of queries."""
    return loading.load([Path(folder)])


@cache
def chosen(folder: str) -> list[Rule]:
    """Return the rules of a folder that are converted, but for correlations of rules that are not there."""
    loaded = ruleset(folder)
    return [rule for rule in emitted_rules(loaded) if _resolves(loaded, rule)]


def _resolves(loaded: RuleSet, rule: Rule) -> bool:
    try:
        loaded.closure(rule)
    except SigconvError:
        return False
    return True


def every_rule() -> list[Given]:
    """Return all rules."""
    found = []
    for folder in map(str, folders()):
        for position, rule in enumerate(chosen(folder)):
            number = f"#{rule.document}" if rule.document else ""
            found.append(Given(folder, position, f"{Path(folder).name}/{rule.relative}{number}"))
    return found


@cache
def _proven() -> Proven:
    return Proven()


def outcomes(some: Sequence[Given], names: Sequence[str]) -> list[Outcome]:
    """Convert rules for the named cells, whatever the fidelity, and run their queries.

    The events made from a rule are the same for all cells, and an engine is started once in a process.
    """
    checking = _proven().check
    wanted = [one for one in cells() if name_of(one) in names]
    found = []
    for given in some:
        loaded, rule = ruleset(given.folder), chosen(given.folder)[given.position]
        tests = ROOT / "tests" / "rules"
        for one in verify_rule(loaded, rule, wanted, tests, Options("any"), checking):
            # A rule that is wrong in itself (SC1xx) has no query, whatever the cell.
            status = (
                "refused" if one.status == "error" and re.search(r" SC1\d\d ", one.reason) else one.status
            )
            what = (status, one.fidelity, one.events, one.hits, one.reason, one.detail[:3])
            found.append(Outcome(given.name, name_of(one.cell), *what))
    return found


def run(given: Sequence[Given], names: Sequence[str], processes: int = 2) -> Iterator[Outcome]:
    """Yield the outcomes of rules in cells."""
    parts = iter([given[start : start + _PART] for start in range(0, len(given), _PART)])
    if processes < 2:
        for part in parts:
            yield from outcomes(part, names)
        return
    # Spawned, as a JVM must not fork; few at a time, so that what is done is seen at once.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = {pool.submit(outcomes, part, names) for part in islice(parts, 2 * processes)}
        while waiting:
            done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                yield from future.result()
            waiting |= {pool.submit(outcomes, part, names) for part in islice(parts, len(done))}


def table(found: Iterable[Outcome]) -> dict[str, dict[str, int]]:
    """Return how many outcomes of each kind each cell has, cells in their order."""
    counts: Counter[tuple[str, str]] = Counter((one.cell, one.column) for one in found)
    order = [name_of(one) for one in cells()]
    return {
        name: {column: counts[name, column] for column in COLUMNS}
        for name in order
        if any(counts[name, column] for column in COLUMNS)
    }


def shown(numbers: dict[str, dict[str, int]]) -> Iterator[str]:
    """Yield the lines of the table for a terminal."""
    yield f"{'':28}" + "".join(f"{column:>10}" for column in COLUMNS)
    for name, counts in numbers.items():
        yield f"{name:28}" + "".join(f"{counts[column]:>10}" for column in COLUMNS)


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    parser = ArgumentParser(prog="python -m tests.proof.everything", description=__doc__)
    parser.add_argument("-s", "--source", action="append", choices=SOURCES)
    parser.add_argument("-t", "--target", action="append", choices=TARGETS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth rule")
    parser.add_argument("--offset", type=int, default=0, metavar="K", help="the first of them")
    parser.add_argument("--match", default="", help="only rules whose path has this text")
    parser.add_argument("-j", "--processes", type=int, default=2, metavar="N")
    given = parser.parse_args(arguments)
    start = monotonic()
    chosen_rules = [one for one in every_rule()[given.offset :: given.every] if given.match in one.name]
    names = [
        name_of(one)
        for one in cells()
        if one.source in (given.source or SOURCES) and one.target in (given.target or TARGETS)
    ]
    found = []
    for one in run(chosen_rules, names, given.processes):
        found.append(one)
        if one.wrong:
            what = f"{one.rule} in {one.cell} ({one.fidelity or 'no query'}): {one.status}: {one.reason}"
            print(what, *one.detail, sep="\n  ", flush=True)
    numbers = table(found)
    print(*shown(numbers), sep="\n", file=sys.stderr)
    print(f"{len(chosen_rules)} rules, {monotonic() - start:.0f} s", file=sys.stderr)
    if (given.every, given.match, given.source, given.target) == (1, "", None, None):
        NUMBERS.write_text(json.dumps({"rules": len(chosen_rules), "cells": numbers}, indent=1) + "\n")
    return int(any(one.wrong for one in found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
