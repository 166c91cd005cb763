"""How often a query runs and how far it looks back."""

from __future__ import annotations

from pathlib import Path

import pytest

from converter.conversion.convert import convert
from converter.pipelines import cells
from converter.plan.schedule import schedule
from converter.rules import loading

BASE = """\
title: Logon Failed
name: failed
status: test
logsource: {category: process_creation, product: windows}
detection: {selection: {Image: a}, condition: selection}
"""
MANY = """\
---
title: Many
name: many
correlation: {type: event_count, rules: [failed], group-by: [Computer], timespan: 1h, condition: {gte: 3}}
"""
CHAIN = """\
---
title: Chain
name: chain
correlation: {type: temporal_ordered, rules: [many, failed], group-by: [Computer], timespan: 10m}
"""


@pytest.mark.parametrize(
    ("text", "name", "lookback"),
    [
        (BASE, "failed", 300),
        # A window of 1 h every 5 minutes looks back 1 h 5 m.
        (BASE + MANY, "many", 3900),
        # The inner alert at the outer window's start counts events of the hour before.
        (BASE + MANY + CHAIN, "chain", 300 + 600 + 3600),
        (BASE + MANY.replace("1h", "90s"), "many", 390),
    ],
    ids=["event rule", "count", "chain", "seconds"],
)
def test_lookback(tmp_path: Path, text: str, name: str, lookback: int) -> None:
    file = tmp_path / "rule.yml"
    file.write_text(text)
    loaded = loading.load([file])
    rule = loaded.resolve(name)
    assert rule is not None
    cell = cells.cell("sysmon", "kql")
    found = schedule(convert(loaded, rule, cell).plan)
    assert (found.interval, found.lookback) == (300, lookback)
