"""A broken rule: what its last good version gave is kept and marked stale, until the rule is good again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from click.testing import CliRunner, Result

from converter.build import records
from converter.cli import main
from tests.support import ROOT
from tests.test_kill import files, rules

CORRELATION = """\
title: Many
id: 99999999-1111-4111-8111-111111111111
correlation:
    type: event_count
    rules: [00000000-1111-4111-8111-111111111111]
    group-by: [Computer]
    timespan: 1h
    condition: {gte: 3}
"""
SCHEMA = json.loads((ROOT / "converter/schemas/manifest.schema.json").read_text())


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rules(tmp_path, "o", range(3))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(*arguments: str, code: int) -> Result:
    arguments = ("build", "-s", "sysmon", *arguments)
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def stale(project: Path) -> list[tuple[str, str]]:
    manifest: dict[str, Any] = json.loads((project / "output/manifest.json").read_text())
    jsonschema.validate(manifest, SCHEMA)
    return [(entry["file"], entry["target"]) for entry in manifest["entries"] if entry.get("stale")]


@pytest.mark.parametrize("broken", ["title: [", "title: no logsource\n", ""])
def test_broken_file(project: Path, broken: str) -> None:
    build(code=0)
    before = files(project)
    rule = project / "sigma/1.yml"
    good = rule.read_text()
    rule.write_text(broken)
    (project / "sigma/2.yml").write_text((project / "sigma/2.yml").read_text().replace("o2.exe", "x2.exe"))
    assert "sigma/1.yml:" in build("-t", "kql", code=1).stderr
    assert stale(project) == [("1.yml", target) for target in ("eql", "kql", "lucene", "spl")]
    after = files(project)
    assert after["kql/sysmon/1.kql"] == before["kql/sysmon/1.kql"]
    assert b"x2.exe" in after["kql/sysmon/2.kql"]
    build("-t", "kql", code=1)
    assert "SC602" not in build("-t", "kql", "--check", code=1).stderr
    assert files(project) == after
    rule.write_text(good)
    build("-t", "kql", code=0)
    assert stale(project) == [("1.yml", target) for target in ("eql", "lucene", "spl")]
    build(code=0)
    assert stale(project) == []
    assert files(project)["eql/sysmon/1.eql"] == before["eql/sysmon/1.eql"]


def test_check_says_that_the_mark_is_missing(project: Path) -> None:
    build("-t", "eql", code=0)
    (project / "sigma/1.yml").write_text("title: [")
    wrong = [line for line in build("-t", "eql", "--check", code=1).stderr.splitlines() if "SC602" in line]
    assert wrong == ["output/manifest.json: SC602 is not up to date: run 'sigconv build'"]


def test_broken_base_rule(project: Path) -> None:
    """The correlation is good and its reference leads nowhere: its query stays too."""
    (project / "sigma/many.yml").write_text(CORRELATION)
    build("-t", "kql", code=0)
    before = files(project)
    (project / "sigma/0.yml").write_text("title: [")
    assert "SC111" in build("-t", "kql", code=1).stderr
    assert stale(project) == [("many.yml", "kql")]
    assert files(project)["kql/sysmon/many.kql"] == before["kql/sysmon/many.kql"]


def test_defect_of_ours(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    build("-t", "kql", code=0)
    before = files(project)

    def fails(*_: object) -> object:
        raise records.SigconvError("SC900", "internal error")

    monkeypatch.setattr(records, "convert", fails)
    build("-t", "kql", "--no-cache", code=1)
    assert stale(project) == [(f"{number}.yml", "kql") for number in range(3)]
    kept = {path: data for path, data in files(project).items() if path != "manifest.json"}
    assert kept == {path: data for path, data in before.items() if path != "manifest.json"}


def test_broken_rule_that_never_was_good_and_one_that_goes(project: Path) -> None:
    build("-t", "kql", code=0)
    (project / "sigma/new.yml").write_text("title: [")
    build("-t", "kql", code=1)
    assert stale(project) == []
    (project / "sigma/1.yml").write_text("title: [")
    build("-t", "kql", code=1)
    assert stale(project) == [("1.yml", "kql")]
    (project / "sigma/1.yml").unlink()
    (project / "sigma/new.yml").unlink()
    build("-t", "kql", code=0)
    assert stale(project) == []
    assert "kql/sysmon/1.kql" not in files(project)


BASES = """\
title: First
name: first
logsource: {category: process_creation, product: windows}
detection: {selection: {Image: a}, condition: selection}
---
title: Second
name: second
logsource: {category: process_creation, product: windows}
detection: {selection: {Image: b}, condition: selection}
"""
PAIR = """\
title: Pair
id: 88888888-1111-4111-8111-111111111111
correlation: {type: temporal, rules: [first, second], group-by: [Computer], timespan: 5m}
"""


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("old", "new"), [("temporal", "temporale"), ("timespan: 5m}", "timespan: [")])
def test_rules_of_a_broken_correlation_are_no_queries_of_their_own(
    project: Path, together: bool, old: str, new: str
) -> None:
    """They only serve it; as queries of their own they would alert on each event."""
    texts = {"pair.yml": f"{BASES}---\n{PAIR}"} if together else {"bases.yml": BASES, "pair.yml": PAIR}
    for name, text in texts.items():
        (project / "sigma" / name).write_text(text)
    build("-t", "kql", code=0)
    before = files(project)
    assert "kql/sysmon/pair.kql" in before
    (project / "sigma/pair.yml").write_text(texts["pair.yml"].replace(old, new))
    build("-t", "kql", code=1)
    assert stale(project) == [("pair.yml", "kql")]
    after = files(project)
    assert {path: after.get(path) for path in before if path != "manifest.json"} == {
        path: data for path, data in before.items() if path != "manifest.json"
    }
    assert set(after) == set(before)
    (project / "sigma/pair.yml").write_text(texts["pair.yml"])
    build("-t", "kql", code=0)
    assert files(project) == before


def test_names_of_files_do_not_depend_on_a_broken_rule_of_the_same_file(project: Path) -> None:
    (project / "sigma/two.yml").write_text(BASES)
    build("-t", "kql", code=0)
    before = files(project)
    assert {"kql/sysmon/two.first.kql", "kql/sysmon/two.second.kql"} <= set(before)
    (project / "sigma/two.yml").write_text(BASES.replace("{Image: b}", "{Image|endswit: b}"))
    build("-t", "kql", code=1)
    assert stale(project) == [("two.yml", "kql")]
    assert set(files(project)) == set(before)


FILTER = """\
title: Admins
id: 77777777-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
filter:
    rules: [00000000-1111-4111-8111-111111111111]
    selection: {User|endswith: admin}
    condition: not selection
"""


@pytest.mark.parametrize(
    ("old", "new", "held"),
    [
        ("User|endswith", "User|endswit", [0]),
        ("condition: not", "condition: [", [0]),
        ("    condition: not selection\n", "", [0]),
        ("    rules: [00000000-1111-4111-8111-111111111111]\n", "", [0, 1, 2]),
    ],
)
def test_rules_of_a_broken_filter_stay_as_they_were(
    project: Path, old: str, new: str, held: list[int]
) -> None:
    """Without it they would find what they must not."""
    (project / "sigma/filter.yml").write_text(FILTER)
    build("-t", "kql", code=0)
    before = files(project)
    assert b"admin" in before["kql/sysmon/0.kql"]
    assert b"admin" not in before["kql/sysmon/1.kql"]
    (project / "sigma/filter.yml").write_text(FILTER.replace(old, new))
    (project / "sigma/2.yml").write_text((project / "sigma/2.yml").read_text().replace("o2.exe", "x2.exe"))
    result = build("-t", "kql", code=1)
    listed = ", ".join(f"sigma/{number}.yml" for number in held)
    line = f"sigma/filter.yml: SC111 rules that it concerns are left out: {listed} ({len(held)} in all)"
    assert line in result.stderr
    assert stale(project) == [(f"{number}.yml", "kql") for number in held]
    after = files(project)
    assert {
        number
        for number in range(3)
        if after[f"kql/sysmon/{number}.kql"] == before[f"kql/sysmon/{number}.kql"]
    } == {0, 1, *held}
    (project / "sigma/filter.yml").write_text(FILTER)
    build("-t", "kql", code=0)
    assert b"x2.exe" in files(project)["kql/sysmon/2.kql"]
    assert stale(project) == []
