"""Each field of each Sysmon event, through each pipeline, over the event as the platform stores it.

The stored event is made without knowing the pipeline: a rule on a field must select the event that holds
the value, and must not select one that holds another. So a field that is mapped to the wrong place, or
whose value is rewritten wrongly, fails here.
"""

from pathlib import Path

import pytest

from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import prepare
from converter.rules.rule import Rule
from converter.shapes import shape_for
from tests.pipelines.sysmon_samples import (
    HEADER,
    TARGETS,
    categories,
    event_ids,
    holds,
    other,
    readable,
    sample,
    value,
)

# What Elastic does not keep, by category ("" is all).
REFUSED = {
    "elastic": {
        ("", "QueryResults"),
        ("", "SourcePortName"),
        ("", "DestinationPortName"),
        ("file_block_executable", "Hashes"),
        ("file_block_shredding", "Hashes"),
    }
}
# Labelled as not exact: another field of the record decides, or the value is in a list of values.
LOSSY = {"DestinationIsIpv6", "Hashes", "Hash"}


def rule(logsource, selection):
    doc = {
        "title": "t",
        "id": "5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0001",
        "logsource": {"product": "windows"} | logsource,
        "detection": {"selection": selection, "condition": "selection"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def base(name, logsource, selection):
    target, variant = TARGETS[name]
    return prepare(rule(logsource, selection), cell("sysmon", target, variant))


def ids_of(category, field):
    """Return the ids of a category's events that have the field (the others are covered by its filter)."""
    only = {
        "Details": [13],
        "NewName": [14],
        "Query": [19],
        "EventNamespace": [19],
        "Name": [19],
        "Type": [20, 25],
        "Destination": [20],
        "Consumer": [21],
        "Filter": [21],
        "State": [4],
        "Version": [4],
        "SchemaVersion": [4],
        "Configuration": [16],
        "ConfigurationFileHash": [16],
    }
    return [one for one in event_ids()[category] if one in only.get(field, [one])]


CASES = [
    (name, category, field)
    for name in TARGETS
    for category, fields in categories(name).items()
    for field in fields
    if field not in HEADER
    and ("", field) not in REFUSED.get(name, ())
    and (category, field) not in REFUSED.get(name, ())
]


@pytest.mark.parametrize(("name", "category", "field"), CASES)
def test_a_rule_on_a_field_selects_the_stored_event_with_that_value(name, category, field):
    held, changed = value(field), other(field)
    if field == "EventType" and category in {"registry_add", "registry_delete"}:
        held, changed = {"registry_add": "CreateKey", "registry_delete": "DeleteValue"}[category], "SetValue"
    selection = {f"{field}|contains": held} if field in {"Hashes", "Hash"} else {field: held}
    mapped, reasons = base(name, {"category": category}, selection)
    assert [one.text for one in reasons if field not in LOSSY] == []
    shape = shape_for("sysmon", name)
    ids = ids_of(category, field)
    assert ids
    for event_id in ids:
        records = [sample(field, event_id, one) for one in (held, changed)]
        for record in records:
            if category == "registry_delete" and field != "EventType":
                record["EventType"] = "DeleteKey"
            if field == "DestinationIsIpv6":
                record["SourceIsIpv6"] = record[field]
        hit, miss = (readable(name, shape.store(record, 0).doc) for record in records)
        assert holds(mapped.condition, hit)
        assert not holds(mapped.condition, miss)
        # The same record under another event id belongs to another rule.
        assert not holds(mapped.condition, readable(name, shape.store(records[0] | {"EventID": 99}, 0).doc))
        foreign = records[0] | {"Provider_Name": "Other", "Channel": "Application"}
        assert not holds(mapped.condition, readable(name, shape.store(foreign, 0).doc))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize(
    ("field", "held"),
    [
        ("Computer", "WS1.example.com"),
        ("Provider_Name", "Microsoft-Windows-Sysmon"),
        ("Channel", "Microsoft-Windows-Sysmon/Operational"),
        ("EventID", 1),
        ("EventID", "1"),
    ],
)
def test_the_headers_fields(name, field, held):
    mapped, _ = base(name, {"category": "process_creation"}, {field: held})
    record = {"EventID": 1, "Computer": "WS1.example.com", "Image": "x"}
    shape = shape_for("sysmon", name)
    assert holds(mapped.condition, readable(name, shape.store(record, 0).doc))
    other_record = {"EventID": 2, "Computer": "WS2", "Provider_Name": "P", "Channel": "C", "Image": "x"}
    assert not holds(mapped.condition, readable(name, shape.store(other_record, 0).doc))


@pytest.mark.parametrize("name", TARGETS)
def test_a_field_of_another_event_is_refused_and_named(name):
    with pytest.raises(Refusal, match="'CommandLine' is not part of Sysmon event 11") as caught:
        base(name, {"category": "file_event"}, {"CommandLine": "x"})
    assert caught.value.code == "SC204"
    with pytest.raises(Refusal, match="ParentImages") as caught:
        base(name, {"category": "process_creation"}, {"ParentImages": "x"})
    assert caught.value.hint == "nearest: ParentImage"
    with pytest.raises(Refusal, match="GrandParentImage"):
        base(name, {"category": "process_creation"}, {"Image|fieldref": "GrandParentImage"})


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_platform_does_not_keep_is_refused(name):
    for category, field in REFUSED[name]:
        where = category or next(one for one, fields in categories(name).items() if field in fields)
        with pytest.raises(Refusal) as caught:
            base(name, {"category": where}, {field: "MD5=" + "0" * 32})
        assert caught.value.code == "SC204"


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.parametrize("category", ["file_access", "file_rename", "ps_classic_start", "no_such_category"])
def test_a_category_that_sysmon_lacks_is_refused(name, category):
    with pytest.raises(Refusal) as caught:
        base(name, {"category": category}, {"Image": "x"})
    assert caught.value.code == "SC207"


@pytest.mark.parametrize("name", TARGETS)
def test_the_service_takes_every_event_of_sysmon(name):
    mapped, _ = base(name, {"service": "sysmon"}, {"EventID": 16, "Configuration": "x"})
    shape = shape_for("sysmon", name)
    assert holds(mapped.condition, readable(name, shape.store({"EventID": 16, "Configuration": "x"}, 0).doc))
    assert not holds(
        mapped.condition, readable(name, shape.store({"EventID": 4, "Configuration": "x"}, 0).doc)
    )
