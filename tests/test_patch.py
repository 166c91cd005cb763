"""A build of which few rules changed: what it writes and says is what a whole build does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.artifacts import manifest
from converter.build import patch
from converter.cli import main
from tests.support import ROOT

LATERAL = "sigma/windows/lateral_movement"
WSUS = f"{LATERAL}/wsus_starts_psexec.yml"
ENCODED = "sigma/windows/execution/office_starts_encoded_command.yml"
TARGET = f"{LATERAL}/remote_psexec_on_target.yml"
FILTER = """\
title: f
logsource: {category: process_creation, product: windows}
filter: {rules: any, selection: {User|contains: svc_backup}, condition: not selection}
"""
CORRELATION = """\
title: Many
name: many
correlation:
    {type: event_count, rules: [WSUS], group-by: [User], timespan: 5m, generate: true, condition: {gte: 5}}
"""
ACCEPTED = """\
[[accept-refusals]]
rule = "windows/*"
code = "SC204"
reason = "a test"
"""
Edit = Callable[[Path], object]


def sub(path: str, *pairs: tuple[str, str]) -> Edit:
    def edit(project: Path) -> None:
        text = (project / path).read_text()
        for old, new in pairs:
            assert old in text, old
            text = text.replace(old, new)
        (project / path).write_text(text)

    return edit


def both(*edits: Edit) -> Edit:
    return lambda project: [edit(project) for edit in edits]


def new(path: str, text: str) -> Edit:
    return lambda project: (project / path).write_text(text)


ODD = 'title: "\\u00fc \\"q\\" \\\\ {} [x]: \\"file\\": \\"a\\", \\U0001F600 '
UNMAPPED = ("product: windows", "product: linux")
NO_FIELD = ("ParentImage|endswith", "NoSuchField|endswith")
EDITS: dict[str, tuple[Edit, bool]] = {
    "title": (sub(WSUS, ("title: ", "title: Other ")), True),
    "odd title": (sub(WSUS, ("title: ", f'{ODD}"\nx: ')), True),
    "longest title": (sub(WSUS, ("title: ", f"title: {'long ' * 30}")), True),
    "comment": (sub(WSUS, ("title: ", "# why\ntitle: ")), True),
    "value": (sub(WSUS, ("wuauclt.exe", "wuauclt2.exe")), True),
    "two rules": (both(sub(WSUS, ("wuauclt", "other")), sub(ENCODED, ("title: ", "title: O "))), True),
    "refused": (sub(WSUS, UNMAPPED), True),
    "refused, accepted": (sub(WSUS, NO_FIELD), True),
    "another id": (sub(WSUS, ("id: ", "id: 00000000-0000-4000-8000-000000000001 # ")), True),
    "a name": (sub(WSUS, ("title: ", "name: mine\ntitle: ")), True),
    "id of another": (lambda project: take_id(project, WSUS, ENCODED), False),
    "name that another refers to": (
        both(new("sigma/many.yml", CORRELATION), sub(WSUS, ("title: ", "name: WSUS\ntitle: "))),
        False,
    ),
    "correlation": (sub(TARGET, ("timespan: ", "timespan: 1")), False),
    "a correlation in its place": (new(WSUS, CORRELATION.replace("WSUS", "process_starts")), False),
    "broken": (sub(WSUS, ("title: ", "title: [")), False),
    "two documents": (lambda project: append(project, WSUS, "\n---\n" + FILTER), False),
    "filter": (new("sigma/f.yml", FILTER), False),
    "removed": (lambda project: (project / WSUS).unlink(), False),
    "renamed": (lambda project: (project / WSUS).rename(project / LATERAL / "a.yml"), False),
    "configuration": (new("sigconv.toml", ACCEPTED.replace("SC204", "SC205")), False),
    "output changed": (
        both(sub(WSUS, ("title: ", "title: O ")), new("output/eql/sysmon/README", "x"), lambda p: spoil(p)),
        False,
    ),
    "killed": (both(sub(WSUS, ("title: ", "title: O ")), new("output/.sigconv-1-1.tmp", "x")), False),
    "manifest changed": (
        both(sub(WSUS, ("title: ", "title: O ")), sub("output/manifest.json", ("rule", "rules"))),
        False,
    ),
}


def take_id(project: Path, path: str, other: str) -> None:
    ids = [
        next(line for line in (project / one).read_text().splitlines() if line.startswith("id: "))
        for one in (path, other)
    ]
    sub(path, (ids[0], ids[1]))(project)


def append(project: Path, path: str, text: str) -> None:
    (project / path).write_text((project / path).read_text() + text)


def spoil(project: Path) -> None:
    found = sorted((project / "output/spl").rglob("*.spl"))
    found[0].write_text("spoiled")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("template")
    shutil.copytree(ROOT / "sigma", folder / "sigma")
    (folder / "sigconv.toml").write_text(ACCEPTED)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        build()
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The shipped rules, built: the folder's own name is part of what a build is known by."""
    kept = tmp_path / "kept"
    shutil.copytree(template, kept)
    monkeypatch.chdir(template)
    yield template
    shutil.rmtree(template)
    shutil.copytree(kept, template)


def build(*arguments: str) -> tuple[list[str], int]:
    result = CliRunner().invoke(main, ["build", "-s", "sysmon", *arguments], catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output
    return result.stderr.splitlines(), result.exit_code


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def patches(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each build was a patch."""
    found: list[bool] = []
    real = patch.apply

    def noted(*given: object) -> object:
        done = real(*given)  # type: ignore[arg-type]
        found.append(done is not None)
        return done

    monkeypatch.setattr(patch, "apply", noted)
    return found


@pytest.mark.parametrize("name", EDITS)
def test_it_is_what_a_whole_build_gives(project: Path, patches: list[bool], name: str) -> None:
    edit, patched = EDITS[name]
    before = files(project / "output")
    edit(project)
    given = files(project / "output")
    said, code = build()
    assert patches == [patched]
    after = files(project / "output")
    shutil.rmtree(project / "fresh", ignore_errors=True)
    # What these gave before is kept: a build into an empty folder has nothing to keep.
    if name in ("broken", "id of another"):
        shutil.copytree(project / "output", project / "fresh")
        for path, data in given.items():
            (project / "fresh" / path).write_bytes(data)
    whole, whole_code = build("--no-cache", "-o", "fresh")
    expected = files(project / "fresh")
    if name == "output changed":
        expected["eql/sysmon/README"] = b"x"  # A file of the user's own: left alone.
    assert after == expected
    assert code == whole_code
    assert said[:-1] == whole[:-1]
    written = sum(before.get(path) != data for path, data in after.items())
    if patched:
        word = "file" if written == 1 else "files"
        assert f" {written} {word} written, {len(set(before) - set(after))} removed" in said[-1]
    # The next build goes on from it: nothing, and then the same rule as it was.
    again, _ = build()
    assert again[:-1] == said[:-1]
    assert " 0 files written, 0 removed" in again[-1]
    if patched:
        assert patches == [True]
        for path in (WSUS, ENCODED):
            shutil.copy(ROOT / path, project / path)
        build()
        assert patches == [True, True]
        assert files(project / "output") == before


@pytest.mark.parametrize(
    "arguments", [("--level", "high"), ("--format", "elastic-toml"), ("--check",), ("-t", "kql"), (LATERAL,)]
)
def test_what_is_no_build_of_all_is_no_patch(
    project: Path, patches: list[bool], arguments: tuple[str, ...]
) -> None:
    build(*arguments)
    sub(WSUS, ("title: ", "title: Other "))(project)
    build(*arguments)
    assert True not in patches
    build()
    shutil.rmtree(project / "fresh", ignore_errors=True)
    build("--no-cache", "-o", "fresh")
    entries, whole = (manifest.read_manifest(project / name)["entries"] for name in ("output", "fresh"))
    assert entries == whole


def test_more_rules_than_a_patch_takes(
    project: Path, patches: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patch, "MOST", 1)
    both(sub(WSUS, ("wuauclt", "other")), sub(ENCODED, ("title: ", "title: O ")))(project)
    build()
    assert patches == [False]
