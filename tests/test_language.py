"""The table of the language: each case becomes the expected query or refusal, and selects the right ids.

The ids are worked out by hand from the specification; each query runs on an engine of its language, as the
rule is and under `not`.
"""

from __future__ import annotations

import pytest

from tests.language_expected import (
    DOC,
    LANGUAGES,
    _rows,
    document,
    expected,
    outcome,
    runnable,
    selects,
    validates,
)
from tests.language_table import Case, cases

EXPECTED = expected()


@pytest.mark.parametrize("case", cases(negated=False), ids=lambda case: case.id)
def test_expected_query(case: Case) -> None:
    for language in LANGUAGES:
        if not runnable(case, language):
            continue
        kind, text = outcome(case, language)
        wanted = EXPECTED[case.id][language]
        assert {kind: text if kind != "refused" else text.partition(" ")[0]} == wanted, language


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_query_selects_what_the_rule_means(case: Case, language: str) -> None:
    if not runnable(case, language):
        pytest.skip("a Kusto column holds one value")
    kind, text = outcome(case, language)
    if kind == "refused":
        # What cannot be said cannot be said under `not` either; what can, can.
        name = case.id if case.id in EXPECTED else case.id.removesuffix("/not")
        wanted = EXPECTED[name][language]
        assert "refused" in wanted or "broader" in wanted
        return
    validates(case, language, text)
    got, means = selects(case, language, text)
    if kind == "broader":
        assert set(got) >= set(means), text  # That it is broader is shown by verify, on witnesses.
    else:
        assert got == means, text


def test_no_expectation_is_left_over() -> None:
    assert set(EXPECTED) == {case.id for case in cases(negated=False)}


def test_document_is_up_to_date() -> None:
    assert DOC.read_text(encoding="utf-8") == document(list(_rows()))
