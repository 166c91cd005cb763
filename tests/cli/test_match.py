"""`sigconv match`: events out of order, and what it says of those that come too late."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from converter.cli import main

RULES = """\
title: Created and then run
id: 0d6a3a8e-6d3b-4d0e-9d0b-0a8b1a0a3c11
correlation: {type: temporal_ordered, rules: [created, run], group-by: [Computer], timespan: 1m}
---
title: Created
name: created
logsource: {category: test}
detection: {sel: {Kind: created}, condition: sel}
---
title: Run
name: run
logsource: {category: test}
detection: {sel: {Kind: run}, condition: sel}
"""


def _event(kind: str, time: str) -> dict[str, Any]:
    return {"Kind": kind, "Computer": "h", "UtcTime": f"2026-11-21 {time}"}


# The first event comes last: 12 minutes behind the newest that a rule looks at.
LATE = [_event("run", "10:00:30.000"), _event("run", "10:12:00.000"), _event("created", "10:00:00.000")]


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.yml"
    path.write_text(RULES)
    return path


def _match(rule: Path, events: list[dict[str, Any]], *options: str) -> tuple[list[Any], str, int]:
    text = "\n".join(map(json.dumps, events))
    arguments = ["match", str(rule), "--events", "-", "--format", "json", *options]
    result = CliRunner().invoke(main, arguments, input=text)
    alerts = [json.loads(line) for line in result.stdout.splitlines()]
    return [(alert["time"], alert["events"]) for alert in alerts], result.stderr, result.exit_code


ALERT = ("2026-11-21T10:00:30.000Z", [2, 0])


@pytest.mark.parametrize(
    ("options", "alerts", "late"),
    [
        ((), [], True),
        (("--lateness", "0s"), [], True),
        (("--lateness", "11m"), [], True),
        (("--lateness", "12m"), [ALERT], False),
        (("--lateness", "1d"), [ALERT], False),
        (("--lateness", "all"), [ALERT], False),
    ],
)
def test_lateness(rule: Path, options: tuple[str, ...], alerts: list[Any], late: bool) -> None:
    found, said, code = _match(rule, LATE, *options)
    assert found == alerts
    assert code == 0
    assert "3 events" in said
    assert ("1 times an event came too late for a correlation" in said) == late


def test_within_the_lateness_the_order_is_that_of_time(rule: Path) -> None:
    assert _match(rule, LATE[::-2]) == ([("2026-11-21T10:00:30.000Z", [0, 1])], "2 events, 1 alerts\n", 0)
    assert _match(rule, LATE[::2])[0] == [("2026-11-21T10:00:30.000Z", [1, 0])]


@pytest.mark.parametrize("text", ["", "10", "m", "10x", "-1m", "1.5h", "ALL"])
def test_no_time(rule: Path, text: str) -> None:
    found, said, code = _match(rule, LATE, "--lateness", text)
    assert (found, code) == ([], 2)
    assert "--lateness" in said
    assert "write a whole number and s, m, h or d, such as 10m; or all" in said
