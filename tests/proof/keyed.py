"""Correlations by columns of every type and by names that a query may use itself, for `pinned`.

A token is ``keyed/KEY/SHAPE``: `SHAPES` of correlations whose key, alias, value or shown field is the column.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

from converter.conversion.convert import Conversion, Options, convert
from converter.engines import engine_for
from converter.errors import EngineError
from converter.matcher import Matcher
from converter.pipelines.cells import Cell
from converter.plan.columns import Column
from converter.plan.model import CorrelationPlan, Fidelity
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import inferred as none_shape
from converter.verify.alerts import alerts_of
from converter.verify.judge import Mark, Verdict

_START_MS = 1_700_000_000_000
_TIMES = {"kql": "TimeGenerated", "spl": "_time", "eql": "@timestamp", "lucene": "@timestamp"}
_TYPES = {
    "kql": ("string", "long", "int", "real", "bool", "datetime", "dynamic", "guid"),
    "spl": ("string", "number"),
    "eql": ("keyword", "long", "double", "ip", "date", "boolean", "text"),
    "lucene": ("keyword", "long", "double", "ip", "date", "boolean", "text", "flattened"),
}
# Columns that queries make for themselves.
_NAMES = {
    "kql": [
        *("Time", "Start", "Rule", "Value", "FirstTime", "LastTime", "EventCount"),
        *("Bin", "Bin1", "Key", "Row"),
    ],
    "spl": [
        *("time_ms", "stage", "lane", "row", "role", "step", "moment", "value"),
        *("held", "start_ms", "count", "left", "first_time", "last_x", "any_1", "upto_2"),
    ],
    "eql": ["where", "by"],
    "lucene": ["a b"],
}
_GUIDS = [f"0d3c1b2a-0000-4000-8000-00000000000{n}" for n in range(3)]
_MOMENTS = ["2026-01-02T03:04:05.000Z", "2026-01-02T03:04:06.000Z"]
_VALUES: dict[str, list[Any]] = {
    "long": [1, 2, 7],
    "double": [1.5, 2.0, 7.25],
    "boolean": [True, False],
    "date": _MOMENTS,
    "ip": ["10.0.0.1", "10.0.0.2", "fe80::1"],
    "guid": _GUIDS,
}
_VALUES |= {"int": _VALUES["long"], "number": _VALUES["long"], "real": _VALUES["double"]}
_VALUES |= {"bool": _VALUES["boolean"], "datetime": _MOMENTS}


_PLAIN_KEYS = ("host", "kind", "k1", "k2", "k3")


def _correlation(
    name: str, kind: str, rules: list[str], condition: Any = None, **more: Any
) -> dict[str, Any]:
    section: dict[str, Any] = {"type": kind, "rules": rules, "timespan": "10s", "group-by": ["host"], **more}
    if condition is not None:
        section["condition"] = condition
    return {"title": name, "name": name, "correlation": section}


def _shapes(key: str) -> dict[str, list[dict[str, Any]]]:
    alias = {"who": {"a": "host", "b": key}}
    twins = {"who": {"a": "host", "d": key}}
    nested = {"who": {"inner": key, "c": "host"}}
    ordered = _correlation("inner", "temporal_ordered", ["a", "b"], **{"group-by": [key, "host"]})
    return {
        "count": [_correlation("top", "event_count", ["a", "b"], {"gte": 2}, **{"group-by": [key]})],
        "few": [_correlation("top", "event_count", ["a"], {"lt": 2}, **{"group-by": [key]})],
        "ordered": [_correlation("top", "temporal_ordered", ["a", "b"], **{"group-by": [key]})],
        "together": [_correlation("top", "temporal", ["a", "b"], **{"group-by": [key]})],
        "two keys": [
            _correlation("top", "temporal", ["a", "b", "c"], {"gte": 2}, **{"group-by": [key, "host"]})
        ],
        "distinct": [_correlation("top", "value_count", ["a"], {"field": key, "gte": 2})],
        "distinct pairs": [
            _correlation("top", "value_count", ["a", "b"], {"field": [key, "host"], "gte": 2})
        ],
        "sum": [_correlation("top", "value_sum", ["a"], {"field": key, "gte": 3})],
        "average": [_correlation("top", "value_avg", ["a", "b"], {"field": key, "lt": 3})],
        "middle": [_correlation("top", "value_percentile", ["a"], {"field": key, "gt": 1, "percentile": 75})],
        "shown": [
            {**_correlation("top", "event_count", ["a"], {"gte": 2}), "fields": [key, "host"]},
        ],
        "shown in order": [{**_correlation("top", "temporal_ordered", ["a", "b"]), "fields": [key]}],
        "shown in some order": [
            {**_correlation("top", "temporal_ordered", ["a", "b", "c"], {"gte": 2}), "fields": [key, "kind"]}
        ],
        "shown in the same order": [
            {**_correlation("top", "temporal_ordered", ["a", "d"]), "fields": [key, "kind"]}
        ],
        "shown together": [{**_correlation("top", "temporal", ["a", "b"]), "fields": [key, "kind"]}],
        "alias": [
            _correlation("top", "temporal_ordered", ["a", "b"], **{"group-by": ["who"], "aliases": alias})
        ],
        "alias count": [
            _correlation(
                "top", "event_count", ["a", "b"], {"gte": 2}, **{"group-by": ["who"], "aliases": alias}
            )
        ],
        "chain": [ordered, _correlation("top", "temporal_ordered", ["inner", "c"], timespan="20s")],
        "chain by key": [
            ordered,
            _correlation("top", "temporal_ordered", ["inner", "c"], timespan="20s", **{"group-by": [key]}),
        ],
        "chain of count": [
            _correlation("inner", "event_count", ["a"], {"gte": 2}, **{"group-by": [key]}),
            _correlation("top", "temporal", ["inner", "c"], timespan="20s", **{"group-by": [key]}),
        ],
        "chain counted": [
            ordered,
            _correlation("top", "event_count", ["inner"], {"gte": 2}, timespan="20s", **{"group-by": [key]}),
        ],
        "ordered of one": [_correlation("top", "temporal_ordered", ["a"], **{"group-by": [key]})],
        "ordered of one chain": [
            ordered,
            _correlation("top", "temporal_ordered", ["inner"], timespan="20s", **{"group-by": [key]}),
        ],
        "some in order": [
            _correlation("top", "temporal_ordered", ["a", "b", "c"], {"gte": 2}, **{"group-by": [key]})
        ],
        "same in order": [_correlation("top", "temporal_ordered", ["a", "d"], **{"group-by": [key]})],
        "some of four in order": [_correlation("top", "temporal_ordered", ["a", "d", "b", "c"], {"gte": 3})],
        "same together by other keys": [
            _correlation("top", "temporal", ["a", "d"], **{"group-by": ["who"], "aliases": twins})
        ],
        "four keys": [
            _correlation("top", "event_count", ["a"], {"gte": 2}, **{"group-by": [key, *_PLAIN_KEYS[:3]]})
        ],
        "numbers together": [_correlation("top", "temporal", ["e", "f"], **{"group-by": ["host"]})],
        "numbers in order": [_correlation("top", "temporal_ordered", ["e", "f"], **{"group-by": ["host"]})],
        "chain and the same": [
            ordered,
            _correlation(
                "top", "temporal_ordered", ["inner", "d"], timespan="20s", **{"group-by": [key, "host"]}
            ),
        ],
        "chain of one": [
            _correlation("inner", "event_count", ["a"], {"gte": 1}, **{"group-by": [key, "host"]}),
            _correlation("top", "temporal_ordered", ["inner", "c"], timespan="20s", **{"group-by": [key]}),
        ],
        "two chains together": [
            ordered,
            _correlation("more", "temporal_ordered", ["b", "c"], **{"group-by": [key, "host"]}),
            _correlation("top", "temporal", ["inner", "more"], timespan="20s", **{"group-by": [key]}),
        ],
        "two chains in order": [
            ordered,
            _correlation("more", "temporal_ordered", ["b", "c"], **{"group-by": [key, "host"]}),
            _correlation(
                "top", "temporal_ordered", ["a", "inner", "more"], timespan="20s", **{"group-by": [key]}
            ),
        ],
        "many keys": [
            _correlation("top", "event_count", ["a"], {"gte": 2}, **{"group-by": [key, *_PLAIN_KEYS]})
        ],
        "unknown key": [_correlation("top", "event_count", ["a"], {"gte": 2}, **{"group-by": ["elsewhere"]})],
        **{
            f"within {span}": [
                _correlation("top", "event_count", ["a"], {"gte": 3}, timespan=span, **{"group-by": [key]})
            ]
            for span in ("1d", "36h", "2h", "90m", "1m", "61s")
        },
        **{
            f"in order within {span}": [
                _correlation("top", "temporal_ordered", ["a", "b"], timespan=span, **{"group-by": [key]})
            ]
            for span in ("2d", "3h", "5m", "90s")
        },
        "longer chain": [
            {**ordered, "correlation": {**ordered["correlation"], "timespan": "30s"}},
            _correlation("top", "event_count", ["inner", "a"], {"gte": 2}, **{"group-by": [key]}),
        ],
        "alias of a chain": [
            ordered,
            _correlation(
                "top", "temporal", ["inner", "c"], timespan="20s", **{"group-by": ["who"], "aliases": nested}
            ),
        ],
        "count of two chains": [
            ordered,
            _correlation("more", "temporal", ["b", "c"], **{"group-by": [key, "host"]}),
            _correlation("top", "event_count", ["inner", "more"], {"gte": 2}, timespan="20s"),
        ],
        "chain of distinct": [
            ordered,
            _correlation("top", "value_count", ["inner"], {"field": key, "gte": 2}, timespan="20s"),
        ],
    }


SHAPES = tuple(_shapes("x"))


def tokens(language: str) -> Iterator[str]:
    """Yield everything there is for a language."""
    for key in (*_TYPES[language], *_NAMES[language]):
        for shape in SHAPES:
            yield f"keyed/{key}/{shape}"


@cache
def _columns(language: str) -> Mapping[str, Column]:
    text = _TYPES[language][0]
    found = {f"the {one}": Column(one) for one in _TYPES[language]}
    found |= dict.fromkeys((*_NAMES[language], *_PLAIN_KEYS), Column(text))
    time = {"kql": "datetime", "spl": "string"}.get(language, "date")
    return {**found, _TIMES[language]: Column(time)}


def _key(token: str, language: str) -> str:
    key = token.split("/")[1]
    return f"the {key}" if key in _TYPES[language] else key


def docs(token: str, language: str) -> list[dict[str, Any]]:
    """Return the rules of a token."""
    bases = [
        {
            "title": letter,
            "name": letter,
            "logsource": {"category": "one"},
            "detection": {"s": {"kind": letter}, "condition": "s"},
        }
        for letter in "abc"
    ]
    host = {**bases[0], "title": "d", "name": "d", "detection": {"s": {"host": ["h", "x"]}, "condition": "s"}}
    number = "the number" if language == "spl" else "the long"
    numbered = [
        {**bases[0], "title": name, "name": name, "detection": {"s": {number: value}, "condition": "s"}}
        for name, value in (("e", 1), ("f", 2))
    ]
    return [*bases, host, *numbered, *_shapes(_key(token, language))[token.split("/")[2]]]


def rules(token: str, language: str) -> tuple[RuleSet, Rule, Cell]:
    """Return them loaded, the one in question, and its cell."""
    found = [Rule(doc, "t.yml", Path("t.yml"), "t.yml", at) for at, doc in enumerate(docs(token, language))]
    state = {"index": none_shape.INDEX, "table": none_shape.INDEX}
    if language in ("eql", "lucene"):
        state["index"] = [none_shape.INDEX]  # type: ignore[assignment]
    one = {"rule_conditions": [{"type": "logsource", "category": "one"}]}
    items = [{"id": key, "type": "set_state", "key": key, "val": state[key], **one} for key in state]
    pipeline = {"name": "keyed", "priority": 20, "transformations": items}
    origins = ("keyed.yml",) * len(items)
    cell = Cell("keyed", language, pipeline, _columns(language), "keyed", origins=origins, own="keyed.yml")
    return RuleSet(found), found[-1], cell


def converted(token: str, language: str) -> Conversion:
    """Return the queries of a token.

    Raises:
        Refusal: if the language cannot say it.
    """
    return convert(*rules(token, language), Options("any"))


def _events(token: str, language: str) -> list[dict[str, Any]]:
    random, key = Random(token), _key(token, language)
    kind = _columns(language)[key].type
    values = _VALUES.get(kind, ["x", "y", "X"])
    time, found = _START_MS, []
    for _ in range(160):
        time += random.choice((1, 500, 2_000, 5_000, 10_000, 10_001, 40_000))
        host = random.choice(values if kind in ("keyword", "string") else ("h", "i"))
        event = {"timestamp": time, "kind": random.choice("aabbc"), "host": host}
        if random.random() < 0.9:
            event[key] = random.choice(values)
        found.append(event)
    return found


def problems(token: str, language: str, made: Conversion) -> list[str]:
    """Run a conversion over random events; return where its alerts are not the matcher's."""
    events, columns = _events(token, language), _columns(language)
    matcher = Matcher(docs(token, language), empty_is_missing=language == "kql")
    wanted = [Mark(_same(one.group), one.time_ms or 0) for one in matcher.run(events) if one.rule == "top"]
    plain = [{key: value for key, value in event.items() if key != "timestamp"} for event in events]
    stored = none_shape.with_times(none_shape.store(plain, columns, language), events, language)
    engine, tables = engine_for(language), {none_shape.INDEX: columns}
    try:
        if language != "lucene":
            for query in made.queries:
                engine.validate(query.text, tables)
        session = engine.load(stored, tables)
        marks = alerts_of(made, events, stored, [session.run(query.text) for query in made.queries])
    except EngineError as error:
        return [str(error)]
    found = {Mark(_same(mark.group), mark.time_ms) for mark in marks}
    verdict = Verdict()
    if language == "lucene":
        verdict.compare_groups("", wanted, {mark.group for mark in found})
    elif language == "eql":
        assert isinstance(made.plan, CorrelationPlan)
        verdict.compare_first_of_burst("", wanted, found, made.plan.timespan_ms)
    else:
        verdict.compare("", wanted, found)
    if verdict.missed or (verdict.extra and made.fidelity != Fidelity.BROADER):
        return [f"missed {verdict.missed[:3]}, extra {verdict.extra[:3]}"]
    return []


def _same(group: tuple[str, ...]) -> tuple[str, ...]:
    """Return a group as it is compared: booleans and dates are written in several ways."""
    dates = [re.sub(r"(\d\d)(\.000)?(Z|\+00:00)$", r"\1", one) for one in group]
    return tuple(re.sub(r"(?<=\d)[ T](?=\d)", " ", one).lower() for one in dates)
