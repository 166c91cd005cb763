"""`sigconv diff`: what changed between two outputs, and whether it changed what the queries select."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from converter.cli import main

RULE = """\
title: Example
id: 11111111-1111-4111-8111-111111111111
logsource: {category: process_creation, product: windows}
detection:
    selection:
        Image|endswith: ['\\one.exe', '\\two.exe']
    condition: selection
"""
COUNT = """\
title: Many
id: 22222222-2222-4222-8222-222222222222
correlation: {type: event_count, rules: [base], group-by: [Computer], timespan: 5m, condition: {gte: 3}}
---
title: Base
name: base
id: 33333333-3333-4333-8333-333333333333
logsource: {category: process_creation, product: windows}
detection: {selection: {Image|endswith: '\\three.exe'}, condition: selection}
"""


def git(*arguments: str) -> None:
    settings = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *settings, *arguments], check=True, capture_output=True)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a committed project of two rules with their output, and make it the current folder."""
    monkeypatch.chdir(tmp_path)
    Path("sigma").mkdir()
    Path("sigconv.toml").write_text('sources = ["sysmon"]\ntargets = ["kql", "spl"]\n')
    Path("sigma/example.yml").write_text(RULE)
    Path("sigma/many.yml").write_text(COUNT)
    run("build")
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, [*arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def found(*arguments: str) -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(run("diff", *arguments, "--format", "json").stdout)["changes"]
    return entries


def change(file: str, old: str, new: str) -> None:
    text = Path(file).read_text()
    assert old in text
    Path(file).write_text(text.replace(old, new))
    run("build")


def test_nothing_changed(project: Path) -> None:
    result = run("diff", "--fail-on", "any")
    assert (result.stdout, result.stderr) == ("", "no changes\n")


@pytest.mark.parametrize(
    ("file", "old", "new", "meaning"),
    [
        ("example", "['\\one.exe', '\\two.exe']", "['\\two.exe', '\\one.exe']", "same"),
        ("example", "title: Example", "title: Renamed", "same"),
        ("example", "'\\two.exe'", "'\\zwei.exe'", "other"),
        ("example", "Image|endswith", "ParentImage|endswith", "other"),
        ("example", "condition: selection", "condition: not selection", "other"),
        ("many", "gte: 3", "gte: 4", "other"),
        ("many", "timespan: 5m", "timespan: 300s", "same"),
        ("many", "timespan: 5m", "timespan: 6m", "other"),
    ],
)
def test_meaning_and_text(project: Path, file: str, old: str, new: str, meaning: str) -> None:
    change(f"sigma/{file}.yml", old, new)
    entries = found()
    if new == "timespan: 300s":
        assert entries == []
        return
    assert [(one["kind"], one["meaning"], one["key"][2]) for one in entries] == [
        ("changed", meaning, "kql"),
        ("changed", meaning, "spl"),
    ]
    assert all(
        line.startswith(("---", "+++", "@@", " ", "-", "+")) for one in entries for line in one["diff"]
    )
    run("diff", "--fail-on", "meaning", code=int(meaning == "other"))
    run("diff", "--fail-on", "any", code=1)


def test_the_event_that_shows_it(project: Path) -> None:
    change("sigma/example.yml", "'\\two.exe'", "'\\zwei.exe'")
    detail = found()[0]["detail"]
    assert "no longer selects" in detail
    assert "now also selects" in detail
    assert "\\zwei.exe" in detail.casefold()


def test_new_removed_refused_and_converted(project: Path) -> None:
    Path("sigma/example.yml").rename("sigma/other.yml")
    Path("sigma/other.yml").write_text(RULE.replace("1111-4111", "9999-4999"))
    text = Path("sigma/many.yml").read_text().replace("Image|endswith", "Nowhere|endswith")
    Path("sigma/many.yml").write_text(text)
    run("build", code=1)
    assert [(one["kind"], one["title"]) for one in found()] == [
        ("removed", "Example"),
        ("removed", "Example"),
        ("refused", "Many"),
        ("refused", "Many"),
        ("new", "Example"),
        ("new", "Example"),
    ]
    assert "SC204" in found()[2]["notes"][-1]
    git("add", "-A")
    git("commit", "-qm", "second")
    kinds = [one["kind"] for one in found("HEAD", "HEAD~1")]
    assert kinds == ["new", "new", "converted", "converted", "removed", "removed"]


def test_revisions_folders_and_what_is_neither(project: Path) -> None:
    change("sigma/example.yml", "'\\two.exe'", "'\\zwei.exe'")
    subprocess.run(["cp", "-r", "output", "copy"], check=True)
    git("add", "-A")
    git("commit", "-qm", "second")
    assert [one["meaning"] for one in found("HEAD~1", "HEAD")] == ["other", "other"]
    assert [one["meaning"] for one in found("HEAD~1", "copy")] == ["other", "other"]
    assert found("HEAD", "copy") == []
    for name in ("no-such-revision", "--version", "sigma", "sigconv.toml", "HEAD:sigma"):
        result = CliRunner().invoke(main, ["diff", "--", name])
        assert result.exit_code == 2, name
        assert "SC613" in result.stderr


def test_a_manifest_that_points_outside(project: Path) -> None:
    Path("secret").write_text("secret")
    manifest = Path("output/manifest.json")
    text = manifest.read_text()
    path = json.loads(text)["entries"][0]["queries"][0]["file"]
    manifest.write_text(text.replace(path, "../secret"))
    assert "secret" not in [line for one in found() for line in one["diff"] if not line.startswith("---")]
    assert all("+secret" not in one["diff"] for one in found())


def test_markdown(project: Path) -> None:
    change("sigma/example.yml", "title: Example", "title: 'A <b>title</b> | *x* ```y'")
    change("sigma/example.yml", "'\\two.exe'", "'\\zwei.exe'")
    text = run("diff", "--format", "markdown").stdout
    assert "| Changed | 2 |" in text
    assert "**the meaning changed**" in text.lower()
    assert "### A \\<b\\>title\\</b\\> \\| \\*x\\* \\`\\`\\`y — sysmon/kql" in text
    # SPL's comments are three backticks: the fence around them is longer.
    assert "````diff" in text
