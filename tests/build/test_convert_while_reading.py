"""Rules converted while they are read: the same bytes and messages as one after the other."""

from __future__ import annotations

import contextlib
import shutil
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter import workers
from converter.build import convert_rules
from converter.cli import main
from converter.rules import loading

COUNT = 24
RULE = """\
title: Rule {n}
name: rule_{n}
id: 00000000-0000-4000-8000-{n:012d}
level: {level}
logsource: {{category: process_creation, product: windows}}
detection:
    one: {{CommandLine|contains: 'value{n}', Image|endswith: '\\\\a.exe'}}
    condition: one
"""
OTHERS = {
    "filter.yml": """\
title: Of three
logsource: {category: process_creation, product: windows}
filter:
    rules: [rule_3, rule_4, two_1]
    selection: {User|contains: svc_backup}
    condition: not selection
""",
    "correlation.yml": """\
title: Five in a row
correlation: {type: event_count, rules: [rule_5], group-by: [Computer], timespan: 5m, condition: {gte: 5}}
""",
    "two.yml": "\n---\n".join(
        RULE.format(n=n, level="low").replace(f"name: rule_{n}", f"name: two_{m}")
        for m, n in enumerate((901, 902))
    ),
    "same.yml": RULE.format(n=7, level="low").replace("name: rule_7", "name: other"),
    "broken.yml": "title: x\nlogsource: {category: process_creation}\ndetection: {condition: no}\n",
    "unmapped.yml": RULE.format(n=903, level="low").replace("product: windows", "product: linux"),
    "no_field.yml": RULE.format(n=904, level="low").replace("CommandLine|contains", "NoSuchField"),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ahead")
    (folder / "sigma").mkdir()
    for n in range(COUNT):
        level = "high" if n % 3 else "low"
        (folder / f"sigma/{n}.yml").write_text(RULE.format(n=n, level=level))
    for name, text in OTHERS.items():
        (folder / "sigma" / name).write_text(text)
    return folder


def built(project: Path, *arguments: str) -> tuple[dict[str, bytes], list[str], int]:
    command = ["build", "-s", "sysmon", "-o", "out/output", *arguments]
    with contextlib.chdir(project):
        result = CliRunner().invoke(main, command, catch_exceptions=False)
    folder = project / "out"
    found = {str(path.relative_to(folder)): path.read_bytes() for path in folder.glob("output/**/*.*")}
    shutil.rmtree(folder / "output")
    return found, result.stderr.splitlines()[:-1], result.exit_code


@pytest.mark.parametrize("selected", [(), ("--level", "high")], ids=["all", "selected"])
def test_it_is_what_comes_out_otherwise(
    project: Path, monkeypatch: pytest.MonkeyPatch, selected: tuple[str, ...]
) -> None:
    converted: Counter[str] = Counter()
    real = convert_rules.work_out

    def counted(*given: object) -> object:
        converted[str(given[1].name)] += 1  # type: ignore[attr-defined]
        return real(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(convert_rules, "work_out", counted)
    monkeypatch.setattr(loading, "MANY", 10**9)
    plain = built(project, "--no-cache", "-j", "1", *selected)
    assert len(plain[0]) > 4 * COUNT / 2
    assert plain[2] == 1
    assert {name: converted[name] for name in ("rule_1", "rule_4")} == {"rule_1": 4, "rule_4": 4}
    before = Counter(converted)
    monkeypatch.setattr(loading, "MANY", 1)
    converted.clear()
    assert built(project, "--no-cache", "-j", "1", *selected) == plain
    # What is made on the way counts, but for rules that a filter changed or that only serve another one.
    twice = {name for name in converted if converted[name] > before[name]}
    assert twice <= {"rule_3", "rule_4", "rule_5", "rule_7", "other"}
    assert "rule_4" in twice
    assert built(project, *selected) == plain
    monkeypatch.setattr(loading, "MANY", 10**9)
    converted.clear()
    assert built(project, *selected) == plain
    assert not converted, "what was made ahead was not kept"


@pytest.mark.parametrize("forks", [True, False])
def test_in_other_processes(project: Path, monkeypatch: pytest.MonkeyPatch, forks: bool) -> None:
    plain = built(project, "--no-cache", "-j", "1")
    monkeypatch.setattr(loading, "MANY", 1)
    monkeypatch.setattr(loading, "_ENOUGH", 1)
    monkeypatch.setattr(loading, "_PART", 3)
    if not forks:
        monkeypatch.setattr(workers, "_can_fork", lambda: False)
    assert built(project, "--no-cache", "-j", "2") == plain
