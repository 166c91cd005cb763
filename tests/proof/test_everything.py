"""Both proofs over everything: a fixed sample with each field and each form here, all in `make proof`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from converter import pipelines
from converter.convert import Options
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify.run import verify_rule
from tests.proof import covering, everything, real_events
from tests.support import ROOT, SHARED, shared

pytestmark = pytest.mark.shared

SMALL = (
    "omerbenamram_sysmon.jsonl.gz",
    "open_xp_rules_raw.jsonl.gz",
    "sigma_regression.jsonl.gz",
    "otrf/cmd_psexec_lsa_secrets_dump.jsonl.gz",
)
"""Files of the corpus with 1,179 events of many kinds."""


def public() -> RuleSet:
    shared("sigmahq")
    return everything.ruleset(str(SHARED / "sigmahq"))


@cache
def sample() -> list[Rule]:
    return covering.cover(public())


@cache
def events() -> tuple[real_events.Event, ...]:
    return real_events.read([shared(f"corpus/{name}") for name in SMALL], 25)


def test_the_sample_has_each_field_and_each_form() -> None:
    some = sample()
    fields = {one for rule in some for one in covering.features(rule) if one.startswith("field ")}
    forms = {one for rule in some for one in covering.features(rule) if not one.startswith("field ")}
    assert len(fields) > 60
    assert len(forms) > 20
    assert len(some) < 90


def test_a_sample_agrees() -> None:
    """Each rule of the sample in one cell; the cells take turns, and each has some."""
    rules = public()
    pairs = list(covering.spread(rules, sample(), everything.cells()))
    assert {everything.name_of(cell) for _, cell in pairs} == set(map(everything.name_of, everything.cells()))
    wrong = [
        (rule.relative, everything.name_of(one.cell), one.status, one.reason, one.detail[:2])
        for rule, cell in pairs
        for one in verify_rule(rules, rule, [cell], ROOT / "tests" / "rules", Options("any"))
        if one.status != "agrees"
    ]
    assert wrong == []


@pytest.mark.parametrize("language", ["eql", "lucene", "spl", "kql"])
def test_a_sample_selects_the_same_real_events(language: str) -> None:
    rules = public()
    cells = [one for one in everything.cells() if one.target == language and one.source != pipelines.NONE]
    loaded = {id(cell): real_events.Loaded(cell, events()) for cell in cells}
    found = [
        real_events.outcome(loaded[id(cell)], rules, rule, rule.relative)
        for rule, cell in covering.spread(rules, sample(), cells)
    ]
    assert [one for one in found if one.status != "same"] == []
    assert len(found) > 30


@pytest.mark.proof
def test_every_rule_in_every_cell_agrees() -> None:
    """Goes on where `python -m tests.proof.everything` was: what that has proven is not run again."""
    shared("sigmahq")
    given = everything.every_rule()
    names = [everything.name_of(cell) for cell in everything.cells()]
    found = list(everything.run(given, names))
    assert len(found) == len(given) * len(names)
    assert [one for one in found if one.wrong] == []


@pytest.mark.proof
def test_the_numbers_of_docs_coverage_are_those_of_every_rule() -> None:
    shared("sigmahq")
    given = everything.every_rule()
    names = [everything.name_of(cell) for cell in everything.cells()]
    made = {"rules": len(given), "cells": everything.table(everything.run(given, names))}
    assert json.loads(everything.NUMBERS.read_text()) == made


@pytest.mark.proof
def test_every_rule_selects_the_same_real_events() -> None:
    shared("corpus")
    names = [everything.name_of(one) for one in everything.cells() if one.source != pipelines.NONE]
    assert [one for one in real_events.run(names) if one.status in ("differs", "error")] == []


def test_a_run_that_was_broken_off_goes_on(tmp_path: Path) -> None:
    one = everything.Outcome("a.yml", "1", "sysmon/kql", "agrees", "exact", 5, 2, "", ("x",))
    everything.Store(tmp_path).keep([one])
    file = next(tmp_path.iterdir())
    file.write_text(file.read_text() + '{"rule": "b.yml", "dig')
    store = everything.Store(tmp_path)
    assert store.of(everything.Given("f", 0, "a.yml", "1"), ["sysmon/kql"]) == [one]
    assert store.of(everything.Given("f", 0, "a.yml", "2"), ["sysmon/kql"]) is None
    assert store.of(everything.Given("f", 0, "a.yml", "1"), ["sysmon/kql", "none/kql"]) is None
