"""docs/correlations.md says what is so: its table is generated, its drawings show the matcher's alerts."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.matcher import Matcher
from tests.proof import table
from tests.support import ROOT

STEP = 11


def _lines() -> list[str]:
    return (
        table.PAGE.read_text(encoding="utf-8").split(table.MARKS[0])[1].split(table.MARKS[1])[0].splitlines()
    )


def test_a_sample_of_the_table() -> None:
    lines = _lines()
    for kind, operator, found in table.results(STEP):
        cells = f"| {' | '.join(found)} |"
        assert any(
            line.startswith(f"| {kind} |") and line.endswith(cells) and operator in line.split("|")[2]
            for line in lines
        ), (kind, operator, found)


@pytest.mark.proof
def test_the_whole_table() -> None:
    assert _lines() == table.table()


def _drawings() -> ModuleType:
    path = ROOT / "docs" / "drawings" / "make.py"
    spec = importlib.util.spec_from_file_location("drawings", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Dataclasses look their module up.
    sys.modules["drawings"] = module
    spec.loader.exec_module(module)
    return module


DRAWINGS = _drawings()


@pytest.mark.parametrize("name", DRAWINGS.DRAWINGS)
def test_drawings_are_up_to_date_and_in_the_page(name: str) -> None:
    title, rows = DRAWINGS.DRAWINGS[name]
    text = (ROOT / "docs" / "drawings" / f"{name}.svg").read_text(encoding="utf-8")
    assert text == DRAWINGS.draw(title, rows)
    assert f"drawings/{name}.svg" in table.PAGE.read_text(encoding="utf-8")


def _base(letter: str) -> dict[str, Any]:
    detection = {"s": {"k": letter}, "condition": "s"}
    return {"title": letter, "name": letter, "logsource": {"category": "t"}, "detection": detection}


CONDITIONS: dict[str, tuple[list[str], str, Any]] = {
    "event_count": (["a"], "5s", {"gte": 3}),
    "value_count": (["a"], "5s", {"field": "v", "gte": 3}),
    "value_sum": (["a"], "5s", {"field": "v", "gte": 10}),
    "value_avg": (["a"], "5s", {"field": "v", "gt": 4}),
    "value_percentile": (["a"], "5s", {"field": "v", "percentile": 75, "gte": 6}),
    "value_median": (["a"], "5s", {"field": "v", "lt": 3}),
    "temporal": (["a", "b", "c"], "5s", None),
    "temporal_ordered": (["a", "b", "c"], "6s", None),
}


@pytest.mark.parametrize("name", CONDITIONS)
def test_drawings_show_the_matchers_alerts(name: str) -> None:
    rules, timespan, condition = CONDITIONS[name]
    section = {"type": name, "rules": rules, "timespan": timespan, "group-by": ["host"]}
    if condition:
        section["condition"] = condition
    top = {"title": "top", "name": "top", "correlation": section}
    _, rows = DRAWINGS.DRAWINGS[name]
    shown, events = set(), []
    for row in rows:
        shown |= {(row.name, round(time * 1000)) for time in row.alerts}
        for time, label in row.events:
            field = {"v": label, "k": "a"} if name.startswith("value_") else {"k": label}
            events.append({"host": row.name, "timestamp": 10**12 + round(time * 1000), **field})
    found = Matcher([*map(_base, "abc"), top]).run(events)
    assert {(alert.group[0], (alert.time_ms or 0) - 10**12) for alert in found} == shown


def test_the_drawing_of_a_chain() -> None:
    """The inner alerts, the outer one, and that it holds the alert that begins latest."""
    inner = {"type": "event_count", "rules": ["a"], "timespan": "4s", "condition": {"gte": 3}}
    _, (below, above) = DRAWINGS.DRAWINGS["chained"]
    events = [
        {"k": label, "timestamp": 10**12 + round(time * 1000)}
        for time, label in (*below.events, *above.events)
    ]

    def times(span: int, what: str) -> list[float]:
        outer = {"type": "temporal_ordered", "rules": ["inner", "b"], "timespan": f"{span}s"}
        rules = [
            {"title": "inner", "name": "inner", "correlation": inner},
            {"title": "outer", "name": "outer", "correlation": {**outer, "generate": True}},
        ]
        found = Matcher([*map(_base, "abc"), *rules]).run(events)
        return [((alert.time_ms or 0) - 10**12) / 1000 for alert in found if alert.rule == what]

    assert times(9, "inner") == list(below.alerts)
    assert times(9, "outer") == list(above.alerts)
    assert times(8, "outer") == []
