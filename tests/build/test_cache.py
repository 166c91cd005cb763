"""The cache changes no byte: whatever happened to rules, pipelines, configuration or the cache itself."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from converter.artifacts import manifest as manifest_module
from converter.build import cache as caches
from converter.build import convert_rules
from converter.build.cache import Cache
from converter.build.cached_documents import Documents
from converter.cli import main
from tests.support import ROOT

FILTER = """\
title: f
logsource: {category: process_creation, product: windows}
filter:
    rules: any
    selection: {User|contains: svc_backup}
    condition: not selection
"""
PIPELINE = """\
name: mine
priority: 30
transformations:
    - id: mine
      type: add_condition
      conditions: {User: mine%s}
      rule_conditions: [{type: logsource, category: process_creation, product: windows}]
"""
SYSMON = ("-s", "sysmon")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "sigma", tmp_path / "sigma")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def build(*arguments: str, code: int | None = None) -> Result:
    result = CliRunner().invoke(main, ["build", *arguments], catch_exceptions=False)
    assert result.exit_code in ((0, 1) if code is None else (code,)), result.output
    return result


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def same_as_without(project: Path, *arguments: str) -> int:
    """Build with what the cache holds, twice, and without it; return how many were converted."""
    converted = 0
    real = convert_rules.work_out

    def counted(*given: object) -> object:
        nonlocal converted
        converted += 1
        return real(*given)  # type: ignore[arg-type]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(convert_rules, "work_out", counted)
        first = build(*arguments)
        once = converted
        found = files(project / "output")
        second = build(*arguments)
        assert converted == once
        assert files(project / "output") == found
        assert build(*arguments, "--check", code=first.exit_code).stderr.count("SC602") == 0
        assert converted == once
    shutil.rmtree(project / "fresh", ignore_errors=True)
    plain = build(*arguments, "-o", "fresh", "--no-cache")
    assert files(project / "fresh") == found
    assert second.stderr.splitlines()[-1].replace("output/", "fresh/", 1).partition(": ")[0] in plain.stderr
    for result in (second, plain):
        assert result.exit_code == first.exit_code
        assert result.stderr.splitlines()[:-1] == first.stderr.splitlines()[:-1]
    assert "0 files written, 0 removed" in second.stderr
    return once


def replace(old: str, new: str) -> Callable[[Path], None]:
    def change(rule: Path) -> None:
        text = rule.read_text()
        assert old in text
        rule.write_text(text.replace(old, new))

    return change


LATERAL = "sigma/windows/lateral_movement"
CHANGES: dict[str, tuple[str, Callable[[Path], object], tuple[int, int]]] = {
    "title": (f"{LATERAL}/wsus_starts_psexec.yml", replace("title: ", "title: Other "), (4, 4)),
    "comment": (f"{LATERAL}/wsus_starts_psexec.yml", replace("title: ", "# why\ntitle: "), (0, 0)),
    "renamed": (
        f"{LATERAL}/wsus_starts_psexec.yml",
        lambda rule: rule.rename(rule.with_name("other.yml")),
        (4, 4),
    ),
    "deleted": (f"{LATERAL}/wsus_starts_psexec.yml", Path.unlink, (0, 0)),
    "broken": (f"{LATERAL}/no_such.yml", lambda rule: rule.write_text("title: ["), (0, 0)),
    "filter": (f"{LATERAL}/filter.yml", lambda rule: rule.write_text(FILTER), (4, 60)),
}


def test_import_formats_are_made_from_what_the_cache_holds(project: Path) -> None:
    rule = project / f"{LATERAL}/wsus_starts_psexec.yml"
    arguments = (*SYSMON, "--all")
    assert same_as_without(project, *arguments) > 40
    replace("title: ", "title: Other ")(rule)
    assert same_as_without(project, *arguments) == 4
    build(*SYSMON, "--no-cache")
    shutil.rmtree(project / ".sigconv-cache")
    build(*SYSMON)  # Without formats nothing is kept of what they need.
    assert same_as_without(project, *arguments) > 40


@pytest.mark.parametrize("name", CHANGES)
def test_change_of_a_rule(project: Path, name: str) -> None:
    path, change, (least, most) = CHANGES[name]
    assert same_as_without(project, *SYSMON) > 40
    change(project / path)
    if name == "broken":
        return  # Its own tests are in tests/cli/test_build.py; here it must not spoil the cache.
    assert least <= same_as_without(project, *SYSMON) <= most
    if name == "filter":
        (project / path).unlink()
        assert same_as_without(project, *SYSMON) == 0


def test_every_cell_and_a_base_rule(project: Path) -> None:
    """A change of a rule reaches the correlation in another file that refers to it, and nothing else."""
    assert same_as_without(project) > 100
    shutil.copytree(project / "output", project / "whole")
    shutil.rmtree(project / "output")
    assert same_as_without(project, "-t", "kql", "-s", "defender") == 0
    assert same_as_without(project) == 0
    assert files(project / "output") == files(project / "whole")
    replace("timespan: ", "timespan: 1")(project / LATERAL / "remote_psexec_on_target.yml")
    assert same_as_without(project) == 2 * 12
    after = files(project / "output")
    above = "kql/sysmon/windows/lateral_movement/psexec_on_many_hosts.kql"
    assert after[above] != files(project / "whole")[above]


def test_options_configuration_and_pipelines(project: Path) -> None:
    target = ("-t", "lucene", *SYSMON)
    same_as_without(project, *target)
    assert same_as_without(project, *target, "--fidelity", "any") > 0
    assert same_as_without(project, *target, "--lucene-case", "as-is") > 0
    assert same_as_without(project, *target, "--lucene-form", "dsl") > 0
    assert same_as_without(project, *target) == 0
    config = project / "sigconv.toml"
    config.write_text('[source.sysmon.elastic]\nindex = {"*" = "logs-mine-*"}\n')
    assert same_as_without(project, *target) > 0
    config.write_text('[[accept-refusals]]\nrule = "*"\n')
    assert same_as_without(project, *target) == 0
    assert '"accepted": true' in (project / "output/manifest.json").read_text()
    config.unlink()
    values = project / "values.yml"
    values.write_text("admins: [root]\n")
    assert same_as_without(project, *target, "--placeholders", "values.yml") > 0
    shutil.rmtree(project / "output")
    for number in (1, 2):
        (project / "mine.yml").write_text(PIPELINE % number)
        assert same_as_without(project, "-t", "spl", *SYSMON, "--pipeline", "mine.yml") > 0
    assert (
        f'User="mine{number}"'
        in (project / "output/spl/sysmon/windows/lateral_movement/wsus_starts_psexec.spl").read_text()
    )


def test_import_files(project: Path) -> None:
    formats = ("-t", "eql", *SYSMON, "--format", "elastic-ndjson")
    same_as_without(project, *formats)
    made = project / "output/exports/elastic-ndjson/sysmon"
    whole = next(path for path in made.iterdir() if path.is_file())
    good = whole.read_bytes()
    whole.write_bytes(b"{}\n")
    assert "SC602" in build(*formats, "--check", code=1).stderr
    build(*formats)
    assert whole.read_bytes() == good


def _flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    for position in range(4096, len(data), 997):
        data[position] ^= 0x41
    file.write_bytes(data)


def _forge(file: Path) -> None:
    """Change what was worked out, and leave the checksums."""
    with sqlite3.connect(file) as database:
        database.execute("UPDATE records SET data = replace(data, 'psexec', 'nothing')")
    database.close()


def _swap(file: Path) -> None:
    """Give each record the data, and the checksum, of another."""
    with sqlite3.connect(file) as database:
        rows = database.execute("SELECT key, sum, data FROM records").fetchall()
        for (key, _, _), (_, checksum, data) in zip(rows, rows[1:] + rows[:1], strict=True):
            database.execute("UPDATE records SET sum = ?, data = ? WHERE key = ?", (checksum, data, key))
    database.close()


def _other_tables(file: Path) -> None:
    file.unlink()
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE records (key TEXT, value BLOB)")
    database.close()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": lambda file: file.write_bytes(b""),
    "rubbish": lambda file: file.write_bytes(b"not a database " * 999),
    "cut": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "flipped": _flip,
    "forged": _forge,
    "swapped": _swap,
    "other tables": _other_tables,
    "folder": lambda file: (file.unlink(), file.mkdir()),
    "gone": lambda file: shutil.rmtree(file.parent),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_cache_is_made_anew(project: Path, name: str) -> None:
    target = ("-t", "eql", *SYSMON)
    same_as_without(project, *target)
    file = project / ".sigconv-cache" / "build.sqlite3"
    before = files(project / "output")
    shutil.rmtree(project / "output")
    DAMAGES[name](file)
    build(*target)
    assert files(project / "output") == before
    if name != "folder":
        build(*target)  # What was broken beyond reading is gone now, and this fills it again.
        assert same_as_without(project, *target) == 0


def test_other_version_is_not_believed(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = ("-t", "eql", *SYSMON)
    everything = same_as_without(project, *target)
    monkeypatch.setattr(caches, "environment", lambda: "another")
    monkeypatch.setattr("converter.build.inputs.environment", lambda: "another")
    assert same_as_without(project, *target) == everything


def test_folder_that_cannot_be_written_and_no_cache(project: Path) -> None:
    (project / ".sigconv-cache").write_text("a file")
    build("-t", "eql", *SYSMON)
    (project / ".sigconv-cache").unlink()
    build("-t", "eql", *SYSMON, "--no-cache")
    build("sigma/windows/lateral_movement/wsus_starts_psexec.yml", "-t", "eql", *SYSMON, "-o", "-")
    assert not (project / ".sigconv-cache").exists()


def test_size_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "_SPARE", 10)
    for start in range(0, 200, 20):
        cache = Cache(tmp_path)
        cache.put({caches.key(str(number)): {"n": number} for number in range(start, start + 20)})
        cache.trim()
        cache.close()
    with sqlite3.connect(tmp_path / "build.sqlite3") as database:
        (count,) = database.execute("SELECT count(*) FROM records").fetchone()
    database.close()
    assert 20 <= count <= 50
    last = caches.key("199")
    assert Cache(tmp_path).get([last]) == {last: {"n": 199}}
    assert (tmp_path / ".gitignore").read_text() == "*\n"


@pytest.mark.parametrize(
    ("documents", "kept"),
    [
        ([{"a": [1, 1.0, True, None, "x", date(2026, 1, 2)], "b": {"z": 1, "a": 2}}], True),
        ([{"a": {1: "a key that is no string"}}], False),
        ([{"a": b"bytes"}], False),
        ([{"a": float("nan")}], True),
        ([{"a": {"!date": "2026-01-02"}}], False),
        ([{"a": {"!date": "no date"}}], False),
    ],
)
def test_documents_are_kept_exactly_or_not_at_all(
    tmp_path: Path, documents: list[object], kept: bool
) -> None:
    cache = Cache(tmp_path)
    first = Documents(cache, "rules")
    first.keep("text", documents)
    first.save()
    found = Documents(cache, "rules").get("text")
    assert repr(found) == (repr(documents) if kept else "None")
    assert Documents(cache, "pipelines").get("text") is None
    cache.close()


def test_manifest_text_is_what_json_writes() -> None:
    """It is written by hand for speed."""
    manifest = json.loads((ROOT / "output/manifest.json").read_text())
    odd = [
        {**manifest["entries"][0], "title": 'ü "quoted" \\ \n \0entries\0 \u2028'},
        {**manifest["entries"][0], "stale": True},
        {**manifest["entries"][0], "more": [{}]},
    ]
    for entries in (manifest["entries"], odd, []):
        texts = [(manifest_module.entry_key(one), manifest_module.entry_text(one)) for one in entries]
        text = manifest_module.manifest_data(texts, [], {"a": "b"}, "1").decode()
        ordered = sorted(entries, key=manifest_module.entry_key)
        whole = {"schema_version": 1, "sigconv": "1", "pipelines": {"a": "b"}, "entries": ordered}
        assert text == json.dumps(whole, indent=2, ensure_ascii=False) + "\n"
