"""The list of assumptions in the documentation is that of the pipelines."""

from __future__ import annotations

from tests import assumption_docs


def test_the_list_of_assumptions_in_the_docs_is_todays() -> None:
    """docs/semantics.md is generated from pipelines/**/*.assumptions.yml."""
    text = assumption_docs.PAGE.read_text(encoding="utf-8")
    assert assumption_docs.page(text) == text, "run python -m tests.assumption_docs"
    listed = [entry.id for _, entries in assumption_docs.lists() for entry in entries]
    assert len(set(listed)) == len(listed)
