"""Kinds of rules that the proof over every public rule found to go wrong (whole_corpus.yml)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.conversion.convert import Options
from converter.pipelines import cells as cells_module
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify_rule

CASES = yaml.safe_load(Path(__file__).with_name("whole_corpus.yml").read_text())["cases"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_whole_corpus(case: dict[str, Any], tmp_path: Path) -> None:
    doc = {"title": case["name"], "logsource": case["logsource"], "detection": case["detection"]}
    rule = Rule({**doc, "id": "33333333-3333-4333-8333-333333333334"}, "r.yml", Path("r.yml"), "r.yml", 0)
    cells = [cells_module.cell(*name.split("/")) for name in case["cells"]]
    checked = verify_rule(RuleSet([rule], [], []), rule, cells, tmp_path, Options("any"))
    found = {
        str(one.cell): one.fidelity if one.status == "agrees" else one.reason.split()[0] for one in checked
    }
    assert found == case["cells"]
