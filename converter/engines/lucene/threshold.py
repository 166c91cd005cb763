"""Elastic Security's threshold rules: scheduled, with a fixed lookback.

A run at time T searches the documents of [T - from, T] with the rule's query and its filters
(elastic/kibana, rule_schemas.schema.yaml: ThresholdRuleOptionalFields has ``filters``). It puts them into
buckets by the values of the group fields (a document that lacks one is in none), and alerts for each bucket
with at least `value` documents and, if asked, at least so many distinct values of the first cardinality's
field. Runs are `interval` apart; here at its multiples, so that what is found does not depend on when the
engine is started. Elasticsearch's cardinality is approximate above 3,000 values; here it is exact.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from converter.engines.lucene.index import milliseconds, text_of, values
from converter.errors import EngineError
from converter.events.stored import Stored

_UNITS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_KEYS = {
    "type",
    "language",
    "index",
    "query",
    "filters",
    "threshold",
    "window",
    "from",
    "interval",
    "timestamp_override",
}
Row = Mapping[str, Any]


class Rule:
    """A threshold rule, checked.

    Raises:
        EngineError: SC402 for what Elastic would not take.
    """

    def __init__(self, body: Mapping[str, Any]) -> None:
        unknown = set(body) - _KEYS
        if unknown:
            raise EngineError("SC402", f"a threshold rule has no key '{sorted(unknown)[0]}'")
        if body.get("type") != "threshold" or body.get("language") != "lucene":
            raise EngineError("SC402", "a threshold rule has type threshold and language lucene")
        threshold = body.get("threshold")
        if not isinstance(threshold, dict) or set(threshold) - {"field", "value", "cardinality"}:
            raise EngineError("SC402", "a threshold has field, value and cardinality")
        self.query = str(body["query"])
        self.search = _searched(self.query, body.get("filters") or [])
        """The query and the filters as one query of the DSL."""
        self.index: list[str] = [str(name) for name in body.get("index") or []]
        self.fields: list[str] = [str(name) for name in threshold["field"]]
        self.value = _positive(threshold["value"])
        distinct = threshold.get("cardinality") or []
        # Only the first one counts.
        self.distinct: str | None = str(distinct[0]["field"]) if distinct else None
        self.least = _positive(distinct[0]["value"]) if distinct else 1
        if len(self.fields) > 5:
            raise EngineError("SC402", "a threshold has at most 5 fields")
        self.interval = _duration(str(body["interval"]))
        self.lookback = _duration(str(body["from"]).removeprefix("now-"))
        if not str(body["from"]).startswith("now-") or self.lookback < self.interval:
            raise EngineError("SC402", "'from' is now- and at least the interval")
        self.time = str(body.get("timestamp_override") or "@timestamp")

    def searches(self, index: str) -> bool:
        """Tell whether the rule searches an index; a pattern's own name is taken as one of its indices."""
        return not self.index or any(index == one or fnmatchcase(index, one) for one in self.index)


def _searched(query: str, filters: Any) -> dict[str, Any]:
    """Return what Kibana searches: the query and all filters, negated or not (kbn-es-query, buildEsQuery)."""
    occurs: dict[str, list[Any]] = {"filter": [{"query_string": {"query": query}}], "must_not": []}
    for one in filters:
        if not isinstance(one, dict) or set(one) != {"meta", "query"} or set(one["meta"]) != {"negate"}:
            raise EngineError("SC402", "a filter has a query, and says whether it is negated")
        occurs["must_not" if one["meta"]["negate"] else "filter"].append(one["query"])
    return {"bool": {occur: queries for occur, queries in occurs.items() if queries}}


def _positive(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise EngineError("SC402", f"a threshold's value is a whole number from 1 on, not {value!r}")
    return value


def _duration(text: str) -> int:
    match = re.fullmatch(r"([0-9]+)([smhd])", text)
    if not match:
        raise EngineError("SC402", f"{text!r} is no duration of Elastic's rules")
    return int(match[1]) * _UNITS[match[2]]


def alerts(rule: Rule, hits: Iterable[Stored]) -> list[Row]:
    """Return a row per bucket that alerts in some run; a bucket that later runs see again is one row.

    Args:
        rule: the rule.
        hits: the documents that its query selects, whenever they are.

    Returns:
        Rows of group, count and event ids.
    """
    timed = []
    for event in hits:
        raw = values(event.doc.get(rule.time))
        if raw:
            timed.append((milliseconds(raw[0]), event))
    timed.sort(key=lambda pair: (pair[0], pair[1].id))
    rows: dict[tuple[Any, ...], Row] = {}
    runs = {run for time, _ in timed for run in _runs(time, rule)}
    for run in sorted(runs):
        within = [event for time, event in timed if run - rule.lookback <= time <= run]
        for row in _buckets(rule, within):
            rows.setdefault((*row["group"].values(), row["events"]), row)
    return list(rows.values())


def _runs(time: int, rule: Rule) -> range:
    """Return the runs that see a moment."""
    first = -(-time // rule.interval) * rule.interval
    return range(first, time + rule.lookback + 1, rule.interval)


def _buckets(rule: Rule, events: Sequence[Stored]) -> list[Row]:
    buckets: dict[tuple[str, ...], list[Stored]] = {}
    for event in events:
        keys = [[text_of(value) for value in values(event.doc.get(name))] for name in rule.fields]
        for key in dict.fromkeys(product(*keys)):
            buckets.setdefault(key, []).append(event)
    rows: list[Row] = []
    for key, found in buckets.items():
        distinct = {text_of(value) for event in found for value in values(event.doc.get(rule.distinct or ""))}
        if len(found) >= rule.value and (rule.distinct is None or len(distinct) >= rule.least):
            group = dict(zip(rule.fields, key, strict=True))
            rows.append({"group": group, "count": len(found), "events": tuple(e.id for e in found)})
    return rows
