"""Public rules on their own field names: converted or refused, parsed by each language's validator, verified.

`make test` takes every fortieth rule, `make proof` all of them.
"""

from __future__ import annotations

from collections import Counter
from functools import cache

import pytest

from converter import pipelines, rules
from converter.convert import Options
from converter.rules import RuleSet
from converter.verify.run import verify
from tests.support import ROOT, shared

pytestmark = pytest.mark.shared

STEP = 40
# The share of rules that a language may refuse; rules that are keywords alone do not count for EQL and KQL.
MAY_REFUSE = {"eql": 0.05, "lucene": 0.05, "spl": 0.02, "kql": 0.02}
# Why a refusal is a true limit of the language: docs/language.md.
KEYWORDS = ("SC201 EQL has no search over all fields", "SC201 KQL looks for a keyword")


@cache
def corpus() -> RuleSet:
    found = rules.load([shared("sigmahq")])
    assert found.errors == []
    assert len(found.rules) > 1900
    return found


@pytest.mark.parametrize("target", ["eql", "lucene", "spl", "kql"])
@pytest.mark.parametrize("part", [pytest.param("sample"), pytest.param("all", marks=pytest.mark.proof)])
def test_every_query_agrees(part: str, target: str) -> None:
    everything = corpus()
    chosen = RuleSet(everything.rules[:: STEP if part == "sample" else 1], [], [], everything.rules)
    cell = pipelines.cell(pipelines.NONE, target)
    found = list(verify(chosen, [cell], ROOT / "tests" / "rules", Options("broader")))
    wrong = [f"{one.rule.file}: {one.reason}" for one in found if one.status in ("disagrees", "error")]
    assert wrong == []
    refused = [one.reason for one in found if one.status == "refused"]
    counted = [reason for reason in refused if not reason.startswith(KEYWORDS)]
    assert len(counted) <= MAY_REFUSE[target] * len(found), Counter(refused)
