"""V1: forms of value on the fields that pipelines rewrite, against the matcher: a sample, and more."""

import pytest

from converter.pipelines import cells
from tests.proof.rewritten_forms import SOURCES, TARGETS, outcome, outcomes, rewritten, sample

CELLS = [
    (source, target)
    for source in SOURCES
    for target in TARGETS
    if (source, target) != ("sysmon", "spl")  # Its fields hold what Sysmon wrote.
]
SEED, SIZE = 12, 40
_STATUSES = {"exact", "assumed", "broader", "narrower", "refused"}


def test_the_cells_without_a_rewritten_field():
    assert list(rewritten(cells.cell("sysmon", "spl"))) == []


@pytest.mark.parametrize(("source", "target"), CELLS)
def test_v1_forms_of_values(source, target):
    """Values as the public logs have them (`tests/proof/ordinary.py`), stored by the vendors' own rules."""
    where = cells.cell(source, target)
    found = [outcome(where, case) for case in sample(where, SEED, SIZE)]
    assert [one for one in found if one.status not in _STATUSES] == []
    if source != "sysmon":
        assert sum(one.status in ("exact", "assumed") for one in found) > len(found) // 8


@pytest.mark.proof
@pytest.mark.parametrize(("source", "target"), CELLS)
def test_v1_more_forms_of_values(source, target):
    """Each 41st of all: `python -m tests.proof.rewritten_forms` tries every one of them."""
    found = outcomes(cells.cell(source, target), every=41)
    assert [one for one in found if one.status not in _STATUSES] == []
