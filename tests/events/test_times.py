"""When an event happened: its own time before its record's."""

from __future__ import annotations

from typing import Any

import pytest

from converter.events import time_of

TEN = 1709632800000  # 2024-03-05 10:00:00 UTC


@pytest.mark.parametrize(
    ("event", "wanted"),
    [
        ({"UtcTime": "2024-03-05 10:00:00.123", "TimeCreated_SystemTime": "2024-03-05T10:00:02Z"}, TEN + 123),
        ({"UtcTime": "-", "TimeCreated_SystemTime": "2024-03-05T10:00:02.1234567Z"}, TEN + 2123),
        ({"TimeCreated": "2024-03-05 10:00:00.5"}, TEN + 500),
        ({"@timestamp": "2024-03-05T12:00:00+02:00"}, TEN),
        ({"@timestamp": "2024-03-05T12:00:00.000+0200"}, TEN),
        ({"@timestamp": "2024-03-05T06:30:00-03:30"}, TEN),
        ({"Timestamp": "2024-03-05T10:00:00.9999999Z"}, TEN + 999),
        ({"timestamp": str(TEN + 7)}, TEN + 7),
        ({"timestamp": TEN + 7}, TEN + 7),
        ({"timestamp": TEN / 1000}, TEN),
        ({"timestamp": "1682368416719"}, 1682368416719),
        ({"TimeGenerated": "2024-03-05T10:00Z"}, TEN),
        ({"EventTime": "2024-03-05"}, TEN - 10 * 3600_000),
        ({"UtcTime": "1969-12-31 23:59:59.999"}, -1),
        ({"UtcTime": "2024-03-05T10:00:07.123"}, TEN + 7123),
        ({"UtcTime": "2024-03-05 10:00:59.999"}, TEN + 59999),
        # Not of Sysmon's form, though as long: read like any other time, or none.
        ({"UtcTime": "2024-03-05 10:00:00,123"}, TEN + 123),
        ({"UtcTime": "2024-03-05 10:00:01.12Z"}, TEN + 1120),
        ({"UtcTime": "2024-03-05 10:00:60.000"}, None),
        ({"UtcTime": "2024-03-05 24:00:00.000"}, None),
        ({"UtcTime": "2024-02-30 10:00:00.000"}, None),
        ({"UtcTime": "2024-03-05 10:00:0\u0663.000"}, None),
        ({"UtcTime": "1709632800.00:00.000000"}, None),
        ({"ts": TEN / 1000}, TEN),
        ({"ts": "2024-03-05T10:00:00.500000Z"}, TEN + 500),
        ({"timestamp": True}, None),
        ({"timestamp": "2024-13-05T10:00:00Z"}, None),
        ({"timestamp": "soon"}, None),
        ({"timestamp": 10**30}, None),
        ({"timestamp": float("nan")}, None),
        ({}, None),
    ],
)
def test_time_of(event: dict[str, Any], wanted: int | None) -> None:
    assert time_of(event) == wanted
