"""Random rules: each query selects what the matcher does, as its label says."""

from __future__ import annotations

import pytest

pytest.importorskip("eql", reason="the engines need sigconv[verify]")

from tests.proof import fuzzed
from tests.proof.stream_cells import LANGUAGES

FEW = 40


def run(language: str, numbers: range) -> None:
    wrong, selected = [], 0
    for number in numbers:
        token = f"fuzz/{number}"
        text, drafts = fuzzed.outcome(token, language)
        if drafts is not None:
            wrong += [f"{token}: {one}" for one in fuzzed.problems(token, language, drafts)]
            selected += text.startswith("exact")
    assert wrong == []
    assert selected > 0.7 * len(numbers)


@pytest.mark.parametrize("language", LANGUAGES)
def test_random_rules(language: str) -> None:
    run(language, range(FEW))


@pytest.mark.proof
@pytest.mark.parametrize("language", LANGUAGES)
def test_many_random_rules(language: str) -> None:
    run(language, range(FEW, fuzzed.COUNT))


def test_events_tell_rules_apart() -> None:
    """Most rules select some of their events and leave some."""
    told = 0
    for number in range(200):
        token = f"fuzz/{number}"
        matches = fuzzed.compile_detection(fuzzed.detection(token))
        told += 0 < sum(map(matches, fuzzed.events(token))) < len(fuzzed.events(token))
    assert told > 120
