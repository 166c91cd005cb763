"""What is not valid Sigma is refused with a code, and the matcher's regexes are PCRE's."""

from __future__ import annotations

import time
from typing import Any

import pytest

from converter.errors import RuleError
from converter.matcher import compile_detection


def holds(selection: Any, **event: Any) -> bool:
    return compile_detection({"s": selection, "condition": "s"})(event)


@pytest.mark.parametrize(
    ("code", "selection"),
    [
        ("SC102", {"f|endwith": "x"}),
        ("SC102", {"f|contains|": "x"}),
        ("SC103", {}),
        ("SC103", []),
        ("SC103", {"f": []}),
        ("SC103", {"f": {"g": "x"}}),
        ("SC103", {"f": [["x"]]}),
        ("SC113", {"f|re": "("}),
        ("SC113", {"f|re": "a{2,1}"}),
        ("SC113", {"f|i": "x"}),
        ("SC113", {"f|contains|re": "x"}),
        ("SC113", {"f|cidr": "10.0.0.0/33"}),
        ("SC113", {"f|cidr": "10.0.0.1/8"}),
        ("SC113", {"f|cidr": "10.*"}),
        ("SC113", {"f|contains|cidr": "10.0.0.0/8"}),
        ("SC113", {"f|exists": "yes"}),
        ("SC113", {"|exists": True}),
        ("SC113", {"f|lt": "many"}),
        ("SC113", {"f|hour": "noon"}),
        ("SC113", {"f|contains": None}),
        ("SC113", {"f|base64": "a*"}),
        ("SC113", {"f|contains|base64": "a"}),
        ("SC113", {"f|base64": 7}),
        ("SC113", {"f|utf16": "x"}),
        ("SC113", {"f|wide": "é"}),
        ("SC113", {"f|fieldref": "g*"}),
        ("SC113", {"f|windash": " -a -b -c -d -e -f"}),
        ("SC113", {"|fieldref": "g"}),
        ("SC113", [None]),
        ("SC114", {"f|expand": "%x%"}),
    ],
)
def test_what_is_no_selection(code: str, selection: Any) -> None:
    with pytest.raises(RuleError) as caught:
        holds(selection)
    assert caught.value.code == code


def test_a_misspelt_modifier_has_a_hint() -> None:
    with pytest.raises(RuleError, match=r"SC102 unknown modifier 'endwith' \(did you mean 'endswith'\?\)"):
        holds({"f|endwith": "x"})


NO_CONDITIONS = """s and; and s; s s; s or or s; not; (s; s); (); s (s); none; S; s AND s; 1 of; 1 of none*;
2 of s*; all of; s | count() > 5; s near s; 1 of them of; s & s; 1 of (s); any of and"""


@pytest.mark.parametrize("condition", ["", "  ", None, [], 7, *NO_CONDITIONS.split(";")], ids=repr)
def test_what_is_no_condition(condition: Any) -> None:
    with pytest.raises(RuleError) as caught:
        compile_detection({"s": {"f": "x"}, "condition": condition})
    assert caught.value.code == "SC105"


NO_DETECTIONS = [None, [], {}, {"condition": "s"}, {"condition": "1 of them", "timeframe": "5m"}]


@pytest.mark.parametrize("detection", NO_DETECTIONS, ids=repr)
def test_what_is_no_detection(detection: Any) -> None:
    with pytest.raises(RuleError, match="SC103"):
        compile_detection(detection)


def test_deep_nesting() -> None:
    many = "(" * 1000 + "s" + ")" * 1000
    assert compile_detection({"s": {"f": "x"}, "condition": many})({"f": "x"})
    assert not compile_detection({"s": {"f": "x"}, "condition": "not " * 1001 + "s"})({"f": "x"})
    deep = "s and (t or (" * 150 + "s" + "))" * 150
    with pytest.raises(RuleError, match="SC105 the condition is nested deeper than 200"):
        compile_detection({"s": {"f": "x"}, "t": {"f": "y"}, "condition": deep})


@pytest.mark.parametrize(
    ("regex", "text", "wanted"),
    [
        (r"^foo$", "foo\n", True),
        (r"^foo\z", "foo\n", False),
        (r"^foo\Z", "foo\n", True),
        (r"\Afoo", "xfoo", False),
        (r"a\hb", "a\tb", True),
        (r"a\Rb", "a\r\nb", True),
        (r"[[:alpha:]_]+[[:digit:]]", "ab_7", True),
        (r"^[[:upper:]]$", "a", False),
        (r"[]x]", "]", True),
        (r"[^]x]", "]", False),
        (r"(?<name>a)\k", "a", None),
        (r"(?<name>ab)(?P=name)", "abab", True),
        (r"(?<!a)b", "ab", False),
        (r"(?<=a)b", "ab", True),
        (r"(?i)FOO", "foo", True),
        (r"a(?i)B", "ab", None),
        (r"\w", "é", False),
        (r"\d", "٣", False),
        (r"\/\-\:\"\%", '/-:"%', True),
        (r"\_", "_", True),
        (r"\y", "y", None),
        (r"a++b", "aaab", True),
        (r"(?>a+)ab", "aaab", False),
        (r"x{2}", "xx", True),
        (r"{", "{", True),
        ("a b", "a b", True),
    ],
)
def test_regexes(regex: str, text: str, wanted: bool | None) -> None:
    if wanted is None:
        with pytest.raises(RuleError, match="SC113"):
            holds({"f|re": regex}, f=text)
    else:
        assert holds({"f|re": regex}, f=text) is wanted


def test_case_insensitive_regexes_fold_ascii_only() -> None:
    assert holds({"f|re|i": "^[a-z]+K$"}, f="ABk")
    assert not holds({"f|re|i": "^k$"}, f="\u212a")
    assert not holds({"f|re|i": "^ä$"}, f="Ä")


def test_hostile_wildcards_take_linear_time() -> None:
    started = time.perf_counter()
    assert not holds({"f": "*a" * 40 + "*b"}, f="a" * 20_000)
    assert not holds({"f": "*?a" * 20 + "c"}, f="a" * 20_000)
    assert time.perf_counter() - started < 2
