"""Our parser of the classic syntax builds the trees that Lucene's own parser builds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from converter.engines import lucene_jvm
from converter.engines.lucene.syntax import Bool, Node, Pattern, Range, Term, parse
from converter.errors import EngineError

TRUTH = json.loads((Path(__file__).parent / "data/lucene_elasticsearch.json").read_text("utf-8"))


def by_lucene(text: str) -> Any:
    """The tree of Lucene's QueryParser, over unanalysed fields, in nested tuples; None if it throws."""
    import jpype

    lucene_jvm.start()
    analyzer = jpype.JClass("org.apache.lucene.analysis.core.KeywordAnalyzer")()
    parser = jpype.JClass("org.apache.lucene.queryparser.classic.QueryParser")("_", analyzer)
    parser.setAllowLeadingWildcard(True)
    try:
        return _tuple(parser.parse(lucene_jvm.java_string(text)))
    except jpype.JException as error:
        return "error" if "ParseException" in str(error.getClass()) else "limit"


def _tuple(query: Any) -> Any:
    kind = str(query.getClass().getSimpleName())
    match kind:
        case "BoostQuery":
            return _tuple(query.getQuery())
        case "BooleanQuery":
            return tuple((str(c.occur().name()), _tuple(c.query())) for c in query.clauses())
        case "MatchAllDocsQuery":
            return "all"
        case "TermQuery":
            return ("term", str(query.getTerm().field()), str(query.getTerm().text()))
        case "FuzzyQuery":
            return ("fuzzy", str(query.getTerm().field()), str(query.getTerm().text()))
        case "PrefixQuery":
            return ("prefix", str(query.getPrefix().field()), str(query.getPrefix().text()))
        case "WildcardQuery":
            return ("wildcard", str(query.getTerm().field()), str(query.getTerm().text()))
        case "RegexpQuery":
            return ("regex", str(query.getRegexp().field()), str(query.getRegexp().text()))
        case "TermRangeQuery":
            low, high = query.getLowerTerm(), query.getUpperTerm()
            return (
                "range",
                str(query.getField()),
                None if low is None else str(low.utf8ToString()),
                None if high is None else str(high.utf8ToString()),
                low is None or bool(query.includesLower()),
                high is None or bool(query.includesUpper()),
            )
    raise AssertionError(kind)


def ours(text: str) -> Any:
    try:
        return _plain(parse(text))
    except EngineError:
        return "error"


def _plain(node: Node | None) -> Any:
    match node:
        case None:
            return ()
        case Bool(clauses):
            return tuple((occur, _plain(child)) for occur, child in clauses)
        case Term(field, text):
            return ("term", field or "_", text)
        case Pattern("wildcard", "*", "*"):
            return "all"
        case Pattern(kind, field, text):
            return (kind, field or "_", text)
        case Range(field, low, high):
            return (
                "range",
                field or "_",
                low,
                high,
                low is None or node.includes_low,
                high is None or node.includes_high,
            )


@pytest.mark.parametrize("query", [case["query"] for case in TRUTH["cases"] if case["query"].strip()])
def test_as_lucene(query: str) -> None:
    expected = by_lucene(query)
    # A bad regex is a matter of the field's query, not of the syntax.
    assert expected == "limit" or ours(query) == expected


_WORDS = r'a b f: "x y" AND OR NOT && || ! + - ( ) * ? ~ ~2 ^2 /r/ /a\/b/ /x\\/ [1 TO 2] {a *] > >= \: \"'
_MORE = r'\AND g: " x* *y TO \ \u0041 é : a-b 1.5 f:/ [ ]'
_PIECES = st.sampled_from([*_WORDS.split(), *_MORE.split(), " ", "\n"])


@settings(max_examples=1500, derandomize=True, deadline=None)
@given(st.lists(_PIECES, min_size=1, max_size=9), st.sampled_from(["", " "]))
def test_any_text_as_lucene(pieces: list[str], space: str) -> None:
    text = space.join(pieces)
    expected = by_lucene(text)
    if text.strip() and expected != "limit":
        assert ours(text) == expected
