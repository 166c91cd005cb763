"""Both proofs over everything: a fixed sample with each field and each form here, all in `make proof`."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from converter.conversion.convert import Options, convert
from converter.pipelines import cells as cells_module
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.stored import StoredStreams
from converter.verify.verify import streams_of, verify_rule
from tests.proof import covering, everything, real_events
from tests.proof.proven import Proven
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
    cells = [one for one in everything.cells() if one.target == language and one.source != cells_module.NONE]
    loaded = {id(cell): real_events.Loaded(cell, events()) for cell in cells}
    found = [
        real_events.outcome(loaded[id(cell)], rules, rule, rule.relative)
        for rule, cell in covering.spread(rules, sample(), cells)
    ]
    assert [one for one in found if one.status != "same"] == []
    assert len(found) > 30


@pytest.mark.proof
def test_every_rule_in_every_cell_agrees() -> None:
    """Each agrees, and the numbers of docs/coverage.md are those of this run."""
    shared("sigmahq")
    given = everything.every_rule()
    names = [everything.name_of(cell) for cell in everything.cells()]
    found = list(everything.run(given, names))
    assert len(found) == len(given) * len(names)
    assert [one for one in found if one.wrong] == []
    made = {"rules": len(given), "cells": everything.table(found)}
    assert json.loads(everything.NUMBERS.read_text()) == made


@pytest.mark.proof
def test_every_rule_selects_the_same_real_events() -> None:
    shared("corpus")
    names = [everything.name_of(one) for one in everything.cells() if one.source != cells_module.NONE]
    assert [one for one in real_events.run(names) if one.status in ("differs", "error")] == []


def test_what_is_proven_is_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the query is the same; a line that was cut off counts for nothing."""
    found = loading.load([ROOT / "sigma"])
    rule = next(one for one in emitted_rules(found) if one.kind == "rule")
    conversion = convert(found, rule, cells_module.cell("sysmon", "spl"), Options("any"))
    streams = streams_of(found, rule, ROOT / "tests" / "rules")
    first = Proven(tmp_path).check(found, conversion, streams, Options("any"), StoredStreams())
    assert first.status == "agrees"
    file = next(tmp_path.iterdir())
    file.write_text(file.read_text() + '["b", "agr')
    monkeypatch.setattr("tests.proof.proven.check", _never)
    assert Proven(tmp_path).check(found, conversion, streams, Options("any"), StoredStreams()) == first
    query = replace(conversion.queries[0], body=conversion.queries[0].body + " NOT a=b")
    with pytest.raises(AssertionError, match="run again"):
        Proven(tmp_path).check(
            found, replace(conversion, queries=(query,)), streams, Options("any"), StoredStreams()
        )


def _never(*_: object) -> None:
    raise AssertionError("run again")
