"""What filters on terms save in KQL: regular expressions for each row, and time on a million rows.

``python -m benchmarks.kql_cost RULES EVENTS [--source NAME] [--rows N] [--queries N] [--every N]`` converts
the rules of a folder for Kusto with filters and without. EVENTS is a log of raw events (JSON lines, may be
compressed), which the source's shape stores as its tables.

``regexes`` counts, for each query, the calls of `EventDataField`, `extract` and `matches regex` that a row
costs that comes so far, multiplied by the share of the table's rows that the stages before let through; that
is found by running these stages over EVENTS. The same is said of conditions that read a text whole
(`contains`, `endswith`, `startswith`). Counted are queries that read a table of EVENTS and have one of both.

The second part runs N queries, spread over those that have a filter, over N rows (the events again and again)
in DuckDB, one thread, ``--rounds`` times each; printed are medians. DuckDB has no index of terms: its `has`
is a regular expression over the whole text: ``with`` says nothing of Kusto. ``looked up`` is the same query
over the rows that its filter keeps, which is what an index hands on; its ratio to the query without a filter
is the work that is left.
"""

from __future__ import annotations

import argparse
import re
import statistics
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.conversion.convert import Options, convert
from converter.engines.kql import KqlEngine
from converter.errors import EngineError, SigconvError
from converter.events import flatten, read_events
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.shapes import shape_for
from converter.verify.stored import tables_of

_REGEX = re.compile(r"EventDataField\(EventData|\bextract\(|matches regex|replace_regex\(")
_READ = re.compile(r" !?(?:contains|startswith|endswith)(?:_cs)? ")
_FILTER = re.compile(r"^where \w+ has(?:prefix|_any)? ", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pair:
    """One rule's query with filters and without."""

    name: str
    with_: str
    without: str

    def is_filtered(self) -> bool:
        return self.with_ != self.without


def pairs(folder: Path, source: str, every: int) -> tuple[list[Pair], dict[str, Any]]:
    """Convert the rules; return the queries and the columns of their tables."""
    loaded = loading.load([folder])
    cell = cells.cell(source, "kql")
    found: list[Pair] = []
    tables: dict[str, Any] = {}
    for rule in emitted_rules(loaded)[::every]:
        with suppress(SigconvError):
            ways = [
                convert(loaded, rule, cell, Options("any", {"kql": {"filters": way}}))
                for way in ("on", "off")
            ]
            found.append(Pair(rule.relative, *(one.queries[0].body for one in ways)))
            tables |= tables_of(ways[0], [])
    return found, tables


def split(query: str) -> tuple[str, list[str], list[str]]:
    """Return the table, the stages before the first that reads a text, and the others."""
    head, *stages = re.sub(r"(?s)\Alet EventData.*?\n};\n", "", query).split("\n| ")
    first = next(
        (i for i, stage in enumerate(stages) if _REGEX.search(stage) or _READ.search(stage)), len(stages)
    )
    return head, stages[:first], stages[first:]


def cost(query: str, share: float) -> tuple[float, float]:
    """Return the regexes and the texts read whole for each row of the table."""
    _, _, rest = split(query)
    text = "\n".join(rest)
    return len(_REGEX.findall(text)) * share, len(_READ.findall(text)) * share


def share_of_rows(session: Any, query: str, total: int) -> float:
    """Return the share of a table's rows that come to the stages that cost something."""
    head, before, _ = split(query)
    counted = "\n| ".join([head, *before, "summarize Rows = count()"])
    return float(session.run(counted).rows[0]["Rows"]) / total


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("rules", type=Path)
    parser.add_argument("events", type=Path)
    parser.add_argument("--source", default="sysmon")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--queries", type=int, default=12)
    parser.add_argument("--every", type=int, default=1, help="of the rules, one in this many")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--most", type=int, default=20_000, help="events read")
    options = parser.parse_args()
    found, tables = pairs(options.rules, options.source, options.every)
    shape = shape_for(options.source, "kusto")
    events = []
    for position, event in enumerate(read_events(options.events)):
        if position == options.most:
            break
        events.append(shape.store(dict(flatten(event)), position))
    held = {event.index for event in events}
    session = KqlEngine().load([event for event in events if event.index in tables], tables)
    _count(found, session, {name: sum(event.index == name for event in events) for name in held})
    if options.queries:
        _time(found, tables, events, options)


def _count(found: list[Pair], session: Any, totals: dict[str, int]) -> None:
    before, after, filtered, read = [], [], 0, []
    for pair in found:
        table = split(pair.without)[0]
        if table not in totals or not (_REGEX.search(pair.without) or _READ.search(pair.without)):
            continue
        with suppress(EngineError):
            shares = [share_of_rows(session, query, totals[table]) for query in (pair.without, pair.with_)]
            before.append(cost(pair.without, shares[0]))
            after.append(cost(pair.with_, shares[1]))
            read.append(shares)
            filtered += pair.is_filtered()
    print(f"{len(before)} queries over {sum(totals.values())} rows, {filtered} with a filter")
    for place, what in enumerate(("regexes", "texts read whole")):
        old, new = (statistics.mean(one[place] for one in way) for way in (before, after))
        print(f"{what} for each row of the table: {old:.3f} before, {new:.4f} after, {new / old:.1%}")
    old, new = (statistics.mean(one[place] for one in read) for place in (0, 1))
    print(f"rows that are read beyond the index: {old:.2%} before, {new:.3%} after")


def _time(
    found: list[Pair], tables: dict[str, Any], events: list[Stored], options: argparse.Namespace
) -> None:
    names = [event.index for event in events]
    table = max(set(names), key=names.count)
    able = [pair for pair in found if pair.is_filtered() and split(pair.without)[0] == table]
    chosen = able[:: max(1, len(able) // options.queries)][: options.queries]
    of_table = [event for event in events if event.index == table]
    small = KqlEngine().load(of_table, tables)
    times = max(1, options.rows // len(of_table))
    large = _many(of_table, tables, table, times)
    print(f"{len(chosen)} queries over {len(of_table) * times} rows in DuckDB; seconds, rows looked up:")
    print("  without  with  looked up  looked up / without")
    ratios = []
    for pair in chosen:
        head, before, _ = split(pair.with_)
        ids = set(small.run("\n| ".join([head, *before])).events)
        looked_up = _many([event for event in of_table if event.id in ids], tables, table, times)
        ways = [(large, pair.without), (large, pair.with_), (looked_up, pair.with_)]
        spent = [statistics.median(_seconds(*way) for _ in range(options.rounds)) for way in ways]
        ratios.append(spent[2] / spent[0])
        figures = " ".join(f"{one:7.2f}" for one in spent)
        print(f"  {figures} {ratios[-1]:8.3f}  {len(ids) * times:8} rows  {pair.name}")
    print(f"median of the ratios: {statistics.median(ratios):.3f}")


def _seconds(session: Any, query: str) -> float:
    begin = time.perf_counter()
    session.run(query + "| summarize Rows = count()")
    return time.perf_counter() - begin


def _many(events: list[Stored], tables: dict[str, Any], table: str, times: int) -> Any:
    """Load events and copy them; the engine itself loads one by one."""
    session = KqlEngine().load(events, tables)
    copy = f'INSERT INTO "{table}" SELECT t.* FROM "{table}" t, range({times - 1})'
    session._connection.execute(copy)  # type: ignore[attr-defined]
    return session


if __name__ == "__main__":
    main()
