"""Correlations become the texts that were borne out over streams (`pinned`)."""

from __future__ import annotations

import pytest

from tests.proof.pinned import outcome, texts
from tests.proof.stream_cells import LANGUAGES


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_correlation_becomes_its_text(language: str) -> None:
    wanted = texts(language)
    assert len(wanted) > 70
    for token, text in wanted.items():
        # If the change is meant: `python -m tests.proof.pinned`, which runs it on an engine.
        assert outcome(token, language)[0] == text, token
