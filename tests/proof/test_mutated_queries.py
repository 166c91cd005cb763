"""Changes of queries: which there are, when one means the same, and that `verify` notices the others."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from converter.conversion.convert import Options, convert
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.verify.verify import streams_of
from tests.proof import changed_queries_page as page
from tests.proof import mutated_queries
from tests.proof.alternatives import alternatives_at, covers
from tests.proof.query_changes import Change, changes, chosen
from tests.proof.same_meaning import why_same

ANY, ONE = "\ue000", "\ue001"
RULE = """
title: Archive Deleted by a Script
id: 5a1f0c9e-0000-4000-8000-000000000001
status: test
level: low
logsource: {category: process_creation, product: windows}
detection:
  program:
    - Image|endswith: ['\\cmd.exe', '\\pwsh.exe']
    - OriginalFileName: Cmd.Exe
  command:
    CommandLine|contains: [' del ', 'Remove-Item']
    CommandLine|endswith: '.zip'
  filter:
    ParentImage|startswith: 'C:\\Tools\\'
  condition: program and command and not filter
"""


def change(query: str, old: str, new: str, kind: str = "letter") -> Change:
    """Return the change of a text that is in the query once."""
    assert query.count(old) == 1
    start = query.index(old)
    return Change(kind, query, start, start + len(old), new)


def test_changes_are_in_one_place() -> None:
    query = '| where Image endswith @"\\x.exe"\n    or Image in~ ("a", "b")\n| where not(Id == 12)\n'
    made = {(one.kind, one.old, one.new) for one in changes(query)}
    assert {
        ("letter", "x", "j"),
        ("item", '"a", ', ""),
        ("operator", "endswith", "contains"),
        ("operator", "or", "and"),
        ("negation", "not", ""),
        ("number", "12", "13"),
        ("stage", "| where not(Id == 12)\n", ""),
        ("stage", '| where Image endswith @"\\x.exe"\n    or Image in~ ("a", "b")\n', ""),
        ("column", "d", "q"),
    } <= made
    assert all(one.text == query[: one.start] + one.new + query[one.end :] for one in changes(query))


def test_a_function_takes_the_place_of_one_kind() -> None:
    query = 'let Get = (text: string) {\n    extract("abcdefghij", 1, text)\n};\nEvent\n| where Ab == "b"\n'
    kinds = sorted(one.kind for one in chosen(query, 4, random.Random(1)))
    assert kinds == ["column", "function", "letter", "stage"]


@pytest.mark.parametrize(
    ("wide", "narrow", "holds"),
    [
        ("a", "a", True),
        (f"{ANY}a", f"{ANY}ba", True),
        (f"{ANY}ba", f"{ANY}a", False),
        (f"a{ANY}", "a", True),
        (ONE, "x", True),
        (ONE, ANY, False),
        (ANY, f"{ONE}{ANY}", True),
        (".", "x", False),
    ],
)
def test_a_pattern_covers_another(wide: str, narrow: str, holds: bool) -> None:
    assert covers(wide, narrow) is holds


@pytest.mark.parametrize(
    ("query", "patterns"),
    [
        ('x where A : (\n  "* q*", "?b\\\\"\n)', [f"{ANY} q{ANY}", f"{ONE}b\\"]),
        ('A IN ("* q*", "b")', [f"{ANY} q{ANY}", "b"]),
        ('T\n| where A contains " q"\n    or A endswith @"\\b"\n| take 1', [f"{ANY} q{ANY}", f"{ANY}\\b"]),
        ("B:1 AND A:(/.* [Qq].*/ OR x\\ b)", [f"{ANY} q{ANY}", "x b"]),
    ],
)
def test_alternatives_are_read_in_each_language(query: str, patterns: list[str]) -> None:
    found = alternatives_at(query, query.index(" q") if " q" in query else query.index("[Qq]"))
    assert [one.pattern for one in found or ()] == patterns


@pytest.mark.parametrize(
    ("language", "query", "old", "new", "kind", "same"),
    [
        # `* x*` holds what `* x y*` holds.
        ("eql", 'A : ("* x*", "* x y*")', " y", " j", "letter", True),
        ("eql", 'A : ("* x*", "* x y*")', '"* x*", ', "", "item", False),
        ("eql", 'A : ("* x*", "*z y*")', " y", " j", "letter", False),
        ("kql", 'T\n| where A contains "x"\n    or A contains "yx"\n', '"yx"', '"jx"', "letter", True),
        ("kql", 'T\n| where A contains "x"\n    or B contains "yx"\n', '"yx"', '"jx"', "letter", False),
        ("kql", 'T\n| where A has "x"\n| where A contains " x "\n', '| where A has "x"\n', "", "stage", True),
        ("kql", 'T\n| where A has "x"\n| where A == 1\n', "| where A == 1\n", "", "stage", False),
        (
            "kql",
            'T\n| where A contains "bc"\n| where A contains "b"\n',
            '| where A contains "b"\n',
            "",
            "stage",
            True,
        ),
        (
            "kql",
            'T\n| where A contains "bc"\n| where B contains "b"\n',
            '| where B contains "b"\n',
            "",
            "stage",
            False,
        ),
        ("lucene", "a AND b AND NOT c", "AND b AND NOT", "OR b AND NOT", "operator", False),
        ("lucene", "a:1 AND b:2 AND c:3", "AND c", "OR c", "operator", False),
    ],
)
def test_why_same(language: str, query: str, old: str, new: str, kind: str, same: bool) -> None:
    assert (why_same(language, change(query, old, new, kind)) is not None) is same


def test_lucene_and_between_two_others_may_be_or() -> None:
    query = "a:1 AND b:2 AND c:3 AND d:4"
    start = query.index("AND c")
    assert why_same("lucene", Change("operator", query, start, start + 3, "OR")) is not None


@pytest.mark.parametrize("language", mutated_queries.LANGUAGES)
def test_each_change_of_a_small_rule_is_noticed(tmp_path: Path, language: str) -> None:
    file = tmp_path / "r.yml"
    file.write_text(RULE, encoding="utf-8")
    found = loading.load([file], tmp_path)
    (rule,) = emitted_rules(found)
    cell = cells.cell("sysmon", language)
    conversion = convert(found, rule, cell, Options("broader"))
    judge = mutated_queries.Judge(
        found, conversion, streams_of(found, rule, tmp_path / "tests", Options("broader"))
    )
    assert judge.verdict(conversion.queries[0]) is None
    results = mutated_queries.changed(judge, 14, random.Random(0))
    assert [one for one in results if one[1] in ("survived", "crashed")] == []
    assert sum(one[1] == "caught" for one in results) >= len(results) // 2


def test_the_page_shows_the_kept_numbers() -> None:
    kept = json.loads(page.NUMBERS.read_text(encoding="utf-8"))
    assert page.PAGE.read_text(encoding="utf-8") == "\n".join(page.page(kept)) + "\n"
    assert all(cell["crashed"] == cell["disagrees"] == 0 for cell in kept.values())


@pytest.mark.proof
@pytest.mark.shared
def test_changes_of_a_hundred_rules_in_each_cell() -> None:
    assert mutated_queries.main([]) == 0
