"""No broader form without a bound is a default: three cells over one small log here, all in `make proof`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest

from converter.pipelines import cells as cells_module
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from tests.proof import bounds, bounds_page, everything
from tests.proof.bounds import Measured
from tests.proof.logs import Kind, kinds, plain, windows_logs
from tests.support import shared

SMALL = ("otrf/empire_shell_rubeus_asktgt_createnetonly.jsonl.gz", "open_xp_rules_raw.jsonl.gz")
"""4,009 events, 61 script blocks among them."""


@cache
def small() -> tuple[Kind, ...]:
    return tuple(kinds([shared(f"corpus/{name}") for name in SMALL]))


def measured(value: str, level: str) -> Measured:
    """Return what a rule for a script raises on the small logs in CrowdStrike's Lucene."""
    detection = {"s": {"ScriptBlockText|contains": value}, "condition": "s"}
    logsource = {"product": "windows", "category": "ps_script"}
    doc = {"title": "t", "name": "t", "level": level, "logsource": logsource, "detection": detection}
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    days = bounds.Days(cells_module.cell("crowdstrike", "lucene"), small())
    found = bounds.measured(days, RuleSet([rule]), rule, "t.yml")
    assert found is not None
    return found


@pytest.mark.shared
def test_words_that_stand_apart_fire_on_ordinary_scripts() -> None:
    """Empire's agent and Windows' own scripts hold `Get` and `System`, none of them `Get-System`."""
    found = measured("Get-System", "high")
    assert (found.form, found.meant) == ("words", 0)
    assert found.raised > 0
    assert not found.given


@pytest.mark.shared
def test_no_form_without_a_bound_is_given_in_a_sample() -> None:
    shared("sigmahq")
    found = [
        one
        for cell in ("sysmon/lucene", "crowdstrike/lucene", "defender/kql")
        for one in bounds.run([cell], small(), "susp_get")
    ]
    assert len(found) > 4
    assert all(one.raised >= one.meant for one in found)
    assert bounds.judged(found) == []


@pytest.mark.shared
def test_the_benign_logs_are_those_that_the_manifest_calls_background() -> None:
    shared("corpus")
    assert {Path(one).name.split("_")[0] for one in plain()} == {"cmd", "metasploit"}
    assert len(plain()) == 2


@pytest.mark.parametrize(
    ("level", "meant", "raised", "benign", "beyond"),
    [
        ("low", 0, 20, 20, False),
        ("low", 0, 21, 0, True),
        ("low", 5, 100, 95, False),
        ("low", 5, 101, 96, True),
        ("high", 5, 6, 0, False),
        ("high", 5, 6, 1, True),
        ("critical", 0, 1, 1, True),
        ("medium", 0, 1, 1, False),
    ],
)
def test_the_bound(level: str, meant: int, raised: int, benign: int, beyond: bool) -> None:
    assert Measured("r", level, "c", "f", True, meant, raised, benign).beyond == beyond


def test_the_page_is_that_of_the_numbers() -> None:
    made = json.loads(bounds.NUMBERS.read_text())
    assert bounds.PAGE.read_text() == bounds_page.render(made)
    assert [
        one for one in made["forms"] if one["default"] and one["beyond"] and one["cell"][:5] != "none/"
    ] == []


@pytest.mark.shared
@pytest.mark.proof
def test_every_form_of_every_rule_has_its_bound() -> None:
    shared("sigmahq")
    some = kinds(windows_logs())
    found = list(bounds.run([everything.name_of(cell) for cell in everything.cells()], some))
    assert bounds.judged(found) == []
    assert bounds.numbers(found, some) == json.loads(bounds.NUMBERS.read_text())
