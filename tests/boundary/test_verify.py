"""What `verify` must notice: the kinds of survivors of issue 12 (findings/survivors.md).

A query is emitted, its text is changed in one place as a mistake in a backend would, and `verify` is asked.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.conversion.convert import Options, convert
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.verify import verify
from converter.witness import Stream, regexes, witnesses
from tests.proof.mutated_queries import Judge

BASE = {"title": "t", "id": "3d0d0b04-0000-4000-8000-000000000001", "level": "low"}


def rule(detection: dict[str, Any], **logsource: str) -> dict[str, Any]:
    """Return a rule on process creation, or on another log source of Windows."""
    return {
        **BASE,
        "logsource": {"product": "windows", **(logsource or {"category": "process_creation"})},
        "detection": {"condition": "s", **detection},
    }


def says(
    tmp_path: Path, docs: list[dict[str, Any]], source: str, language: str, old: str, new: str
) -> str | None:
    """Return what `verify` says of the last rule's query with one text in it replaced; "" changes nothing."""
    file = tmp_path / "r.yml"
    file.write_text(yaml.safe_dump_all(docs, sort_keys=False))
    found = loading.load([file], tmp_path)
    emitted = emitted_rules(found)[-1]
    conversion = convert(found, emitted, cells.cell(source, language), Options("any"))
    judge = Judge(found, conversion, verify.streams_of(found, emitted, tmp_path / "tests", Options("any")))
    query = conversion.queries[0]
    assert judge.verdict(query) is None
    assert old in query.text, query.text
    return judge.verdict(replace(query, text=query.text.replace(old, new, 1)))


# Number of the kind in survivors.md, rule, source, language, and the mistake.
SURVIVORS: list[tuple[str, dict[str, Any], str, str, str, str]] = [
    (
        "3_second_channel",
        rule({"s": {"ScriptBlockText|contains": "qzx"}}, category="ps_script"),
        "sysmon",
        "kql",
        "PowerShellCore",
        "PowerShellCora",
    ),
    (
        "4_code_beside_provider",
        rule({"s": {"CommandLine|contains": "qzx"}}),
        "sysmon",
        "lucene",
        "event.provider:Microsoft-Windows-Sysmon AND event.code:1",
        "event.code:1",
    ),
    (
        "4_provider_beside_code",
        rule({"s": {"CommandLine|contains": "qzx"}}),
        "sysmon",
        "lucene",
        "event.provider:Microsoft-Windows-Sysmon AND event.code:1",
        "event.provider:Microsoft-Windows-Sysmon",
    ),
    ("4_and_to_or", rule({"s": {"CommandLine|contains": "qzx"}}), "sysmon", "lucene", " AND ", " OR "),
    (
        "5_startswith_of_an_alternative",
        rule({"s": {"CommandLine|startswith": ["abc", "def"]}}),
        "sysmon",
        "eql",
        '"def*"',
        '"*def*"',
    ),
    (
        "5_endswith_of_an_alternative",
        rule({"s": {"CommandLine|endswith": ["abc", "def"]}}),
        "sysmon",
        "eql",
        '"*def"',
        '"*def*"',
    ),
    (
        "5_startswith_under_not",
        rule(
            {
                "s": {"Image|endswith": "\\x.exe"},
                "f": {"CommandLine|startswith": ["abc", "def"]},
                "condition": "s and not f",
            }
        ),
        "sysmon",
        "eql",
        '"def*"',
        '"*def*"',
    ),
    ("6_second_alternative", rule({"s": {"CommandLine|re": "a(bc|de)f"}}), "sysmon", "eql", "bc|de", "bc|dx"),
    ("6_edge_of_a_class", rule({"s": {"CommandLine|re": "x[a-f]y"}}), "sysmon", "eql", "a-f", "a-g"),
    ("6_repetitions", rule({"s": {"CommandLine|re": "x[0-9]{1,3}y"}}), "sysmon", "eql", "{1,3}", "{1,4}"),
    ("6_unescaped_dot", rule({"s": {"CommandLine|re": "x\\.y"}}), "sysmon", "spl", "\\.", "."),
    ("6_case_of_letters", rule({"s": {"CommandLine|re|i": "xyz"}}), "sysmon", "spl", "(?i)", ""),
    ("9_case", rule({"s": {"CommandLine": "abc"}}), "defender", "kql", '=~ "abc"', '== "abc"'),
    (
        "2_last_star_of_one_of_many",
        rule({"s": {"CommandLine|contains": [f" -q{number}z " for number in range(120)]}}),
        "sysmon",
        "eql",
        '"* -q61z *"',
        '"* -q61z "',
    ),
    (
        "9_case_of_one_of_many",
        rule({"s": {"CommandLine|contains": [f" -q{number}z " for number in range(120)]}}),
        "sysmon",
        "lucene",
        "[Qq]61",
        "q61",
    ),
    (
        "3_second_sourcetype",
        rule({"s": {"CommandLine|contains": "qzx"}}),
        "defender",
        "spl",
        "ms:defender:eventhub",
        "ms:defender:eventhuj",
    ),
    (
        "3_second_kind_of_event",
        rule({"s": {"CommandLine|contains": "qzx"}}),
        "crowdstrike",
        "eql",
        "SyntheticProcessRollup2",
        "SyntheticProcessRolluj2",
    ),
    (
        "3_one_of_three_codes",
        rule({"s": {"TargetObject|contains": "qzx", "Details": "x"}}, category="registry_event"),
        "sysmon",
        "eql",
        '"14"',
        '"15"',
    ),
    (
        "2_registry_value_with_a_backslash",
        rule({"s": {"TargetObject|contains": "\\Qzx\\Run\\"}}, category="registry_set"),
        "defender",
        "spl",
        'RegistryValueName IN ("*\\\\Qzx',
        'RegistryValueName IN ("*\\\\Qzj',
    ),
]


@pytest.mark.parametrize(
    ("doc", "source", "language", "old", "new"),
    [one[1:] for one in SURVIVORS],
    ids=[one[0] for one in SURVIVORS],
)
def test_survivor(
    tmp_path: Path, doc: dict[str, Any], source: str, language: str, old: str, new: str
) -> None:
    assert says(tmp_path, [doc], source, language, old, new)


def _count(*keys: str) -> list[dict[str, Any]]:
    base = {**rule({"s": {"CommandLine|contains": ["qzx", "qzy"]}}), "name": "base"}
    section = {"type": "event_count", "rules": ["base"], "timespan": "5m", "condition": {"gte": 3}}
    top = {
        **BASE,
        "id": BASE["id"][:-1] + "2",
        "name": "top",
        "correlation": {**section, "group-by": list(keys)},
    }
    return [base, top]


def test_survivor_1_broader_is_no_excuse(tmp_path: Path) -> None:
    for old, new in (('"value": 3', '"value": 2'), ("*qzx*", "*")):
        assert says(tmp_path, _count("Computer"), "sysmon", "lucene", old, new)


def test_survivor_2_each_alternative_of_a_base_rule(tmp_path: Path) -> None:
    assert says(tmp_path, _count("Computer"), "sysmon", "kql", "qzy", "qzj")


def _one_and_another() -> list[dict[str, Any]]:
    bases = [
        {**rule({"s": {"CommandLine|contains": name}}), "name": name, "id": f"{BASE['id'][:-1]}{number}"}
        for number, name in enumerate(("qza", "qzb", "qzc"), 3)
    ]
    section = {"type": "temporal", "rules": ["qza", "qzb", "qzc"], "timespan": "5m", "group-by": ["Computer"]}
    section["condition"] = "qza and (qzb or qzc)"
    return [*bases, {**BASE, "id": BASE["id"][:-1] + "2", "name": "top", "correlation": section}]


@pytest.mark.parametrize(
    ("language", "old", "new"),
    [
        ("kql", 'contains "qzc"', 'startswith "qzc"'),
        ("spl", "last_qzc>=time_ms-300000", "last_qzc>time_ms-300000"),
        ("spl", "last_qza>=time_ms-300000", "last_qza>time_ms-300000"),
    ],
)
def test_survivor_2_a_rule_of_another_way(tmp_path: Path, language: str, old: str, new: str) -> None:
    assert says(tmp_path, _one_and_another(), "sysmon", language, old, new)


def test_survivor_4_a_column_of_one_of_the_rules(tmp_path: Path) -> None:
    assert says(tmp_path, _one_and_another(), "sysmon", "kql", "EventID == 1", "EventID >= 1")


def test_survivor_8_one_of_two_keys_missing(tmp_path: Path) -> None:
    docs = _count("Computer", "User")
    assert says(tmp_path, docs, "sysmon", "spl", "User", "Usex")


def test_survivor_7_shown_columns_are_compared(tmp_path: Path) -> None:
    docs = _count("Computer")
    docs[-1]["fields"] = ["ParentImage"]
    assert says(tmp_path, docs, "sysmon", "spl", "values(ParentImage)", "values(ParentImaga)")


@pytest.mark.parametrize(
    ("lines", "status", "reason"),
    [
        (["other"], "disagrees", "no witness is a hit: this proves nothing"),
        ([], "disagrees", "no witness is a hit: this proves nothing"),
        (["other", "a qzx b"], "agrees", ""),
    ],
)
def test_v4_a_right_query_of_which_no_event_is_a_hit_is_not_proven(
    lines: list[str], status: str, reason: str, tmp_path: Path
) -> None:
    """findings/boundary.md V4: a query that selects none of its witnesses proves nothing."""
    file = tmp_path / "r.yml"
    file.write_text(yaml.safe_dump(rule({"s": {"CommandLine|contains": "qzx"}})))
    found = loading.load([file], tmp_path)
    conversion = convert(found, emitted_rules(found)[0], cells.cell("sysmon", "spl"), Options("any"))
    events = [{"EventID": 1, "Image": "C:\\x.exe", "CommandLine": line} for line in lines]
    checked = verify.check(found, conversion, [Stream("given", tuple(events))])
    assert (checked.status, checked.reason) == (status, reason)


@pytest.mark.parametrize(
    ("detection", "code"),
    [
        ({"s": {"CommandLine|contains": "a"}, "condition": "s and not s"}, "SC211"),
        ({"s": {"EventID": 4688, "CommandLine|contains": "a"}}, "SC211"),
    ],
)
def test_v4_a_rule_that_no_event_can_satisfy_is_refused(
    detection: dict[str, Any], code: str, tmp_path: Path
) -> None:
    """findings/rules/category_with_other_event_id.yml: `agree exact 125/0` was the answer."""
    file = tmp_path / "r.yml"
    file.write_text(yaml.safe_dump(rule(detection)))
    found = loading.load([file], tmp_path)
    (checked,) = verify.verify_rule(found, emitted_rules(found)[0], [cells.cell("sysmon", "spl")], tmp_path)
    assert (checked.status, checked.reason.partition(" ")[0]) == ("refused", code)


def test_k1_excluded_values_meet_ordinary_ones() -> None:
    """findings/rules/kql_details_dword_filter.yml: each kind of data is a witness."""
    doc = rule(
        {
            "s": {"TargetObject|contains": "\\Run\\"},
            "f": {"Details|startswith": "DWORD"},
            "condition": "s and not f",
        },
        category="registry_set",
    )
    held = {str(event.get("Details")) for event in witnesses([doc], doc)[0].events}
    assert {"DWORD (0x00000001)", "Binary Data", "(Empty)", "QWORD (0x00000000-0x00000077)"} <= held


def test_e6_v_records_have_long_and_odd_values() -> None:
    doc = rule({"s": {"CommandLine|contains": "qzx"}})
    held = [str(event.get("CommandLine")) for event in witnesses([doc], doc)[0].events]
    assert any(len(text) > 1024 for text in held)
    for part in ("&", "<", "\n", "\u00e9"):
        assert any(part in text and "qzx" in text for text in held), part


def test_parts_of_a_regular_expression_are_varied() -> None:
    import re

    made = regexes.near(re.compile("a(bc|de)[0-3]{1,2}"))
    assert {"ade0", "abc4", "abc", "abc00"} <= {text[:5] for text in made} | set(made)


@pytest.mark.parametrize("field", ["Hashes", "Hash"])
def test_no_witness_has_text_before_a_hash(field: str) -> None:
    """boundary.md, Verify itself: `xIMPHASH=` is in no record."""
    category = "process_creation" if field == "Hashes" else "create_stream_hash"
    doc = rule({"s": {f"{field}|contains": "IMPHASH=" + "AB" * 16}}, category=category)
    held = [str(event.get(field, "")) for event in witnesses([doc], doc)[0].events]
    assert held
    assert not any("xIMPHASH" in text for text in held)
