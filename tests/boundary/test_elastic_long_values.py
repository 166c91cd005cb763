"""Values that Elasticsearch does not index because of their length."""

from __future__ import annotations

from typing import Any

import pytest

from converter.engines.lucene import LuceneEngine
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.project import stock_pipelines
from converter.rules.ruleset import RuleSet
from converter.shapes import shape_for
from converter.verify.verify import compare
from tests.boundary.elastic import converted, hits, rule_of, run_eql
from tests.proof import real_events


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
