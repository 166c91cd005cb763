"""Analytics rules of Microsoft Sentinel: what is in them, and that each alert is raised in one run.

Sources: the ARM schema in data/ (which names its own), and the validation of Azure/Azure-Sentinel (MIT; in
.script/tests/detectionTemplateSchemaValidation ScheduledTemplateInternalModel.cs, EntityMappingIdentifiers.cs
and AnalyticsTemplateInternalModelBase.cs), written down below as tables.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import jsonschema
import pytest
import yaml

from converter.attack.table import threat
from converter.engines import engine_for
from converter.errors import Refusal
from converter.exports.base import Part
from converter.exports.item import ExportItem
from converter.exports.microsoft import facts as shared_facts
from converter.exports.microsoft.query import duration, span
from converter.exports.microsoft.tactics import tactic_name
from converter.exports.sentinel import facts
from converter.exports.sentinel.formats import ARM, YAML
from converter.pipelines import cells
from converter.verify.stored import tables_of
from tests.exports.making import base, correlation, here, items, shipped, simple
from tests.exports.running import Case, cases, kql_at, runs

SCHEMA = json.loads((Path(__file__).parent / "data/sentinel-scheduled-rule.schema.json").read_text())
TACTICS = set(SCHEMA["properties"]["tactics"]["items"]["enum"])
SOURCES = ("sysmon", "defender", "crowdstrike", "windows-security")
# Entity -> identifiers, and those of which one must be there (EntityMappingIdentifiers.cs).
IDENTIFIERS = {
    "Account": (
        "Name FullName NTDomain DnsDomain UPNSuffix Sid AadTenantId AadUserId PUID IsDomainJoined "
        "DisplayName ObjectGuid",
        "FullName Sid Name AadUserId PUID ObjectGuid",
    ),
    "File": ("Directory Name", "Name"),
    "Host": (
        "DnsDomain NTDomain HostName FullName NetBiosName AzureID OMSAgentID OSFamily OSVersion "
        "IsDomainJoined",
        "FullName HostName NetBiosName AzureID OMSAgentID",
    ),
    "IP": ("Address", "Address"),
    "Process": ("ProcessId CommandLine ElevationToken CreationTimeUtc", "CommandLine ProcessId"),
    "RegistryKey": ("Hive Key", "Key Hive"),
}
CONNECTORS = {
    "SecurityEvents",
    "WindowsSecurityEvents",
    "WindowsForwardedEvents",
    "MicrosoftThreatProtection",
    "CrowdStrikeFalconS3CCPDefinition",
}
"""ValidConnectorIds.json; the last is the id of the solution's connector (Solutions/CrowdStrike Falcon
Endpoint Protection/Data Connectors/CrowdStrikeS3FDR_ccp/DataConnectorDefinition.json)."""
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def arm(item: ExportItem) -> dict[str, Any]:
    (resource,) = json.loads(str(ARM.part([item])))["resources"]
    return dict(resource)


def properties(item: ExportItem) -> dict[str, Any]:
    return dict(arm(item)["properties"])


def document(item: ExportItem) -> dict[str, Any]:
    made = YAML.part([item])
    assert not isinstance(made, str)
    (text,) = made.values()
    return dict(yaml.safe_load(text))


def check_document(rule: dict[str, Any]) -> None:
    """ScheduledTemplateInternalModel.cs and the attributes that it names."""
    for key in (
        "id",
        "kind",
        "name",
        "description",
        "requiredDataConnectors",
        "severity",
        "query",
        "version",
    ):
        assert key in rule
    assert str(UUID(rule["id"])) == rule["id"]
    assert rule["kind"] == "Scheduled"
    assert len(rule["name"]) <= 256
    assert len(rule["description"]) <= 5000
    assert rule["severity"] in ("Informational", "Low", "Medium", "High")
    assert 1 <= len(rule["query"]) <= 10_000
    every, back = (int(rule[key][:-1]) * SECONDS[rule[key][-1]] for key in ("queryFrequency", "queryPeriod"))
    assert rule["queryPeriod"][-1] in "mhd"
    assert 300 <= every <= back <= 14 * 86_400
    assert back < 2 * 86_400 or every >= 3600
    assert (rule["triggerOperator"], rule["triggerThreshold"]) == ("gt", 0)
    assert set(rule["tactics"]) <= TACTICS - {"PreAttack"}
    assert all(re.fullmatch(r"T\d{4}(\.\d{3})?", one) for one in rule["relevantTechniques"])
    assert {one["connectorId"] for one in rule["requiredDataConnectors"]} <= CONNECTORS
    assert re.fullmatch(r"\d+\.\d+\.\d+", rule["version"])
    assert len(rule["version"]) <= 20
    assert rule["status"] in ("Available", "Deprecated")
    check_alert(rule)


def check_alert(rule: dict[str, Any]) -> None:
    details = rule.get("customDetails", {})
    assert len(details) <= 20
    for name, column in details.items():
        assert re.fullmatch(r"[a-zA-Z]+\w{0,19}", name)
        assert len(name) <= 20
        assert re.fullmatch(r"[a-zA-Z_]+\w*", column)
    mappings = rule.get("entityMappings", [])
    assert "entityMappings" not in rule or 1 <= len(mappings) <= 5
    for mapping in mappings:
        known, required = (set(names.split()) for names in IDENTIFIERS[mapping["entityType"]])
        used = [one["identifier"] for one in mapping["fieldMappings"]]
        assert 1 <= len(used) <= 3
        assert len(set(used)) == len(used)
        assert set(used) <= known
        assert set(used) & required


@pytest.mark.parametrize("source", SOURCES)
def test_shipped_rules_fit_both_forms(source: str) -> None:
    found = shipped(source, "kql")
    assert found or source == "windows-security"
    for (item,) in found:
        rule = properties(item)
        jsonschema.validate(rule, SCHEMA)
        check_alert(rule)
        check_document(document(item))
        assert document(item)["query"] == rule["query"]


@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_microsofts_analyser_takes_every_query(source: str) -> None:
    engine = engine_for("kql")
    seen = set()
    for case in cases(source, "kql"):
        if case.item.id not in seen:
            engine.validate(properties(case.item)["query"], tables_of(case.conversion, case.stored))
            seen.add(case.item.id)
    assert len(seen) > 5


def of_each_rule(source: str) -> list[Case]:
    """The test of each rule with the most events."""
    found: dict[str, Case] = {}
    for case in cases(source, "kql"):
        before = found.get(case.item.id)
        if before is None or len(case.stored) > len(before.stored):
            found[case.item.id] = case
    return list(found.values())


@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_each_alert_is_raised_in_one_run(source: str) -> None:
    """Run after run over what each may read: all alerts of one run over everything, and each once."""
    column = {"sysmon": "TimeGenerated", "defender": "Timestamp"}[source]
    for case in of_each_rule(source):
        rule = document(case.item)
        query = rule["query"]
        every, back = (
            int(rule[key][:-1]) * SECONDS[rule[key][-1]] for key in ("queryFrequency", "queryPeriod")
        )
        expected = case.marks(case.run(case.item.queries[0].body, case.stored))
        assert expected
        raised: Counter[Any] = Counter()
        columns: set[str] = set()
        for _, result in runs(case, every, back, 0, lambda now, q=query: kql_at(q, now, column)):
            raised += case.marks(result)
            columns |= {name for row in result.rows for name in row}
        assert raised == expected, case.name
        # What alerts name is in the rows; a column that is missing makes the service refuse the rule.
        named = {one["columnName"] for m in rule.get("entityMappings", []) for one in m["fieldMappings"]}
        named |= set(rule.get("customDetails", {}).values())
        assert named <= columns, case.name
        assert case.item.correlation is None or "TimeGenerated" in columns


def test_a_late_event_is_judged_when_it_comes_in() -> None:
    """By ingestion_time() it is in the run after it came, however old it is within the period."""
    (case, *_) = [case for case in cases("sysmon", "kql") if case.item.correlation is None]
    query = properties(case.item)["query"]
    time = case.time(case.stored[0])
    came = time + timedelta(minutes=20)
    text = kql_at(query, came + timedelta(minutes=1), f"datetime({came.replace(tzinfo=None).isoformat()}Z)")
    assert case.run(text, case.stored).events
    text = kql_at(query, time + timedelta(minutes=1), f"datetime({came.replace(tzinfo=None).isoformat()}Z)")
    assert not case.run(text, case.stored).events


def test_the_columns_of_defenders_tables_are_in_the_list() -> None:
    with here():
        known = set(cells.cell("defender", "kql").columns)
    assert set().union(*shared_facts.DEVICE_COLUMNS.values()) <= known


def test_the_tactics_of_attack_have_names_in_sentinel() -> None:
    tags = [f"attack.{name}" for name in ("stealth", "defense-impairment", "command-and-control", "impact")]
    names = [tactic_name(one.name) for one in threat(tags, facts.ATTACK)]
    assert set(names) == {"DefenseEvasion", "CommandAndControl", "Impact"}
    rule = properties(simple(target="kql", tags=[*tags, "attack.t1021.002", "attack.t1021.003"]))
    assert rule["tactics"].count("DefenseEvasion") == 1
    assert set(rule["tactics"]) <= TACTICS
    assert rule["techniques"] == ["T1021"]
    assert document(simple(target="kql", tags=["attack.t1021.002"]))["relevantTechniques"] == ["T1021.002"]


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"level": "informational"}, {"severity": "Informational"}),
        ({"level": "low"}, {"severity": "Low"}),
        ({}, {"severity": "Medium"}),
        ({"level": "critical"}, {"severity": "High"}),
        ({}, {"enabled": False, "suppressionEnabled": False, "triggerThreshold": 0}),
        ({}, {"queryFrequency": "PT5M", "queryPeriod": "PT30M"}),
        ({"title": "[x]"}, {"displayName": "[[x]"}),
        ({"title": "[x"}, {"displayName": "[x"}),
        ({"fields": ["Image", "User"]}, {"customDetails": {"Image": "Image", "User": "User"}}),
        (
            {},
            {
                "entityMappings": [
                    {"entityType": kind, "fieldMappings": [{"identifier": "FullName", "columnName": column}]}
                    for kind, column in (("Host", "Computer"), ("Account", "User"))
                ]
                + [
                    {
                        "entityType": "Process",
                        "fieldMappings": [
                            {"identifier": name, "columnName": name} for name in ("CommandLine", "ProcessId")
                        ],
                    },
                    {
                        "entityType": "File",
                        "fieldMappings": [
                            {"identifier": "Name", "columnName": "Image_Name"},
                            {"identifier": "Directory", "columnName": "Image_Folder"},
                        ],
                    },
                ]
            },
        ),
    ],
)
def test_properties(doc: dict[str, Any], expected: dict[str, Any]) -> None:
    rule = properties(simple(target="kql", **doc))
    assert {key: rule[key] for key in expected} == expected


def test_a_long_description_keeps_its_attribution() -> None:
    found = properties(simple(target="kql", description="y" * 6000))["description"]
    assert len(found) == 5000
    assert re.fullmatch(r"y+…\n\nMade by sigconv from Sigma rule [-\w]+; fidelity: exact\.", found)


def test_a_long_title_is_cut() -> None:
    item = simple(target="kql")
    made = properties(replace(item, rule={**item.rule, "title": "x" * 300}))
    assert made["displayName"] == "x" * 255 + "…"


def test_resource() -> None:
    item = simple(target="kql")
    resource = arm(item)
    assert resource["kind"] == "Scheduled"
    assert resource["apiVersion"] == "2025-09-01"
    assert resource["name"] == f"[concat(parameters('workspace'), '/Microsoft.SecurityInsights/{item.id}')]"
    assert resource["id"].endswith(f"'/alertRules/{item.id}')]")
    template = json.loads(str(ARM.part([item])))
    assert set(template) == {"$schema", "contentVersion", "parameters", "resources"}


@pytest.mark.parametrize(
    ("timespan", "every", "back"),
    [
        ("10m", "5m", "40m"),
        ("90s", "5m", "32m"),
        ("47h", "5m", "2850m"),
        ("48h", "1h", "2965m"),
        ("13d", "1h", "18805m"),
    ],
)
def test_schedule_of_a_window(timespan: str, every: str, back: str) -> None:
    counted = correlation("event_count", ["first"], timespan, condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, targets=("kql",))
    rule = document(item)
    assert (rule["queryFrequency"], rule["queryPeriod"]) == (every, back)
    assert duration(int(back[:-1]) * 60) == properties(item)["queryPeriod"]


def test_what_sentinel_cannot_hold_is_refused() -> None:
    counted = correlation("event_count", ["first"], "14d", condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, targets=("kql",))
    with pytest.raises(Refusal, match="14 days") as refused:
        ARM.part([item])
    assert refused.value.code == "SC210"
    item = simple(target="kql")
    long = replace(item.queries[0], body=item.queries[0].body + "\n| where 1 == 1" * 700)
    for form in (ARM, YAML):
        with pytest.raises(Refusal, match="10000 characters"):
            form.part([replace(item, queries=(long,))])


@pytest.mark.parametrize(
    "text",
    [
        "'q' \"q\" \\ / {{x}} ${y} %z%",
        "a: b # c",
        "- [x]",
        "ü 日本 \U0001f600",
        "tab\tand\x85\u2028",
        "yes",
        "1",
    ],
)
def test_hostile_texts_come_back(text: str) -> None:
    item = simple(target="kql", title=text, description=text, fields=["Image"], tags=[f"x.{text}"])
    assert properties(item)["displayName"] == " ".join(text.split())
    assert properties(item)["description"].startswith(text.strip() + "\n\nMade by sigconv")
    rule = document(item)
    assert (rule["name"], rule["tags"]) == (" ".join(text.split()), ["Sigma", f"x.{text}"])
    assert rule["description"].startswith(text.strip() + "\n\nMade by sigconv")


def test_hostile_values_come_back() -> None:
    value = "'\"\\n{{`${x}` %y% [z] # ü"
    detection = {"selection": {"CommandLine|contains": value}, "condition": "selection"}
    item = simple(target="kql", detection=detection)
    assert document(item)["query"] == properties(item)["query"]
    from converter.engines.kql.literals import literals

    assert value in [one.value for one in literals(document(item)["query"])]


def test_the_file_of_all_rules() -> None:
    assert ARM.whole is not None
    text = str(ARM.part([simple(target="kql")]))
    parts = [Part(str(n), "r.yml", f"{n}.json", text) for n in range(51)]
    assert list(ARM.whole("sysmon", parts[:50])) == ["rules.json"]
    files = ARM.whole("sysmon", parts)
    assert [len(json.loads(one)["resources"]) for one in files.values()] == [50, 1]


def test_times() -> None:
    assert [duration(n) for n in (0, 300, 3600, 86_400, 90_060)] == [
        "PT0S",
        "PT5M",
        "PT1H",
        "P1D",
        "P1DT1H1M",
    ]
    assert [span(n) for n in (90, 300, 5400, 7200, 86_400)] == ["90s", "5m", "90m", "2h", "1d"]
