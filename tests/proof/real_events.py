"""Every public rule's queries over the real events of ../shared/corpus in each stored shape.

``python -m tests.proof.real_events [--every N --offset K] [-s SOURCE] [-t TARGET] [--match TEXT]``

Of events that differ in times, ids and numbers of processes alone one is kept: what is left is stored once in
each cell's shape, and each query runs once over all of it. A query must select what the matcher says of the
same events, relaxed as its label says. What differs goes to stdout, a table of the cells to stderr; the exit
code is 1 if anything does. What has been compared is not run again, as long as the queries, the rule and what
judges them stay as they are (``.sigconv-proof/``): a run that was broken off goes on where it was. A run of
everything writes the table's numbers to ``tests/proof/real_events.json``, for docs/coverage.md.

An assumption is a label as well. Splunk extracts no fields behind the first 5,000 bytes of JSON unless its
administrator raises `extraction_cutoff`: a query that says so may differ on longer records, which the column
`cut` counts.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from time import monotonic
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.engines import engine_for
from converter.engines.base import Session
from converter.errors import Refusal, SigconvError
from converter.events import flatten
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.matcher.logsource import Need, fits, identity, needs
from converter.pipelines import cells as cells_module
from converter.pipelines.cells import Cell
from converter.project import stock_pipelines
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import declared, shape_for
from converter.shapes.windows import records as windows
from converter.shapes.windows import splunk_extraction
from converter.verify.alerts import alerts_of
from converter.verify.prepared import relaxations_of
from converter.verify.relaxations import Situation, relaxed
from converter.verify.stored import tables_of
from tests.proof.everything import SOURCES, TARGETS, cells, chosen, folders, name_of, ruleset
from tests.proof.proven import KEPT, proving
from tests.support import SHARED

Event = Mapping[str, Any]
NUMBERS = Path(__file__).parent / "real_events.json"
"""Rules, events, and what became of the rules in each cell, of the last run over everything."""
COLUMNS = ("same", "differs", "error", "refused", "hits", "cut")
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
    cut: int = 0
    """Events that differ because of what Splunk does not extract."""


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
                if str(event.get("EventID")) == "12" and "EventType" not in event and _is_sysmon(event):
                    continue  # Sysmon always writes it (Microsoft Learn, Sysmon): a collector lost it.
                lasting = sorted((key, str(one)) for key, one in event.items() if not _VOLATILE.search(key))
                kind = (str(event.get("Channel")).lower(), str(event.get("EventID")))
                kinds[kind].setdefault(json.dumps(lasting), event)
    found = []
    for kind_of in kinds.values():
        every = list(kind_of.values())
        step = max(1, -(-len(every) // most))
        found += every[::step]
    return tuple(found)


def in_the_other_log(data: Mapping[str, Any], event: Event) -> Event | None:
    """Return a record of the source's own log with the fields that a category's rules name.

    A rule for process creations names Sysmon's fields; on the Security log it means event 4688.

    Args:
        data: the source's shape, as read.
        event: flat.

    Returns:
        None if the log has no such record.
    """
    for entry in data.get("records") or ():
        own = {key: windows.text(event.get(key, "")).lower() for key in ("Channel", "EventID")}
        if own != {key: windows.text(entry["becomes"][key]).lower() for key in own}:
            continue
        made = dict(entry["record"])
        for name, how in entry["data"].items():
            if (text := windows.text(event.get(name, ""))) in ("", "-"):
                continue
            written = how if isinstance(how, dict) else {}
            table = {stored: meant for meant, stored in written.get("table", {}).items()}
            number = written.get("as") == "hex" and text.startswith("0x")
            made[str(written.get("field", how))] = int(text, 16) if number else table.get(text, text)
        return made
    return None


def _is_sysmon(event: Event) -> bool:
    return "sysmon" in str(event.get("Channel")).lower()


class Loaded:
    """The real events in a cell's shape, in an engine of its language."""

    def __init__(self, cell: Cell, raw: Sequence[Event]) -> None:
        """Store them."""
        self.cell = cell
        shape = shape_for(cell.source, cell.stem, stock_pipelines.folder())
        self.views = [shape.view(event) for event in raw]
        declared_file = stock_pipelines.folder() / cell.source / declared.FILE
        data = declared.read(declared_file) if declared_file.is_file() else {}
        other = {number: in_the_other_log(data, event) for number, event in enumerate(raw)}
        self.others = {number: event for number, event in other.items() if event is not None}
        """Records of the source's own log as the log has them whose fields a category's rules name."""
        self.stored = [shape.store(event, number) for number, event in enumerate(shape.history(raw))]
        self._places: dict[tuple[str, str, str, str], list[int]] = defaultdict(list)
        for number, view in enumerate(self.views):
            self._places[identity(view)].append(number)
        cut = int(splunk_extraction.data()["json"]["extraction_cutoff"]) if cell.target == "spl" else None
        self.cut = {one.id for one in self.stored if cut is not None and _is_cut(one, cut)}
        """Events of JSON of which Splunk does not extract all fields."""
        held = [(one.index, one.doc) for one in self.stored]
        self.digest = sha256(f"{self.views!r} {held!r}".encode("utf-8", "surrogatepass")).hexdigest()
        """Of the events."""
        self._session: Session | None = None

    def session(self, conversion: Conversion) -> Session:
        """Return the engine's session; a cell's columns are the same for all rules."""
        if self._session is None:
            tables = tables_of(conversion, self.stored)
            columns = next(iter(tables.values()))
            tables |= dict.fromkeys(_named(self.cell), columns)
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
        if names:  # What is relaxed may be what an event says of its log.
            given = situation.events
            meant = {number for number, one in enumerate(given) if fits(need, identity(one)) and matches(one)}
            return meant | self._by_category(need, matches)
        own = [number for one, some in self._places.items() if fits(need, one) for number in some]
        return {number for number in own if matches(self.views[number])} | self._by_category(need, matches)

    def _by_category(self, need: tuple[Need, ...], matches: Callable[[Event], bool]) -> set[int]:
        return {
            number
            for number, event in self.others.items()
            if not fits(need, identity(self.views[number])) and fits(need, identity(event)) and matches(event)
        }


def _is_cut(stored: Stored, cut: int) -> bool:
    raw = str(stored.doc.get("_raw", ""))
    return raw.startswith("{") and len(raw.encode("utf-8", "surrogatepass")) > cut


def _named(cell: Cell) -> Iterator[str]:
    """Yield the indices and tables that a cell's pipeline names; some have no real events."""
    for item in (cell.pipeline or {}).get("transformations") or ():
        if item.get("type") == "set_state" and item.get("key") in ("index", "table"):
            value = item["val"]
            yield from [value] if isinstance(value, str) else value


class Kept:
    """Outcomes of earlier runs, and those of this process, which are added to a file of its own."""

    def __init__(self, folder: Path = KEPT) -> None:
        """Read what is there."""
        self._file = folder / f"real-events-{os.getpid()}.jsonl"
        self._known: dict[str, list[Any]] = {}
        for file in sorted(folder.glob("real-events-*.jsonl")):
            with file.open(encoding="utf-8") as lines:
                for line in lines:
                    with suppress(ValueError):  # The last line of a run that was killed.
                        key, *known = json.loads(line)
                        self._known[key] = known

    def of(self, key: str) -> list[Any] | None:
        """Return what `_compared` does, if the outcome is known."""
        return self._known.get(key)

    def add(self, key: str, made: list[Any]) -> None:
        """Keep what `_compared` returned."""
        self._known[key] = made
        self._file.parent.mkdir(exist_ok=True)
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([key, *made]) + "\n")


def outcome(loaded: Loaded, rules: RuleSet, rule: Rule, name: str, kept: Kept | None = None) -> Outcome:
    """Run a rule's queries over the loaded events, and compare, unless the outcome is kept."""
    where = name_of(loaded.cell)
    try:
        conversion = convert(rules, rule, loaded.cell, Options("any"))
    except Refusal as refusal:
        return Outcome(name, where, "refused", "", 0, refusal.code)
    except SigconvError as error:
        return Outcome(name, where, "error", "", 0, str(error))
    key = _key(loaded, rules, conversion)
    known = kept.of(key) if kept else None
    if known is None:
        known = _compared(loaded, rules, conversion)
        if kept:
            kept.add(key, known)
    status, hits, detail, cut = known
    return Outcome(name, where, status, str(conversion.fidelity), hits, detail, cut)


def _key(loaded: Loaded, rules: RuleSet, conversion: Conversion) -> str:
    queries = [(one.text, repr(one.alert)) for one in conversion.queries]
    docs = [one.digest() for one in rules.closure(conversion.rule)]
    cell, names = loaded.cell, relaxations_of(conversion)
    judge = proving(cell.source, cell.target, relaxed=bool(names))
    whole = (judge, loaded.digest, str(cell), cell.variant, queries, names, docs)
    return sha256(repr(whole).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _compared(loaded: Loaded, rules: RuleSet, conversion: Conversion) -> list[Any]:
    """Return status, hits, detail, and how many events differ because of what Splunk does not extract."""
    try:
        expected = loaded.expected([one.doc for one in rules.closure(conversion.rule)], conversion)
        session = loaded.session(conversion)
        results = [session.run(query.text) for query in conversion.queries]
        found = {
            mark.event
            for mark in alerts_of(conversion, loaded.views, loaded.stored, results)
            if mark.event is not None
        }
    except SigconvError as error:
        return ["error", 0, str(error), 0]
    noted = any("extraction_cutoff" in reason.text for reason in conversion.reasons)
    cut = loaded.cut & (expected ^ found) if noted else set()
    pairs = _differences(expected - cut, found - cut)
    detail = "; ".join(_shown(loaded, *pair) for pair in pairs)
    return ["differs" if detail else "same", len(found), detail, len(cut)]


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
    kept = Kept()
    offset, every = part
    return [
        outcome(loaded, rules, rule, name, kept)
        for name, rules, rule in every_rule()[offset::every]
        if match in name
    ]


def every_rule() -> list[tuple[str, RuleSet, Rule]]:
    """Return the event rules of all folders."""
    return [
        (
            f"{folder.name}/{rule.relative}{f'#{rule.document}' if rule.document else ''}",
            ruleset(str(folder)),
            rule,
        )
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
    stored = [source for source in SOURCES if source != cells_module.NONE]
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
    found, start = [], monotonic()
    part = (given.offset, given.every)
    for one in run(names, part, given.match, given.events, given.processes):
        found.append(one)
        if one.status in ("differs", "error"):
            print(f"{one.rule} in {one.cell} ({one.fidelity}): {one.status}: {one.detail}", flush=True)
    numbers = table(found, len(events(given.events)))
    for name, counts in numbers["cells"].items():
        print(f"{name}: {', '.join(f'{key} {counts[key]}' for key in COLUMNS)}", file=sys.stderr)
    print(f"{numbers['events']} events, {monotonic() - start:.0f} s", file=sys.stderr)
    if (given.every, given.match, given.source, given.target, given.events) == (1, "", None, None, MOST):
        NUMBERS.write_text(json.dumps(numbers, indent=1) + "\n")
    return int(any(one.status in ("differs", "error") for one in found))


def table(found: Sequence[Outcome], size: int) -> dict[str, Any]:
    """Return how many rules and events there were, and what became of the rules in each cell."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in found:
        counts[one.cell].update({one.status: 1, "hits": one.hits, "cut": one.cut})
    return {
        "rules": len({one.rule for one in found}),
        "events": size,
        "cells": {name: {key: some[key] for key in COLUMNS} for name, some in counts.items()},
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
