"""What Elastic stores and answers (findings E1 to E11 and C6), each with the place that says so."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from converter import pipelines
from converter.backends.eql import EqlBackend
from converter.backends.lucene import LuceneBackend
from converter.backends.lucene.expression import ANY, both
from converter.backends.lucene.query import query
from converter.backends.lucene.words import ANALYSERS, conditions
from converter.columns import Column
from converter.engines.base import Stored
from converter.engines.eql import EqlEngine
from converter.engines.lucene import LuceneEngine
from converter.engines.lucene.index import Fields
from converter.plan import BaseRule, Fidelity
from tests.support import none_base

SCRIPTS = "powershell.file.script_block_text"
PATTERN = r"[\W&&[^-]]+"
INDEX = "logs-windows.powershell_operational-default"


def tokens(column: Column, text: str) -> list[str]:
    """Return what Lucene's analyser makes of a text."""
    import jpype

    stream = Fields({"t": column}, []).analyzer().tokenStream(jpype.JString("t"), jpype.JString(text))
    term = stream.addAttribute(jpype.JClass("org.apache.lucene.analysis.tokenattributes.CharTermAttribute"))
    stream.reset()
    found = []
    while stream.incrementToken():
        found.append(str(term.toString()))
    stream.close()
    return found


# elastic/integrations packages/windows/data_stream/powershell_operational/manifest.yml (analyzer) and
# fields/fields.yml (the field); the same in forwarded/manifest.yml and in winlogbeat's template.
def test_e4_script_blocks_have_the_analyser_of_the_integration() -> None:
    column = pipelines.cell("sysmon", "lucene").columns[SCRIPTS]
    assert (column.type, column.analyzer) == ("text", PATTERN)


# The pattern is what separates: everything but A-Z, a-z, 0-9, the underscore and the hyphen.
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Get-System", ["get-system"]),
        ("[Net.WebClient]::new()", ["net", "webclient", "new"]),
        ("$env:TEMP\\a_b-c.ps1", ["env", "temp", "a_b-c", "ps1"]),
        ("café – Übung", ["caf", "bung"]),
    ],
)
def test_e4_tokens_of_script_blocks(text: str, expected: list[str]) -> None:
    assert tokens(Column("text", analyzer=PATTERN), text) == expected


# Unicode Standard Annex 29: a hyphen separates, a full stop between letters does not.
def test_e4_other_text_has_the_standard_analyser() -> None:
    assert tokens(Column("text"), "Get-System it's a.b c_d") == ["get", "system", "it's", "a.b", "c_d"]


@pytest.mark.parametrize(
    ("item", "expected", "fidelity"),
    [
        ({"contains": "Get-System"}, "*get-system*", "exact"),
        (
            {"contains": "New-Object System.Net.WebClient"},
            '(*new-object AND "system net" AND webclient*)',
            "broader",
        ),
        ({"contains": " -enc "}, '"-enc"', "broader"),
        ({"startswith": "param ("}, "param", "broader"),
        ({"endswith": "Get-Host"}, "*get-host", "broader"),
        ({"contains": "iex $a; iex $b"}, '(*iex AND "a iex" AND b*)', "broader"),
    ],
    ids=str,
)
def test_e4_whole_words_are_phrases(item: dict[str, str], expected: str, fidelity: str) -> None:
    [(modifier, value)] = item.items()
    base = none_base({"s": {f"t|{modifier}": value}, "condition": "s"}, "lucene")
    columns = {"t": Column("text", analyzer=PATTERN)}
    [draft] = LuceneBackend().event(BaseRule(base.rule, base.name, base.tree, base.state, columns))
    assert draft.text == f"t:{expected}"
    label = max((reason.fidelity for reason in draft.reasons), default=Fidelity.EXACT)
    assert str(label) == fidelity
    assert all(reason.relaxation == "words" for reason in draft.reasons)


@pytest.mark.parametrize("analyzer", [None, PATTERN])
def test_e4_no_text_that_holds_the_value_is_missed(analyzer: str | None) -> None:
    """Whatever stands around a value, and in it: the words that the query asks for are in the field."""
    random = Random(4)
    alphabet = "aB9_-. ,:;'\"$()\\/\n#*@é–Ω漢"
    columns = {"t": Column("text", analyzer=analyzer)}
    for _ in range(300):
        value, before, after = ("".join(random.choices(alphabet, k=random.randint(0, 9))) for _ in range(3))
        nodes = conditions("t", (ANY, value, ANY), ANALYSERS[analyzer])
        if nodes:
            stored = [Stored(0, "i", {"t": before + value + after})]
            found = LuceneEngine().load(stored, {"i": columns}).run(query(both(nodes)))
            assert list(found.events) == [0], (before, value, after, query(both(nodes)))


# elastic/elasticsearch x-pack/plugin/eql/src/main/java/org/elasticsearch/xpack/eql/analysis/Analyzer.java,
# ResolveOrReplaceOptionalRefs: in a filter an optional field that no index maps is the literal null; constant
# folding makes null of its comparison and of its opposite, and PruneFilters drops a filter that is null.
# `== null` of it holds (qa/common/src/main/resources/test_extra.toml, optionalMissingFieldNullEquality).
@pytest.mark.parametrize(
    ("condition", "mapped", "unmapped"),
    [
        ('?f : "x"', [], []),
        ('not ?f : "x"', [0, 1], []),
        ('?f != "x"', [0, 1], []),
        ("?f == null", [0], [0]),
        ('?f == null or not ?f : "x"', [0, 1], [0]),
        ('g : "1" or ?f : "x"', [0], [0]),
        ('not (g : "1" and ?f : "x")', [0, 1], []),
    ],
)
def test_e8_a_field_that_no_index_has_is_null(condition: str, mapped: list[int], unmapped: list[int]) -> None:
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    docs: list[dict[str, Any]] = [{"g": "1"}, {"f": "y", "g": "2"}]
    assert run_eql(f"any where {condition}", docs, columns) == mapped
    assert run_eql(f"any where {condition}", docs[:1], columns) == unmapped


def run_eql(text: str, docs: list[dict[str, Any]], columns: dict[str, Column]) -> list[int]:
    stored = [Stored(number, "i", doc) for number, doc in enumerate(docs)]
    return list(EqlEngine().load(stored, {"i": columns}).run(text).events)


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("not a", '?f == null or not ?f : "x"'),
        ("not (a or b)", '(?f == null or not ?f : "x") and not g : "y"'),
        ("not (a and b)", '?f == null or not ?f : "x" or not g : "y"'),
        ("a and not c", '?f : "x" and not ?f : "x*z"'),
        ("b and not d", 'g : "y" and (?f == null or not ?f : ("p", "q"))'),
    ],
)
def test_e8_negations_hold_where_no_index_has_the_field(condition: str, expected: str) -> None:
    selections = {"a": {"f": "x"}, "b": {"g": "y"}, "c": {"f": "x*z"}, "d": {"f": ["p", "q"]}}
    base = none_base({**selections, "condition": condition}, "eql")
    columns = {"f": Column("keyword", optional=True), "g": Column("keyword")}
    base = BaseRule(base.rule, base.name, base.tree, base.state, columns)
    [draft] = EqlBackend().event(base)
    assert draft.text == f"any where {expected}"
    # The document that has neither field is one that each negation selects.
    assert run_eql(draft.text, [{"h": "1"}], columns) == ([0] if condition.startswith("not") else [])
