"""The list of mistakes at the boundary is whole: each can be made, and docs/mutations.md shows it.

Whether the tests notice them is said by ``python -m tests.proof.boundary_mutations``, which makes them.
"""

from __future__ import annotations

from collections import Counter

import pytest

from tests.proof import boundary_mutations
from tests.proof.boundary_mutations import Mistake
from tests.support import ROOT

MISTAKES = boundary_mutations.mistakes()


def test_the_docs_have_the_table() -> None:
    text = boundary_mutations.PAGE.read_text(encoding="utf-8")
    assert boundary_mutations.page(text) == text, "run python -m tests.proof.boundary_mutations --table"
    assert all(one.what in text for one in MISTAKES)


def test_there_are_forty_of_all_kinds() -> None:
    """Issue 12: 40 mutations at the boundary, each caught by a test or a proof."""
    areas = Counter(one.area for one in MISTAKES)
    assert len(MISTAKES) >= 40
    assert len(areas) >= 9
    assert min(areas.values()) >= 5
    assert len({one.what for one in MISTAKES}) == len(MISTAKES)


@pytest.mark.parametrize("mistake", MISTAKES, ids=[one.what for one in MISTAKES])
def test_a_mistake_can_be_made_and_its_tests_are_there(mistake: Mistake) -> None:
    text = (ROOT / mistake.file).read_text(encoding="utf-8")
    assert mistake.changed(text) != text
    for one in mistake.tests:
        if not one.startswith("tests/"):
            continue  # An option of pytest.
        file, _, name = one.partition("::")
        assert (ROOT / file).is_file()
        assert not name or f"def {name}(" in (ROOT / file).read_text(encoding="utf-8")
