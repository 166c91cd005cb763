"""Random streams against the matcher: ``python -m tests.proof.streams [--types ..] [--languages ..]``.

For each type and language, random correlations are converted and executed over random streams of 200
events, and the alerts compared with the reference matcher's as docs/semantics.md says: KQL and SPL the same
set; EQL the first of each burst; Lucene a superset of the groups. Streams of one correlation are far apart in
time in one load of the engine: no window reaches from one into another.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.engines import engine_for
from converter.engines.base import Result
from converter.errors import Refusal
from converter.matcher import Matcher
from converter.plan.model import CorrelationPlan, Fidelity
from converter.rules.filters import apply
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.alerts import alerts_of
from converter.verify.judge import Mark, Verdict
from tests.proof.stream_cells import LANGUAGES, store, stream_cell, tables, view
from tests.proof.stream_events import START_MS, stream
from tests.proof.stream_rules import TYPES, Chain, random_chain

BATCH = 10
"""Streams that one correlation is tried on."""
HOPELESS = 250
"""So many refusals without one query: the language has nothing of the type."""
DAY = 86_400_000


@dataclass
class Cell:
    """What the streams of one type showed in one language."""

    kind: str
    language: str
    streams: int = 0
    queries: int = 0
    alerts: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    disagreements: list[str] = field(default_factory=list)
    seconds: float = 0

    def line(self) -> str:
        """Return what to print."""
        labels = ", ".join(f"{count} {label}" for label, count in sorted(self.labels.items()))
        return (
            f"{self.language:7} {self.kind:17} {self.streams:5} streams {self.queries:4} queries"
            f" ({labels or 'refused'}) {self.alerts:7} alerts {sum(self.refusals.values()):4} refused"
            f" {self.seconds:6.1f} s {len(self.disagreements)} disagreements"
        )


def converted(chain: Chain, language: str) -> Conversion:
    """Return the queries of a chain's top.

    Raises:
        Refusal: if the language cannot say it.
    """
    rules = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", at) for at, doc in enumerate(chain.docs)]
    filters = [rule for rule in rules if rule.kind == "filter"]
    kept = apply([rule for rule in rules if rule.kind != "filter"], filters)
    return convert(RuleSet(kept), kept[-1], stream_cell(language), Options("any"))


def expected(chain: Chain, events: Sequence[Any], language: str) -> list[Mark]:
    """Return the matcher's alerts of a chain's top."""
    matcher = Matcher(chain.docs, empty_is_missing=language == "kql")
    found = [alert for alert in matcher.run(view(events, language)) if alert.rule == "top"]
    return [Mark(alert.group, alert.time_ms or 0) for alert in found]


def batch(random: Random, chain: Chain, count: int, *, ties: bool) -> list[list[dict[str, Any]]]:
    """Return streams that lie far apart in time, each with its own place beside fixed bins."""
    gap = 70 * chain.span_ms + DAY
    return [
        stream(random, chain, START_MS + number * gap + random.randrange(chain.span_ms), ties=ties)
        for number in range(count)
    ]


def compare(
    chain: Chain, conversion: Conversion, streams: Sequence[Sequence[Any]]
) -> tuple[list[str], int, bool]:
    """Run the queries over all streams at once.

    Returns:
        Disagreements, the number of the matcher's alerts, and whether the query returned more anywhere.
    """
    language = conversion.cell.target
    events = [event for one in streams for event in one]
    owner = [number for number, one in enumerate(streams) for _ in one]
    stored = store(events, language)
    session = engine_for(language).load(stored, tables(language))
    results = [session.run(query.text) for query in conversion.queries]
    broader = conversion.fidelity == Fidelity.BROADER
    problems: list[str] = []
    total, extras = 0, False
    for number, one in enumerate(streams):
        wanted = expected(chain, one, language)
        total += len(wanted)
        verdict = Verdict()
        if language == "lucene":
            mine = [
                Result(rows=tuple(row for row in result.rows if owner[row["events"][0]] == number))
                for result in results
            ]
            found = alerts_of(conversion, events, stored, mine)
            verdict.compare_groups("", wanted, {mark.group for mark in found})
        else:
            times = [event["timestamp"] for event in one]
            low, high = min(times), max(times)
            found = alerts_of(conversion, events, stored, results)
            found = {mark for mark in found if low <= mark.time_ms <= high}
            if language == "eql":
                assert isinstance(conversion.plan, CorrelationPlan)
                verdict.compare_first_of_burst("", wanted, found, conversion.plan.timespan_ms)
            else:
                verdict.compare("", wanted, found)
        extras = extras or bool(verdict.extra)
        if verdict.missed or (verdict.extra and not broader):
            few = [[mark for _, mark in marks[:3]] for marks in (verdict.missed, verdict.extra)]
            problems.append(f"stream {number}: missed {few[0]}, extra {few[1]}")
    return problems, total, extras


def prove(kind: str, language: str, count: int, seed: int) -> Cell:
    """Run random streams of one type in one language until there are so many."""
    cell = Cell(kind, language)
    started = time.monotonic()
    attempt = 0
    while cell.streams < count:
        attempt += 1
        token = f"{seed}/{kind}/{language}/{attempt}"
        random = Random(token)
        chain = random_chain(random, kind)
        try:
            conversion = converted(chain, language)
        except Refusal as refusal:
            cell.refusals[f"{refusal.code} {refusal.message}"] += 1
            if not cell.streams and attempt >= HOPELESS:
                break
            continue
        streams = batch(random, chain, min(BATCH, count - cell.streams), ties=language != "eql")
        problems, alerts, _ = compare(chain, conversion, streams)
        cell.streams += len(streams)
        cell.queries += 1
        cell.alerts += alerts
        cell.labels[conversion.fidelity] += 1
        cell.disagreements += [f"{token} {problem}" for problem in problems]
    cell.seconds = time.monotonic() - started
    return cell


def main(arguments: Sequence[str] | None = None) -> int:
    """Print a line for each cell; return 1 if anything disagrees."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--types", nargs="+", choices=TYPES, default=TYPES)
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument("--count", type=int, default=2000, help="streams for each type and language")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--refusals", action="store_true", help="print why correlations were refused")
    parser.add_argument("--show", help="print an attempt, such as 1/temporal/kql/7")
    given = parser.parse_args(arguments)
    if given.show:
        return show(given.show)
    wrong = 0
    for language in given.languages:
        for kind in given.types:
            cell = prove(kind, language, given.count, given.seed)
            wrong += len(cell.disagreements)
            print(cell.line(), flush=True)
            for one in cell.disagreements[:20]:
                print("   ", one, flush=True)
            if given.refusals:
                for message, times in cell.refusals.most_common():
                    print(f"    {times:4} {message}", flush=True)
    return 1 if wrong else 0


def show(token: str) -> int:
    """Print one attempt."""
    _, kind, language, _ = token.split("/")
    chain = random_chain(Random(token), kind)
    for doc in chain.docs:
        print(json.dumps(doc))
    for query in converted(chain, language).queries:
        print(query.text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
