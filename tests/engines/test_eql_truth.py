"""The engine against Elasticsearch's own tables: each query and the events that it must return."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("eql", reason="the engine needs sigconv[verify]")

from eql.etc import get_etc_file

from converter.engines.eql import EqlEngine, EqlSession
from converter.events.stored import Stored
from converter.plan.columns import Column

CASES = json.loads((Path(__file__).parent / "data" / "eql-elasticsearch.json").read_text("utf-8"))["cases"]
FILETIME_TO_UNIX_MS = 11_644_473_600_000
IPS = ("source_address", "destination_address")


@pytest.fixture(scope="module")
def endgame() -> EqlSession:
    """The Endgame data set as Elasticsearch's tests index it: event_type is the category."""
    events = json.loads(get_etc_file("test_data.json"))
    columns: dict[str, Column] = {}
    stored = []
    for position, event in enumerate(events):
        doc: dict[str, Any] = {name: value for name, value in event.items() if not isinstance(value, dict)}
        for name, value in doc.items():
            number = isinstance(value, int)
            columns[name] = Column("ip" if name in IPS else "long" if number else "keyword")
        doc["event.category"] = event["event_type"]
        doc["@timestamp"] = event["timestamp"] // 10_000 - FILETIME_TO_UNIX_MS
        stored.append(Stored(position, "endgame", doc))
    return EqlEngine(tiebreaker_field="serial_event_id").load(stored, {"endgame": columns})


@pytest.fixture(scope="module")
def serials() -> list[int]:
    return [event["serial_event_id"] for event in json.loads(get_etc_file("test_data.json"))]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["query"][:80])
def test_returns_what_elasticsearch_returns(
    case: dict[str, Any], endgame: EqlSession, serials: list[int]
) -> None:
    result = endgame.run(case["query"])
    found = result.events or tuple(event for row in result.rows for event in row["events"])
    assert [serials[event] for event in found] == case["ids"]
