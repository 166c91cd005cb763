"""Published rows of Microsoft's platforms: the shapes make them, and queries read each field from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter import pipelines
from converter.backends.kql.query import XML_FIELD
from converter.engines.base import Stored
from converter.engines.kql import KqlEngine
from converter.shapes import shape_for

PUBLISHED = yaml.safe_load((Path(__file__).parent / "data" / "microsoft.yml").read_text(encoding="utf-8"))
DEFENDER, EVENT = PUBLISHED["defender"], PUBLISHED["event"]


def xml(elements: list[list[str]]) -> str:
    return "".join(f'<Data Name="{name}">{text}</Data>' for name, text in elements)


@pytest.mark.parametrize("pair", DEFENDER, ids=[pair["source"] for pair in DEFENDER])
def test_a_row_of_defender_as_it_is_published(pair: dict[str, Any]) -> None:
    stored = shape_for("defender", "kusto").store(pair["event"], 0)
    assert stored.index == pair["table"]
    assert {name: stored.doc.get(name) for name in pair["row"]} == pair["row"]
    assert set(pair["row"]) <= set(pipelines.cell("defender", "kql").columns)


def test_a_row_of_the_table_event_as_it_is_published() -> None:
    stored = shape_for("sysmon", "kusto").store(EVENT["header"] | dict(EVENT["elements"]), 0)
    made, published = (
        re.sub(r'(time|sourceHealthServiceId)="[^"]*"', "", text)
        for text in (stored.doc["EventData"], EVENT["frame"].format(xml(EVENT["elements"])))
    )
    assert made == published


def test_each_field_is_read_from_the_published_event_data() -> None:
    """Every element that the pipeline maps for a network connection, out of the row as it is published."""
    row = {"EventData": EVENT["frame"].replace("{}", xml(EVENT["elements"]))}
    columns = pipelines.cell("sysmon", "kql").columns
    session = KqlEngine().load([Stored(0, "Event", row)], {"Event": columns})
    names = [name for name, _ in EVENT["elements"]]
    assert {columns[name].via for name in names} == {"eventdata_xml"}
    read = ", ".join(f'{name} = EventDataField(EventData, "{name}")' for name in names)
    (found,) = session.run(f"{XML_FIELD}Event | project {read}").rows
    assert found == dict(EVENT["elements"])


def test_windows_event_has_each_element_by_its_name() -> None:
    """Azure-Sentinel, ASimAuthenticationMicrosoftWindowsEvent.yaml reads tostring(EventData.<element>)."""
    stored = shape_for("sysmon", "kusto-windowsevent").store(EVENT["header"] | dict(EVENT["elements"]), 0)
    assert stored.doc["EventData"] == dict(EVENT["elements"])
