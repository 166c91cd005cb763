"""Finding I3: events that come in late raise each alert once."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import yaml

from converter.exports.defender.rule import JSON as DETECTIONS
from converter.exports.sentinel.formats import YAML
from tests.exports.running import Case, cases, kql_at

LATE_COLUMN = {"sysmon": "RenderedDescription", "defender": "FileOriginUrl"}
"""A column that no shipped rule reads: when the event came in, in the place of ingestion_time()."""


def late_alerts(case: Case, query: str, every: int, back: int, lateness: list[int]) -> Counter[Any]:
    """Return the alerts of consecutive runs, each over what a run can read: what came before it.

    Args:
        case: events, as stored.
        query: of the exported rule.
        every: seconds between two runs.
        back: seconds that a run reads, by the events' own times.
        lateness: seconds that events come in late, in turn.
    """
    column = LATE_COLUMN[case.item.source]
    times = [case.time(event) for event in case.stored]
    came = [time + timedelta(seconds=lateness[n % len(lateness)]) for n, time in enumerate(times)]
    stored = [
        replace(event, doc={**event.doc, column: f"{time.replace(tzinfo=None).isoformat()}Z"})
        for event, time in zip(case.stored, came, strict=True)
    ]
    raised: Counter[Any] = Counter()
    now = min(times).replace(second=0, microsecond=0)
    quiet = 0
    while now <= max(came) + timedelta(seconds=3 * every):
        start, last = now - timedelta(seconds=back), now - timedelta(seconds=every)
        read = [e for e, t, c in zip(stored, times, came, strict=True) if start <= t < now and c < now]
        news = any(last <= one < now for one in came)
        quiet = 0 if news else quiet + 1
        if read and quiet < 2:  # Where nothing came in, one run is as good as many.
            raised += case.marks(case.run(kql_at(query, now, f"todatetime({column})"), read))
        now += timedelta(seconds=every)
    return raised


def _by_title(source: str, title: str) -> Case:
    found = [case for case in cases(source, "kql") if case.item.title.startswith(title)]
    return max(found, key=lambda case: len(case.stored))


@pytest.mark.parametrize("lateness", [[0], [1400], [0, 1300, 30], [1400, 0, 700, 20]])
@pytest.mark.parametrize(
    "title",
    [
        "Process Reads LSASS",  # temporal
        "Command Run Through WMI",  # temporal_ordered
        "Services, Tasks or Processes",  # event_count
        "One Program Reaches Many Hosts",  # value_count
    ],
)
def test_i3_sentinel_raises_each_alert_once_though_events_are_late(title: str, lateness: list[int]) -> None:
    """Up to 25 minutes, whichever of an alert's events is late."""
    case = _by_title("sysmon", title)
    (text,) = dict(YAML.part([case.item])).values()
    rule = yaml.safe_load(text)
    expected = case.marks(case.run(case.item.queries[0].body, case.stored))
    assert expected
    back = int(rule["queryPeriod"][:-1]) * 60
    assert rule["queryFrequency"] == "5m"
    assert rule["queryPeriod"].endswith("m")
    assert late_alerts(case, rule["query"], 300, back, lateness) == expected


@pytest.mark.parametrize("lateness", [[0, 3 * 3600 - 700], [2 * 3600, 0, 600]])
@pytest.mark.parametrize("title", ["Command Run Through WMI", "One Program Reaches Many Hosts"])
def test_i3_defender_raises_each_alert_once_though_devices_are_late(title: str, lateness: list[int]) -> None:
    """An hourly rule reads four hours: a device may report hours later ("Create custom detections")."""
    case = _by_title("defender", title)
    (text,) = dict(DETECTIONS.part([case.item])).values()
    rule = json.loads(text)
    assert rule["schedule"] == {"frequency": "PT1H"}
    expected = case.marks(case.run(case.item.queries[0].body, case.stored))
    assert expected
    query = rule["queryCondition"]["queryText"]
    assert late_alerts(case, query, 3600, 4 * 3600, lateness) == expected


def test_i3_defender_does_not_judge_by_the_events_time() -> None:
    """Nothing but the window of what a run reads in whole looks at an event's time."""
    case = _by_title("defender", "Command Run Through WMI")
    (text,) = dict(DETECTIONS.part([case.item])).values()
    query = json.loads(text)["queryCondition"]["queryText"]
    assert re.findall(r"ago\(\w+\)", query) == ["ago(239m)", "ago(1h)"]
    assert query.count("| where ingestion_time() < until") == 2
