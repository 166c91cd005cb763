"""Rules that are made up, in the twelve cells: their queries, executed over witnesses, agree or refuse."""

from pathlib import Path

import pytest
import yaml

from converter.conversion.convert import Options
from converter.pipelines import cells as cells_module
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify

ROWS = yaml.safe_load((Path(__file__).parent / "made_up.yml").read_text())
TARGETS = ("eql", "lucene", "spl", "kql")


def rule_of(row):
    doc = {
        "title": row["name"],
        "name": row["name"],
        "logsource": {"category": row["category"], "product": "windows"},
        "detection": row["detection"]
        if "detection" in row
        else {"selection": row["selection"], "condition": "selection"},
    }
    file = f"{row['name']}.yml"
    return Rule(doc, file, Path(file), file, 0)


@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike"])
def test_every_query_agrees(source, tmp_path):
    rules = [rule_of(row) for row in ROWS]
    cells = [cells_module.cell(source, target) for target in TARGETS]
    found = list(verify(RuleSet(rules, [], [], rules), cells, tmp_path, Options("any")))
    wrong = [
        (str(one.cell), one.rule.name, one.reason) for one in found if one.status in ("disagrees", "error")
    ]
    assert wrong == []
    assert sum(one.status == "agrees" and one.hits > 0 for one in found) >= 40
