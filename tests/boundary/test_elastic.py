"""What Elastic stores and answers (findings E1 to E11 and C6), each with the place that says so."""

from __future__ import annotations

import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from converter.backends.eql import EqlBackend
from converter.backends.lucene import LuceneBackend
from converter.backends.lucene.expression import ANY, both
from converter.backends.lucene.query import query
from converter.backends.lucene.words import ANALYSERS, conditions
from converter.conversion.convert import Conversion, Options, convert
from converter.engines.eql import EqlEngine
from converter.engines.lucene import LuceneEngine
from converter.engines.lucene.index import Fields
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.plan.model import BaseRule, Fidelity
from converter.project import stock_pipelines
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.verify.stored import tables_of
from converter.verify.verify import compare, selected, streams_of
from tests.proof import real_events
from tests.support import ROOT, none_base

SCRIPTS = "powershell.file.script_block_text"
PATTERN = r"[\W&&[^-]]+"
INDEX = "logs-windows.powershell_operational-default"


def tokens(column: Column, text: str) -> list[str]:
    """Return what Lucene's analyser makes of a text."""
    import jpype

    stream = Fields({"t": column}, []).analyzer().tokenStream(jpype.JString("t"), jpype.JString(text))
    term = stream.addAttribute(jpype.JClass("org.apache.lucene.analysis.tokenattributes.CharTermAttribute"))
    stream.reset()
    found = []
    while stream.incrementToken():
        found.append(str(term.toString()))
    stream.close()
    return found


# elastic/integrations packages/windows/data_stream/powershell_operational/manifest.yml (analyzer) and
# fields/fields.yml (the field); the same in forwarded/manifest.yml and in winlogbeat's template.
def test_e4_script_blocks_have_the_analyser_of_the_integration() -> None:
    column = cells.cell("sysmon", "lucene").columns[SCRIPTS]
    assert (column.type, column.analyzer) == ("text", PATTERN)


# The pattern is what separates: everything but A-Z, a-z, 0-9, the underscore and the hyphen.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Get-System", ["get-system"]),
        ("[Net.WebClient]::new()", ["net", "webclient", "new"]),
        ("$env:TEMP\\a_b-c.ps1", ["env", "temp", "a_b-c", "ps1"]),
        ("café – Übung", ["caf", "bung"]),
    ],
)
def test_e4_tokens_of_script_blocks(text: str, expected: list[str]) -> None:
    assert tokens(Column("text", analyzer=PATTERN), text) == expected


# Unicode Standard Annex 29: a hyphen separates, a full stop between letters does not.
def test_e4_other_text_has_the_standard_analyser() -> None:
    assert tokens(Column("text"), "Get-System it's a.b c_d") == ["get", "system", "it's", "a.b", "c_d"]


@pytest.mark.parametrize(
    ("item", "expected", "fidelity"),
    [
        ({"contains": "Get-System"}, "*get-system*", "exact"),
        (
            {"contains": "New-Object System.Net.WebClient"},
            '(*new-object AND "system net" AND webclient*)',
            "broader",
        ),
        ({"contains": " -enc "}, '"-enc"', "broader"),
        ({"startswith": "param ("}, "param", "broader"),
        ({"endswith": "Get-Host"}, "*get-host", "broader"),
        ({"contains": "iex $a; iex $b"}, '(*iex AND "a iex" AND b*)', "broader"),
    ],
    ids=str,
)
def test_e4_whole_words_are_phrases(item: dict[str, str], expected: str, fidelity: str) -> None:
    [(modifier, value)] = item.items()
    base = none_base({"s": {f"t|{modifier}": value}, "condition": "s"}, "lucene")
    columns = {"t": Column("text", analyzer=PATTERN)}
    [draft] = LuceneBackend().event(BaseRule(base.rule, base.name, base.tree, base.state, columns))
    assert draft.text == f"t:{expected}"
    label = max((reason.fidelity for reason in draft.reasons), default=Fidelity.EXACT)
    assert str(label) == fidelity
    assert all(reason.relaxation.startswith("words: pattern") for reason in draft.reasons)


@pytest.mark.parametrize("analyzer", [None, PATTERN])
def test_e4_no_text_that_holds_the_value_is_missed(analyzer: str | None) -> None:
    """Whatever is around a value, and in it: the words that the query asks for are in the field."""
    random = Random(4)
    alphabet = "aB9_-. ,:;'\"$()\\/\n#*@é–Ω漢"
    columns = {"t": Column("text", analyzer=analyzer)}
    for _ in range(300):
        value, before, after = ("".join(random.choices(alphabet, k=random.randint(0, 9))) for _ in range(3))
        nodes = conditions("t", (ANY, value, ANY), ANALYSERS[analyzer])
        if nodes:
            stored = [Stored(0, "i", {"t": before + value + after})]
            found = LuceneEngine().load(stored, {"i": columns}).run(query(both(nodes)))
            assert list(found.events) == [0], (before, value, after, query(both(nodes)))


# elastic/elasticsearch x-pack/plugin/eql/src/main/java/org/elasticsearch/xpack/eql/analysis/Analyzer.java,
# ResolveOrReplaceOptionalRefs: in a filter an optional field that no index maps is the literal null; constant
# folding makes null of its comparison and of its opposite, and PruneFilters drops a filter that is null.
# `== null` of it holds (qa/common/src/main/resources/test_extra.toml, optionalMissingFieldNullEquality).
@pytest.mark.parametrize(
    ("condition", "mapped", "unmapped"),
    [
        ('?f : "x"', [], []),
        ('not ?f : "x"', [0, 1], []),
        ('?f != "x"', [0, 1], []),
        ("?f == null", [0], [0]),
        ('?f == null or not ?f : "x"', [0, 1], [0]),
        ('g : "1" or ?f : "x"', [0], [0]),
        ('not (g : "1" and ?f : "x")', [0, 1], []),
    ],
)
def test_e8_a_field_that_no_index_has_is_null(condition: str, mapped: list[int], unmapped: list[int]) -> None:
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    docs: list[dict[str, Any]] = [{"g": "1"}, {"f": "y", "g": "2"}]
    assert run_eql(f"any where {condition}", docs, columns) == mapped
    assert run_eql(f"any where {condition}", docs[:1], columns) == unmapped


def run_eql(text: str, docs: list[dict[str, Any]], columns: dict[str, Column]) -> list[int]:
    stored = [Stored(number, "i", doc) for number, doc in enumerate(docs)]
    return list(EqlEngine().load(stored, {"i": columns}).run(text).events)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("not a", '?f == null or not ?f : "x"'),
        ("not (a or b)", '(?f == null or not ?f : "x") and not g : "y"'),
        ("not (a and b)", '?f == null or not ?f : "x" or not g : "y"'),
        ("a and not c", '?f : "x" and not ?f : "x*z"'),
        ("b and not d", 'g : "y" and (?f == null or not ?f : ("p", "q"))'),
    ],
)
def test_e8_negations_hold_where_no_index_has_the_field(condition: str, expected: str) -> None:
    selections = {"a": {"f": "x"}, "b": {"g": "y"}, "c": {"f": "x*z"}, "d": {"f": ["p", "q"]}}
    base = none_base({**selections, "condition": condition}, "eql")
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    base = BaseRule(base.rule, base.name, base.tree, base.state, columns)
    [draft] = EqlBackend().event(base)
    assert draft.text == f"any where {expected}"
    # The document that has neither field is one that each negation selects.
    assert run_eql(draft.text, [{"h": "1"}], columns) == ([0] if condition.startswith("not") else [])


def rule_of(detection: dict[str, Any], level: str = "high", **logsource: str) -> Rule:
    doc = {
        "title": "t",
        "id": "11111111-0000-4000-8000-000000000005",
        "level": level,
        "logsource": {"product": "windows", **logsource},
        "detection": detection,
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


def converted(rule: Rule, source: str, language: str, fidelity: str = "any") -> Conversion:
    return convert(RuleSet([rule], [], []), rule, cells.cell(source, language), Options(fidelity))


@pytest.mark.parametrize("field", ["OriginalFileName", "Product", "Description", "Company", "ParentUser"])
def test_e8_what_the_integration_does_not_declare_is_optional(field: str) -> None:
    """packages/windows/data_stream/sysmon_operational/fields (ecs.yml, winlog.yml) has none of these."""
    rule = rule_of({"a": {field: "x"}, "condition": "a"}, category="process_creation")
    (name,) = [one for one in converted(rule, "sysmon", "eql").queries[0].text.split() if one[:1] == "?"]
    assert name.split(".")[-1].lower() in (field.lower(), "original_file_name")


def hits(conversion: Conversion, events: list[dict[str, Any]]) -> list[int]:
    return sorted(mark.event for mark in selected(conversion, events) if mark.event is not None)


# A keyword's default is no limit in Elasticsearch, 1024 in Fleet (elastic/kibana x-pack/plugins/fleet,
# template.ts, DEFAULT_IGNORE_ABOVE) and in libbeat's templates; ECS and ecs@mappings state it, too.
# `registry.data.strings` and command lines are of type wildcard, without a limit.
@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike", "windows-security"])
def test_e6_keywords_are_indexed_up_to_1024_characters(source: str) -> None:
    for language in ("eql", "lucene"):
        columns = cells.cell(source, language).columns
        assert {one.ignore_above for one in columns.values() if one.type == "keyword"} == {1024}
        assert {one.ignore_above for one in columns.values() if one.type == "wildcard"} == {None}


@pytest.mark.parametrize(
    ("length", "found", "ignored"), [(1024, [0], []), (1025, [], [0])], ids=["at the limit", "beyond"]
)
def test_e6_the_engines_index_has_no_longer_value(length: int, found: list[int], ignored: list[int]) -> None:
    columns = {"f": Column("keyword", ignore_above=1024), "@timestamp": Column("date")}
    doc = {"f": "a" * length, "@timestamp": "2026-01-01T00:00:00Z"}
    session = LuceneEngine().load([Stored(0, "i", doc)], {"i": columns})
    for text in ("f:a*", "_exists_:f", "f:*a"):
        assert list(session.run(text).events) == found
    assert list(session.run("_ignored:f").events) == ignored
    for condition in ('f : "a*"', "f != null"):
        assert run_eql(f"any where {condition}", [doc], columns) == found


SERVICE = {"s": {"EventID": 7045, "ImagePath|contains": "powershell"}, "condition": "s"}
LONG = "%COMSPEC% /b /c start /b /min powershell -enc " + "QQBB" * 400


def test_e6_a_service_whose_command_is_long() -> None:
    """What Empire installs (otrf/empire_psexec_dcerpc_tcp_svcctl) is found, or it is said that it is not."""
    rule = rule_of(SERVICE, service="system")
    event = {"EventID": 7045, "Channel": "System", "Provider_Name": "Service Control Manager"}
    events: list[dict[str, Any]] = [{**event, "ImagePath": path} for path in (LONG, "x" * 1025, "powershell")]
    lucene = converted(rule, "sysmon", "lucene")
    assert hits(lucene, events) == [0, 1, 2]
    assert (str(lucene.fidelity), lucene.reasons[0].relaxation) == (
        "broader",
        "long values selected:1024,winlog.event_data.ImagePath",
    )
    eql = converted(rule, "sysmon", "eql")
    assert hits(eql, events) == [2]
    assert (str(eql.fidelity), eql.reasons[0].relaxation) == (
        "narrower",
        "long values missing:1024,winlog.event_data.ImagePath",
    )
    with pytest.raises(Refusal):
        converted(rule, "sysmon", "eql", "broader")


@pytest.mark.parametrize(("condition", "fidelity"), [("k", "narrower"), ("s and not k", "broader")])
def test_e6_keywords_in_eql_do_not_see_long_values(condition: str, fidelity: str) -> None:
    """A task's definition is often longer than 1,024 characters (public 4698 records): it is not indexed."""
    rule = rule_of({"k": ["mimikatz"], "s": {"EventID": 4698}, "condition": condition}, service="security")
    conversion = converted(rule, "windows-security", "eql")
    texts = ["mimikatz", "x" * 1100 + "mimikatz", "other"]
    events = [{"EventID": 4698, "Channel": "Security", "TaskContent": text} for text in texts]
    assert hits(conversion, events) == ([0] if condition == "k" else [1, 2])
    assert str(conversion.fidelity) == fidelity
    (reason,) = [one for one in conversion.reasons if "keywords" in one.text]
    assert "values of more than 1,024 characters" in reason.text
    # The relaxed rule, evaluated by the matcher, means just that.
    verdict = compare(RuleSet([rule], [], []), conversion, "records", events)
    assert (verdict.missed, verdict.extra, verdict.shown > 0) == ([], [], True)


@pytest.mark.parametrize(
    ("detection", "lucene", "eql"),
    [
        # A value of at most 1,024 characters equals no longer one.
        ({"s": {"ImagePath": "C:\\x.exe"}, "condition": "s"}, "exact", "exact"),
        ({"s": {"ImagePath|startswith": "C:\\x"}, "condition": "s"}, "broader", "narrower"),
        ({"s": {"ImagePath|re": "^C:"}, "condition": "s"}, "broader", "narrower"),
        ({"s": {"ImagePath|re": "^C:.{1,9}(a|bc)$"}, "condition": "s"}, "exact", "exact"),
        ({"s": {"ImagePath": None}, "condition": "s"}, "exact", "broader"),
        ({"s": {"ImagePath|exists": True}, "condition": "s"}, "exact", "narrower"),
        (
            {"s": {"ServiceName": "a"}, "f": {"ImagePath|contains": "x"}, "condition": "s and not f"},
            "broader",
            "broader",
        ),
        # Both ways of one field: no record with a long value may be both.
        (
            {"s": {"ImagePath|contains": "a"}, "f": {"ImagePath|contains": "x"}, "condition": "s and not f"},
            "narrower",
            "narrower",
        ),
        # Names, paths and identifiers are within the limit.
        ({"s": {"ServiceName|contains": "x"}, "condition": "s"}, "exact", "exact"),
    ],
    ids=str,
)
def test_e6_labels(detection: dict[str, Any], lucene: str, eql: str) -> None:
    for language, label in (("lucene", lucene), ("eql", eql)):
        assert str(converted(rule_of(detection, service="system"), "sysmon", language).fidelity) == label


@pytest.mark.parametrize("language", ["lucene", "eql"])
@pytest.mark.parametrize(
    ("item", "label", "found"),
    [
        ({"Details|contains": "powershell"}, "exact", [0, 3]),
        ({"Details": "(Empty)"}, "exact", [2]),
        ({"Details": "DWORD (0x0000000a)"}, "exact", [1]),
        ({"Details": None}, "exact", [4]),
        ({"Details|contains": "0000000a"}, None, [1]),
        ({"Details|contains": ["powershell", "0000000a"]}, None, [0, 1, 3]),
        ({"Details|re": "^powershell x+$"}, None, []),
    ],
    ids=str,
)
def test_e6_registry_data_is_looked_for_where_it_is_whole(
    item: dict[str, Any], label: str | None, found: list[int], language: str
) -> None:
    """findings/rules/r5_details_long.yml; registry.data.strings is of type wildcard and has decimals."""
    rule = rule_of({"s": item, "condition": "s"}, category="registry_set")
    details = ["x powershell", "DWORD (0x0000000a)", "(Empty)", "powershell " + "x" * 2000, None]
    events = [{"EventID": 13, "TargetObject": r"HKLM\a\b", "Details": one} for one in details]
    conversion = converted(rule, "sysmon", language)
    assert hits(conversion, events) == sorted({*found, *([3] if not label and language == "lucene" else [])})
    if label:
        assert str(conversion.fidelity) == label
    else:
        # The integration's Details are a keyword: Lucene selects what is too long for it, EQL does not.
        assert str(conversion.fidelity) == {"lucene": "broader", "eql": "narrower"}[language]


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


@pytest.mark.proof
@pytest.mark.shared
@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike", "windows-security"])
def test_e6_only_fields_that_are_marked_hold_long_values(source: str) -> None:
    """The public logs' records, as each source's documents hold them (assumption `<source>-elastic-...`)."""
    columns = cells.cell(source, "eql").columns
    shape = shape_for(source, "elastic", stock_pipelines.folder())
    longest: dict[str, int] = {}
    for number, event in enumerate(real_events.read(real_events.files(), 10**6)):
        for name, held in shape.store(event, number).doc.items():
            column = columns.get(name)
            if column is None or column.type != "keyword" or column.long:
                continue
            for text in held if isinstance(held, list) else [held]:
                longest[name] = max(longest.get(name, 0), len(str(text)))
    assert len(longest) > 15
    assert {name: length for name, length in longest.items() if length > 1024} == {}
