"""Public rules on their own field names: converted or refused, parsed by each language's validator, verified.

`make test` takes every fortieth rule, `make proof` all of them, in two processes of its own.
"""

from __future__ import annotations

import pytest

from tests.proof.corpus import LANGUAGES, Outcome, corpus, every_outcome, outcomes
from tests.proof.corpus_report import PAGE, reasons, render, too_many_refused, unexplained
from tests.support import shared

pytestmark = pytest.mark.shared

STEP = 40


def disagreements(found: list[Outcome]) -> list[Outcome]:
    return [one for one in found if one.status in ("disagrees", "error")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_fortieth_query_agrees(language: str) -> None:
    shared("sigmahq")
    assert disagreements(outcomes(language, slice(None, None, STEP))) == []


@pytest.mark.proof
def test_every_query_agrees() -> None:
    shared("sigmahq")
    found = every_outcome()
    assert len(found) == len(LANGUAGES) * len(corpus().rules)
    assert disagreements(found) == []
    assert too_many_refused(found) == []
    assert unexplained(found, reasons()) == []
    assert PAGE.read_text(encoding="utf-8") == render(found), "run python -m tests.proof.corpus_report"
