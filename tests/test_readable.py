"""What a reader of a query would not write twice is there once, and selects the same.

That the queries mean the same is proven on the engines: `tests/test_language.py` and `make proof`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from converter.backends import backend_for
from converter.backends.common.factored import factored
from converter.backends.spl.repeats import once
from converter.conversion.convert import Options, convert
from converter.pipelines import cells
from converter.plan.volume_paths import VolumePath
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.support import none_base


def written(language: str, condition: str, **detections: Any) -> str:
    base = none_base({**detections, "condition": condition}, language)
    [draft] = backend_for(language).event(base)
    return draft.text


def in_cell(source: str, language: str, category: str, detection: dict[str, Any]) -> str:
    doc = {
        "title": "t",
        "logsource": {"product": "windows", "category": category},
        "detection": {"s": detection, "condition": "s"},
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return (
        convert(RuleSet([rule], [], []), rule, cells.cell(source, language), Options("any")).queries[0].body
    )


NUMBERS = ("1", "12", "123", "1234", "x")
A, B, C = {"F": "1"}, {"G": "2"}, {"H": "3"}


@pytest.mark.parametrize(
    ("language", "condition", "expected"),
    [
        # A and B or A and C is A and (B or C).
        ("eql", "(a and b) or (a and c)", 'any where ?F == "1" and (?G == "2" or ?H == "3")'),
        ("lucene", "(a and b) or (a and c)", "F:1 AND (G:2 OR H:3)"),
        ("spl", "(a and b) or (a and c)", "F=1 (G=2 OR H=3)"),
        # A or A and B is A.
        ("lucene", "a or (a and b)", "F:1"),
        ("spl", "a or (a and b)", "F=1"),
        # Some of the alternatives only, where one comparison of each is left.
        ("lucene", "(a and b) or (a and c) or d", "(F:1 AND (G:2 OR H:3)) OR I:4"),
        ("spl", "(a and b) or (a and c) or d", "(F=1 (G=2 OR H=3)) OR I=4"),
        # A list beside a shorter one of its values.
        ("eql", "a and (a or e)", 'any where ?F == "1"'),
        ("spl", "a and (a or e)", "F=1"),
        ("lucene", "a and (a or e)", "F:1"),
        # Two lists are barred as one.
        ("eql", "b and not a and not e", 'any where ?G == "2" and (?F == null or not ?F in ("1", "5"))'),
        ("lucene", "b and not a and not e", "G:2 AND NOT F:(1 OR 5)"),
        ("spl", "b and not a and not e", "G=2 NOT F IN (1, 5)"),
        # Not: a or not b.
        ("lucene", "not (a or not b)", "G:2 AND NOT F:1"),
        ("spl", "not (a or not b)", "G=2 NOT F=1"),
    ],
)
def test_conditions_stand_once(language: str, condition: str, expected: str) -> None:
    made = written(language, condition, a=A, b=B, c=C, d={"I": "4"}, e={"F": "5"})
    assert made.replace('"', "") == expected.replace('"', "")


def test_alternatives_with_nothing_in_common_stay() -> None:
    both, either = (lambda some: f"({' & '.join(some)})"), (lambda some: f"({' | '.join(some)})")
    parts = {"ab": "ab", "cd": "cd", "e": "e"}
    assert factored(["ab", "cd", "e"], lambda item: list(parts[item]), both, either) == ["ab", "cd", "e"]


def test_what_search_says_exactly_of_a_negated_list_is_not_said_again() -> None:
    text = written("spl", "a and not f", a=A, f=[{"Image|endswith": "\\x.exe"}, {"Image": ""}])
    assert text == 'F=1 NOT Image="*\\\\x.exe"\n| where isnull(Image) OR Image!=""'.replace("F=1", 'F="1"')


# A number in Windows' name of a volume has up to three digits: one pattern, not one for each length.
@pytest.mark.parametrize("language", ["eql", "spl", "kql", "lucene"])
def test_a_path_on_any_volume_is_one_pattern(language: str) -> None:
    text = in_cell("crowdstrike", language, "process_creation", {"Image": ["?:\\a\\b.exe", "?:\\c\\*"]})
    assert text.count("[0-9]{1,3}") == 2
    assert "Volume?" not in text
    assert "olume." not in text


def test_a_volume_path_finds_what_its_wider_text_finds_at_least() -> None:
    path = VolumePath(("\\Program Files (x86)\\a+b.exe",), cased=False)
    assert path.regex.pattern == r"^\\Device\\HarddiskVolume[0-9]{1,3}\\Program Files \(x86\)\\a\+b\.exe\z"
    assert path.on_one.plain == r"\Device\HarddiskVolume1\Program Files (x86)\a+b.exe"
    pattern = path.regex.pattern.replace(r"\z", r"\Z")
    stored = {number: f"\\Device\\HarddiskVolume{number}\\Program Files (x86)\\a+b.exe" for number in NUMBERS}
    found = [number for number, text in stored.items() if re.match(pattern, text)]
    assert found == ["1", "12", "123"]
    assert [str(part) for part in path.wider.parts if isinstance(part, str)] == [
        "\\Device\\HarddiskVolume",
        "\\Program Files (x86)\\a+b.exe",
    ]


@pytest.mark.parametrize(
    ("where", "search", "expected"),
    [
        (
            'where match(json_extract(_raw, "a.b"), "x") AND match(json_extract(_raw, "a.b"), "y)")',
            "*",
            ['eval b_text=json_extract(_raw, "a.b")', 'where match(b_text, "x") AND match(b_text, "y)")'],
        ),
        (
            'where match(replace(F, "&lt;", "<"), "x") OR isnull(replace(F, "&lt;", "<"))',
            "F_text=1",
            ['eval F_text2=replace(F, "&lt;", "<")', 'where match(F_text2, "x") OR isnull(F_text2)'],
        ),
        # Once, and in a text only.
        ('where match(replace(F, "a", "b"), "replace(F, \\"a\\", \\"b\\")")', "*", None),
    ],
)
def test_a_value_that_is_read_several_times_is_read_once(
    where: str, search: str, expected: list[str] | None
) -> None:
    assert once(where, search) == (expected or [where])
