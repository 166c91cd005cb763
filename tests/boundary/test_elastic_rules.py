"""What Elastic stores and answers (findings E1 to E11 and C6), each with the place that says so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from converter.backends.lucene import LuceneBackend
from converter.conversion.convert import Options, convert
from converter.engines.lucene import LuceneEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.model import BaseRule, Fidelity
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.verify.stored import tables_of
from converter.verify.verify import selected, streams_of
from tests.boundary.elastic import converted, hits, rule_of
from tests.support import ROOT, none_base


# elastic/beats x-pack/winlogbeat/module/sysmon/ingest/sysmon.yml removes winlog.event_data.Details.
@pytest.mark.parametrize("logsource", [{"service": "sysmon"}, {"category": "registry_set"}], ids=str)
@pytest.mark.parametrize(("value", "searched"), [("*evil*", True), ("DWORD (0x00000001)", False)])
def test_e11_winlogbeat_is_left_out_where_it_lacks_details(
    logsource: dict[str, str], value: str, searched: bool
) -> None:
    rule = rule_of({"s": {"EventID": 13, "Details": value}, "condition": "s"}, **logsource)
    for language in ("eql", "lucene"):
        plan = converted(rule, "sysmon", language).plan
        assert isinstance(plan, BaseRule)
        assert ("winlogbeat-*" in plan.state["index"]) is searched


# Sigma specification 2.1, appendix Taxonomy: each of these categories is an event id of Sysmon of its own.
@pytest.mark.parametrize(
    ("categories", "queries"),
    [
        (("network_connection", "file_event"), 2),
        (("process_creation", "registry_event"), 2),
        (("registry_set", "registry_delete"), 2),
        # Event 13 is of both.
        (("registry_set", "registry_event"), 3),
    ],
    ids=str,
)
@pytest.mark.parametrize("source", ["sysmon", "none"])
def test_e10_no_query_for_an_event_of_two_kinds(
    categories: tuple[str, str], queries: int, source: str
) -> None:
    base: dict[str, Any] = {"title": "t", "detection": {"s": {"Image|endswith": "a"}, "condition": "s"}}
    docs = [
        {**base, "name": f"r{n}", "logsource": {"product": "windows", "category": category}}
        for n, category in enumerate(categories)
    ]
    correlation = {"type": "temporal", "rules": ["r0", "r1"], "group-by": ["ProcessGuid"], "timespan": "5m"}
    docs.append({"title": "c", "name": "c", "correlation": correlation})
    chosen = RuleSet([Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0) for doc in docs], [], [])
    found = convert(chosen, chosen.rules[2], cells.cell(source, "eql"), Options("any"))
    assert len(found.queries) == queries


# findings/rules/r1_eventlog_cleared.yml. In event 104 winlog.user_data.Channel is the log that was cleared,
# and winlog.channel the one that the record is in (elastic/beats winlogbeat/docs/fields.asciidoc); the
# specification's Channel is the record's.
@pytest.mark.parametrize("language", ["eql", "lucene"])
def test_e1_the_channel_is_that_of_the_record(language: str) -> None:
    cleared = {"EventID": 104, "Provider_Name": "Microsoft-Windows-Eventlog"}
    filtered = {"s": cleared, "f": {"Channel": ["System", "Security"]}, "condition": "s and not f"}
    for detection in (filtered, {"s": {**cleared, "Channel": "Application"}, "condition": "s"}):
        with pytest.raises(Refusal, match="Channel") as raised:
            converted(rule_of(detection, service="system"), "sysmon", language)
        assert raised.value.code == "SC211"
        assert "104" in str(raised.value.hint)
    found = converted(
        rule_of({"s": {**cleared, "Channel": "System"}, "condition": "s"}, service="system"),
        "sysmon",
        language,
    )
    assert str(found.fidelity) == "exact"


# OTRF/Security-Datasets empire_shell_rubeus_asktgt_createnetonly has records of the collector
# wec.internal.cloudapp.net with the Channel "security" beside others with "Security": a subscription's query
# names the log in any case. Winlogbeat's routing pipeline compares ctx.winlog.channel.toLowerCase().
@pytest.mark.parametrize("language", ["eql", "lucene"])
@pytest.mark.parametrize(
    ("source", "service", "channel"),
    [("windows-security", "security", "Security"), ("sysmon", "system", "System")],
)
def test_a_collector_may_write_the_log_in_lower_case(
    source: str, service: str, channel: str, language: str
) -> None:
    one = rule_of(
        {"s": {"EventID": 4697 if service == "security" else 7045}, "condition": "s"}, service=service
    )
    found = converted(one, source, language)
    event = {"EventID": 4697 if service == "security" else 7045, "ServiceName": "a"}
    named = [channel, channel.lower(), "Microsoft-Windows-Sysmon/Operational"]
    marks = selected(found, [{**event, "Channel": name} for name in named])
    assert {mark.event for mark in marks} == {0, 1}


# elastic/elasticsearch docs, mapping/types/date: a date is no text; wildcards are for keyword, text and
# wildcard fields (QueryStringQueryParser, lenient with default field `*`). @timestamp is a date everywhere.
def test_e9_keywords_are_not_looked_for_in_the_time() -> None:
    doc = {"@timestamp": "2026-01-01T00:00:00Z", "Data": "x"}
    session = LuceneEngine().load([Stored(0, "Events", doc)], {"Events": {}})
    assert list(session.run("*2026*").events) == []
    assert list(session.run("*x*").events) == [0]
    for keyword, label in (("2026", "narrower"), ("mimikatz", "exact")):
        [draft] = LuceneBackend().event(none_base({"k": [keyword], "condition": "k"}, "lucene"))
        assert str(max((one.fidelity for one in draft.reasons), default=Fidelity.EXACT)) == label


# Threshold rules count documents and distinct values of a query (Elastic Security, "Create a threshold
# rule"): nothing joins the file of one document with the program of another.
@pytest.mark.parametrize("name", ["psexec_on_many_hosts", "remote_psexec_on_target"])
def test_e5_a_threshold_without_its_inner_correlations_is_not_the_default(name: str) -> None:
    found = loading.load([ROOT / "sigma/windows/lateral_movement"], ROOT / "sigma")
    rule = next(one for one in emitted_rules(found) if one.path.stem == name)
    for source in ("sysmon", "defender", "crowdstrike"):
        cell = cells.cell(source, "lucene")
        with pytest.raises(Refusal, match="without bound: the inner correlations") as raised:
            convert(found, rule, cell)
        assert raised.value.code == "SC208"
        assert str(convert(found, rule, cell, Options("any")).fidelity) == "broader"


# elastic/detection-rules (rules/windows/*.toml, `[[rule.filters]]`): a filter is a query of the DSL, negated
# or not; Kibana's query rules join the query and the filters by AND (kbn-es-query, buildEsQuery).
@pytest.mark.parametrize(
    "detection",
    [
        {"s": {"Image|endswith": "\\Cmd.exe", "CommandLine|contains": ["/c ", "/K "]}, "condition": "s"},
        {"s": {"Image": "*a*"}, "f": {"CommandLine|re|i": "x+y"}, "condition": "s and not f"},
        {"a": {"ProcessId": 4}, "b": {"Image|startswith": "c:\\"}, "condition": "a or b"},
        {"s": {"ProcessId": 4, "Hashes|contains": "MD5=0123456789ABCDEF0123456789ABCDEF"}, "condition": "s"},
        {"s": {"Image|contains": "a"}, "condition": "not s"},
        {"k": ["whoami"], "s": {"User|endswith": "m"}, "condition": "k and s"},
    ],
    ids=str,
)
def test_c6_query_rules_have_filters_that_select_what_the_text_does(detection: dict[str, Any]) -> None:
    rule = rule_of(detection, category="process_creation")
    conversion = converted(rule, "sysmon", "lucene")
    [emitted] = conversion.queries
    [stream] = streams_of(RuleSet([rule], [], []), rule, ROOT / "tests" / "rules")
    stored = [shape_for("sysmon", "elastic").store(event, n) for n, event in enumerate(stream.events)]
    session = LuceneEngine().load(stored, tables_of(conversion, stored))
    kept = [{"query_string": {"query": emitted.extra["query"]}}]
    barred = []
    for one in emitted.extra["filters"]:
        (barred if one["meta"]["negate"] else kept).append(one["query"])
    text = json.dumps({"query": {"bool": {"filter": kept, "must_not": barred}}})
    assert session.run(text).events == session.run(emitted.body).events
    assert session.run(text).events
    # Filters fold case and say so in words; only query_string searches all fields, for keywords.
    assert "case_insensitive" in text
    assert ("[Aa]" in text) is ("k" in detection)


def test_c6_text_that_needs_no_filter_stays_text() -> None:
    conversion = converted(
        rule_of({"s": {"ProcessId": 4}, "condition": "s"}, category="process_creation"), "sysmon", "lucene"
    )
    assert "filters" not in conversion.queries[0].extra


# elastic/kibana, common/api/detection_engine/model/rule_schema/rule_schemas.schema.yaml:
# ThresholdRuleOptionalFields has `filters` as QueryRuleOptionalFields has. The documents that a threshold
# rule counts are those that its query and its filters select.
@pytest.mark.parametrize(("path", "expected"), [("C:\\a\\PsExec.EXE", 2), ("C:\\a\\cmd.exe", 0)])
def test_c6_threshold_rules_have_filters(path: str, expected: int) -> None:
    logsource = {"product": "windows", "category": "process_creation"}
    named = {"Image|endswith": "\\psexec.exe", "CommandLine|contains": "-S "}
    detection = {"s": named, "f": {"User|endswith": "\\Ann"}, "condition": "s and not f"}
    counting = {"type": "event_count", "rules": ["r"], "group-by": ["Computer"], "timespan": "5m"}
    counting["condition"] = {"gte": 2}
    docs: list[dict[str, Any]] = [
        {"title": "r", "name": "r", "logsource": logsource, "detection": detection},
        {"title": "c", "name": "c", "correlation": counting},
    ]
    chosen = RuleSet([Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0) for doc in docs], [], [])
    conversion = convert(chosen, chosen.rules[1], cells.cell("sysmon", "lucene"), Options("any"))
    [emitted] = conversion.queries
    written = json.loads(emitted.body)
    assert "[" not in written["query"]
    assert "case_insensitive" in json.dumps(written["filters"])
    users = ["LAB\\bob", "LAB\\ANN", "LAB\\bob"]
    events: list[dict[str, Any]] = [
        {
            "EventID": 1,
            "Channel": "Microsoft-Windows-Sysmon/Operational",
            "Provider_Name": "Microsoft-Windows-Sysmon",
            "UtcTime": f"2026-01-01 00:00:0{second}.000",
            "Computer": "ws1",
            "Image": path,
            "CommandLine": "x -s y",
            "User": user,
        }
        for second, user in enumerate(users)
    ]
    stored = [shape_for("sysmon", "elastic").store(event, n) for n, event in enumerate(events)]
    session = LuceneEngine().load(stored, tables_of(conversion, stored))
    assert sum(row["count"] for row in session.run(emitted.body).rows) == expected


# elastic/integrations packages/system/data_stream/security/_dev/test/pipeline/test-4674.json-expected.json:
# of `%%1538 %%1542` the document has the codes as a list, in later versions their meaning.
def test_codes_of_an_access_mask_are_no_text() -> None:
    masks = {"s": {"EventID": 4663, "AccessMask": ["0x6", "0x40"]}, "condition": "s"}
    codes = {"s": {"EventID": 4674, "AccessMask|contains": "%%1538"}, "condition": "s"}
    for language in ("eql", "lucene"):
        mask = converted(rule_of(masks, service="security"), "windows-security", language)
        event = {"EventID": 4663, "Channel": "Security", "AccessMask": "0x6"}
        assert (str(mask.fidelity), hits(mask, [event])) == ("exact", [0])
        with pytest.raises(Refusal, match="codes of an AccessMask"):
            converted(rule_of(codes, service="security"), "windows-security", language)
