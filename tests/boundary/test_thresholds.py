"""Conditions of correlations that no number meets (findings/rules/correlation_slips.yml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.rules import loading

BASE = {
    "title": "Base",
    "name": "base",
    "id": "33333333-3333-4333-8333-333333333331",
    "logsource": {"product": "windows", "category": "process_creation"},
    "detection": {"s": {"Image|endswith": "\\a.exe"}, "condition": "s"},
}


def errors(folder: Path, kind: str, condition: dict[str, Any]) -> list[str]:
    """Return the errors of a correlation with a condition, without its file."""
    section = {
        "type": kind,
        "rules": ["base"],
        "timespan": "5m",
        "group-by": ["User"],
        "condition": condition,
    }
    top = {"title": "Top", "id": "33333333-3333-4333-8333-333333333332", "correlation": section}
    file = folder / "r.yml"
    file.write_text(yaml.safe_dump_all([BASE, top], sort_keys=False))
    return [str(error).removeprefix(str(file)) for error in loading.load([file]).errors]


# A count is a whole number from 0 on (Sigma correlation specification 2.1, "event_count"); a sum need not be.
@pytest.mark.parametrize(
    ("kind", "condition", "possible"),
    [
        ("event_count", {"gte": 3, "lt": 2}, False),
        ("event_count", {"gte": 3, "lte": 3}, True),
        ("event_count", {"gt": 2, "lt": 3}, False),
        ("event_count", {"eq": -1}, False),
        ("event_count", {"lt": 0}, False),
        ("event_count", {"lt": 1}, True),
        ("event_count", {"gt": -5}, True),
        ("event_count", {"gte": 3, "neq": 3}, True),
        ("event_count", {"eq": 3, "neq": 3}, False),
        ("event_count", {"eq": 2.5}, False),
        ("value_count", {"field": "Image", "gt": 1, "lt": 2}, False),
        ("value_sum", {"field": "ProcessId", "gt": 2, "lt": 3}, True),
        ("value_sum", {"field": "ProcessId", "gt": 0.5, "lt": 0.7}, True),
        ("value_sum", {"field": "ProcessId", "eq": -1}, True),
        ("value_avg", {"field": "ProcessId", "gt": 3, "lt": 2}, False),
    ],
)
def test_what_no_number_meets(tmp_path: Path, kind: str, condition: dict[str, Any], possible: bool) -> None:
    found = errors(tmp_path, kind, condition)
    assert [" ".join(one.split()[1:]) for one in found] == (
        [] if possible else ["SC112 no number meets all comparisons of the condition"]
    )


def test_a_count_of_events_has_no_field(tmp_path: Path) -> None:
    (error,) = errors(tmp_path, "event_count", {"field": "Image", "gte": 3})
    assert "SC112 an event_count counts events and looks at no field" in error
