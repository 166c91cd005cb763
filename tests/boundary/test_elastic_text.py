"""Analysed text on Elastic: script blocks and other text."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from converter.backends.lucene import LuceneBackend
from converter.backends.lucene.expression import ANY, both
from converter.backends.lucene.query import query
from converter.backends.lucene.words import ANALYSERS, conditions
from converter.engines.lucene import LuceneEngine
from converter.events.stored import Stored
from converter.pipelines import cells
from converter.plan.columns import Column
from converter.plan.model import Fidelity
from tests.boundary.elastic import PATTERN, SCRIPTS, tokens
from tests.support import none_base


# elastic/integrations packages/windows/data_stream/powershell_operational/manifest.yml (analyzer) and
# fields/fields.yml (the field); the same in forwarded/manifest.yml and in winlogbeat's template.
def test_e4_script_blocks_have_the_analyser_of_the_integration() -> None:
    column = cells.cell("sysmon", "lucene").columns[SCRIPTS]
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
    [draft] = LuceneBackend().event(replace(base, columns=columns))
    assert draft.text == f"t:{expected}"
    label = max((reason.fidelity for reason in draft.reasons), default=Fidelity.EXACT)
    assert str(label) == fidelity
    assert all(reason.relaxation.startswith("words: pattern") for reason in draft.reasons)


@pytest.mark.parametrize("analyzer", [None, PATTERN])
def test_e4_no_text_that_holds_the_value_is_missed(analyzer: str | None) -> None:
    """Whatever is around a value, and in it: the words that the query asks for are in the field."""
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
