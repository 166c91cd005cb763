"""The public rules on their own field names in every language, verified in two processes."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context

from converter import pipelines, rules
from converter.convert import Options
from converter.rules import RuleSet
from converter.verify.run import verify
from tests.support import ROOT, SHARED

LANGUAGES = ("eql", "lucene", "spl", "kql")
PARTS = 12
"""Of each language: the two processes end at about the same time."""

AGREES, REFUSED = "agrees", "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """One rule in one language."""

    rule: str
    """Path below the corpus."""
    language: str
    status: str
    """agrees, refused, disagrees or error."""
    fidelity: str
    reason: str
    """Of a refusal, with its code; else why the query is not exact, or how to read it."""


@cache
def corpus() -> RuleSet:
    """Return the rules; each must load."""
    found = rules.load([SHARED / "sigmahq"])
    assert found.errors == []
    assert len(found.rules) > 1900
    return found


def outcomes(language: str, part: slice) -> list[Outcome]:
    """Convert and verify some of the rules."""
    every = corpus()
    chosen = RuleSet(every.rules[part], [], [], every.rules)
    cell = pipelines.cell(pipelines.NONE, language)
    return [
        Outcome(one.rule.relative, language, one.status, one.fidelity, one.reason)
        for one in verify(chosen, [cell], ROOT / "tests" / "rules", Options("broader"))
    ]


def every_outcome(processes: int = 2, languages: Iterable[str] = LANGUAGES) -> list[Outcome]:
    """Convert and verify all rules in all languages."""
    parts = [slice(start, None, PARTS) for start in range(PARTS)]
    found: list[Outcome] = []
    for language in languages:
        # Processes of its own, so that one holds the engine of one language; spawned, as a JVM must not fork.
        with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
            for some in pool.map(outcomes, [language] * PARTS, parts):
                found += some
    return found
