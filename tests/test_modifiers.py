"""Modifiers without a meaning together are refused by the conversion and by the matcher alike."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sigma.exceptions import SigmaError

from converter.backends.spl import SplBackend
from converter.engines.spl import SplEngine
from converter.errors import RuleError, SigconvError
from converter.matcher import compile_detection
from converter.rules.rule import Rule
from converter.rules.validity import problems
from converter.shapes import inferred as none_shape
from tests.support import none_base

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


TEXTS = [
    *("ab -c", "AB -C", "ab /c", "xab –cx", "a1b2c", "A1B2C", "xa1b2cx", "é", "", "G", "g", "x"),
    *(
        "YWIgLWM=",
        "ywiglwm=",
        "xYWIgLWMx",
        "w6k=",
        "W6K=",
        "6QA=",
        "6qa=",
        "a\0b\0 \0-\0c\0",
        "A\0B\0 \0-\0C\0",
    ),
]
EVENTS = [*({"F": text} for text in TEXTS), {}, {"F": "ab", "G": "AB"}, {"F": "xab", "G": "ab"}, {"G": "x"}]


@pytest.mark.parametrize("first", NAMES)
def test_two_modifiers_in_each_order(first: str) -> None:
    """One forgets nothing of the other: `cased|windash` is cased. SPL's engine is the quickest."""
    for second, value in product(NAMES, ("ab -c", "a*b?c", "é", "G")):
        key = "|".join(dict.fromkeys(("F", first, second)))
        for condition in ("s", "not s"):
            detection = {"s": {key: value}, "condition": condition}
            try:
                matches = compile_detection(detection)
            except RuleError:
                continue
            try:
                base = none_base(detection, "spl")
            except SigmaError:
                continue
            (draft,) = SplBackend().event(base)
            stored = none_shape.store(EVENTS, base.columns, "spl")
            found = SplEngine().load(stored, {}).run(draft.text).events
            assert sorted(found) == [n for n, event in enumerate(EVENTS) if matches(event)], draft.text
