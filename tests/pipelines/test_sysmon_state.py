"""Where each pipeline says that the events are, and the categories that Elastic gives them."""

import pytest

from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from converter.shapes.sysmon import elastic
from tests.pipelines.sysmon_samples import TARGETS, categories, event_ids
from tests.pipelines.test_sysmon_fields import base, rule

AGENT = ["logs-windows.sysmon_operational-*", "logs-windows.forwarded-*"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "elastic",
            {"index": [*AGENT, "winlogbeat-*"], "time_field": "@timestamp", "eql_category": "process"},
        ),
        (
            "splunk",
            {
                "time_field": "UtcTime",
                "time_format": "%Y-%m-%d %H:%M:%S.%3N",
                # The element that only event 1 has (Sysmon's manifest, schema 4.90).
                "term": "ParentCommandLine",
            },
        ),
        ("kusto", {"table": "Event", "time_field": "UtcTime"}),
        ("kusto-windowsevent", {"table": "WindowsEvent", "time_field": "UtcTime"}),
    ],
)
def test_process_creation(name, expected):
    mapped, _ = base(name, {"category": "process_creation"}, {"Image": "x"})
    assert dict(mapped.state) == expected


def test_every_event_of_a_category_carries_its_event_category():
    for category, ids in event_ids().items():
        mapped, _ = base("elastic", {"category": category}, {"RuleName": "x"})
        wanted = mapped.state.get("eql_category")
        for one in ids:
            stored = elastic.store({"EventID": one}, 0).doc.get("event.category", [])
            assert wanted is None or wanted in stored, (category, one)
    # facts: event 7 was `process` and became `process, library`; event 24 has none.
    for category in ("image_load", "wmi_event", "clipboard_capture"):
        mapped, _ = base("elastic", {"category": category}, {"RuleName": "x"})
        assert "eql_category" not in mapped.state


@pytest.mark.parametrize(
    ("category", "selection"),
    [
        ("registry_set", {"Details": "DWORD (0x00000001)"}),
        ("registry_event", {"Details|contains": "x"}),
        ("file_delete_detected", {"Hashes|contains": "MD5=" + "A" * 32}),
    ],
)
def test_winlogbeat_is_not_searched_for_what_it_does_not_keep(category, selection):
    mapped, _ = base("elastic", {"category": category}, selection)
    assert mapped.state["index"] == AGENT
    mapped, _ = base("elastic", {"category": category}, {"Image": "x"})
    assert mapped.state["index"] == [*AGENT, "winlogbeat-*"]


@pytest.mark.parametrize("name", TARGETS)
def test_every_mapped_field_is_in_the_column_list(name):
    target, variant = TARGETS[name]
    where = cell("sysmon", target, variant)
    unmapped = set()
    for category, fields in categories(name).items():
        mapped, _ = base(name, {"category": category}, {"RuleName": "x"})
        checked = _rule(category)
        for field in fields:
            unmapped |= {field for column in map_field(checked, where, field) if column not in where.columns}
        assert mapped.columns is where.columns
    gone = {"QueryResults", "SourcePortName", "DestinationPortName", "Hashes", "Hash"}
    assert unmapped == (gone if name == "elastic" else set())


def test_what_correlations_group_by():
    where = cell("sysmon", "eql")
    checked = _rule("process_creation")
    wanted = {
        "Computer": ("winlog.computer_name",),
        "ProcessGuid": ("process.entity_id",),
        "UtcTime": ("@timestamp",),
        "User": ("user.domain", "user.name"),
    }
    assert {field: map_field(checked, where, field) for field in wanted} == wanted


def _rule(category):
    return rule({"category": category}, {"RuleName": "x"})
