"""The table of docs/correlations.md: type x operator x language, each cell converted and run over streams.

``python -m tests.proof.table`` writes it; ``--check`` compares.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

from converter.errors import Refusal
from tests.proof.stream_cells import LANGUAGES
from tests.proof.stream_events import START_MS, stream
from tests.proof.stream_rules import Chain, bases, correlation
from tests.proof.streams import batch, compare, converted
from tests.support import ROOT

PAGE = ROOT / "docs" / "correlations.md"
MARKS = ("<!-- table -->\n", "<!-- /table -->\n")
STREAMS = 4
SPARSE = 25
"""Streams of a few events, of which some satisfy no window: they show what a broader query adds."""
_RANGE = {"gte": 2, "lte": 4}
_OPERATORS: dict[str, dict[str, Any]] = {
    **{op: {op: 2} for op in ("gte", "gt", "lt", "lte", "eq", "neq")},
    "range": _RANGE,
}
_FIELDS: dict[str, dict[str, Any]] = {
    "event_count": {},
    "value_count": {"field": "w"},
    "value_count of two fields": {"field": ["w", "user"]},
    "value_sum": {"field": "n"},
    "value_avg": {"field": "n"},
    "value_percentile": {"field": "n", "percentile": 75},
    "value_median": {"field": "n"},
}


def rows() -> Iterator[tuple[str, str, list[Chain]]]:
    """Yield type, operator and the rules that stand for the cell."""
    for name, field in _FIELDS.items():
        for operator, condition in _OPERATORS.items():
            top = correlation(name.split()[0], ["a", "b"], "10s", {**condition, **field}, **_HOST)
            yield name, operator, _chains([], top)
    for kind in ("temporal", "temporal_ordered"):
        yield kind, "all rules", _chains([], correlation(kind, ["a", "b"], "10s", **_HOST))
        yield kind, "all of three", _chains([], correlation(kind, ["a", "b", "c"], "10s", **_HOST))
        yield kind, "all of four", _chains([], correlation(kind, ["a", "b", "c", "d"], "10s", **_HOST))
        for operator, condition in _OPERATORS.items():
            given = {key: 2 if operator == "range" else value for key, value in condition.items()}
            if operator == "gt":
                given = {"gt": 1}
            yield kind, operator, _chains([], correlation(kind, ["a", "b", "c"], "10s", given, **_HOST))
    for name, condition in {
        "boolean, no not": "a and (b or c)",
        "boolean with not": "a and b and not c",
    }.items():
        yield (
            "temporal",
            name,
            _chains([], correlation("temporal", ["a", "b", "c"], "10s", condition, **_HOST)),
        )
    for name, inner in _INNER.items():
        outer = correlation("temporal_ordered", ["inner", "c"], "90s", **_HOST)
        yield "chained: ordered after", name, _chains([inner], outer)
        outer = correlation("temporal", ["inner", "c"], "90s", **_HOST)
        yield "chained: temporal with", name, _chains([inner], outer)
    counted = correlation("event_count", ["inner"], "90s", {"gte": 2}, **_HOST)
    yield "chained: event_count of", "temporal_ordered", _chains([_INNER["temporal_ordered"]], counted)


_HOST = {"group-by": ["host"]}
_INNER = {
    "event_count gte": correlation("event_count", ["a"], "10s", {"gte": 3}, **_HOST),
    "event_count lt": correlation("event_count", ["a"], "10s", {"lt": 3}, **_HOST),
    "value_count gte": correlation("value_count", ["a"], "10s", {"gte": 2, "field": "w"}, **_HOST),
    "value_sum gte": correlation("value_sum", ["a"], "10s", {"gte": 2, "field": "n"}, **_HOST),
    "value_median lt": correlation("value_median", ["a"], "10s", {"lt": 2, "field": "n"}, **_HOST),
    "temporal": correlation("temporal", ["a", "b"], "10s", **_HOST),
    "temporal boolean": correlation("temporal", ["a", "b"], "10s", "a and not b", **_HOST),
    "temporal_ordered": correlation("temporal_ordered", ["a", "b"], "10s", **_HOST),
}


def _chains(inner: Sequence[dict[str, Any]], top: dict[str, Any]) -> list[Chain]:
    named = [{**one, "title": "inner", "name": "inner"} for one in inner]
    span = int(top["correlation"]["timespan"][:-1]) * 1000
    found = []
    for which in ("apart", "flags"):
        rules = [{key: value for key, value in doc.items() if key != "id"} for doc in bases(Random(1), which)]
        found.append(Chain((*rules, *named, top), which, span))
    return found


def cell(chain: Chain, language: str) -> str:
    """Convert and run a cell over streams; return its label or the code of the refusal.

    Raises:
        AssertionError: if a stream disagrees, or all are silent, or nothing shows that it is broader.
    """
    try:
        conversion = converted(chain, language)
    except Refusal as refusal:
        return f"refused ({refusal.code})"
    streams = batch(Random(chain.bases), chain, STREAMS, ties=language != "eql")
    random, day = Random(chain.bases), 86_400_000
    for number in range(SPARSE):
        begin = START_MS - (number + 2) * day
        streams.append(stream(random, chain, begin, ties=language != "eql", size=6))
    problems, alerts, extras = compare(chain, conversion, streams)
    assert not problems, (language, chain.top, problems)
    assert alerts, (language, chain.top)
    if conversion.fidelity == "broader":
        assert extras, (language, chain.top, "nothing shows that it is broader")
    return str(conversion.fidelity)


def results(step: int = 1) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Yield type, operator and what each language makes of it, of every ``step``-th row."""
    for kind, operator, chains in list(rows())[::step]:
        found = []
        for language in LANGUAGES:
            apart, flags = (cell(chain, language) for chain in chains)
            found.append(apart if apart == flags else f"{apart}; {flags} if one event can match two rules")
        yield kind, operator, tuple(found)


def table() -> list[str]:
    """Return the lines of the table; operators of a type that fare alike are in one line."""
    lines = ["| Type | Condition | KQL | SPL | EQL | Lucene |", "|---|---|---|---|---|---|"]
    merged: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for kind, operator, found in results():
        merged.setdefault((kind, found), []).append(operator)
    for (kind, found), operators in merged.items():
        lines.append(f"| {kind} | {', '.join(operators)} | {' | '.join(found)} |")
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the table into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; 1 if the page is stale")
    given = parser.parse_args(arguments)
    lines = table()
    text = PAGE.read_text(encoding="utf-8")
    before, rest = text.split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    new = before + MARKS[0] + "\n".join(lines) + "\n" + MARKS[1] + after
    if given.check:
        return int(new != text)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
