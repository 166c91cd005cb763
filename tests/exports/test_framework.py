"""`build --format`: files, manifest, what stays and what goes. The format here is this test's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from converter import exports
from converter.errors import Refusal
from converter.exports.base import Exporter, Part
from converter.exports.item import ExportItem
from tests.support import ROOT

RULE = """\
title: {title}
id: {id}
level: {level}
status: {status}
tags: [attack.{tag}]
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        Image|endswith: '\\{title}.exe'
    condition: selection
"""
IDS = {
    name: f"{digit * 8}-1111-4111-8111-111111111111" for name, digit in (("a", "1"), ("b", "2"), ("c", "3"))
}


def _part(items: Sequence[ExportItem]) -> str:
    if items[0].title == "unfit":
        raise Refusal("SC210", "it is unfit")
    return "".join(f"{one.title} {one.target} {one.queries[0].body}\n" for one in items)


def _whole(source: str, parts: Sequence[Part]) -> Mapping[str, str]:
    return {"all.txt": f"# {source}\n" + "".join(part.text for part in parts)}


SAMPLE = Exporter(("kql", "eql"), "txt", _part, _whole)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    rules = tmp_path / "sigma" / "x"
    rules.mkdir(parents=True)
    for name, level, status, tag in (
        ("a", "high", "test", "t1021.002"),
        ("b", "low", "stable", "t1059"),
    ):
        text = RULE.format(title=name, id=IDS[name], level=level, status=status, tag=tag)
        (rules / f"{name}.yml").write_text(text)
    monkeypatch.chdir(tmp_path)
    known = exports.exporter
    monkeypatch.setattr(
        "converter.build.import_files.exporter", lambda name: SAMPLE if name == "sample" else known(name)
    )
    choices = main_format_choices()
    monkeypatch.setattr(choices, "choices", (*choices.choices, "sample"))
    return tmp_path


def main_format_choices() -> object:
    from converter.cli.build import build

    (option,) = [one for one in build.params if one.name == "formats"]
    return option.type


def run(*arguments: str, code: int = 0, form: str | None = "sample", source: str = "sysmon") -> Result:
    from converter.cli import main

    given = ["build", *arguments, "-s", source, *(["--format", form] if form else [])]
    if "-t" not in given:
        given += ["-t", "kql", "-t", "eql", "-t", "spl"]
    result = CliRunner().invoke(main, given, catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def made(project: Path) -> dict[str, str]:
    folder = project / "output" / "exports"
    return {p.relative_to(folder).as_posix(): p.read_text() for p in folder.rglob("*") if p.is_file()}


def manifest(project: Path) -> dict[str, list[dict[str, str]]]:
    found = json.loads((project / "output" / "manifest.json").read_text())
    schema = json.loads((ROOT / "converter" / "schemas" / "manifest.schema.json").read_text())
    jsonschema.validate(found, schema)
    return found


def titles(text: str) -> list[str]:
    return [
        line.split()[0] + "/" + line.split()[1]
        for line in text.splitlines()
        if line[:2] in ("a ", "b ", "c ")
    ]


def test_parts_and_the_file_of_all_rules(project: Path) -> None:
    run()
    files = made(project)
    assert sorted(files) == [
        "sample/sysmon/all.txt",
        "sample/sysmon/rules/x/a.txt",
        "sample/sysmon/rules/x/b.txt",
    ]
    # In the order of the exporter's targets, without the one that it does not take, without headers.
    assert titles(files["sample/sysmon/rules/x/a.txt"]) == ["a/kql", "a/eql"]
    assert "fidelity" not in files["sample/sysmon/rules/x/a.txt"]
    assert titles(files["sample/sysmon/all.txt"]) == ["a/kql", "a/eql", "b/kql", "b/eql"]
    listed = manifest(project)["exports"]
    assert [(e["rule"], e["rule_file"], e["file"].removeprefix("exports/")) for e in listed] == [
        (None, None, "sample/sysmon/all.txt"),
        (IDS["a"], "x/a.yml", "sample/sysmon/rules/x/a.txt"),
        (IDS["b"], "x/b.yml", "sample/sysmon/rules/x/b.txt"),
    ]


def test_check_compares_them(project: Path) -> None:
    run(form=None)
    assert "exports" not in manifest(project)
    result = run("--check", code=1)
    assert "output/exports/sample/sysmon/all.txt: SC602" in result.stderr
    run()
    run("--check")
    (project / "output/exports/sample/sysmon/rules/x/a.txt").write_text("changed")
    assert "rules/x/a.txt: SC602" in run("--check", code=1).stderr
    run()
    run("--check")


def test_a_build_without_formats_leaves_them(project: Path) -> None:
    run()
    before = made(project)
    run(form=None)
    assert made(project) == before
    assert len(manifest(project)["exports"]) == 3
    run("--check", form=None)


def test_a_removed_rule_goes_from_both(project: Path) -> None:
    run()
    (project / "sigma/x/a.yml").unlink()
    run()
    assert sorted(made(project)) == ["sample/sysmon/all.txt", "sample/sysmon/rules/x/b.txt"]
    assert titles(made(project)["sample/sysmon/all.txt"]) == ["b/kql", "b/eql"]


def test_one_rule_alone_keeps_the_others_in_the_file_of_all(project: Path) -> None:
    run()
    text = (project / "sigma/x/a.yml").read_text().replace("a.exe", "new.exe")
    (project / "sigma/x/a.yml").write_text(text)
    run("sigma/x/a.yml")
    whole = made(project)["sample/sysmon/all.txt"]
    assert titles(whole) == ["a/kql", "a/eql", "b/kql", "b/eql"]
    assert "new.exe" in whole
    run("--check")


def test_a_broken_rule_keeps_what_it_gave(project: Path) -> None:
    run()
    before = made(project)
    (project / "sigma/x/a.yml").write_text("title: [")
    assert "SC101" in run(code=1).stderr
    assert made(project) == before
    assert [e["file"] for e in manifest(project)["exports"] if e.get("stale")] == [
        "exports/sample/sysmon/rules/x/a.txt"
    ]


def test_a_broken_rule_whose_part_is_gone_does_not_stop_the_others(project: Path) -> None:
    run()
    (project / "sigma/x/a.yml").write_text("title: [")
    (project / "output/exports/sample/sysmon/rules/x/a.txt").unlink()
    (project / "sigma/x/b.yml").write_text(
        (project / "sigma/x/b.yml").read_text().replace("b.exe", "new.exe")
    )
    run(code=1)
    assert sorted(made(project)) == ["sample/sysmon/all.txt", "sample/sysmon/rules/x/b.txt"]
    assert "new.exe" in made(project)["sample/sysmon/all.txt"]
    assert not [part for part in manifest(project)["exports"] if part["rule_file"] == "x/a.yml"]


def test_a_part_that_was_changed_is_not_trusted(project: Path) -> None:
    run()
    (project / "output/exports/sample/sysmon/rules/x/b.txt").write_text("b kql evil\n")
    error = run("sigma/x/a.yml", code=2).stderr
    assert "output/exports/sample/sysmon/rules/x/b.txt: SC605" in error
    run()
    run("sigma/x/a.yml")


def test_what_a_format_cannot_hold_is_an_error_and_stops_no_other(project: Path) -> None:
    run()
    text = (project / "sigma/x/a.yml").read_text().replace("title: a", "title: unfit")
    (project / "sigma/x/a.yml").write_text(text)
    assert "x/a.yml: SC210 it is unfit [sysmon/sample]" in run(code=1).stderr
    assert sorted(made(project)) == ["sample/sysmon/all.txt", "sample/sysmon/rules/x/b.txt"]
    queries = [entry for entry in manifest(project)["entries"] if entry["file"] == "x/a.yml"]
    assert [entry["status"] for entry in queries] == ["converted"] * 3


def test_sources_are_apart(project: Path) -> None:
    run()
    run(source="defender")
    assert {name.split("/")[1] for name in made(project)} == {"sysmon", "defender"}
    (project / "sigma/x/a.yml").unlink()
    run(source="defender")
    assert "sample/sysmon/rules/x/a.txt" in made(project)
    assert "sample/defender/rules/x/a.txt" not in made(project)


def test_rules_of_one_file_have_a_file_each(project: Path) -> None:
    both = "---\n".join((project / f"sigma/x/{name}.yml").read_text() for name in "ab")
    (project / "sigma/x/b.yml").unlink()
    (project / "sigma/x/a.yml").write_text(both)
    run()
    parts = sorted(name for name in made(project) if "/rules/" in name)
    assert parts == [f"sample/sysmon/rules/x/a.{IDS[name]}.txt" for name in "ab"]
    before = made(project)
    run("--id", IDS["b"])
    assert made(project) == before
    run("--check")


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (["--level", "high"], "a"),
        (["--level", "high", "--level", "low"], "ab"),
        (["--min-level", "low"], "ab"),
        (["--min-level", "medium"], "a"),
        (["--status", "stable"], "b"),
        (["--tag", "attack.T1021.002"], "a"),
        (["--tag", "attack.t1059*", "--tag", "attack.t1021*"], "ab"),
        (["--id", IDS["b"]], "b"),
        (["--id", IDS["b"], "--level", "low"], "b"),
    ],
)
def test_selection(project: Path, options: list[str], left: str) -> None:
    run(*options)
    assert {e["title"] for e in manifest(project)["entries"]} == set(left)
    run()
    before = made(project), (project / "output/manifest.json").read_text()
    run(*options)
    assert (made(project), (project / "output/manifest.json").read_text()) == before


@pytest.mark.parametrize(
    "options",
    [
        ["--level", "critical"],
        ["--min-level", "critical"],
        ["--tag", "attack.t1"],
        ["--id", IDS["c"]],
        ["--id", IDS["a"], "--id", IDS["c"]],
        ["--id", IDS["b"], "--level", "high"],
    ],
)
def test_a_selection_of_nothing_is_a_usage_error(project: Path, options: list[str]) -> None:
    assert "SC606" in run(*options, code=2).stderr
    assert not (project / "output").exists()


def test_a_format_that_takes_none_of_the_languages_loses_nothing(project: Path) -> None:
    run()
    before = made(project)
    assert "SC607 the format sample takes queries in kql and eql" in run("-t", "spl", code=2).stderr
    assert made(project) == before


def test_the_languages_that_are_made_are_what_a_part_is_made_of(project: Path) -> None:
    run("-t", "eql")
    assert titles(made(project)["sample/sysmon/all.txt"]) == ["a/eql", "b/eql"]


def test_printing(project: Path) -> None:
    result = run("sigma/x/a.yml", "-o", "-")
    assert titles(result.stdout) == ["a/kql", "a/eql"]
    assert not (project / "output").exists()


def test_every_format_of_the_registry_can_be_had() -> None:
    for name in exports.FORMATS:
        found = exports.exporter(name)
        assert set(found.targets) <= {"eql", "lucene", "spl", "kql"}
