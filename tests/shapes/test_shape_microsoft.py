"""Published rows of Microsoft's platforms: the shapes make them, and queries read each field from them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.backends.kql.event_query import XML_FIELD, XML_TEXT
from converter.engines.kql import KqlEngine
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.project import stock_pipelines
from converter.shapes import shape_for

PUBLISHED = yaml.safe_load((Path(__file__).parent / "data" / "microsoft.yml").read_text(encoding="utf-8"))
DEFENDER, EVENT, SECURITY = PUBLISHED["defender"], PUBLISHED["event"], PUBLISHED["security"]


def xml(elements: list[list[str]]) -> str:
    return "".join(f'<Data Name="{name}">{text}</Data>' for name, text in elements)


@pytest.mark.parametrize("pair", DEFENDER, ids=[pair["source"] for pair in DEFENDER])
def test_a_row_of_defender_as_it_is_published(pair: dict[str, Any]) -> None:
    stored = shape_for("defender", "kusto").store(pair["event"], 0)
    assert stored.index == pair["table"]
    assert {name: stored.doc.get(name) for name in pair["row"]} == pair["row"]
    assert set(pair["row"]) <= set(cells.cell("defender", "kql").columns)


@pytest.mark.parametrize("pair", DEFENDER, ids=[pair["source"] for pair in DEFENDER])
def test_each_computed_column_of_a_published_row_is_the_records_own_field(pair: dict[str, Any]) -> None:
    """A connection's ends, a registry value's path and a file's path, read as queries read them."""
    columns = cells.cell("defender", "kql").columns
    names = {
        "DeviceNetworkEvents": ("SourceIp", "SourcePort", "DestinationIp", "DestinationPort"),
        "DeviceRegistryEvents": ("SysmonRegistryPath",),
    }.get(pair["table"], ())
    session = KqlEngine().load([Stored(0, pair["table"], pair["row"])], {pair["table"]: columns})
    read = ", ".join(f"{name} = {str(columns[name].via).removeprefix('=')}" for name in names)
    (found,) = session.run(f"{pair['table']} | project {read or 'ActionType'}").rows
    own = {"SysmonRegistryPath": pair["event"].get("TargetObject")}
    assert {name: found[name] for name in names} == {
        name: own.get(name, pair["event"].get(name)) for name in names
    }


@pytest.mark.parametrize("pair", SECURITY, ids=[pair["source"] for pair in SECURITY])
def test_a_row_of_security_event_as_it_is_published(pair: dict[str, Any]) -> None:
    """Each element of the record has the row's column, and EventData has none of them."""
    shape = shape_for("windows-security", "kusto", stock_pipelines.folder())
    record = {"Channel": "Security", "Provider_Name": "Microsoft-Windows-Security-Auditing"}
    stored = shape.store(record | pair["header"] | pair["elements"], 0)
    wanted = pair["header"] | pair["elements"] | pair["numbers"]
    wanted |= {"Channel": "Security", "EventSourceName": record["Provider_Name"]}
    made = {name: value for name, value in stored.doc.items() if name != "TimeGenerated"}
    assert (stored.index, made) == ("SecurityEvent", wanted)
    columns = cells.cell("windows-security", "kql").columns
    assert set(wanted) <= set(columns)
    # A keyword is looked for in each of these columns.
    text = KqlEngine().load([Stored(0, "SecurityEvent", made)], {"SecurityEvent": columns})
    any_text = f"{XML_FIELD}{XML_TEXT}SecurityEvent | project t = {str(columns['AnyText'].via)[1:]}"
    ((found),) = text.run(any_text).rows
    assert [value for value in wanted.values() if str(value) not in found["t"].split("\n")] == []


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
    columns = cells.cell("sysmon", "kql").columns
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
