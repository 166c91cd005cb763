"""`sigconv build` as people run it: files, manifest, exit codes, and what stays when a rule is broken."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from tests.support import ROOT

RULE = """\
title: {title}
id: {id}
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        Image|endswith: '\\{title}.exe'
    condition: selection
"""
IDS = {
    name: f"{digit * 8}-1111-4111-8111-111111111111" for name, digit in (("a", "1"), ("b", "2"), ("c", "3"))
}


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a project with three rules, two of them of one file name, and make it the current folder."""
    for folder, name in (("x", "a"), ("y", "b"), ("x/deep", "c")):
        path = tmp_path / "sigma" / folder
        path.mkdir(parents=True, exist_ok=True)
        file = "same" if name in "ab" else "other"
        (path / f"{file}.yml").write_text(RULE.format(title=name, id=IDS[name]))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> Result:
    if "-s" not in arguments:
        arguments = (*arguments, "-s", "sysmon")
    result = CliRunner().invoke(main, ["build", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()
    }


def manifest(folder: Path) -> dict[str, object]:
    found = json.loads((folder / "output" / "manifest.json").read_text())
    schema = json.loads((ROOT / "converter" / "schemas" / "manifest.schema.json").read_text())
    jsonschema.validate(found, schema)
    return found


def test_files_are_where_the_rule_is(project: Path) -> None:
    run("-t", "eql", "-t", "kql", "-s", "sysmon")
    assert sorted(files(project / "output")) == [
        "eql/sysmon/x/deep/other.eql",
        "eql/sysmon/x/same.eql",
        "eql/sysmon/y/same.eql",
        "kql/sysmon/x/deep/other.kql",
        "kql/sysmon/x/same.kql",
        "kql/sysmon/y/same.kql",
        "manifest.json",
    ]
    entries = manifest(project)["entries"]
    assert [(e["file"], e["target"], e["fidelity"]) for e in entries] == [
        (file, target, "exact")
        for file in ("x/deep/other.yml", "x/same.yml", "y/same.yml")
        for target in ("eql", "kql")
    ]
    assert "// a\n" in (project / "output/eql/sysmon/x/same.eql").read_text()


def test_second_run_writes_nothing_and_is_the_same_anywhere(project: Path) -> None:
    run("-t", "eql")
    before = files(project / "output")
    times = {path: path.stat().st_mtime_ns for path in (project / "output").rglob("*")}
    result = run("-t", "eql")
    assert "0 files written, 0 removed" in result.stderr
    assert {path: path.stat().st_mtime_ns for path in (project / "output").rglob("*")} == times
    run("sigma", "-t", "eql", "-o", "elsewhere")
    assert files(project / "elsewhere") == before


def test_broken_rule_keeps_what_it_gave_before(project: Path) -> None:
    run("-t", "eql")
    before = files(project / "output")
    (project / "sigma/x/same.yml").write_text("title: [")
    (project / "sigma/y/same.yml").write_text(RULE.format(title="new", id=IDS["b"]))
    result = run("-t", "eql", code=1)
    assert "sigma/x/same.yml:2:1: SC101" in result.stderr
    after = files(project / "output")
    assert after["eql/sysmon/x/same.eql"] == before["eql/sysmon/x/same.eql"]
    assert "new.exe" in after["eql/sysmon/y/same.eql"]
    assert {e["file"] for e in manifest(project)["entries"]} == {
        "x/deep/other.yml",
        "x/same.yml",
        "y/same.yml",
    }


def test_removed_rule_is_removed_and_other_targets_stay(project: Path) -> None:
    run("-t", "eql", "-t", "kql")
    (project / "sigma/x/same.yml").unlink()
    run("-t", "eql")
    left = sorted(files(project / "output"))
    assert "eql/sysmon/x/same.eql" not in left
    assert "kql/sysmon/x/same.kql" in left
    run()
    assert not any("x/same" in path for path in files(project / "output"))


def test_one_rule_leaves_the_others(project: Path) -> None:
    run("-t", "eql")
    before = files(project / "output")
    run("sigma/x/same.yml", "-t", "eql")
    assert files(project / "output") == before


def test_rule_that_is_now_refused_loses_its_query(project: Path) -> None:
    """A stale query would go on being deployed."""
    run("-t", "eql")
    rule = (project / "sigma/x/same.yml").read_text()
    (project / "sigma/x/same.yml").write_text(rule.replace("Image|endswith", "NoSuchField|endswith"))
    result = run("-t", "eql", code=1)
    assert "sigma/x/same.yml: SC204" in result.stderr
    assert "NoSuchField" in result.stderr
    assert "eql/sysmon/x/same.eql" not in files(project / "output")
    (entry,) = [e for e in manifest(project)["entries"] if e["status"] == "refused"]
    assert entry["refusal"]["code"] == "SC204"
    assert not entry["refusal"]["accepted"]


def test_accepted_refusal_does_not_fail(project: Path) -> None:
    rule = (project / "sigma/x/same.yml").read_text()
    (project / "sigma/x/same.yml").write_text(rule.replace("Image|endswith", "NoSuchField|endswith"))
    (project / "sigconv.toml").write_text(
        f'[[accept-refusals]]\nrule = "{IDS["a"]}"\ntarget = "eql"\ncode = "SC204"\nreason = "known"\n'
    )
    run("-t", "eql")
    run("-t", "kql", code=1)
    entries = manifest(project)["entries"]
    assert {e["target"]: e["refusal"]["accepted"] for e in entries if e["status"] == "refused"} == {
        "eql": True,
        "kql": False,
    }


def test_check(project: Path) -> None:
    result = run("-t", "eql", "--check", code=1)
    assert "output/manifest.json: SC602 is not up to date: run 'sigconv build'" in result.stderr
    assert not (project / "output").exists()
    run("-t", "eql")
    run("-t", "eql", "--check")
    (project / "output/eql/sysmon/x/same.eql").write_text("any where true")
    assert "output/eql/sysmon/x/same.eql: SC602" in run("-t", "eql", "--check", code=1).stderr
    assert (project / "output/eql/sysmon/x/same.eql").read_text() == "any where true"
    run("-t", "eql")
    run("-t", "eql", "--check")


def test_print(project: Path) -> None:
    result = run("sigma/x/same.yml", "-t", "eql", "-o", "-")
    assert result.stdout.startswith("// a\n")
    assert "process where" in result.stdout
    assert not (project / "output").exists()
    found = json.loads(run("-t", "eql", "-o", "-", "--print", "json").stdout)
    assert [entry["title"] for entry in found] == ["c", "a", "b"]
    assert all("process where" in entry["texts"][0] for entry in found)


def test_output_folder_that_cannot_be_written(project: Path) -> None:
    (project / "output").write_text("a file")
    assert "output: SC603 is a file, not a folder" in run("-t", "eql", code=2).stderr


def test_a_reason_is_said_once_for_all_of_its_cells(project: Path) -> None:
    rule = project / "sigma/x/same.yml"
    rule.write_text(rule.read_text().replace("product: windows", "product: beos"))
    where = project / "sigma/y/same.yml"
    where.write_text(where.read_text().replace("Image|endswith", "NoSuchField|endswith"))
    both = run("-s", "sysmon", "-s", "defender", code=1).stderr.splitlines()
    sysmon, defender = (f"{source}/{{eql,lucene,spl,kql}}" for source in ("sysmon", "defender"))
    no_events = "has no events of logsource category process_creation, product beos"
    assert [line for line in both if ": SC2" in line] == [
        f"sigma/x/same.yml: SC207 {sysmon}, {defender} {no_events}",
        "sigma/y/same.yml: SC204 field 'NoSuchField' is not part of Sysmon event 1 (process creation)"
        f" [{sysmon}]",
        "sigma/y/same.yml: SC204 field 'NoSuchField' is not part of Defender's process creations"
        f" (DeviceProcessEvents) [{defender}]",
    ]
    one = run("-t", "kql", code=1).stderr.splitlines()
    assert one[0] == f"sigma/x/same.yml: SC207 sysmon/kql {no_events}"
    assert one[1].endswith("(process creation) [sysmon/kql]")
    manifest = json.loads((project / "output/manifest.json").read_text())
    refusals = [entry["refusal"]["message"] for entry in manifest["entries"] if "refusal" in entry]
    assert len(refusals) == 16
    assert not any("{" in message for message in refusals)


def test_options_that_say_two_things(project: Path) -> None:
    for arguments, said in (
        (("-o", "-", "--check"), "--check compares an output folder"),
        (("--archive", "out.zip"), "'out.zip' is none by its name"),
    ):
        assert said in run(*arguments, code=2).stderr
    assert not (project / "output").exists()


def test_check_says_that_all_is_well(project: Path) -> None:
    run("-t", "eql")
    for arguments in (("--check",), ("--check", "--no-cache")):
        assert run("-t", "eql", *arguments).stderr.splitlines()[-1] == "output/ is up to date"


def test_manifest_that_points_outside_removes_nothing(project: Path) -> None:
    run("-t", "eql")
    victim = project / "victim.txt"
    victim.write_text("keep")
    found = json.loads((project / "output/manifest.json").read_text())
    found["entries"][0]["queries"][0]["file"] = "../victim.txt"
    (project / "output/manifest.json").write_text(json.dumps(found))
    run("-t", "eql")
    assert victim.read_text() == "keep"


def test_broken_manifest_is_made_anew(project: Path) -> None:
    run("-t", "eql")
    good = (project / "output/manifest.json").read_text()
    for broken in ("{", "[]", '{"schema_version": 99}'):
        (project / "output/manifest.json").write_text(broken)
        run("-t", "eql")
        assert (project / "output/manifest.json").read_text() == good


def test_usage(project: Path) -> None:
    assert "'nosuch' is none of" in run("-s", "nosuch", code=2).stderr
    assert "Invalid value for '-t'" in run("-t", "esql", code=2).stderr
    assert run("nowhere", code=2).stderr == "nowhere: SC107 does not exist\n"
    (project / "empty").mkdir()
    assert run("empty", code=2).stderr == "empty: SC106 holds no rule (check the path)\n"
    (project / "sigconv.toml").write_text("ouput = 'x'\n")
    assert "sigconv.toml: SC601 unknown key 'ouput'" in run(code=2).stderr


def test_a_folder_without_rules_says_how_to_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    said = "sigma: SC107 does not exist ('sigconv init' starts a repository of rules)\n"
    assert run(code=2).stderr == said
    assert not list(tmp_path.iterdir())


def test_fidelity_limit_refuses_with_the_reason() -> None:
    os.chdir(ROOT)
    rule = "sigma/windows/lateral_movement/remote_psexec_on_target.yml"
    run(rule, "-t", "eql", "-o", "-")
    result = run(rule, "-t", "eql", "-o", "-", "--fidelity", "exact", code=1)
    assert "SC208 the query would be broader: " in result.stderr
    assert result.stdout == ""


def test_lucene_as_is_is_narrower_and_dsl_is_a_body() -> None:
    os.chdir(ROOT)
    rule = "sigma/windows/lateral_movement/wsus_starts_psexec.yml"
    arguments = (rule, "-t", "lucene", "-s", "sysmon", "-o", "-")
    assert "SC208 the query would be narrower" in run(*arguments, "--lucene-case", "as-is", code=1).stderr
    plain = run(*arguments, "--lucene-case", "as-is", "--fidelity", "any").stdout
    assert r"process.parent.executable:*\\wuauclt.exe" in plain
    body = json.loads(run(*arguments, "--lucene-form", "dsl").stdout)
    assert {
        "wildcard": {"process.parent.executable": {"value": "*\\\\wuauclt.exe", "case_insensitive": True}}
    } in (body["query"]["bool"]["filter"])


def test_placeholders_come_from_a_file(project: Path) -> None:
    rule = (project / "sigma/x/same.yml").read_text()
    (project / "sigma/x/same.yml").write_text(
        rule.replace("Image|endswith: '\\a.exe'", "User|expand: '%admins%'")
    )
    assert "SC206" in run("sigma/x/same.yml", "-t", "spl", "-o", "-", code=1).stderr
    (project / "values.yml").write_text("admins: [root, 'Ad*min']\n")
    shown = run("sigma/x/same.yml", "-t", "spl", "-o", "-", "--placeholders", "values.yml").stdout
    assert 'User IN ("root", "Ad*min")' in shown
    (project / "values.yml").write_text("- root\n")
    error = run("sigma/x/same.yml", "-t", "spl", "-o", "-", "--placeholders", "values.yml", code=2).stderr
    assert "values.yml: SC601 placeholders are a mapping" in error


def test_optional_sources_are_built_only_where_asked_for(project: Path) -> None:
    done = CliRunner().invoke(main, ["build", "-t", "kql"], catch_exceptions=False)
    assert done.exit_code == 0
    defaults = {"sysmon", "defender", "crowdstrike"}
    assert {path.name for path in (project / "output" / "kql").iterdir()} == defaults
    run("-t", "kql", "-s", "windows-security")
    assert (project / "output" / "kql" / "windows-security").is_dir()


def test_the_table_at_the_end(project: Path) -> None:
    """As words where they fit a terminal, else as marks: a column for each source."""
    assert run("-t", "kql").stderr.splitlines()[:2] == ["rule  sysmon/kql", "c     exact"]
    text = (project / "sigma/x/same.yml").read_text()
    (project / "sigma/x/same.yml").write_text(text.replace("Image|endswith", "Nowhere|endswith"))
    many = run("-s", "sysmon", "-s", "defender", "-t", "kql", "-t", "eql", "-t", "spl", code=1).stderr
    table = many[many.index("rule ") :].splitlines()
    assert table[:5] == [
        "rule  sysmon  defender",
        "c     = = =   = = =",
        "a     x x x   x x x",
        "b     = = =   = = =",
        "In the order kql, eql, spl: = exact, x refused",
    ]
