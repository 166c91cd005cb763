"""Modifiers without a meaning together are refused by the conversion and by the matcher alike."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from converter.checks import problems
from converter.errors import RuleError, SigconvError
from converter.matcher import compile_detection
from converter.rule import Rule

REFUSED = [
    ("F|fieldref|cased", "G"),
    ("F|cased|fieldref", "G"),
    ("F|fieldref", ""),
    ("F|wide|fieldref", "G"),
    ("F|fieldref", "G*"),
    ("F|re|startswith", "a|b"),
    ("F|re|endswith", "a|b"),
    ("F|re", None),
    ("F|re", True),
    # Of one byte there is an offset at which no character is its own: `contains` would hold for every text.
    ("F|base64offset|contains", "a"),
    ("F|base64offset|contains", ""),
    ("F|base64offset|contains", "a*"),
    ("F|utf16", "ab"),
    ("F|wide", "é"),
    ("F|windash|utf16|contains", " -a"),
    ("F|wide|wide|base64", "ab"),
    ("F|utf16|wide", "ab"),
    ("F|hour", 2.5),
    ("F|hour|lt", 2.5),
    ("F|contains|re", "a"),
    ("F|contains|cidr", "10.0.0.0/8"),
    ("F|cidr", "10.0.0.1/8"),
    ("F|exists", "yes"),
    ("F|lt", "5"),
]


def rule(key: str, value: Any) -> Rule:
    doc = {
        "title": "t",
        "logsource": {"category": "c"},
        "detection": {"s": {key: value}, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


@pytest.mark.parametrize(("key", "value"), REFUSED)
def test_refused(key: str, value: Any) -> None:
    (found,) = problems(rule(key, value))
    assert found.code == "SC113"
    with pytest.raises(RuleError, match="SC113"):
        compile_detection({"s": {key: value}, "condition": "s"})


NAMES = (
    "contains",
    "startswith",
    "cased",
    "re",
    "windash",
    "base64",
    "base64offset",
    "wide",
    "utf16",
    "fieldref",
)


@pytest.mark.parametrize("first", NAMES)
def test_what_is_converted_has_a_meaning(first: str) -> None:
    """What the matcher refuses is not emitted, for each two modifiers of text in each order."""
    for second in NAMES:
        for value in ("ab -c", "é", "a*b", ""):
            key = "|".join(dict.fromkeys(("F", first, second)))
            try:
                compile_detection({"s": {key: value}, "condition": "s"})
            except SigconvError:
                assert [one.code for one in problems(rule(key, value))] == ["SC113"], (key, value)
