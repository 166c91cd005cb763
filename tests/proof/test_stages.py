"""Nothing is in a correlation query that it does not need: without any stage some stream disagrees.

Stages: KQL's and SPL's pipes; EQL's queries, items, keys, span and runs; Lucene's clauses and the keys of a
threshold. An error of the engine counts as well: the stage makes what another needs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from random import Random
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.conversion.convert import Conversion
from converter.engines import engine_for
from converter.errors import EngineError
from converter.plan.model import CorrelationPlan
from converter.verify.alerts import alerts_of
from converter.verify.judge import Verdict
from tests.proof.stream_cells import LANGUAGES, store, tables
from tests.proof.stream_events import START_MS, stream
from tests.proof.stream_rules import Chain, bases, correlation
from tests.proof.streams import DAY, compare, converted, expected

HOST = {"group-by": ["host"]}
INNER = {**correlation("event_count", ["a"], "4s", {"gte": 2}, **HOST), "title": "inner", "name": "inner"}
SUMMED = {
    **correlation("value_sum", ["a"], "4s", {"gte": 3, "field": "n"}, **HOST),
    "title": "inner",
    "name": "inner",
}


def top(kind: str, rules: str, timespan: str, condition: Any = None, **more: Any) -> dict[str, Any]:
    return correlation(kind, list(rules), timespan, condition, **{**HOST, **more})


AFTER = correlation("temporal_ordered", ["inner", "b"], "9s", **HOST)
BEFORE = correlation("temporal_ordered", ["c", "inner"], "9s", **HOST)
ALIAS: dict[str, Any] = {"aliases": {"who": {"a": "user", "b": "peer"}}, "group-by": ["who"]}
# Name: base rules, correlations, languages.
CASES: dict[str, tuple[str, tuple[dict[str, Any], ...], str]] = {
    "count": ("apart", (top("event_count", "ab", "4s", {"gte": 3}),), "kql spl eql lucene"),
    "count of tables": ("tables", (top("event_count", "ab", "4s", {"gte": 3}),), "kql spl eql lucene"),
    "few": ("flags", (top("event_count", "ab", "4s", {"lte": 2}),), "kql spl"),
    "distinct": ("apart", (top("value_count", "a", "4s", {"gte": 2, "field": "w"}),), "kql spl lucene"),
    "sum": ("apart", (top("value_sum", "a", "4s", {"gt": 2, "field": "n"}),), "kql spl"),
    "average": ("apart", (top("value_avg", "a", "4s", {"lt": 1, "field": "t"}),), "kql spl"),
    "median": ("apart", (top("value_median", "a", "4s", {"eq": 1, "field": "n"}),), "kql spl"),
    "temporal": ("apart", (top("temporal", "ab", "4s"),), "kql spl eql lucene"),
    "temporal, one event": ("flags", (top("temporal", "ab", "4s"),), "kql spl eql"),
    "boolean": ("flags", (top("temporal", "ab", "4s", "a and not b"),), "kql spl"),
    "ordered": ("apart", (top("temporal_ordered", "abc", "9s"),), "kql spl eql lucene"),
    "ordered, aliases": ("apart", (top("temporal_ordered", "ab", "9s", **ALIAS),), "kql spl eql"),
    "some in order": ("apart", (top("temporal_ordered", "abc", "9s", {"eq": 2}),), "kql spl"),
    "some in order, one event": ("flags", (top("temporal_ordered", "abc", "9s", {"gte": 2}),), "spl"),
    "chained": ("flags", (INNER, AFTER), "kql spl eql"),
    "chained from a sum": ("apart", (SUMMED, BEFORE), "kql"),
}


def chain(name: str) -> Chain:
    which, correlations, _ = CASES[name]
    rules = [{key: value for key, value in doc.items() if key != "id"} for doc in bases(Random(1), which)]
    span = int(correlations[-1]["correlation"]["timespan"][:-1]) * 1000
    return Chain((*rules, *correlations), which, span)


@cache
def streams(name: str, language: str) -> list[list[dict[str, Any]]]:
    """Streams of 5 to 60 events, each its own load of the engine."""
    rules, random = chain(name), Random(3)
    found = [
        stream(random, rules, START_MS + number * DAY, ties=language != "eql", size=size)
        for number, size in enumerate([*(3, 5, 8, 12, 20) * 14, *(60,) * 6])
    ]
    which = CASES[name][0]
    for number, one in enumerate(found):
        share, keys = random.choice((0, 0.2, 0.5)), random.sample(("host", "w", "n", "t", "user", "peer"), 2)
        ties = random.random() < 0.4
        for event in one:
            for key in keys:
                if random.random() < share:
                    event.pop(key, None)
            if ties and language != "eql":
                # One group, many events at one time.
                event["timestamp"] = START_MS + number * DAY + random.randrange(20) * 1000
                event.update({"host": "x"} if "host" in event else {})
                event.update({"src": random.choice(("one", "two"))} if which == "tables" else {})
                event.update({"kind": random.choice("abc")} if which != "flags" else {})
    return found


def pipes(text: str) -> Iterator[tuple[str, str]]:
    """Yield each pipe and the text without it: from its line to the next pipe, bracket or statement."""
    lines = text.splitlines(keepends=True)
    for number, line in enumerate(lines):
        if not re.match(r" *\| ", line):
            continue
        end = number + 1
        while end < len(lines) and re.match(r" +[^ |)]", lines[end]) and not re.match(r" *\|", lines[end]):
            end += 1
        yield line.strip(), "".join([*lines[:number], *lines[end:]])


def eql_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield keys, span, runs and items."""
    patterns = (
        r"sequence( by [^\n]*?)(?= with)",
        r"( with maxspan=\w+)",
        r"( with runs=\w+)",
        r"\]( by [^\n]+?)(?= with|\n|$)",
        r"(?m)^(  \[[^\]]*\].*\n?)",
    )
    for pattern in patterns:
        for found in re.finditer(pattern, text):
            yield found[1], text[: found.start(1)] + text[found.end(1) :]
    for found in re.finditer(r"( and )?\??[\w.]+ != null", text):
        yield found[0], text[: found.start()] + text[found.end() :]


def threshold_parts(text: str) -> Iterator[tuple[str, str]]:
    """Yield the alternatives of the query and the keys of the threshold."""
    body = json.loads(text)
    for part in body["query"].split(" OR "):
        rest = [one for one in body["query"].split(" OR ") if one != part]
        if rest and part.count("(") == part.count(")"):
            yield part, json.dumps({**body, "query": " OR ".join(rest)})
    threshold = body["threshold"]
    for field in threshold["field"]:
        kept = [one for one in threshold["field"] if one != field]
        yield field, json.dumps({**body, "threshold": {**threshold, "field": kept}})
    if threshold["value"] > 1:
        yield "value", json.dumps({**body, "threshold": {**threshold, "value": 1}})
    if "cardinality" in threshold:
        without = {key: value for key, value in threshold.items() if key != "cardinality"}
        yield "cardinality", json.dumps({**body, "threshold": without})


def shortened(conversion: Conversion) -> Iterator[tuple[str, Conversion]]:
    """Yield the queries of a correlation without a stage, and what the stage was."""
    parts = {"kql": pipes, "spl": pipes, "eql": eql_parts, "lucene": threshold_parts}[conversion.cell.target]
    for number, query in enumerate(conversion.queries):
        others = [*conversion.queries[:number], *conversion.queries[number + 1 :]]
        if others:
            yield f"query {query.name}", replace(conversion, queries=tuple(others))
        for stage, text in parts(query.text):
            changed = replace(query, text=text)
            whole = [*conversion.queries[:number], changed, *conversion.queries[number + 1 :]]
            yield stage, replace(conversion, queries=tuple(whole))


class Trial:
    """Streams, each loaded once, that queries run over."""

    def __init__(self, name: str, language: str) -> None:
        self.rules, self.language = chain(name), language
        self.conversion = converted(self.rules, language)
        self.streams = streams(name, language)
        engine = engine_for(language)
        self.stored = [store(one, language) for one in self.streams]
        self.sessions = [engine.load(stored, tables(language)) for stored in self.stored]
        self.wanted = [set(expected(self.rules, one, language)) for one in self.streams]
        self._whole: dict[int, Any] = {}

    def outcome(self, number: int, conversion: Conversion) -> Any:
        """What a query gives for a stream: KQL and SPL every row; Lucene groups; EQL whether it agrees."""
        try:
            results = [self.sessions[number].run(query.text) for query in conversion.queries]
            if self.language in ("kql", "spl"):
                return sorted(repr(sorted(row.items())) for result in results for row in result.rows)
            marks = alerts_of(conversion, self.streams[number], self.stored[number], results)
        except (EngineError, KeyError, TypeError, IndexError, ValueError) as error:
            return type(error).__name__
        if self.language == "lucene":
            return sorted({mark.group for mark in marks})
        verdict = Verdict()
        assert isinstance(conversion.plan, CorrelationPlan)
        verdict.compare_first_of_burst("", self.wanted[number], marks, conversion.plan.timespan_ms)
        return bool(verdict.missed), bool(verdict.extra)

    def needed(self, conversion: Conversion) -> bool:
        """Tell whether some stream has another outcome than with the whole query."""
        return any(
            self.outcome(number, conversion) != self.whole(number) for number in range(len(self.streams))
        )

    def whole(self, number: int) -> Any:
        if number not in self._whole:
            self._whole[number] = self.outcome(number, self.conversion)
        return self._whole[number]


# Stages that these streams cannot show to be needed, and why they stay.
KEPT: dict[str, tuple[tuple[str, str], ...]] = {
    "kql": (
        (
            r"\| where (\w+ == 1 or |src =~)",
            "reads fewer rows first; later steps select again",
        ),
        (r"\| where isnotempty\(", "an empty key joins if both sides have one: one side's test may do"),
        (r"\| where isnotnull\(", "numbers: null counts as no event of an average or percentile"),
        (r"\| summarize FirstTime = max\(FirstTime\)", "the latest of several chains of one length is shown"),
    ),
    "spl": (
        (r"\| where isnotnull\(time_ms\)", "a time that cannot be read (tests/backends/spl/test_streams.py)"),
        (r"\| where isnotnull\(value\)", "Splunk does not say what streamstats does without a by-field"),
        (
            r"\| stats max\(at_a\) as at_a max\(at_b\) as at_b max\(start_ms\)",
            "several alerts of one time hand on the latest begin (tests/backends/spl/test_streams.py)",
        ),
        (
            r"\| stats last\(event_count\) as event_count (last\(below_0\)|max\(step\))",
            "an event where another leaves the window: Splunk does not say which of the rows comes first",
        ),
    ),
    "eql": ((r".*\?related\.name != null", "two missing keys join where both are optional"),),
    "lucene": (),
}


def kept(language: str, stage: str) -> bool:
    return any(re.match(pattern, stage) for pattern, _ in KEPT[language])


@pytest.mark.parametrize(
    ("name", "language"),
    [(name, language) for name in CASES for language in LANGUAGES if language in CASES[name][2].split()],
)
def test_every_stage_is_needed(name: str, language: str) -> None:
    trial = Trial(name, language)
    problems, alerts, _ = compare(trial.rules, trial.conversion, trial.streams)
    assert not problems
    assert alerts
    stages = list(shortened(trial.conversion))
    assert stages
    for stage, without in stages:
        if kept(language, stage):
            continue
        assert trial.needed(without), f"not needed: {stage}\n{trial.conversion.queries[0].text}"
