"""The nightly job: identical archives, a summary of what changed, and what a broken rule does."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from tests.support import ROOT

CONFIG = (ROOT / "pyproject.toml").read_text()
RULE = "sigma/windows/lateral_movement/wsus_starts_psexec.yml"
QUERY = "sysmon/windows/lateral_movement/wsus_starts_psexec"


def checkout(folder: Path) -> Path:
    """Return a copy of what the shipped rules' project consists of."""
    folder.mkdir()
    shutil.copytree(ROOT / "sigma", folder / "sigma")
    for name in ("LICENSE", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project that a first night has exported."""
    folder = checkout(tmp_path_factory.mktemp("nightly") / "first")
    done = process(folder, "--all", "--archive", "night.tar.gz", "--summary", "night.md")
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def project(built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a copy of that project to change, and make it the current folder."""
    shutil.copytree(built, tmp_path / "copy")
    monkeypatch.chdir(tmp_path / "copy")
    return tmp_path / "copy"


def process(
    folder: Path, *arguments: str, seed: str = "1", **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "converter.cli", "build", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": seed, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def run(*arguments: str, code: int = 0) -> Result:
    result = CliRunner().invoke(main, ["build", "--all", *arguments], catch_exceptions=False)
    assert result.exit_code == code, result.output
    return result


def contents(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as tar:
        return {member.name: tar.extractfile(member).read() for member in tar}  # type: ignore[union-attr]


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_archives_are_identical_whatever_the_folder_the_seed_and_the_jobs(
    built: Path, tmp_path: Path
) -> None:
    other = checkout(tmp_path / "elsewhere, with a space")
    archive = ("--archive", str(tmp_path / "x.tar.gz"))
    one_by_one = ("-j", "1", "--no-cache", "-o", "out")
    done = process(other / "sigma" / "windows", "--all", *one_by_one, *archive, seed="99", TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "x.tar.gz").read_bytes() == (built / "night.tar.gz").read_bytes()


def test_second_night_changes_nothing_and_packs_the_same(project: Path) -> None:
    before = tree(project / "output")
    result = run("--archive", "again.tar.gz", "--summary", "-")
    assert result.stdout == "# sigconv: what changed\n\nNothing changed.\n\n"
    assert Path("again.tar.gz").read_bytes() == Path("night.tar.gz").read_bytes()
    assert tree(project / "output") == before
    run("--check", "--archive", "checked.tar.gz")
    assert Path("checked.tar.gz").read_bytes() == Path("night.tar.gz").read_bytes()


def test_archive_is_the_output_folder_and_licences(built: Path) -> None:
    """Both Python's reader and tar's own take it, and it names no person, place or time."""
    packed = contents(built / "night.tar.gz")
    licences = {"output/licenses/LICENSE": (ROOT / "LICENSE").read_bytes()}
    assert packed == {f"output/{path}": data for path, data in tree(built / "output").items()} | licences
    shown = subprocess.run(
        ["tar", "--numeric-owner", "-tvzf", built / "night.tar.gz"],
        env={**os.environ, "TZ": "UTC"},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    line = re.compile(r"-rw-r--r-- 0/0 +\d+ 1970-01-01 00:00 (output/\S+)")
    assert [line.fullmatch(one)[1] for one in shown] == sorted(packed)  # type: ignore[index]
    # RFC 1952: no flags (so no file name), no time.
    assert (built / "night.tar.gz").read_bytes()[3:8] == bytes(5)


def test_archive_has_every_language_source_and_format(built: Path) -> None:
    from converter.exports import FORMATS

    manifest = json.loads((built / "output" / "manifest.json").read_text())
    cells = {(entry["source"], entry["target"]) for entry in manifest["entries"]}
    assert cells == {
        (s, t) for s in ("sysmon", "defender", "crowdstrike") for t in ("eql", "lucene", "spl", "kql")
    }
    assert {part["format"] for part in manifest["exports"]} == set(FORMATS)


def test_time_in_the_archive_is_source_date_epoch(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795219200")
    run("--archive", "dated.tar.gz")
    with tarfile.open("dated.tar.gz") as tar:
        assert {member.mtime for member in tar} == {1795219200}
    assert contents(project / "dated.tar.gz") == contents(project / "night.tar.gz")
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    assert "SC601 SOURCE_DATE_EPOCH is 'yesterday'" in run("--archive", "no.tar.gz", code=2).stderr
    assert not Path("no.tar.gz").exists()


def test_changed_rule_shows_up_alone(project: Path) -> None:
    text = Path(RULE).read_text()
    Path(RULE).write_text(text.replace("psexec64.exe", "psexec128.exe"))
    Path("night.tar.gz").rename("old.tar.gz")
    run("--check", "--archive", "night.tar.gz", "--summary", "check.md", code=1)
    run("--summary", "build.md", "--archive", "built.tar.gz")
    assert Path("built.tar.gz").read_bytes() == Path("night.tar.gz").read_bytes()
    summary = Path("build.md").read_text()
    assert Path("check.md").read_text() == summary
    titles = re.findall(r"^### (.+) — (\S+)$", summary, re.MULTILINE)
    assert {title for title, _ in titles} == {"PsExec Started by the Windows Update Client"}
    assert [cell for _, cell in titles] == sorted(cell for _, cell in titles)
    assert len(titles) == 12
    assert "| Changed | 12 |" in summary
    assert "New" not in summary.split("## Import files")[0]
    assert re.search(r'^-.*endswith @"\\psexec64\.exe"', summary, re.MULTILINE)
    assert re.search(r'^\+.*endswith @"\\psexec128\.exe"', summary, re.MULTILINE)
    old, new = contents(project / "old.tar.gz"), contents(project / "built.tar.gz")
    changed = {path for path in {*old, *new} if old.get(path) != new.get(path)}
    queries = [path for path in changed if not path.startswith(("output/exports/", "output/manifest.json"))]
    assert len(queries) == 12
    assert all("wsus_starts_psexec" in path for path in queries)
    parts = [path for path in changed if path.startswith("output/exports/") and "/rules/" in path]
    assert parts
    assert all("wsus_starts_psexec" in path for path in parts)


def test_new_and_removed_rules(project: Path) -> None:
    rule = Path(RULE).read_text().replace("b8802a45", "c8802a45").replace("title: ", "title: Another ")
    Path("sigma/new.yml").write_text(rule)
    Path("sigma/windows/credential_access/registry_hives_saved.yml").unlink()
    run("--summary", "-", "-s", "sysmon", "-t", "kql")
    summary = run("--summary", "-").stdout
    assert "| New | 11 |" in summary  # The twelfth was new in the run before.
    assert "\n## Removed\n" in summary
    assert "### Another PsExec" in summary


def test_broken_rule_is_reported_and_the_rest_is_exported(project: Path) -> None:
    before = tree(project / "output")
    Path(RULE).write_text("title: [")
    other = Path("sigma/windows/privilege_escalation/update_orchestrator_hijack.yml")
    other.write_text(
        other.read_text().replace("detection:", "detection:\n    more:\n        Image: other.exe")
    )
    other.write_text(other.read_text().replace("condition: ", "condition: more or "))
    result = run("--archive", "broken.tar.gz", "--summary", "broken.md", code=1)
    assert f"{RULE}:2:1: SC101" in result.stderr
    after = tree(project / "output")
    mine = {path for path in before if "wsus_starts_psexec" in path}
    assert len(mine) > 12
    assert {path: after[path] for path in mine} == {path: before[path] for path in mine}
    assert b"other.exe" in after["kql/sysmon/windows/privilege_escalation/update_orchestrator_hijack.kql"]
    manifest = json.loads(after["manifest.json"])
    stale = [entry for entry in manifest["entries"] if entry.get("stale")]
    assert {entry["file"] for entry in stale} == {RULE.removeprefix("sigma/")}
    assert len(stale) == 12
    marked = {part["file"] for part in manifest["exports"] if part.get("stale")}
    assert marked == {path for path in mine if path.startswith("exports/")}
    summary = Path("broken.md").read_text()
    assert f"## Not converted: 1\n\n```text\n{RULE}:2:1: SC101" in summary
    assert summary.count("stale: the rule is broken") == 12
    packed = contents(project / "broken.tar.gz")
    assert packed[f"output/kql/{QUERY}.kql"] == before[f"kql/{QUERY}.kql"]
    # The next night is as bad, and the one after the repair is well.
    assert "SC101" in run(code=1).stderr
    shutil.copy(ROOT / RULE, RULE)
    assert "no longer stale" in run("--summary", "-").stdout
    assert "stale" not in Path("output/manifest.json").read_text()


def test_import_files_are_counted(project: Path) -> None:
    """A change of what people read changes import files and no query."""
    Path(RULE).write_text(Path(RULE).read_text().replace("falsepositives:", "falsepositives:\n    - A drill"))
    summary = run("--summary", "-", "-s", "sysmon").stdout
    assert "Nothing changed." in summary
    # The rule's own file, and the one of all rules.
    assert "| elastic-ndjson | sysmon | 0 | 2 | 0 |" in summary


def test_formats_follow_the_languages(project: Path) -> None:
    shutil.rmtree("output")
    run("-s", "sysmon", "-t", "spl")
    manifest = json.loads(Path("output/manifest.json").read_text())
    assert {part["format"] for part in manifest["exports"]} == {"splunk-app", "splunk-conf"}


def test_archive_of_a_part_holds_the_rest_too(project: Path) -> None:
    run("-s", "sysmon", "-t", "kql", "--archive", "part.tar.gz")
    assert Path("part.tar.gz").read_bytes() == Path("night.tar.gz").read_bytes()
    Path(f"output/spl/{QUERY}.spl").write_text("| makeresults")
    error = run("-s", "sysmon", "-t", "kql", "--archive", "part.tar.gz", code=2).stderr
    assert f"output/spl/{QUERY}.spl: SC608 is missing or was changed" in error


def test_manifest_that_points_outside_packs_nothing(project: Path) -> None:
    Path("secret.txt").write_text("secret")
    manifest = json.loads(Path("output/manifest.json").read_text())
    (entry,) = [
        one
        for one in manifest["entries"]
        if (one["source"], one["target"], one["file"]) == ("sysmon", "spl", RULE.removeprefix("sigma/"))
    ]
    import hashlib

    entry["queries"] = [
        {"name": None, "file": "../secret.txt", "sha256": hashlib.sha256(b"secret").hexdigest()}
    ]
    Path("output/manifest.json").write_text(json.dumps(manifest))
    assert "SC608" in run("-s", "sysmon", "-t", "kql", "--archive", "part.tar.gz", code=2).stderr
    assert not Path("part.tar.gz").exists()


def test_licences_that_rules_name(project: Path) -> None:
    text = Path(RULE).read_text()
    Path(RULE).write_text(text + "license: DRL-1.1\n")
    Path("sigma/windows/LICENSE.Detection.Rules.md").write_text("the text")
    run("--archive", "licensed.tar.gz")
    packed = contents(project / "licensed.tar.gz")
    assert packed["output/licenses/sigma/windows/LICENSE.Detection.Rules.md"] == b"the text"
    head, line = packed["output/licenses/rules.tsv"].decode().splitlines()
    assert head == "file\ttitle\tauthor\tlicense"
    assert line.startswith(f"{RULE.removeprefix('sigma/')}\tPsExec Started by the Windows Update Client\t")
    assert line.endswith("\tDRL-1.1")


def test_refusal_of_an_import_format_can_be_accepted(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from converter import exports
    from converter.errors import Refusal
    from converter.exports.base import Exporter

    def part(items: object) -> str:
        raise Refusal("SC210", "a reason")

    probe = Exporter(targets=("spl",), extension="txt", part=part)
    monkeypatch.setattr(exports, "PROBE", probe, raising=False)
    monkeypatch.setitem(exports.FORMATS, "probe", "converter.exports:PROBE")
    assert f"{RULE.removeprefix('sigma/')}: SC210 a reason" in run("-s", "sysmon", code=1).stderr
    config = (
        '[[tool.sigconv.accept-refusals]]\nrule = "*"\ntarget = "probe"\ncode = "SC210"\nreason = "known"\n'
    )
    Path("pyproject.toml").write_text(CONFIG + "\n" + config)
    assert "accepted refusal" in run("-s", "sysmon").stderr


def test_one_thing_goes_to_stdout(project: Path) -> None:
    for arguments in (
        ("-o", "-", "--archive", "x"),
        ("-o", "-", "--summary", "x"),
        ("--summary", "-", "--print", "json"),
    ):
        assert "one of them" in run(*arguments, code=2).stderr
    assert not Path("x").exists()


def test_summary_into_a_device(project: Path) -> None:
    """A job may say /dev/stdout or a pipe: it is written to, and not replaced by a file."""
    done = process(project, "--all", "--summary", "/dev/stdout")
    assert "Nothing changed." in done.stdout
    assert Path("/dev/stdout").exists()


def test_packing_is_a_function_of_the_contents() -> None:
    from converter.artifacts.archive import packed

    files = {"b": b"2", "a/é" + "x" * 200: b"1", "a-b": b""}
    made = packed(files)
    assert made == packed(dict(reversed(files.items())))
    with tarfile.open(fileobj=io.BytesIO(made)) as tar:
        names = tar.getnames()
    assert names == [f"output/{name}" for name in sorted(files)]
