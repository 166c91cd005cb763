"""Findings about Splunk, each with its source, tried on the engine of SPL over stored events."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from converter.backends.spl import SplBackend
from converter.conversion.convert import Conversion, Options, convert
from converter.engines.spl import SplEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.exports.sentinel.formats import ARM
from converter.matcher import compile_detection
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.shapes.sysmon import splunk
from converter.shapes.windows import record_xml, splunk_extraction
from converter.verify.verify import selected
from tests.exports.making import simple
from tests.support import none_base

RECORDS = yaml.safe_load((Path(__file__).parent / "splunk_records.yml").read_text(encoding="utf-8"))
PROCESS = {"category": "process_creation"}
SYSTEM = {"service": "system"}
NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


def converted(
    source: str, logsource: Mapping[str, str], condition: str = "a", **detections: Any
) -> Conversion:
    """Return a rule of one or more selections in SPL, whatever its fidelity."""
    doc = {
        "title": "t",
        "id": "11111111-1111-4111-8111-111111111111",
        "logsource": {"product": "windows", **logsource},
        "detection": {**detections, "condition": condition},
        "level": "low",
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return convert(RuleSet([rule], [], [], [rule]), rule, cells.cell(source, "spl"), Options("any"))


def text_of(conversion: Conversion) -> str:
    return conversion.queries[0].text


def hits(conversion: Conversion, events: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of the events that the query selects in the cell's stored shape."""
    return sorted(mark.event for mark in selected(conversion, list(events)) if mark.event is not None)


def flat(raw: str) -> dict[str, Any]:
    """Return the flat record of a rendered one, read by a parser of XML."""
    root = ET.fromstring(raw)
    system = root.find(f"{NAMESPACE}System")
    assert system is not None
    record: dict[str, Any] = {}
    for element in system:
        name = element.tag.removeprefix(NAMESPACE)
        if name == "Provider":
            record["Provider_Name"] = element.get("Name")
        elif name == "TimeCreated":
            record["TimeCreated"] = element.get("SystemTime")
        elif element.text:
            record[name] = element.text
        if element.get("Qualifiers"):
            record["Qualifiers"] = element.get("Qualifiers")
    for element in root.iter(f"{NAMESPACE}Data"):
        record[str(element.get("Name"))] = element.text or ""
    for inside in root.iterfind(f"{NAMESPACE}UserData/*/*"):
        record[inside.tag.rpartition("}")[2]] = inside.text or ""
    record.pop("Version")
    return record


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


LONG = "#" * 6000


def test_s4_what_stands_behind_5000_bytes_of_json_is_no_field() -> None:
    """limits.conf.spec 9.0.3, [spath] extraction_cutoff; for automatic extraction too."""
    fields = splunk_extraction.of_json('{"a": "x", "b": {"c": null}, "d": "' + LONG + '", "e": "y"}')
    assert fields == {"a": "x", "b.c": "null"}
    # Bytes, not characters.
    assert splunk_extraction.of_json('{"d": "' + "é" * 2600 + '"}') == {}
    script = {
        "EventID": 4104,
        "Channel": "Microsoft-Windows-PowerShell/Operational",
        "Provider_Name": "Microsoft-Windows-PowerShell",
        "ScriptBlockText": LONG,
        "Computer": "a",
    }
    doc = shape_for("defender", "splunk").store(script, 0).doc
    assert doc["properties.ActionType"] == "AmsiScriptContent"
    assert "properties.AdditionalFields" not in doc
    assert "properties.DeviceName" not in doc
    assert "ScriptContent" not in shape_for("crowdstrike", "splunk").store(script, 0).doc


@pytest.mark.parametrize(
    ("source", "category", "selection", "assumed"),
    [
        ("defender", "process_creation", {"CommandLine|contains": "qzx"}, True),
        ("defender", "process_creation", {"ParentImage|endswith": "\\x.exe"}, True),
        ("defender", "registry_set", {"Details|contains": "qzx"}, True),
        # Of the names in the order of the alphabet these are before the first that can be long.
        ("defender", "process_creation", {"Image|endswith": "\\x.exe"}, False),
        ("defender", "image_load", {"ImageLoaded|endswith": "\\x.dll"}, False),
        ("crowdstrike", "process_creation", {"Image|endswith": "\\x.exe"}, True),
        ("crowdstrike", "registry_set", {"Details|contains": "qzx"}, True),
        # No property of these events is long.
        ("crowdstrike", "file_event", {"TargetFilename|endswith": "\\x.exe"}, False),
        ("crowdstrike", "dns_query", {"QueryName|endswith": ".x"}, False),
    ],
)
def test_s4_events_within_5000_bytes_are_an_assumption_where_they_can_be_longer(
    source: str, category: str, selection: dict[str, Any], assumed: bool
) -> None:
    """limits.conf.spec 9.0.3, [spath]; published records of Defender and FDR show the order of properties."""
    conversion = converted(source, {"category": category}, a=selection)
    named = [one.text for one in conversion.reasons if "5,000 bytes of JSON" in one.text]
    assert len(named) == assumed
    assert (str(conversion.fidelity) == "exact") is (not conversion.reasons or not assumed)


@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
def test_s4_a_process_whose_command_line_is_longer_is_missed(source: str) -> None:
    """Public stagers are: 7 process starts of 26,127 public records (December 2026)."""
    query = converted(source, PROCESS, a={"CommandLine|contains": "qzx"})
    starts = [{"EventID": 1, "Image": "C:\\x.exe", "CommandLine": f"qzx {'#' * n}"} for n in (1000, 6000)]
    assert hits(query, starts) == [0]


@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
@pytest.mark.parametrize("condition", ["a", "not a"])
@pytest.mark.parametrize(
    "selection",
    [
        {"ScriptBlockText|contains": "Invoke-Évil"},
        {"ScriptBlockText|re": "Évil$"},
        {"ScriptBlockText|cased|endswith": 'Invoke-Évil "\\x"'},
        {"ScriptBlockText": "#*Invoke?Évil ??x?"},
    ],
)
def test_s4_long_scripts_are_read_whole(source: str, condition: str, selection: dict[str, str]) -> None:
    """Both script events of elastic/integrations m365_defender test-device.log are longer."""
    scripts = [LONG, f'{LONG} Invoke-Évil "\\x"', f"{LONG} Invoke-Évil", "short"]
    events = [
        {
            "EventID": 4104,
            "Channel": "Microsoft-Windows-PowerShell/Operational",
            "Provider_Name": "Microsoft-Windows-PowerShell",
            "ScriptBlockText": script,
        }
        for script in scripts
    ]
    conversion = converted(source, {"category": "ps_script"}, condition, a=selection)
    means = compile_detection({"a": selection, "condition": condition})
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]
    assert any("5,000 bytes" in reason.text for reason in conversion.reasons)


@pytest.mark.parametrize("condition", ["a", "not a"])
@pytest.mark.parametrize(
    "selection",
    [
        {"QueryName|cased": "Evil.com"},
        {"QueryName|contains|cased": "Evil"},
        {"QueryName": "evil?com"},
        {"QueryName|re": r"^Evil\.com$"},
        {"QueryName|endswith": "é.com"},
    ],
)
def test_s8_names_inside_a_json_text_are_compared_as_written(
    condition: str, selection: dict[str, str]
) -> None:
    events = [
        {"EventID": 22, "Image": r"C:\a.exe", "QueryName": name}
        for name in ("Evil.com", "evil.com", "EVIL.com", "é.com", 'x","DnsQueryString":"Evil.com')
    ]
    means = compile_detection({"a": selection, "condition": condition})
    conversion = converted("defender", {"category": "dns_query"}, condition, a=selection)
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]


@pytest.mark.parametrize("form", ["", "|cased", "|startswith|cased", "|contains|cased", "|re"])
def test_s8_pipes_as_written(form: str) -> None:
    events = [{"EventID": 17, "EventType": "CreatePipe", "PipeName": name} for name in (r"\Evil", r"\evil")]
    selection = {f"PipeName{form}": r"\\Evil" if form == "|re" else r"\Evil"}
    means = compile_detection({"a": selection, "condition": "a"})
    conversion = converted("defender", {"category": "pipe_created"}, a=selection)
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]


BASE = {
    "title": "base",
    "name": "base",
    "id": "22222222-1111-4111-8111-111111111111",
    "logsource": {"category": "network_connection", "product": "windows"},
    "detection": {"a": {"DestinationPort": 445, "Image|re": r"x$"}, "condition": "a"},
}


def correlated(source: str, kind: str, bases: Sequence[Mapping[str, Any]] = (BASE,), **section: Any) -> str:
    """Return the search of a correlation."""
    given = {
        "type": kind,
        "rules": [base["name"] for base in bases],
        "group-by": ["Computer"],
        "timespan": "5m",
    }
    top = {
        "title": "top",
        "id": "22222222-1111-4111-8111-111111111112",
        "correlation": {**given, **section},
        "level": "low",
    }
    rules = [Rule(dict(doc), "t.yml", Path("t.yml"), "t.yml", at) for at, doc in enumerate([*bases, top])]
    conversion = convert(RuleSet(rules, [], [], rules), rules[-1], cells.cell(source, "spl"), Options("any"))
    return "\n".join([*(reason.text for reason in conversion.reasons), text_of(conversion)])


def test_s3_no_index_unless_one_is_configured() -> None:
    """indexes.conf.spec: names of indexes are lower-case; there is none of the name Events."""
    conversion = converted("none", {"category": "process_creation"}, a={"Image": "x"})
    assert "index" not in text_of(conversion).split("```")[-1]


def test_s3_a_table_that_no_workspace_has_is_not_deployed() -> None:
    with pytest.raises(Refusal, match="Events"):
        ARM.part([simple(source="none", target="kql")])


SUMS = [
    ("value_count", {"condition": {"field": "DestinationIp", "gte": 3}}),
    ("value_sum", {"condition": {"field": "DestinationPort", "gt": 3}}),
    ("value_avg", {"condition": {"field": "DestinationPort", "gt": 3}}),
    ("event_count", {"condition": {"lt": 3}}),
]


@pytest.mark.parametrize(("kind", "section"), SUMS)
def test_s5_running_sums_come_after_a_transforming_command(kind: str, section: dict[str, Any]) -> None:
    """Search Reference, "streamstats": the default of 10,000 events is not for results of such a command."""
    search = correlated("sysmon", kind, **section)
    before, _, _ = search.partition("| streamstats")
    assert "| stats count as together" in before
    assert before.index("| stats count as together") < before.index("mvappend")
    assert "max_stream_window" not in search


def test_s5_the_limit_is_cited_where_it_is() -> None:
    """limits.conf.spec 9.0.3: max_stream_window is of [stats|sistats]."""
    docs = (Path(__file__).parents[2] / "docs" / "import-splunk.md").read_text(encoding="utf-8")
    assert "[stats|sistats] max_stream_window" in docs
    assert "[realtime]" not in docs


def test_s6_no_empty_placeholder_and_times_of_13_digits() -> None:
    other = {**BASE, "name": "other", "id": "22222222-1111-4111-8111-111111111113"}
    search = correlated(
        "sysmon", "temporal_ordered", [BASE, other], **{"group-by": ["Computer", "DestinationIp"]}
    )
    assert "1000000" not in search
    assert '""' not in search


def test_s7_the_index_of_a_pipeline_stands_in_the_first_stage() -> None:
    """SigmaHQ's documentation, "Processing Pipelines", first recipe: add_condition of index and source."""
    for name, wanted in (("windows_logs", "index=windows_logs "), ("Win*", "index=win* ")):
        selection = {"EventID": 4688, "index": name, "source": "WinEventLog:Security"}
        query = text_of(converted("none", PROCESS, a=selection))
        assert query.split("```")[-1].lstrip("\n").startswith(wanted)
        assert "where" not in query
    several = text_of(converted("none", PROCESS, a={"index": ["a", "b"], "Image|re": "x"}))
    assert "index IN (a, b)" in several


def test_c5_where_does_not_say_again_what_the_search_said() -> None:
    other = {
        **BASE,
        "name": "other",
        "id": "22222222-1111-4111-8111-111111111113",
        "detection": {"a": {"DestinationPort": 445, "Image|re": r"y$"}, "condition": "a"},
    }
    for kind, section in (("event_count", {"condition": {"gte": 3}}), ("temporal", {})):
        search = correlated("sysmon", kind, [BASE, other], **section)
        first, _, rest = search.split("```")[-1].partition("\n|")
        assert "EventCode=3" in first
        assert "EventCode" not in rest
        assert "lower(source)" not in rest


def test_c5_no_short_wildcards_before_a_keyword() -> None:
    query = text_of(converted("sysmon", SYSTEM, a=["C:\\x yz"]))
    assert "*C*" not in query.split("|")[0]
    assert "*x*" not in query.split("|")[0]


@pytest.mark.parametrize(
    ("category", "code", "term"),
    [
        ("process_creation", 1, "ParentCommandLine"),
        ("process_access", 10, "GrantedAccess"),
        ("pipe_created", 17, "PipeName"),
        ("dns_query", 22, "QueryName"),
        ("registry_set", 13, "TargetObject"),
    ],
)
def test_c5_the_name_of_an_element_narrows_the_search(category: str, code: int, term: str) -> None:
    """Sysmon writes every element of its schema; splunk_records.yml has them in the published records."""
    field = "SourceImage" if code == 10 else "Image"
    conversion = converted("sysmon", {"category": category}, a={field: r"C:\a.exe"})
    assert f" {term} " in text_of(conversion).split("|")[0]
    event = {"EventID": code, field: r"C:\a.exe", "EventType": "CreatePipe" if code == 17 else "SetValue"}
    assert hits(conversion, [event, {**event, "EventID": 5}]) == [0]


def test_e1_the_channel_of_event_104_is_not_taken_for_the_logs() -> None:
    """rules/r1_eventlog_cleared.yml: no public conf shows LogFileCleared's Channel to be a field."""
    with pytest.raises(Refusal, match="Channel"):
        converted("sysmon", SYSTEM, "a and not b", a={"EventID": 104}, b={"Channel": "System"})
