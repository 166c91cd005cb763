"""Each query of the public Windows rules, executed over the rule's witnesses, agrees with the matcher.

`make test` takes two rules of each category, `make proof` all of them, in two processes of its own.
"""

from __future__ import annotations

import pytest

from tests.proof.cells import disagreements, every_outcome, outcomes, sample
from tests.proof.coverage import TARGETS, TWELVE, corpus
from tests.support import shared

pytestmark = pytest.mark.shared


@pytest.mark.parametrize("source", TWELVE)
def test_a_sample_of_each_category_agrees(source: str) -> None:
    shared("sigmahq")
    chosen = sample()
    assert len(chosen) > 35
    found = list(outcomes(chosen, source))
    assert disagreements(found) == []
    assert sum(one.status == "agrees" and one.hits > 0 for one in found) > 40


@pytest.mark.proof
def test_every_query_agrees() -> None:
    shared("sigmahq")
    found = list(every_outcome())
    assert len(found) == len(TWELVE) * len(TARGETS) * len(corpus().rules)
    assert disagreements(found) == []
