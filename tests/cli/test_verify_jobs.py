"""`sigconv verify` in several processes says the same, in the same order."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from converter.conversion.convert import DEFAULT
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.ruleset import RuleSet
from converter.verify.parallel import verify_in_processes
from converter.verify.verify import verify

RULE = """\
title: {name}
id: 00000000-0000-4000-8000-00000000000{number}
logsource: {{category: process_creation, product: windows}}
detection: {{s: {{{field}: '{name}*'}}, condition: s}}
"""
CELLS = [cells.cell("sysmon", "spl"), cells.cell("crowdstrike", "spl")]


@pytest.fixture
def loaded(tmp_path: Path) -> RuleSet:
    for number, field in enumerate(("Image", "ParentCommandLine", "CommandLine"), 1):
        text = RULE.format(name=f"qz{number}", number=number, field=field)
        (tmp_path / f"{number}.yml").write_text(text)
    (tmp_path / "tests").mkdir()
    return loading.load([tmp_path])


def test_two_processes_say_what_one_does(loaded: RuleSet, tmp_path: Path) -> None:
    alone = list(verify(loaded, CELLS, tmp_path / "tests"))
    assert [one.status for one in alone] == ["agrees", "agrees", "agrees", "refused", "agrees", "agrees"]
    assert list(verify_in_processes(loaded, CELLS, tmp_path / "tests", DEFAULT, workers=2, enough=1)) == alone
    assert not multiprocessing.active_children()
