"""Keywords over table Event, whose records lie in a column of XML, on the engine against the matcher."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converter.backends.kql import KqlBackend
from converter.engines.kql import KqlEngine
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.shapes.sysmon.sentinel import store
from tests.support import none_base

_DECLARED = cells.cell("sysmon", "kql").columns
# Some of the elements: a hundred take the engine seconds.
COLUMNS = {
    name: column
    for name, column in _DECLARED.items()
    if column.via is None or name in ("Configuration", "State", "Image")
}
EVENTS: list[dict[str, Any]] = [
    {"EventID": 16, **event}
    for event in (
        {"Configuration": "State changed by quartz"},
        {"Configuration": "STATE CHANGED"},
        {"Configuration": "State", "State": "changed"},
        {"State": "a&b"},
        {"State": "a&amp;b"},
        {"State": 'say "no"'},
        {"State": "Stopped"},
        {"Configuration": "nothing of it"},
        {"State": "one\ntwo"},
        {"Configuration": "a picture, 2004"},
        {"UserName7": "of no column: quartz"},
    )
]


@pytest.mark.parametrize("negated", [False, True])
@pytest.mark.parametrize(
    ("keyword", "expected", "elements"),
    [
        # Where the XML writes the keyword as it is, the XML is searched.
        ("State changed", [0, 1], False),
        ("quartz", [0, 10], False),
        ("stopped", [6], False),
        # Where it writes it otherwise, or has it in its markup, each element is taken out first.
        ("a&b", [3], True),
        ("a&amp;b", [4], True),
        ('"no"', [5], True),
        ("one\ntwo", [8], True),
        ("State", [0, 1, 2], True),
        ("Data Name", [], True),
        (2004, [9], True),
        ("picture*04", [9], True),
    ],
)
def test_where_keywords_are_looked_for(
    keyword: str | int, expected: list[int], elements: bool, negated: bool
) -> None:
    detection = {"keywords": [keyword], "condition": "not keywords" if negated else "keywords"}
    matches = compile_detection(detection)
    wanted = [number not in expected if negated else number in expected for number in range(len(EVENTS))]
    assert [matches(event) for event in EVENTS] == wanted
    base = none_base(detection, "kql")
    base = replace(base, state={"table": "Event"}, columns=COLUMNS)
    (query,) = KqlBackend().event(base)
    assert ("extend" in query.text) == elements
    assert ("or EventData contains" in query.text or "EventData !contains" in query.text) != elements
    stored = [store(event, number) for number, event in enumerate(EVENTS)]
    found = KqlEngine().load(stored, {"Event": COLUMNS}).run(query.text).events
    assert list(found) == [number for number, hit in enumerate(wanted) if hit]
