"""A correlation's group-by field must be one that its base rules' events have."""

import pytest
import yaml

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from tests.pipelines.test_sysmon_fields import rule

TEMPLATE = """
title: created
name: created
id: 5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0101
logsource: {{category: {category}, product: windows}}
detection:
    s: {{{base}: 'x.exe'}}
    condition: s
---
title: many
id: 5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f0102
correlation:
    type: {kind}
    rules: [created]
    group-by: [{key}]
    timespan: 5m
    condition: {condition}
"""


def made(tmp_path, source, target, key, category="file_event", counted=None):
    file = tmp_path / "many.yml"
    condition = {"gte": 3} | ({"field": counted} if counted else {})
    text = TEMPLATE.format(
        category=category,
        base="TargetFilename" if category == "file_event" else "Image",
        key=key,
        kind="value_count" if counted else "event_count",
        condition=yaml.safe_dump(condition, default_flow_style=True).strip(),
    )
    file.write_text(text)
    found = loading.load([file])
    assert found.errors == []
    (correlation,) = emitted_rules(found)
    return convert(found, correlation, cell(source, target), Options("any"))


@pytest.mark.parametrize("target", ["eql", "lucene", "spl", "kql"])
@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_a_field_of_other_events_is_refused(tmp_path, source, target):
    with pytest.raises(Refusal, match="group-by field 'DestinationIp' is not part of") as caught:
        made(tmp_path, source, target, "DestinationIp")
    assert caught.value.code == "SC204"


@pytest.mark.parametrize("target", ["spl", "kql"])
def test_a_counted_field_of_other_events_is_refused(tmp_path, target):
    with pytest.raises(Refusal, match="'ParentImage' is not part of Sysmon event 11"):
        made(tmp_path, "sysmon", target, "Computer", counted="ParentImage")


@pytest.mark.parametrize("target", ["eql", "lucene", "spl", "kql"])
@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_a_field_that_is_there_is_not(tmp_path, source, target):
    assert made(tmp_path, source, target, "Computer").queries
    assert made(tmp_path, source, target, "Computer", category="process_creation").queries


@pytest.mark.parametrize(
    ("target", "column"), [("spl", "EventCode"), ("eql", "event.code"), ("kql", "EventID")]
)
def test_the_event_id_is_mapped_like_any_field(target, column):
    probe = rule({"category": "process_creation"}, {"Image": "x"})
    assert map_field(probe, cell("sysmon", target), "EventID") == (column,)


def connections(target, selection, condition="selection"):
    """Return what events of a rule on connections are grouped by, if by their destination."""
    asked = rule({"category": "network_connection"}, selection)
    asked.doc["detection"]["condition"] = condition
    return map_field(asked, cell("defender", target), "DestinationIp")


@pytest.mark.parametrize(
    ("target", "opened", "accepted"),
    [
        ("eql", "destination.ip", "source.ip"),
        ("lucene", "destination.ip", "source.ip"),
        ("spl", "properties.RemoteIP", "properties.LocalIP"),
        ("kql", "RemoteIP", "LocalIP"),
    ],
)
def test_a_rule_that_says_who_opened_the_connection_says_which_end_is_its_destination(
    target, opened, accepted
):
    assert connections(target, {"Initiated": "true", "DestinationPort": 445}) == (opened,)
    assert connections(target, {"Initiated": True}) == (opened,)
    assert connections(target, {"Initiated": "False"}) == (accepted,)


@pytest.mark.parametrize("target", ["eql", "lucene", "spl"])
@pytest.mark.parametrize(
    "selection",
    [
        {"DestinationPort": 445},
        {"Initiated": ["true", "false"]},
        [{"Initiated": "true"}, {"DestinationPort": 445}],
    ],
)
def test_a_rule_that_leaves_it_open_does_not(target, selection):
    (name,) = connections(target, selection)
    assert "in one of" in name


def test_an_exception_demands_nothing():
    (name,) = connections("spl", {"Initiated": "true"}, "not selection")
    assert "in one of" in name


@pytest.mark.parametrize("target", ["eql", "lucene", "spl", "kql"])
def test_without_a_source_a_key_that_no_condition_names_is_a_text(tmp_path, target):
    made_of = made(tmp_path, "none", target, "Computer")
    assert "Computer" in made_of.queries[0].text


def test_eql_leaves_out_events_without_such_a_key(tmp_path):
    assert "?Computer != null" in made(tmp_path, "none", "eql", "Computer").queries[0].text
