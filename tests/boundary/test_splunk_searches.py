"""How searches are written: indexes, running sums, placeholders, terms."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.exports.sentinel.formats import ARM
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.boundary.splunk import PROCESS, SYSTEM, converted, hits, text_of
from tests.exports.making import simple

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
