"""Custom detections of Defender XDR: what is in them, what they must return, and how often they run."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner

from converter.engines import engine_for
from converter.errors import Refusal
from converter.exports.defender import facts
from converter.exports.defender.rule import JSON
from converter.exports.item import ExportItem
from converter.verify.stored import tables_of
from tests.exports.defender_fields import RULE
from tests.exports.making import base, correlation, items, shipped, simple
from tests.exports.running import Case, cases, kql_at, runs

SECONDS = {"PT0S": 0, "PT1H": 3600, "PT3H": 3 * 3600, "PT12H": 12 * 3600, "P1D": 86_400}
# What the service reads, by Microsoft's "Create and manage custom detections rules".
LOOKBACK = {"PT1H": 4 * 3600, "PT3H": 12 * 3600, "PT12H": 48 * 3600, "P1D": 30 * 86_400}
FILTER = {"selection": {"Image|endswith": r"\a.exe"}, "condition": "selection"}


def rule(item: ExportItem) -> dict[str, Any]:
    made = JSON.part([item])
    assert not isinstance(made, str)
    (text,) = made.values()
    return dict(json.loads(text))


def made(**more: Any) -> dict[str, Any]:
    return rule(simple(source="defender", target="kql", **more))


def query(found: dict[str, Any]) -> str:
    return str(found["queryCondition"]["queryText"])


def columns(found: dict[str, Any]) -> set[str]:
    template = found["detectionAction"]["alertTemplate"]
    mapped = {name for one in template["entityMappings"].values() for m in one for name in m.values()}
    return mapped | set(template.get("customDetails", {}).values())


def of_each_rule() -> list[Case]:
    found: dict[str, Case] = {}
    for case in cases("defender", "kql"):
        before = found.get(case.item.id)
        if before is None or len(case.stored) > len(before.stored):
            found[case.item.id] = case
    return list(found.values())


def test_shipped_rules_fit_the_schema() -> None:
    found = shipped("defender", "kql")
    assert len(found) > 5
    ids = set()
    for (item,) in found:
        jsonschema.validate(rule(item), RULE)
        ids.add(rule(item)["id"])
    assert len(ids) == len(found)


def test_microsofts_analyser_takes_every_query() -> None:
    engine = engine_for("kql")
    for case in of_each_rule():
        engine.validate(query(rule(case.item)), tables_of(case.conversion, case.stored))


def test_each_alert_is_raised_in_one_run_and_has_what_it_must() -> None:
    for case in of_each_rule():
        found = rule(case.item)
        frequency = found["schedule"]["frequency"]
        expected = case.marks(case.run(case.item.queries[0].body, case.stored))
        raised: Counter[Any] = Counter()
        names: set[str] = set()
        if frequency == "PT0S":  # The service looks at each event once, as it comes in.
            results = [case.run(query(found), case.stored)]
        else:
            every, back = SECONDS[frequency], LOOKBACK[frequency]
            text = query(found)
            results = [
                one for _, one in runs(case, every, back, 0, lambda now, q=text: kql_at(q, now, "Timestamp"))
            ]
        for result in results:
            raised += case.marks(result)
            for row in result.rows:
                names |= set(row)
                # The event that completed the alert can be looked up.
                assert all(row[name] not in (None, "") for name in facts.REQUIRED)
                if case.item.queries[0].alert:
                    assert row["Timestamp"] == row[case.item.queries[0].alert.last]
        assert raised == expected, case.name
        assert columns(found) <= names, case.name


@pytest.mark.parametrize(
    ("detection", "frequency"),
    [
        (FILTER, "PT0S"),
        (
            {**FILTER, "filter": {"CommandLine|contains": "//x"}, "condition": "selection and not filter"},
            "PT0S",
        ),
        ({"selection": {"CommandLine|re": "a.*b"}, "condition": "selection"}, "PT0S"),
        # in~ is not among the operators of continuous queries.
        ({"selection": {"OriginalFileName": ["a", "b"]}, "condition": "selection"}, "PT1H"),
    ],
)
def test_continuous_where_allowed(detection: dict[str, Any], frequency: str) -> None:
    found = made(detection=detection)
    assert found["schedule"] == {"frequency": frequency}
    assert ("ingestion_time" in query(found)) == (frequency != "PT0S")
    assert not re.search(r"^//|\b(join|union|externaldata|let)\b", query(found), re.MULTILINE)


def test_functions_that_continuous_queries_lack() -> None:
    """A network connection's destination is an iff()."""
    logsource = {"category": "network_connection", "product": "windows"}
    detection = {"selection": {"DestinationIp": "10.0.0.1"}, "condition": "selection"}
    assert made(logsource=logsource, detection=detection)["schedule"] == {"frequency": "PT1H"}


def test_parts_of_dynamic_values_are_not_read_continuously() -> None:
    """The name of a DNS query is inside AdditionalFields: tostring(parse_json(...).DnsQueryString)."""
    logsource = {"category": "dns_query", "product": "windows"}
    found = made(logsource=logsource, detection={"s": {"QueryName": "a.example"}, "condition": "s"})
    assert "tostring(" in query(found)
    assert found["schedule"] == {"frequency": "PT1H"}


@pytest.mark.parametrize(
    ("timespan", "frequency"),
    [
        ("10m", "PT1H"),
        ("2h", "PT1H"),
        ("121m", "PT3H"),
        ("8h", "PT3H"),
        ("9h", "PT12H"),
        ("35h", "PT12H"),
        ("36h", "P1D"),
        ("28d", "P1D"),
    ],
)
def test_frequency_of_a_window(timespan: str, frequency: str) -> None:
    counted = correlation("event_count", ["first"], timespan, condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, source="defender", targets=("kql",))
    found = rule(item)
    assert found["schedule"] == {"frequency": frequency}
    assert item.window + SECONDS[frequency] + facts.LATE <= LOOKBACK[frequency]


@pytest.mark.parametrize("kind", ["event_count", "value_count", "temporal", "temporal_ordered", "value_sum"])
def test_every_correlation_returns_what_it_must(kind: str) -> None:
    more: dict[str, Any] = {}
    if kind in ("event_count", "value_count", "value_sum"):
        field = {"value_count": {"field": "Image"}, "value_sum": {"field": "ProcessId"}}.get(kind, {})
        more["condition"] = {"gte": 2, **field}
    outer = correlation(kind, ["first", "second"], **more)
    rules = [base("first", Image=r"c:\a"), base("second", Image=r"c:\b"), outer]
    (item,) = items(*rules, source="defender", targets=("kql",))
    text = query(rule(item))
    alerts = text.rpartition("\n};\n")[0].rpartition(";\n")[2]
    for name in facts.REQUIRED:
        assert re.search(rf"\b{name}\b", alerts)


def test_what_cannot_be_a_custom_detection_is_refused() -> None:
    with pytest.raises(Refusal, match="tables of Defender XDR") as refused:
        rule(simple(target="kql"))
    assert refused.value.code == "SC210"
    counted = correlation("event_count", ["first"], "30d", condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, source="defender", targets=("kql",))
    with pytest.raises(Refusal, match="30 days"):
        rule(item)


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"level": "critical"}, {"severity": "high"}),
        ({"level": "informational"}, {"severity": "informational"}),
        ({}, {"severity": "medium", "title": "A title"}),
        ({"falsepositives": ["A", "B\nC"]}, {"recommendedActions": "Known false positives: A; B C."}),
        (
            {"fields": ["Image", "User"]},
            {"customDetails": {n: n for n in ("FolderPath", "AccountDomain", "AccountName")}},
        ),
        (
            {"tags": ["attack.stealth", "attack.defense-impairment", "attack.execution", "attack.t1059.001"]},
            {
                "tactics": [
                    {
                        "tactic": "Execution",
                        "techniques": [{"technique": "T1059", "subTechniques": ["T1059.001"]}],
                    },
                    {"tactic": "DefenseEvasion", "techniques": []},
                ]
            },
        ),
    ],
)
def test_alerts(doc: dict[str, Any], expected: dict[str, Any]) -> None:
    found = made(**doc)
    jsonschema.validate(found, RULE)
    assert found["status"] == "disabled"
    template = found["detectionAction"]["alertTemplate"]
    assert {key: template[key] for key in expected} == expected


@pytest.mark.parametrize("text", ["'q' \"q\" \\ {{x}} ${y}", "[x]", "ü 日本 \U0001f600", "tab\tand\u2028"])
def test_hostile_texts_come_back(text: str) -> None:
    found = made(title=text, description=text)
    assert found["displayName"] == " ".join(text.split())
    assert found["description"].startswith(f"{text.strip()}\n\nMade by sigconv")


@pytest.mark.parametrize(
    ("text", "expected"), [("uses {{x}} {y}", "uses { {x}} {y}"), ("{{{x}}}", "{ { {x}}}")]
)
def test_nothing_in_an_alert_is_a_column(text: str, expected: str) -> None:
    found = made(title=text, description=text)
    template = found["detectionAction"]["alertTemplate"]
    assert template["title"] == expected
    assert template["description"].startswith(f"{expected}\n\nMade by")
    assert found["displayName"] == text
    assert found["description"].startswith(f"{text}\n\nMade by")


def test_rules_of_other_sources_are_left_out() -> None:
    from converter.cli import main

    rule_file = "sigma/windows/lateral_movement/wsus_starts_psexec.yml"
    arguments = ["build", rule_file, "-t", "kql", "--format", "defender-json", "-o", "-"]
    found = CliRunner().invoke(main, [*arguments, "-s", "sysmon", "-s", "defender"])
    assert found.exit_code == 0, found.output
    assert json.loads(found.stdout)["status"] == "disabled"
    found = CliRunner().invoke(main, [*arguments, "-s", "sysmon"])
    assert found.exit_code == 2
    assert "SC607 the format defender-json takes queries in kql for defender" in found.stderr
