"""Correlations in Elastic Security, run after run: each burst is raised, and not again by every run.

What Kibana does with the results of a run, by its sources (elastic/kibana, security_solution,
server/lib/detection_engine/rule_types): an alert of a sequence is written once, as its id is made from those
of its events; of the alerts of one group those within the suppression's duration of the first are counted on
it. That a threshold rule leaves out the events up to a group's last alert is not modelled: it only makes
fewer alerts.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import pytest

from converter.exports.elastic.formats import NDJSON
from tests.exports.running import Case, cases, runs

SECONDS = {"s": 1, "m": 60, "h": 3600}


def seconds(span: str) -> int:
    span = span.removeprefix("now-")
    return int(span[:-1]) * SECONDS[span[-1]]


def group(row: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(map(str, row["keys"] if "keys" in row else row["group"].values()))


def raised(case: Case, rule: Mapping[str, Any], query: str) -> tuple[Counter[Any], Counter[Any]]:
    """Return the alerts by group that there are in the end, and those of all runs on their own."""
    every, back = seconds(rule["interval"]), seconds(rule["from"])
    duration = rule["alert_suppression"]["duration"]
    lasts = timedelta(seconds=duration["value"] * SECONDS[duration["unit"]])
    written: set[Any] = set()
    until: dict[Any, datetime] = {}
    found: Counter[Any] = Counter()
    naive: Counter[Any] = Counter()
    for now, result in runs(case, every, back, 0, lambda _: query):
        for row in result.rows:
            key = group(row)
            naive[key] += 1
            alert = (key, row["events"])
            if (rule["type"] == "eql" and alert in written) or (key in until and now < until[key]):
                continue
            written.add(alert)
            until[key] = now + lasts
            found[key] += 1
    return found, naive


@pytest.mark.parametrize("target", ["eql", "lucene"])
def test_each_burst_is_raised_and_not_by_every_run(target: str) -> None:
    per_rule: dict[str, Case] = {}
    for case in cases("sysmon", target):
        before = per_rule.get(case.item.id)
        if case.item.correlation and (before is None or len(case.stored) > len(before.stored)):
            per_rule[case.item.id] = case
    assert len(per_rule) > 3
    repeated = 0
    for case in per_rule.values():
        rules = [json.loads(line) for line in str(NDJSON.part([case.item])).split("\n")[:-1]]
        for rule, query in zip(rules, case.item.queries, strict=True):
            once = Counter(group(row) for row in case.run(query.text, case.stored).rows)
            found, naive = raised(case, rule, query.text)
            assert set(found) == set(once), case.name
            assert all(found[key] <= once[key] for key in found), case.name
            repeated += (naive - once).total()
    assert repeated, "no run saw an alert of the one before: the test shows nothing"
