"""Every public rule's queries over the real events of ../shared/corpus in each stored shape.

``python -m tests.proof.real_events [--every N --offset K] [-s SOURCE] [-t TARGET] [--match TEXT]``

Of events that differ in times, ids and numbers of processes alone one is kept: what is left is stored once in
each cell's shape, and each query runs once over all of it. A query must select what the matcher says of the
same events, relaxed as its label says. What differs goes to stdout, a table of the cells to stderr; the exit
code is 1 if anything does.
"""

from __future__ import annotations

import gzip
import json
import re
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

from converter import pipelines
from converter.cells import Cell
from converter.convert import Conversion, Options, convert
from converter.engines import engine_for
from converter.engines.base import Session, Stored
from converter.errors import Refusal, SigconvError
from converter.events import flatten
from converter.matcher import compile_detection
from converter.matcher.logsource import fits, identity, needs
from converter.rule import Rule
from converter.rules import RuleSet
from converter.shapes import shape_for
from converter.verify.alerts import alerts_of
from converter.verify.relaxations import Situation, relaxed
from converter.verify.run import relaxations_of
from converter.verify.stored import tables_of
from tests.proof.everything import SOURCES, TARGETS, cells, chosen, folders, name_of, ruleset
from tests.support import SHARED

Event = Mapping[str, Any]
MOST = 400
"""Events of one log and event id; of more, some at equal distances."""
_VOLATILE = re.compile(
    r"time|guid|process_?id|thread_?id|record|logon_?id|handle_?id|activity|version|^task|opcode|severity"
    r"|^@|^_|keywords|port$|^message$|execution|^tags|^host|pointer|sequence",
    re.IGNORECASE,
)
"""Fields that tell two events of one kind from each other and nothing more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule in one cell."""

    rule: str
    cell: str
    status: str
    """same, differs, refused or error."""
    fidelity: str
    hits: int
    detail: str = ""


def files() -> list[Path]:
    """Return the files of Windows events; those of vendors' own rows are in tests of the shapes."""
    folder = SHARED / "corpus"
    vendors = ("panther_crowdstrike_fdr", "goldensaml_m365defender")
    return [one for one in sorted(folder.rglob("*.jsonl.gz")) if not one.name.startswith(vendors)]


@cache
def events(most: int = MOST) -> tuple[Event, ...]:
    """Return the real events, each kind of value once, in the order of the files."""
    return read(files(), most)


def read(some: Sequence[Path], most: int) -> tuple[Event, ...]:
    """Return the events of files that differ in more than times and ids, so many of each log and event id."""
    kinds: dict[tuple[str, str], dict[str, Event]] = defaultdict(dict)
    for file in some:
        with gzip.open(file) as lines:
            for line in lines:
                try:
                    event = flatten(json.loads(line))
                except ValueError:  # One log ends in the bytes of another file.
                    continue
                lasting = sorted((key, str(one)) for key, one in event.items() if not _VOLATILE.search(key))
                kind = (str(event.get("Channel")).lower(), str(event.get("EventID")))
                kinds[kind].setdefault(json.dumps(lasting), event)
    found = []
    for some in kinds.values():
        every = list(some.values())
        step = max(1, -(-len(every) // most))
        found += every[::step]
    return tuple(found)


class Loaded:
    """The real events in a cell's shape, in an engine of its language."""

    def __init__(self, cell: Cell, raw: Sequence[Event]) -> None:
        """Store them."""
        self.cell = cell
        shape = shape_for(cell.source, cell.stem, pipelines.folder())
        self.views = [shape.view(event) for event in raw]
        self.stored = [shape.store(event, number) for number, event in enumerate(shape.history(raw))]
        self.identities = [identity(view) for view in self.views]
        self._session: Session | None = None

    def session(self, conversion: Conversion) -> Session:
        """Return the engine's session; a cell's columns are the same for all rules."""
        if self._session is None:
            tables = tables_of(conversion, self.stored)
            columns = next(iter(tables.values()))
            tables |= dict.fromkeys(_places(self.cell), columns)
            self._session = engine_for(self.cell.target).load(self.stored, tables)
        return self._session

    def expected(self, docs: Sequence[Mapping[str, Any]], conversion: Conversion) -> set[int]:
        """Return the events that a rule means, relaxed as its label says."""
        names = relaxations_of(conversion)
        situation = Situation(tuple(docs), tuple(self.views), tuple(one.doc for one in self.stored))
        if names:
            situation = relaxed(names, situation)
        doc = situation.rule
        empty = self.cell.target == "kql"  # As verify: Kusto's string columns have no null.
        matches = compile_detection(doc["detection"], empty_is_missing=empty)
        need = needs(doc.get("logsource") or {})
        given = situation.events
        own = self.identities if given is situation.events and not names else [identity(one) for one in given]
        may = {one: fits(need, one) for one in set(own)}
        return {number for number, one in enumerate(own) if may[one] and matches(given[number])}


def _places(cell: Cell) -> Iterator[str]:
    """Yield the indices and tables that a cell's pipeline names; some have no real events."""
    for item in (cell.pipeline or {}).get("transformations") or ():
        if item.get("type") == "set_state" and item.get("key") in ("index", "table"):
            value = item["val"]
            yield from [value] if isinstance(value, str) else value


def outcome(loaded: Loaded, rules: RuleSet, rule: Rule, name: str) -> Outcome:
    """Run a rule's queries over the loaded events, and compare."""
    cell = loaded.cell
    where = name_of(cell)
    try:
        conversion = convert(rules, rule, cell, Options("any"))
    except Refusal as refusal:
        return Outcome(name, where, "refused", "", 0, refusal.code)
    try:
        expected = loaded.expected([one.doc for one in rules.closure(rule)], conversion)
        session = loaded.session(conversion)
        results = [session.run(query.text) for query in conversion.queries]
        found = {
            mark.event
            for mark in alerts_of(conversion, loaded.views, loaded.stored, results)
            if mark.event is not None
        }
    except SigconvError as error:
        return Outcome(name, where, "error", str(conversion.fidelity), 0, str(error))
    fidelity = str(conversion.fidelity)
    if found == expected:
        return Outcome(name, where, "same", fidelity, len(found))
    detail = "; ".join(_shown(loaded, *pair) for pair in _differences(expected, found))
    return Outcome(name, where, "differs", fidelity, len(found), detail)


def _differences(expected: set[int], found: set[int]) -> Iterator[tuple[str, set[int]]]:
    for what, some in (("missed", expected - found), ("returned too much", found - expected)):
        if some:
            yield what, some


def _shown(loaded: Loaded, what: str, some: set[int]) -> str:
    number = min(some)
    return f"{what} {len(some)}, such as {number}: {_row(loaded.stored[number])}"


def _row(stored: Stored) -> str:
    return json.dumps(stored.doc, default=str)[:1500]


def outcomes(cell_name: str, part: tuple[int, int], match: str, most: int) -> list[Outcome]:
    """Run the rules of a part in a cell."""
    cell = next(one for one in cells() if name_of(one) == cell_name)
    loaded = Loaded(cell, events(most))
    offset, every = part
    return [
        outcome(loaded, rules, rule, name)
        for name, rules, rule in every_rule()[offset::every]
        if match in name
    ]


def every_rule() -> list[tuple[str, RuleSet, Rule]]:
    """Return the event rules of all folders."""
    return [
        (f"{folder.name}/{rule.relative}", ruleset(str(folder)), rule)
        for folder in folders()
        for rule in chosen(str(folder))
        if rule.kind == "rule"
    ]


def run(
    names: Sequence[str],
    part: tuple[int, int] = (0, 1),
    match: str = "",
    most: int = MOST,
    processes: int = 2,
) -> Iterator[Outcome]:
    """Yield the outcomes of all rules, or a part of them, in cells."""
    if processes < 2:
        for name in names:
            yield from outcomes(name, part, match, most)
        return
    # Spawned, as a JVM must not fork. In halves, so that the processes end at about the same time.
    tasks = [(name, (part[0] + half * part[1], 2 * part[1])) for name in names for half in (0, 1)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        waiting = [pool.submit(outcomes, name, some, match, most) for name, some in tasks]
        for future in waiting:
            yield from future.result()


def main(arguments: Sequence[str]) -> int:
    """Run what is asked for."""
    parser = ArgumentParser(prog="python -m tests.proof.real_events", description=__doc__)
    stored = [source for source in SOURCES if source != pipelines.NONE]
    parser.add_argument("-s", "--source", action="append", choices=stored)
    parser.add_argument("-t", "--target", action="append", choices=TARGETS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth rule")
    parser.add_argument("--offset", type=int, default=0, metavar="K", help="the first of them")
    parser.add_argument("--match", default="", help="only rules whose path has this text")
    parser.add_argument("--events", type=int, default=MOST, metavar="N", help="of each log and event id")
    parser.add_argument("-j", "--processes", type=int, default=2, metavar="N")
    given = parser.parse_args(arguments)
    names = [
        name_of(one)
        for one in cells()
        if one.source in (given.source or stored) and one.target in (given.target or TARGETS)
    ]
    counts: Counter[tuple[str, str]] = Counter()
    hits: Counter[str] = Counter()
    wrong, start = 0, monotonic()
    part = (given.offset, given.every)
    for one in run(names, part, given.match, given.events, given.processes):
        counts[one.cell, one.status] += 1
        hits[one.cell] += one.hits
        if one.status in ("differs", "error"):
            wrong += 1
            print(f"{one.rule} in {one.cell} ({one.fidelity}): {one.status}: {one.detail}", flush=True)
    for name in names:
        row = ", ".join(
            f"{status} {counts[name, status]}" for status in ("same", "differs", "error", "refused")
        )
        print(f"{name}: {row}; {hits[name]} hits", file=sys.stderr)
    print(f"{len(events(given.events))} events, {monotonic() - start:.0f} s", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
