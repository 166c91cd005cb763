"""Detection rules of Elastic Security: what is in them; Kibana and Elastic's repository take them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import eql
import jsonschema
import pytest

from converter.errors import Refusal
from converter.exports.base import Part
from converter.exports.elastic import facts
from converter.exports.elastic.formats import NDJSON, TOML
from converter.exports.item import ExportItem
from converter.plan.model import Fidelity, Reason
from tests.exports import elastic_fields
from tests.exports.making import base, correlation, items, shipped, simple

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
CELLS = [
    (source, targets)
    for source in ("sysmon", "defender")
    for targets in (("eql", "lucene"), ("eql",), ("lucene",))
]


def ndjson(made: Sequence[ExportItem]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in str(NDJSON.part(made)).split("\n")[:-1]]


def one(item: ExportItem) -> dict[str, Any]:
    (rule,) = ndjson([item])
    return rule


def tomls(made: Sequence[ExportItem]) -> dict[str, dict[str, Any]]:
    found = TOML.part(made)
    assert not isinstance(found, str)
    return {name: tomllib.loads(text) for name, text in found.items()}


def seconds(span: str) -> int:
    span = span.removeprefix("now-")
    return int(span[:-1]) * SECONDS[span[-1]]


@pytest.mark.parametrize(("source", "targets"), CELLS)
def test_shipped_rules_fit_both_schemas(source: str, targets: tuple[str, ...]) -> None:
    found = shipped(source, *targets)
    assert len(found) >= 5
    for made in found:
        texts = {query.body for item in made for query in item.queries}
        texts |= {query.extra["query"] for item in made for query in item.queries if query.extra}
        in_json, in_toml = ndjson(made), list(tomls(made).values())
        assert len(in_json) == len(in_toml)
        for rule, file in zip(in_json, in_toml, strict=True):
            jsonschema.validate(rule, elastic_fields.kibana(rule["type"]))
            jsonschema.validate(file["metadata"], elastic_fields.METADATA)
            jsonschema.validate(file["rule"], elastic_fields.repository(rule["type"]))
            same = set(file["rule"]) - {"threat", "threshold"}
            assert {key: rule[key] for key in same} == {key: file["rule"][key] for key in same}
            # The query is the one that verify has run.
            assert rule["query"] in texts
            item = made[0]
            assert seconds(rule["from"]) >= item.window + seconds(rule["interval"]) + 60
            assert rule["index"] == list(item.indices)
            assert rule["enabled"] is False


@pytest.mark.parametrize("source", ["sysmon", "defender"])
def test_shipped_eql_is_parsed_by_elastics_grammar(source: str) -> None:
    seen = 0
    with eql.parser.elasticsearch_syntax, eql.parser.allow_runs:
        for made in shipped(source, "eql"):
            for rule in ndjson(made):
                eql.parse_query(rule["query"])
                seen += 1
    assert seen >= 5


def test_no_two_rules_of_all_sources_have_one_id() -> None:
    ids = [
        rule["rule_id"]
        for source in ("sysmon", "defender")
        for made in shipped(source, "eql", "lucene")
        for rule in ndjson(made)
    ]
    assert len(ids) == len(set(ids))
    assert all(str(UUID(one)) == one for one in ids)


def test_ids() -> None:
    sigma = "11111111-2222-4333-8444-555555555555"
    assert one(simple())["rule_id"] == sigma
    assert one(simple(id=sigma.upper()))["rule_id"] == sigma
    defender = one(simple(source="defender"))["rule_id"]
    assert UUID(defender).version == 5
    assert one(simple(source="defender", title="Another title"))["rule_id"] == defender
    nameless = one(simple(id=None))["rule_id"]
    assert UUID(nameless).version == 5
    assert one(simple(id=None, title="Another title"))["rule_id"] != nameless
    # The language changes, the rule stays.
    assert one(simple(target="lucene"))["rule_id"] == sigma


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ({"level": "informational"}, {"severity": "low", "risk_score": 21}),
        ({"level": "low"}, {"severity": "low", "risk_score": 21}),
        ({"level": "medium"}, {"severity": "medium", "risk_score": 47}),
        ({"level": "high"}, {"severity": "high", "risk_score": 73}),
        ({"level": "critical"}, {"severity": "critical", "risk_score": 99}),
        ({}, {"severity": "medium", "risk_score": 47}),
        ({"title": "Two\n lines"}, {"name": "Two lines"}),
        ({"description": "  Text.\n\n* x\n"}, {"description": "Text.\n\n* x"}),
        ({}, {"description": "A title"}),
        ({"author": "A. Name, Nöra (@x) , "}, {"author": ["A. Name", "Nöra (@x)"]}),
        ({}, {"author": []}),
        ({"license": "DRL 1.1"}, {"license": "DRL 1.1"}),
        ({"references": ["https://a", "https://b"]}, {"references": ["https://a", "https://b"]}),
        ({"falsepositives": ["Admins"]}, {"false_positives": ["Admins"]}),
        ({"date": "2024-01-02"}, {"version": 20240102}),
        ({"date": "2024-01-02", "modified": "2025/03/04"}, {"version": 20250304}),
        ({}, {"version": 1}),
        (
            {"fields": ["Image", "CommandLine"]},
            {"investigation_fields": {"field_names": ["process.executable", "process.command_line"]}},
        ),
        ({}, {"interval": "5m", "from": "now-9m", "to": "now", "max_signals": 100}),
        ({}, {"timestamp_override": "event.ingested"}),
        ({}, {"related_integrations": [{"package": "windows", "version": "^3.0.0"}]}),
        (
            {},
            {
                "required_fields": [
                    {"name": "event.category", "type": "keyword", "ecs": True},
                    {"name": "event.code", "type": "keyword", "ecs": True},
                    {"name": "event.provider", "type": "keyword", "ecs": True},
                    {"name": "process.executable", "type": "keyword", "ecs": True},
                ]
            },
        ),
        (
            {
                "status": "test",
                "tags": ["attack.execution", "attack.t1059.001", "attack.s0029", "cve.2021-1", "x.y"],
            },
            {
                "tags": [
                    "Sigma",
                    "Data Source: Sysmon",
                    "OS: Windows",
                    "Tactic: Execution",
                    "Status: test",
                    "Fidelity: exact",
                    "attack.s0029",
                    "cve.2021-1",
                    "x.y",
                ],
                "threat": [
                    {
                        "framework": "MITRE ATT&CK",
                        "tactic": {
                            "id": "TA0002",
                            "name": "Execution",
                            "reference": "https://attack.mitre.org/tactics/TA0002/",
                        },
                        "technique": [
                            {
                                "id": "T1059",
                                "name": "Command and Scripting Interpreter",
                                "reference": "https://attack.mitre.org/techniques/T1059/",
                                "subtechnique": [
                                    {
                                        "id": "T1059.001",
                                        "name": "PowerShell",
                                        "reference": "https://attack.mitre.org/techniques/T1059/001/",
                                    }
                                ],
                            }
                        ],
                    }
                ],
            },
        ),
    ],
)
def test_fields(doc: dict[str, Any], expected: dict[str, Any]) -> None:
    rule = one(simple(**doc))
    assert {key: rule.get(key) for key in expected} == expected


def test_an_event_rule_is_not_suppressed() -> None:
    """Its alerts are told apart by their events; suppression would hide events."""
    for target in ("eql", "lucene"):
        assert "alert_suppression" not in one(simple(target=target))


def test_types() -> None:
    assert {key: one(simple())[key] for key in ("type", "language")} == {"type": "eql", "language": "eql"}
    lucene = one(simple(target="lucene"))
    assert {key: lucene[key] for key in ("type", "language")} == {"type": "query", "language": "lucene"}
    assert "event.code:1" in lucene["query"]
    assert "process.executable" not in lucene["query"]
    [kept] = lucene["filters"]
    assert kept["meta"] == {"negate": False}
    assert "process.executable" in json.dumps(kept["query"])


def test_the_language_that_says_it_best() -> None:
    in_eql, in_lucene = simple(), simple(target="lucene")
    assert one(in_eql)["type"] == "eql"
    assert ndjson([in_eql, in_lucene])[0]["type"] == "eql"
    worse = replace(in_eql, fidelity=Fidelity.BROADER)
    assert ndjson([worse, in_lucene])[0]["type"] == "query"
    worst = replace(in_lucene, fidelity=Fidelity.NARROWER)
    assert ndjson([worse, worst])[0]["type"] == "eql"


def test_sequence() -> None:
    first, second = base("first", Image="a"), base("second", Image="b")
    rule = one(items(first, second, correlation("temporal_ordered", ["first", "second"], "90s"))[0])
    assert rule["query"].startswith("sequence by winlog.computer_name with maxspan=90s")
    # 90 s of window, 5 m between two runs, 4 m for late events.
    assert (rule["interval"], rule["from"]) == ("5m", "now-630s")
    assert rule["alert_suppression"] == {
        "group_by": ["winlog.computer_name"],
        "duration": {"value": 630, "unit": "s"},
        "missing_fields_strategy": "doNotSuppress",
    }
    # Elastic's own repository never sets it on a sequence.
    assert "timestamp_override" not in rule
    assert "8.18" in rule["setup"]


def test_a_sequence_that_is_not_joined_by_the_same_fields_is_not_suppressed() -> None:
    """Its alerts have no such field: they have what all of their events have."""
    first, second = base("first", Image="a"), base("second", Image="b")
    aliases = {"who": {"first": "Image", "second": "ParentImage"}}
    outer = correlation("temporal_ordered", ["first", "second"], **{"group-by": ["who"], "aliases": aliases})
    assert "alert_suppression" not in one(items(first, second, outer)[0])
    many = ["Computer", "User", "Image", "ParentImage"]
    outer = correlation("temporal_ordered", ["first", "second"], **{"group-by": many})
    assert "alert_suppression" not in one(items(first, second, outer)[0])


def test_unordered_pair_is_a_rule_for_each_order() -> None:
    first, second = base("first", Image="a"), base("second", Image="b")
    made = items(first, second, correlation("temporal", ["first", "second"]))
    rules = ndjson(made)
    assert len(rules) == 2
    assert len({rule["rule_id"] for rule in rules}) == len({rule["name"] for rule in rules}) == 2
    assert len({rule["query"] for rule in rules}) == 2
    files = tomls(made)
    assert len(files) == 2
    assert "" not in files
    assert sorted(file["rule"]["rule_id"] for file in files.values()) == sorted(r["rule_id"] for r in rules)


@pytest.mark.parametrize(
    ("kind", "condition", "threshold"),
    [
        (
            "event_count",
            {"gte": 5},
            {"cardinality": [], "field": ["winlog.computer_name"], "value": 5},
        ),
        (
            "value_count",
            {"gt": 5, "field": "Image"},
            {
                "field": ["winlog.computer_name"],
                "value": 1,
                "cardinality": [{"field": "process.executable", "value": 6}],
            },
        ),
    ],
)
def test_threshold(kind: str, condition: dict[str, Any], threshold: dict[str, Any]) -> None:
    counted = correlation(kind, ["first"], "1h", condition=condition)
    (made,) = items(base("first", Image="a"), counted, targets=("lucene",))
    rule = one(made)
    assert (rule["type"], rule["language"]) == ("threshold", "lucene")
    assert rule["threshold"] == threshold
    assert rule["query"] == made.queries[0].extra["query"]
    assert rule["filters"] == made.queries[0].extra["filters"]
    assert rule["from"] == "now-69m"
    assert rule["alert_suppression"] == {"duration": {"value": 69, "unit": "m"}}
    assert "timestamp_override" not in rule
    (file,) = tomls([made]).values()
    expected = {key: value for key, value in threshold.items() if value != []}
    assert file["rule"]["threshold"] == expected


def test_spans_have_units_that_suppression_knows() -> None:
    for timespan, expected in (("2d", "now-2889m"), ("51m", "now-1h"), ("1s", "now-541s")):
        outer = correlation("temporal_ordered", ["first", "second"], timespan)
        rule = one(items(base("first", Image="a"), base("second", Image="b"), outer)[0])
        assert rule["from"] == expected
        assert rule["alert_suppression"]["duration"]["unit"] in ("s", "m", "h")


def test_other_sources() -> None:
    rule = one(simple(source="defender"))
    assert rule["related_integrations"] == [{"package": "m365_defender", "version": "^5.0.0"}]
    required = {field["name"]: field["ecs"] for field in rule["required_fields"]}
    assert required["m365_defender.event.category"] is False
    none = one(simple(source="none"))
    assert none["related_integrations"] == []
    assert "index" not in none
    assert "timestamp_override" not in none


def test_guide() -> None:
    item = simple(description="What it is.", falsepositives=["Admins", "Two\nlines"])
    reasons = (Reason(Fidelity.BROADER, "case is not compared"), Reason(Fidelity.EXACT, "read it so"))
    note = one(replace(item, fidelity=Fidelity.BROADER, reasons=reasons))["note"]
    for text in (
        "## Triage and analysis\n",
        "\nWhat it is.\n",
        "\n- Admins\n- Two lines\n",
        "may return more than the Sigma rule means",
        "\n- broader: case is not compared\n- note: read it so\n",
        "`11111111-2222-4333-8444-555555555555`",
    ):
        assert text in note
    assert "False positives" not in one(simple())["note"]
    assert "exactly what the Sigma rule means" in one(simple())["note"]


def test_a_body_of_the_query_dsl_is_refused() -> None:
    item = simple(target="lucene")
    body = replace(item.queries[0], body='{"query": {}}', extension="json")
    with pytest.raises(Refusal, match="query DSL") as refused:
        NDJSON.part([replace(item, queries=(body,))])
    assert refused.value.code == "SC210"


def test_the_file_of_all_rules_is_split_where_kibana_would_refuse_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line may hold any character but a line feed: U+2028 does not end it."""
    texts = [str(NDJSON.part([simple(description=f"t\u2028{number}")])) for number in range(5)]
    parts = [Part("r", "r.yml", f"{number}.ndjson", text) for number, text in enumerate(texts)]
    assert NDJSON.whole is not None
    assert NDJSON.whole("sysmon", parts) == {"rules.ndjson": "".join(texts)}
    size = len(texts[0].encode())
    monkeypatch.setattr(facts, "IMPORT_BYTES", 2 * size)
    split = {f"rules-{n}.ndjson": "".join(texts[2 * n - 2 : 2 * n]) for n in (1, 2, 3)}
    assert NDJSON.whole("sysmon", parts) == split
    monkeypatch.setattr(facts, "IMPORT_BYTES", 1)
    assert len(NDJSON.whole("sysmon", parts)) == 5
    monkeypatch.setattr(facts, "IMPORT_BYTES", 10**9)
    monkeypatch.setattr(facts, "IMPORT_RULES", 2)
    assert NDJSON.whole("sysmon", parts) == split


@pytest.mark.parametrize(
    ("status", "maturity"),
    [
        ("stable", "production"),
        ("test", "production"),
        (None, "production"),
        ("experimental", "experimental"),
    ],
)
def test_metadata(status: str | None, maturity: str) -> None:
    (file,) = tomls([simple(status=status, date="2024-01-02", modified="2025-03-04")]).values()
    assert file["metadata"] == {
        "creation_date": "2024/01/02",
        "integration": ["windows"],
        "maturity": maturity,
        "updated_date": "2025/03/04",
    }
    (bare,) = tomls([simple(source="none")]).values()
    assert bare["metadata"]["creation_date"] == bare["metadata"]["updated_date"] == "1970/01/01"
    assert "integration" not in bare["metadata"]


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Plain title (x)", "Plain title (x)"),
        ("Ends with a point.", "Ends with a point. (Sigma)"),
        ("'Quoted' first", "Sigma: 'Quoted' first"),
        ("日本語", "Sigma: 日本語 (Sigma)"),
        ("x", "Sigma: x"),
    ],
)
def test_names_that_the_repository_takes(title: str, name: str) -> None:
    (file,) = tomls([simple(title=title)]).values()
    assert file["rule"]["name"] == name
    jsonschema.validate(file["rule"], elastic_fields.repository("eql"))
    assert one(simple(title=title))["name"] == title
