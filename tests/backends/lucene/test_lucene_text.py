"""What is emitted reads as a Lucene user would write it: pinned; the other tests execute every form."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from converter.backends.lucene import LuceneBackend
from converter.errors import Refusal
from converter.plan.columns import Column
from converter.plan.model import BaseRule, Fidelity, Reason
from tests.support import none_base

COLUMNS = {
    **{name: Column("keyword") for name in "fgh"},
    "n": Column("long"),
    "d": Column("double"),
    "ip": Column("ip"),
    "b": Column("boolean"),
    "t": Column("match_only_text"),
    "flat.x": Column("flattened"),
    "p": Column("keyword", caseless="p.caseless"),
    "w": Column("wildcard"),
    "when": Column("date"),
    "geo": Column("geo_point"),
    "field name": Column("keyword"),
    "url:path": Column("keyword"),
    "cs-uri": Column("keyword"),
    "OR": Column("keyword"),
    "a*": Column("keyword"),
    "@t": Column("keyword"),
}


def rule(detection: dict[str, Any]) -> BaseRule:
    base = none_base(detection, "lucene")
    return replace(base, columns=COLUMNS)


def emitted(selection: Any, condition: str = "s", case: Any = "exact", **more: Any) -> str:
    [draft] = LuceneBackend(case=case).event(rule({"s": selection, **more, "condition": condition}))
    return draft.text


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        # Values without letters need no regex.
        ({"f": "4624"}, "f:4624"),
        ({"f": ["4624", "4625"]}, "f:(4624 OR 4625)"),
        ({"f": "10.0.0.1"}, "f:10.0.0.1"),
        ({"f|contains": "1 2"}, r"f:*1\ 2*"),
        ({"f|startswith": "-1"}, r"f:\-1*"),
        ({"f": "1?3"}, "f:1?3"),
        ({"f": "-3"}, 'f:"-3"'),
        ({"f": ""}, 'f:""'),
        ({"f": "*"}, "_exists_:f"),
        ({"f": "<1>"}, 'f:"<1>"'),
        ({"f|startswith": "<1"}, r"f:\<1*"),
        ({"f": 1.5}, "f:1.5"),
        # Letters: in both cases.
        ({"f": "cmd.exe"}, r"f:/[Cc][Mm][Dd]\.[Ee][Xx][Ee]/"),
        ({"w|endswith": "\\a.exe"}, r"w:/.*\\[Aa]\.[Ee][Xx][Ee]/"),
        ({"f|contains": "a/b"}, r"f:/.*[Aa]\/[Bb].*/"),
        ({"f": "a\\"}, r"f:/[Aa][\\]/"),
        ({"f|contains": ["aa", "bb"]}, "f:(/.*[Aa][Aa].*/ OR /.*[Bb][Bb].*/)"),
        ({"f|contains|all": ["aa", "bb"]}, "f:(/.*[Aa][Aa].*/ AND /.*[Bb][Bb].*/)"),
        # Cased: as written.
        ({"f|cased": "cmd.exe"}, "f:cmd.exe"),
        ({"f|cased": "C:\\x y"}, r'f:"C:\\x y"'),
        ({"f|contains|cased": "x y"}, r"f:*x\ y*"),
        ({"f|cased": ["AND", "OR", "a"]}, 'f:("AND" OR "OR" OR a)'),
        ({"f|cased": 'a"b'}, r'f:"a\"b"'),
        # A sub-field with a lowercase normalizer.
        ({"p": "C:\\Cmd.exe"}, r'p.caseless:"c:\\cmd.exe"'),
        ({"p|endswith": "\\Cmd.exe"}, r"p.caseless:*\\cmd.exe"),
        ({"p|cased": "Cmd.exe"}, "p:Cmd.exe"),
        ({"p|re": "^Cmd"}, "p:/Cmd.*/"),
        ({"p": "12"}, "p:12"),
        ({"p": "*"}, "_exists_:p"),
        # Types.
        ({"n": 5}, "n:5"),
        ({"n": -5}, 'n:"-5"'),
        ({"n": "5"}, "n:5"),
        ({"n": [5, 6]}, "n:(5 OR 6)"),
        ({"n|gte": 5}, "n:>=5"),
        ({"n|lt": -5}, "n:<-5"),
        ({"n|gt": 5, "n|lte": 9}, "n:(>5 AND <=9)"),
        ({"d": 1.5}, "d:1.5"),
        ({"d": 10000000000000000000000.0}, "d:10000000000000000000000"),
        ({"b": True}, "b:true"),
        ({"b": "True"}, "b:true"),
        ({"ip": "10.1.2.3"}, "ip:10.1.2.3"),
        ({"ip": "10.*"}, 'ip:"10.0.0.0/8"'),
        ({"ip|cidr": "10.0.0.0/8"}, 'ip:"10.0.0.0/8"'),
        ({"ip|cidr": ["fe80::/10", "10.0.0.0/8"]}, 'ip:("fe80::/10" OR "10.0.0.0/8")'),
        ({"ip|cidr": "::fffe:0:0/95"}, 'ip:"::fffe:0:0/96"'),
        ({"f|cidr": "10.1.0.0/16"}, None),
        ({"f|cidr": "fe80::/10"}, "f:/[Ff][Ee][89AaBb][0-9A-Fa-f]:[0-9A-Fa-f:.]*(%.+)?/"),
        ({"f|cidr": "fc00::/7"}, "f:/[Ff][CcDd][0-9A-Fa-f]{2}:[0-9A-Fa-f:.]*(%.+)?/"),
        ({"f|cidr": "2001:db8::/32"}, "f:/2001:[Dd][Bb]8:[0-9A-Fa-f:.]*(%.+)?/"),
        ({"f|cidr": "::1/128"}, 'f:"::1"'),
        ({"flat.x": "5"}, "flat.x:5"),
        ({"flat.x|cased": "Ab"}, "flat.x:Ab"),
        ({"flat.x|startswith|cased": "Ab"}, "flat.x:Ab*"),
        ({"t|contains": "Invoke-Mimikatz"}, "t:(*invoke AND mimikatz*)"),
        # Missing and present.
        ({"f": None}, "NOT _exists_:f"),
        ({"f|exists": True}, "_exists_:f"),
        ({"f|exists": False}, "NOT _exists_:f"),
        # Field names.
        ({"field name": "1"}, r"field\ name:1"),
        ({"field name|exists": True}, '_exists_:"field name"'),
        ({"url:path": "1"}, r"url\:path:1"),
        ({"cs-uri": "1"}, "cs-uri:1"),
        ({"OR": "1"}, r"\OR:1"),
        ({"@t": "1"}, "@t:1"),
        # Regular expressions.
        ({"f|re": "fo+/"}, r"f:/.*fo+\/.*/"),
        ({"f|re|i": "^fo"}, "f:/[Ff][Oo].*/"),
        ({"f|re": ".*"}, "_exists_:f"),
        # Keywords search every field.
        (["12", "ab"], "*12* OR /.*[Aa][Bb].*/"),
    ],
    ids=str,
)
def test_selection(selection: Any, expected: str | None) -> None:
    if expected is None:
        expected = "f:/10\\.1\\." + "\\.".join(["(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"] * 2) + "/"
    assert emitted(selection) == expected


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("a and b", "f:1 AND g:2"),
        ("a or b", "f:1 OR g:2"),
        ("not a", "NOT f:1"),
        ("not not a", "f:1"),
        ("a and not b", "f:1 AND NOT g:2"),
        ("not a and not b", "NOT (f:1 OR g:2)"),
        ("a or not b", "f:1 OR (NOT g:2)"),
        ("not (a or b)", "NOT (f:1 OR g:2)"),
        ("not (a and b)", "NOT (f:1 AND g:2)"),
        ("not (a or a2)", "NOT f:(1 OR 3)"),
        ("a and (b or c)", "f:1 AND (g:2 OR h:4)"),
        ("a and b or c", "(f:1 AND g:2) OR h:4"),
        ("(a or a2) and b", "f:(1 OR 3) AND g:2"),
        ("a or b or a2", "f:(1 OR 3) OR g:2"),
        ("(a or b) or c", "f:1 OR g:2 OR h:4"),
        ("a and (b and c)", "f:1 AND g:2 AND h:4"),
        ("a or a", "f:1"),
        ("none and a", "NOT _exists_:f AND f:1"),
    ],
)
def test_condition(condition: str, expected: str) -> None:
    parts = {"a": {"f": 1}, "a2": {"f": 3}, "b": {"g": 2}, "c": {"h": 4}, "none": {"f": None}}
    [draft] = LuceneBackend().event(rule({**parts, "condition": condition}))
    assert draft.text == expected


@pytest.mark.parametrize(
    ("selection", "code", "message"),
    [
        ({"n": "abc"}, "SC204", "of type long: it cannot be compared with the text 'abc'"),
        ({"n": "1*"}, "SC204", "of type long"),
        ({"n": 1.5}, "SC204", "of type long"),
        ({"n|re": "1"}, "SC204", "regular expression"),
        ({"n|cidr": "10.0.0.0/8"}, "SC204", "network"),
        ({"f|gt": 5}, "SC204", "as text; KQL and SPL convert"),
        ({"ip": "1*1"}, "SC204", "of type ip"),
        ({"ip": 5}, "SC204", "of type ip"),
        ({"f|cidr": "2001:0:1::/48"}, "SC204", "network 2001:0:1::/48, as zeros"),
        ({"f|cidr": "::/8"}, "SC204", "network ::/8, as zeros"),
        ({"ip|cidr": "::ffff:0:0/96"}, "SC204", "cannot be told from IPv4"),
        ({"b": "yes"}, "SC204", "of type boolean"),
        ({"when": "x"}, "SC204", "of type date"),
        ({"flat.x": "ab"}, "SC204", "letters of either case"),
        ({"flat.x|contains|cased": "ab"}, "SC204", "wildcards"),
        ({"t": "--"}, "SC204", "no words"),
        ({"t|re": "a"}, "SC204", "regular expression"),
        ({"geo": "1"}, "SC204", "geo_point"),
        ({"unknown": "1"}, "SC204", "not in the column list"),
        ({"a*": "1"}, "SC204", "cannot name the field"),
        ({"f|fieldref": "g"}, "SC201", "KQL and SPL can"),
        ({"f|re": "(?=a)"}, "SC202", "lookahead"),
        ({"f|re": "a.{20}b"}, "SC203", "too complex"),
        ({"f|cased": "*a" + "?" * 15}, "SC203", "too complex"),
        ({"f": "ab" * 130}, "SC203", "1040 characters; Elasticsearch takes 1000"),
        ({"f|expand": "%x%"}, "SC206", "placeholder"),
    ],
    ids=str,
)
def test_refused(selection: Any, code: str, message: str) -> None:
    with pytest.raises(Refusal, match=message) as caught:
        emitted(selection)
    assert caught.value.code == code


def test_as_is_is_plain_and_narrower_only_where_letters_are() -> None:
    def drafts(selection: Any, condition: str = "s") -> tuple[str, list[Fidelity]]:
        [draft] = LuceneBackend(case="as-is").event(rule({"s": selection, "condition": condition}))
        return draft.text, [reason.fidelity for reason in draft.reasons]

    assert drafts({"f|endswith": "\\Cmd.exe"}) == (r"f:*\\Cmd.exe", [Fidelity.NARROWER])
    assert drafts({"f": "Cmd"}, "not s") == ("NOT f:Cmd", [Fidelity.BROADER])
    assert drafts({"f": "12"}) == ("f:12", [])
    assert drafts({"f|cased": "Ab"}) == ("f:Ab", [])
    assert drafts({"p": "Ab"}) == ("p.caseless:ab", [])
    assert drafts({"f|re|i": "ab"}) == ("f:/.*[Aa][Bb].*/", [])
    assert drafts(["qq"]) == ("*qq*", [Fidelity.NARROWER])


def test_analysed_text_is_broader_and_narrower_under_not() -> None:
    why = "the field t is analysed text: only the words of a value are looked for"
    for condition, fidelity in (("s", Fidelity.BROADER), ("not s", Fidelity.NARROWER)):
        [draft] = LuceneBackend().event(rule({"s": {"t": "ab"}, "condition": condition}))
        assert draft.reasons == (Reason(fidelity, why, "words: standard, t"),)
        for field, words in (("t|contains", "a b"), ("t|contains", "a-b"), ("t|startswith", "ab")):
            [draft] = LuceneBackend().event(rule({"s": {field: words}, "condition": condition}))
            bounded = tuple(one for one in draft.reasons if not one.unbounded)
            assert bounded == (Reason(fidelity, why, "words: standard, t"),)
        # A word is within a token, wherever it is.
        [draft] = LuceneBackend().event(rule({"s": {"t|contains": "Ab1"}, "condition": condition}))
        assert (draft.text, draft.reasons) == ("t:*ab1*" if condition == "s" else "NOT t:*ab1*", ())


def test_no_header_as_there_are_no_comments() -> None:
    assert LuceneBackend().comment(["title"]) == ""


@pytest.mark.parametrize(
    ("kind", "keyword", "loses"),
    [
        ("keyword", "a b", False),
        ("wildcard", "a b", False),
        ("text", "a b", True),
        ("text", "mimikatz", False),  # within a word
        ("match_only_text", "a.b", True),
        ("long", "4625", True),
        ("long", 4625, True),
        ("long", "a1", False),
        ("double", "1.5", True),
        ("ip", "10.0", True),
        ("ip", "fe80:", True),
        ("ip", "host", False),
        ("date", "2026-01", True),
        ("date", "jan", False),
        ("boolean", "RUE", True),
        ("boolean", "yes", False),
    ],
)
def test_keywords_note_the_fields_in_which_they_are_not_found(kind: str, keyword: Any, loses: bool) -> None:
    for condition, fidelity in (("k", Fidelity.NARROWER), ("not k", Fidelity.BROADER)):
        base = none_base({"k": [keyword], "condition": condition}, "lucene")
        base = replace(base, columns={"f": Column(kind)})
        [draft] = LuceneBackend().event(base)
        assert [reason.fidelity for reason in draft.reasons] == ([fidelity] if loses else [])
        assert all(f"not in {kind}" in reason.text for reason in draft.reasons)


def test_regex_keywords_are_not_found_in_typed_fields() -> None:
    [draft] = LuceneBackend().event(rule({"k": {"|re": "a"}, "condition": "k"}))
    assert [reason.fidelity for reason in draft.reasons] == [Fidelity.NARROWER]


def test_the_dsl() -> None:
    detection = {
        "a": {"f|endswith": "\\cmd*.exe", "n|gte": 5, "ip|cidr": "10.0.0.0/8", "g|exists": True},
        "b": [
            {"f": "ab"},
            {"f|startswith": "x*y"},
            {"g|startswith|cased": "Ab"},
            {"g|re|i": "^a[bc]"},
            {"h|re": "d"},
        ],
        "c": {"p": "Cd", "h": None},
        "k": ["kw"],
        "condition": "a and b and not c or k",
    }
    [draft] = LuceneBackend().event_dsl(rule(detection))
    folding = {"case_insensitive": True}
    assert json.loads(draft.text) == {
        "query": {
            "bool": {
                "should": [
                    {
                        "bool": {
                            "filter": [
                                {"wildcard": {"f": {"value": r"*\\cmd*.exe", **folding}}},
                                {"range": {"n": {"gte": "5"}}},
                                {"term": {"ip": {"value": "10.0.0.0/8"}}},
                                {"exists": {"field": "g"}},
                                {
                                    "bool": {
                                        "should": [
                                            {"term": {"f": {"value": "ab", **folding}}},
                                            {"wildcard": {"f": {"value": "x*y*", **folding}}},
                                            {"prefix": {"g": {"value": "Ab"}}},
                                            {"regexp": {"g": {"value": "a[BCbc].*", **folding}}},
                                            {"regexp": {"h": {"value": ".*d.*"}}},
                                        ],
                                        "minimum_should_match": 1,
                                    }
                                },
                            ],
                            "must_not": [
                                {
                                    "bool": {
                                        "filter": [{"term": {"p.caseless": {"value": "cd"}}}],
                                        "must_not": [{"exists": {"field": "h"}}],
                                    }
                                }
                            ],
                        }
                    },
                    {"query_string": {"query": "/.*[Kk][Ww].*/"}},
                ],
                "minimum_should_match": 1,
            }
        }
    }
