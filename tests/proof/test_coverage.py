"""docs/coverage.md: every refusal of a public rule has its reason; a sample here, all in `make proof`."""

from __future__ import annotations

import pytest

from tests.proof import coverage, coverage_page
from tests.support import ROOT, shared

PAGE = ROOT / "docs" / "coverage.md"


@pytest.mark.shared
def test_every_refusal_of_a_sample_has_a_reason() -> None:
    shared("sigmahq")
    found = coverage.outcomes(slice(7, None, 40))
    among = coverage.reasons()
    refused = [one for one in found if one.result == "refused"]
    assert len(found) > 400
    assert len(refused) > 100
    assert [one for one in refused if coverage.explain(one, among) is None] == []


@pytest.mark.shared
@pytest.mark.proof
def test_the_page_is_up_to_date_and_every_reason_is_needed() -> None:
    shared("sigmahq")
    found = coverage.every_outcome()
    assert list(coverage.unexplained(found, coverage.reasons())) == []
    assert PAGE.read_text() == coverage_page.render(found, coverage.shipped())


@pytest.mark.shared
def test_what_the_page_says_of_our_own_rules() -> None:
    shared("sigmahq")
    text = PAGE.read_text()
    own = coverage.shipped()
    for one in own:
        if one.result == "refused":
            assert one.source, f"{one.title} in {one.cell}: {one.why}"
            assert f"| {one.title} |" in text


@pytest.mark.shared
def test_every_public_rule_loads() -> None:
    shared("sigmahq")
    assert coverage.public().errors == []
    assert len(coverage.public().rules) > 1900
    assert len(coverage.corpus().rules) > 1400


def test_reasons_name_their_sources() -> None:
    for reason in coverage.reasons():
        assert len(reason.reason) > 15
        assert len(reason.source) > 15


def test_a_refusal_without_a_reason_is_named() -> None:
    made_up = coverage.Outcome("process_creation", "sysmon/eql", "refused", "SC201 something new")
    problems = list(coverage.unexplained([made_up], coverage.reasons()))
    assert problems[0] == "sysmon/eql process_creation: SC201 something new"
    assert len(problems) == 1 + len(coverage.reasons())
