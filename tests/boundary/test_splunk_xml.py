"""What Splunk's add-ons extract of a record's XML: entities, the provider's name, several lines."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converter.backends.spl import SplBackend
from converter.engines.spl import SplEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.shapes.sysmon import splunk
from converter.shapes.windows import record_xml, splunk_extraction
from tests.boundary.splunk import PROCESS, RECORDS, SYSTEM, converted, flat, hits, text_of
from tests.support import none_base


@pytest.mark.parametrize("published", RECORDS, ids=[one["file"] for one in RECORDS])
def test_s1_s2_the_shape_gives_the_fields_that_the_add_ons_extract_from_published_records(
    published: dict[str, Any],
) -> None:
    """splunk/security_content data_sources/*.yml, `example_log` and `fields`: splunk_records.yml here."""
    extracted = splunk_extraction.of_xml(published["raw"], published["source"], "XmlWinEventLog")
    assert {name for name in published["fields"] if name not in extracted} <= {"UserID"}
    record = flat(published["raw"])
    doc = splunk.store(record, 0).doc
    assert doc["source"] == published["source"]
    compared = set(record) - {"Provider_Name", "TimeCreated"} | {"Name", "EventCode"}
    assert {name: doc.get(name) for name in compared} == {name: extracted.get(name) for name in compared}
    source = "windows-security" if published["source"].endswith("Security") else "sysmon"
    mapped = cells.cell(source, "spl").columns
    assert compared & set(mapped) - {"Version"}, "at least the fields that rules can name are compared"


@pytest.mark.parametrize("published", RECORDS, ids=[one["file"] for one in RECORDS])
def test_s2_the_providers_name_keeps_its_quotes(published: dict[str, Any]) -> None:
    """Published results have them: "Name": "'Microsoft-Windows-Sysmon'" (findings, S2)."""
    doc = splunk.store(record := flat(published["raw"]), 0).doc
    first = doc["Name"][0] if isinstance(doc["Name"], list) else doc["Name"]
    assert first == f"'{record['Provider_Name']}'"


@pytest.mark.parametrize(
    "published",
    [one for one in RECORDS if "Sysmon" in one["source"]],
    ids=lambda one: one["file"],
)
def test_s1_the_sysmon_add_on_alone_gives_each_element_of_a_published_record(
    published: dict[str, Any],
) -> None:
    """TA-microsoft-sysmon [sysmon-data]: each value ends at its own tag, entities as they are written."""
    alone = splunk_extraction.of_xml(
        published["raw"], published["source"], "XmlWinEventLog", [splunk_extraction.SYSMON]
    )
    elements = re.findall(r"<Data Name='([^']*)'>([^<]*)</Data>", published["raw"])
    wanted = {name: value for name, value in elements if value and "\n" not in value}
    assert len(wanted) > 5
    assert {name: alone.get(name) for name in wanted} == wanted
    # props.conf of TA-microsoft-sysmon: EventID is another name of what sysmon-eventid extracts.
    assert alone["EventID"] == alone["EventCode"] == str(flat(published["raw"])["EventID"])


def test_s1_entities_stay_in_fields() -> None:
    """TA-microsoft-sysmon [sysmon-data], Splunk_TA_windows [eventdata_xml_data]: neither decodes."""
    doc = splunk.store({"EventID": 1, "CommandLine": "x 2>&1 <y"}, 0).doc
    assert doc["CommandLine"] == "x 2&gt;&amp;1 &lt;y"


def test_s1_a_value_of_several_lines_is_no_field_of_the_sysmon_add_on_alone() -> None:
    """`(.*?)` does not cross the end of a line; `[^<]*` of Splunk_TA_windows does, which docs ask for too."""
    record = {"EventID": 1, "Image": "a.exe", "CommandLine": "one\ntwo"}
    alone = splunk.store(record, 0, [splunk_extraction.SYSMON]).doc
    assert ("CommandLine" in alone, alone["Image"]) == (False, "a.exe")
    assert splunk.store(record, 0).doc["CommandLine"] == "one\ntwo"


def test_s1_search_writes_a_value_in_both_forms() -> None:
    """As splunk/security_content does: impacket_lateral_movement_commandline_parameters.yml at b13b314a."""
    query = text_of(converted("sysmon", PROCESS, a={"CommandLine|contains": "2>&1"}))
    assert 'CommandLine IN ("*2>&1*", "*2&gt;&amp;1*")' in query
    assert "| " not in query


LINES = ["x 2>&1", "x 2&gt;&amp;1", "x 21", "&", "a & b", "<b>", ";", "amp", "lt", "a;", "?", "one\n<two>"]


@pytest.mark.parametrize(
    "selection",
    [
        {"CommandLine|contains": "2>&1"},
        {"CommandLine|contains": "&"},
        {"CommandLine|contains": "amp"},
        {"CommandLine|contains": ";"},
        {"CommandLine|contains|cased": "<B>"},
        {"CommandLine": "?"},
        {"CommandLine": "??"},
        {"CommandLine|re": "^.{7}$"},
        {"CommandLine|re": "<two>$"},
        {"CommandLine": ["<b>", "lt", "a & b"]},
        {"CommandLine|endswith": "t"},
        {"CommandLine|startswith": "<"},
        {"CommandLine|fieldref|endswith": "ParentCommandLine"},
    ],
)
@pytest.mark.parametrize("condition", ["a", "not a"])
def test_s1_a_comparison_means_the_text_and_not_its_entities(
    selection: dict[str, Any], condition: str
) -> None:
    events = [
        {"EventID": 1, "CommandLine": line, "ParentCommandLine": "1", "EventRecordID": number}
        for number, line in enumerate(LINES)
    ]
    means = compile_detection({"a": selection, "condition": condition})
    wanted = [number for number, event in enumerate(events) if means(event)]
    assert hits(converted("sysmon", PROCESS, condition, a=selection), events) == wanted


PIECES = [
    "&",
    "<",
    ">",
    "&amp;",
    "&lt",
    ";",
    "a",
    "m",
    "p",
    "l",
    "t",
    "g",
    "lt;",
    "x",
    "*",
    "?",
    "\n",
    "'",
    '"',
]


TEXT = st.lists(st.sampled_from(PIECES), max_size=5).map("".join)


FORMS = st.sampled_from(["", "|contains", "|startswith", "|endswith", "|cased", "|contains|cased"])


@settings(max_examples=300, derandomize=True, deadline=None)
@given(values=st.lists(TEXT, min_size=1, max_size=2), others=st.lists(TEXT, max_size=4), form=FORMS)
@example(["&"], ["<"], "|contains")
@example(["&amp;"], ["&"], "")
def test_s1_any_value_in_any_form(values: list[str], others: list[str], form: str) -> None:
    for negated in (False, True):
        detection = {"a": {f"f{form}": values}, "condition": "not a" if negated else "a"}
        means = compile_detection(detection)
        base = none_base(detection, "spl")
        try:
            (draft,) = SplBackend().event(replace(base, columns={"f": Column("string", stored="xml")}))
        except Refusal:
            continue
        texts = [*values, *others, *(record_xml.escape(one) for one in values)]
        stored = [
            Stored(number, "Events", {"f": record_xml.escape(one)} if one else {})
            for number, one in enumerate(texts)
        ]
        found = sorted(SplEngine().load(stored, {}).run(draft.text).events)
        wanted = [number for number, one in enumerate(texts) if means({"f": one} if one else {})]
        assert found == wanted, draft.text


@pytest.mark.parametrize(
    ("keyword", "line", "meant"),
    [
        ("<b>", "a <b> c", True),
        ("Data", "nothing", False),  # A word of the markup.
        ("CommandLine", "nothing", False),
        ("lt", "a < b", False),
        ("a*c", "a < c", True),
        ("one*else", "one", False),  # Not over the end of the element.
        ("Service Control", "", True),  # The provider's name is an attribute.
    ],
)
def test_s1_keywords_in_xml(keyword: str, line: str, meant: bool) -> None:
    """_raw is the rendered record (inputs.conf.spec, renderXml)."""
    event = {
        "EventID": 7045,
        "Channel": "System",
        "Provider_Name": "Service Control Manager",
        "ImagePath": line,
        "ServiceName": "else",
    }
    assert hits(converted("sysmon", SYSTEM, a=[keyword]), [event]) == [0] * meant


def test_s2_the_providers_name_is_sought_in_both_forms() -> None:
    """Splunk_TA_windows [system_props_xml_attributes]: group 2 has the quotes."""
    conversion = converted("sysmon", SYSTEM, a={"Provider_Name": "Service Control Manager", "EventID": 7045})
    assert 'Name IN ("Service Control Manager", "\'Service Control Manager\'")' in text_of(conversion)
    installed = {"EventID": 7045, "Channel": "System", "Provider_Name": "Service Control Manager"}
    assert hits(conversion, [installed, {**installed, "Provider_Name": "Other"}]) == [0]


@pytest.mark.parametrize(
    "selection",
    [
        {"Provider_Name|startswith": "Service"},
        {"Provider_Name|endswith": "Manager"},
        {"Provider_Name|contains": "control"},
        {"Provider_Name|re": "^Service.*Manager$"},
        {"Provider_Name|cased": "Service Control Manager"},
        {"Provider_Name": "Service?Control?Manager"},
        {"Provider_Name": None},
    ],
)
@pytest.mark.parametrize("condition", ["a", "not a"])
def test_s2_any_form_of_the_providers_name(selection: dict[str, Any], condition: str) -> None:
    events = [
        {"EventID": 7045, "Channel": "System", "Provider_Name": name}
        for name in ("Service Control Manager", "service control manager", "Microsoft-Windows-Eventlog")
    ]
    means = compile_detection({"a": selection, "condition": condition})
    wanted = [number for number, event in enumerate(events) if means(event)]
    assert hits(converted("sysmon", SYSTEM, condition, a=selection), events) == wanted


def test_s2_the_name_of_a_wmi_filter_is_not_the_providers() -> None:
    """Splunk_TA_windows: both are values of Name (MV_ADD); the provider's comes first."""
    events = [{"EventID": 19, "Name": "BotFilter"}, {"EventID": 19, "Name": "Microsoft-Windows-Sysmon"}]
    for value, wanted in (("*sysmon*", [1]), ("BotFilter", [0])):
        assert hits(converted("sysmon", {"category": "wmi_event"}, a={"Name": value}), events) == wanted


def test_s2_the_docs_list_the_add_on_that_extracts_name_and_channel() -> None:
    docs = (Path(__file__).parents[2] / "docs" / "import-splunk.md").read_text(encoding="utf-8")
    assert re.search(r"Splunk Add-on for Microsoft\s+Windows", docs)


def test_s2_the_version_of_event_4_is_no_field_of_its_own() -> None:
    """sysmon-version runs before sysmon-data and has no MV_ADD: Version is the header's."""
    alone = splunk.store({"EventID": 4, "Version": "15.0"}, 0, [splunk_extraction.SYSMON]).doc
    assert alone["Version"] != "15.0"
    with pytest.raises(Refusal, match="Version"):
        converted("sysmon", {"category": "sysmon_status"}, a={"Version": "15.0"})
