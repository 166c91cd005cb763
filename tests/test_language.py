"""The table of the language: each case becomes the expected query, or the expected refusal.

That these queries select the ids worked out by hand is tested on the engines, in tests/backends/.
"""

from __future__ import annotations

import pytest

from tests.language_expected import DOC, LANGUAGES, _rows, document, expected, outcome, runnable
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


def test_no_expectation_is_left_over() -> None:
    assert set(EXPECTED) == {case.id for case in cases(negated=False)}


def test_document_is_up_to_date() -> None:
    assert DOC.read_text(encoding="utf-8") == document(list(_rows()))
