"""How the searches read, row by row of the defects of upstream's Splunk backend (S1 to S16).

What they select is tested in tests/test_language.py and test_values.py; here that an analyst would have
written them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from converter.backends.spl import SplBackend
from converter.engines.spl import SplEngine
from converter.errors import Refusal
from converter.plan.model import BaseRule
from tests.support import none_base

A = {"F|re": "fo+"}


def text(detection: dict[str, Any], **state: Any) -> str:
    base: BaseRule = replace(none_base(detection, "spl"), state=state)
    (draft,) = SplBackend().event(base)
    SplEngine().validate(draft.text, {})
    return draft.text


def only(selection: Any, **state: Any) -> str:
    return text({"s": selection, "condition": "s"}, **state)


@pytest.mark.parametrize(
    ("selection", "query"),
    [
        # Values of one field are a list; an exact AND needs no parentheses.
        ({"A": "x", "B": ["y", "z*"]}, 'A="x" B IN ("y", "z*")'),
        ({"A|endswith": ["\\a.exe", "\\b.exe"]}, r'A IN ("*\\a.exe", "*\\b.exe")'),
        ({"A|contains|all": ["x", "y"]}, 'A="*x*" A="*y*"'),
        ([{"A": "x"}, {"B": "y"}], 'A="x" OR B="y"'),
        ([{"A": "x", "B": "y"}, {"A": "z"}], '(A="x" B="y") OR A="z"'),
        ([{"A": "x"}, {"B": "y"}, {"A": "z"}], 'A IN ("x", "z") OR B="y"'),
        ({"A": 5, "B": [1, -2.5], "C": True}, 'A=5 B IN (1, -2.5) C="true"'),
        # S1: several regexes, and all of them with `all`.
        ({"A|re": "x+", "B|re": "y+"}, 'A=* B=*\n| regex A="x+"\n| regex B="y+"'),
        ({"A": "z", "A|re|i": "x\\.y"}, 'A="z"\n| regex A="(?i)x\\.y"'),
        # SPL resolves an escaped pipe before the pattern is compiled; other escapes stay.
        ({"A|re": r"a\|b\d\\c\"d"}, 'A=*\n| regex A="a\\\\|b\\d\\\\\\\\c\\"d"'),
        # Python reads \\u, PCRE refuses it.
        ({"A|re": r"\u0041\\u"}, 'A=*\n| regex A="\\x41\\\\\\\\u"'),
        # S7: a single-character wildcard; search narrows with a star.
        ({"A": "prog?.exe"}, 'A="prog*.exe"\n| where match(A, "(?is)^prog.\\.exe\\z")'),
        # S8: a literal star has no escape in search.
        ({"A": "a\\*b"}, 'A="a*b"\n| where lower(A)="a*b"'),
        # S9: case.
        ({"A|cased": "Va"}, 'A="Va"\n| where A="Va"'),
        ({"A|cased": ["Va", "Vb"]}, 'A IN ("Va", "Vb")\n| where in(A, "Va", "Vb")'),
        ({"A|contains|cased": "Va"}, 'A="*Va*"\n| where match(A, "Va")'),
        # S10: field references ignore case, and stay within their OR or NOT.
        ({"A|fieldref": "B"}, "A=* B=*\n| where lower(A)=lower(B)"),
        # S11: null and its negation.
        ({"A": None}, "NOT A=*"),
        ({"A": None, "B": ["x", None]}, 'NOT A=* (B="x" OR NOT B=*)'),
        ({"A|exists": True, "B|exists": False}, "A=* NOT B=*"),
        # S13: keywords, as substrings of the event's text.
        (["foo"], "*foo*"),
        (["foo bar"], '*foo* *bar*\n| where match(_raw, "(?i)foo bar")'),
        # S14: numbers and an empty text.
        ({"A|gte": 5}, "A>=5\n| where tonumber(A)>=5"),
        ({"A": ""}, '*\n| where A=""'),
        # S15: subnets of both versions.
        ({"A|cidr": ["10.0.0.0/8", "fe80::/10"]}, 'A IN ("10.0.0.0/8", "fe80::/10")'),
        # A text that search would take for a subnet.
        ({"A": "10.0.0.0/8"}, '*\n| where lower(A)="10.0.0.0/8"'),
        ({"cs-uri": "x", "a.b": "y", "my field": "z"}, '"cs-uri"="x" a.b="y" "my field"="z"'),
        # Fields that search takes for a range of time or an index.
        ({"earliest": "x", "index": "y"}, 'index=y\n| where lower(earliest)="x"'),
    ],
)
def test_selection(selection: Any, query: str) -> None:
    assert only(selection) == query


@pytest.mark.parametrize(
    ("condition", "query"),
    [
        ("not s", 'NOT A="x"'),
        ("not null", "N=*"),
        ("not not s", 'A="x"'),
        ("not (s and t)", 'NOT (A="x" B="y")'),
        ("not (s or t)", 'NOT (A="x" OR B="y")'),
        # S16: OR inside AND.
        ("(s or t) and u", '(A="x" OR B="y") C="z"'),
        # S2, S3: a regex under NOT(AND), and NOT of two.
        (
            "u and not (t and r)",
            'C="z"\n| where isnull(B) OR NOT lower(B)="y" OR isnull(F) OR NOT match(F, "fo+")',
        ),
        ("not (r and q)", '*\n| where isnull(F) OR NOT match(F, "fo+") OR isnull(G) OR NOT match(G, "ba+")'),
        ("not r", '*\n| where isnull(F) OR NOT match(F, "fo+")'),
        # S4, S5: OR-ed regexes have a search before them.
        ("r or q", 'F=* OR G=*\n| where match(F, "fo+") OR match(G, "ba+")'),
        ("s or r", 'A="x" OR F=*\n| where lower(A)="x" OR match(F, "fo+")'),
        ("u and (s or r)", 'C="z" (A="x" OR F=*)\n| where lower(A)="x" OR match(F, "fo+")'),
        ("s and t and r", 'A="x" B="y" F=*\n| regex F="fo+"'),
    ],
)
def test_condition(condition: str, query: str) -> None:
    selections: dict[str, Any] = {"s": {"A": "x"}, "t": {"B": "y"}, "u": {"C": "z"}, "null": {"N": None}}
    selections |= {"r": A, "q": {"G|re": "ba+"}}
    words = condition.replace("(", " ").replace(")", " ").split()
    used = {name: one for name, one in selections.items() if name in words}
    assert text({**used, "condition": condition}) == query


@pytest.mark.parametrize("regex", [r"\u2028", r"\N{EM DASH}", r"\U0001F600"])
@pytest.mark.parametrize("selection", [{"A|re": "%s"}, {"|re": "%s"}], ids=["field", "keyword"])
def test_escapes_that_pcre_has_not(regex: str, selection: dict[str, str]) -> None:
    """Source: pcre.txt: "PCRE does not support \\L, \\l, \\N{name}, \\U, or \\u"."""
    with pytest.raises(Refusal, match="PCRE has no escape") as refused:
        only({key: value % regex for key, value in selection.items()})
    assert refused.value.code == "SC202"


def test_the_index_stands_first() -> None:
    assert only({"A": "x"}, index="win") == 'index=win A="x"'
    assert only([{"A": "x"}, {"B": "y"}], index=["win", "my index"]) == (
        'index IN (win, "my index") (A="x" OR B="y")'
    )
    assert only({"A|re": "a|"}, index="win") == 'index=win\n| regex A="a|"'


def test_a_backend_keeps_nothing_between_rules() -> None:
    backend = SplBackend()
    first = backend.event(none_base({"r": A, "q": {"G|re": "x"}, "condition": "r or q"}, "spl"))
    assert backend.event(none_base({"r": A, "q": {"G|re": "x"}, "condition": "r or q"}, "spl")) == first
