"""An incremental build writes, byte for byte, what a build from nothing writes, and it prints the same.

Each build is made in one folder, because a build is known by its folder too. The other one takes no cache and
knows of no build before it.
"""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from tests.build.edits import BROKEN, EDITS, MANY, PROJECT, TWO, A, B, both, filter_of, put, sub

ALL = ("--placeholders", "values.yml")
Files = dict[str, bytes]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("edits")
    for path, text in PROJECT.items():
        put(path, text)(folder)
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(folder)
        build(*ALL)
    return folder


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The project, built; what a test changes is undone."""
    kept = tmp_path / "kept"
    shutil.copytree(template, kept)
    monkeypatch.chdir(template)
    yield template
    shutil.rmtree(template)
    shutil.copytree(kept, template)


def build(*arguments: str) -> tuple[list[str], str, int]:
    """Build; return the lines on stderr, the last of them apart, and the exit code."""
    command = ["build", "-j", "1", *arguments]
    if "-s" not in arguments:
        command += ["-s", "sysmon"]
    if "-t" not in arguments:
        command += ["-t", "eql", "-t", "spl"]
    result = CliRunner().invoke(main, command, catch_exceptions=False)
    assert result.exit_code in (0, 1), result.output
    lines = [*result.stdout.splitlines(), *result.stderr.splitlines()]
    return lines[:-1], lines[-1], result.exit_code


def files(folder: Path) -> Files:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def undo(project: Path) -> None:
    """Make the rules and the configuration what they were."""
    shutil.rmtree(project / "sigma")
    for path, text in PROJECT.items():
        put(path, text)(project)


def anew(project: Path, before: Files, *arguments: str) -> tuple[Files, list[str], int]:
    """Build with no cache over the files of an output folder; return its files then, and what was printed."""
    fresh = project / "fresh"
    shutil.rmtree(fresh, ignore_errors=True)
    for path, data in before.items():
        (fresh / path).parent.mkdir(parents=True, exist_ok=True)
        (fresh / path).write_bytes(data)
    printed, _, code = build("--no-cache", "-o", "fresh", *arguments)
    return files(fresh), printed, code


@pytest.mark.parametrize("name", [*EDITS, *(f"broken: {name}" for name in BROKEN)])
def test_build_after_an_edit_is_a_build_from_nothing(project: Path, name: str) -> None:
    broken = name.startswith("broken: ")
    edit = BROKEN[name.removeprefix("broken: ")] if broken else EDITS[name]
    before = files(project / "output")
    edit(project)
    given = files(project / "output")
    printed, end, code = build(*ALL)
    after = files(project / "output")
    expected = anew(project, given if broken else {}, *ALL)
    assert after == expected[0]
    assert (printed, code) == expected[1:]
    written = sum(given.get(path) != data for path, data in after.items())
    removed = len({path for path in given if ".sigconv-" not in path} - set(after))
    assert f": {written} file{'' if written == 1 else 's'} written, {removed} removed" in end
    # The next build goes on from it: nothing is changed, then nothing is left to do with the check, and then
    # the edit is undone.
    again, end, _ = build(*ALL)
    assert again == printed
    assert ": 0 files written, 0 removed" in end
    assert build(*ALL, "--check") == (printed, "output/ is up to date", code)
    assert files(project / "output") == after
    undo(project)
    build(*ALL)
    assert files(project / "output") == before


@pytest.mark.parametrize("seed", range(3))
def test_many_edits_one_after_another(project: Path, seed: int) -> None:
    """Each goes on from all those before it, so that some meet a project that is broken already."""
    everything = [*EDITS.values(), *BROKEN.values()]
    for edit in random.Random(seed).sample(everything, 12):
        with suppress(AssertionError, OSError):  # What it edits is not there any more.
            edit(project)
        given = files(project / "output")
        printed, _, code = build(*ALL)
        assert (files(project / "output"), printed, code) == anew(project, given, *ALL)


PARTS: dict[str, tuple[str, ...]] = {
    "level": ("--level", "high"),
    "lowest level": ("--min-level", "medium"),
    "status": ("--status", "stable"),
    "tag": ("--tag", "attack.t1021*"),
    "id": ("--id", "a"),
    "language": ("-t", "kql"),
    "source": ("-t", "spl", "-s", "defender"),
    "one rule": (A,),
    "folder": ("sigma/windows",),
    "root": ("sigma",),
    "fidelity": ("--fidelity", "exact"),
    "any fidelity": ("--fidelity", "any"),
    "option of a language": ("-t", "lucene", "--lucene-case", "as-is"),
    "format": ("--format", "elastic-ndjson"),
    "all formats": ("--all",),
    "format of one rule": ("--format", "splunk-conf", A),
    "check": ("--check",),
    "JSON": ("--print", "json"),
    "queries": ("-o", "-"),
    "queries as JSON": ("-o", "-", "--print", "json"),
    "summary": ("--summary", "summary.md"),
    "archive": ("--archive", "output.tar.gz"),
    "no cache": ("--no-cache",),
    "two processes": ("-j", "2"),
}
"""Builds of a part, or with other options."""
_EDIT = both(
    sub(A, ("'value'", "'another'")),
    sub(TWO, ("Rule two_first", "Other")),
    sub(MANY, ("gte: 5", "gte: 6")),
    put("sigma/f.yml", filter_of("f", "[b]")),
)


@pytest.mark.parametrize("name", PARTS)
def test_build_of_a_part_between_two_of_all(project: Path, name: str) -> None:
    arguments = (*ALL, *PARTS[name])
    for edit in (lambda _: None, _EDIT, sub(B, ("'value'", "'another'"))):
        edit(project)
        given = files(project / "output")
        printed, _, code = build(*arguments)
        made = tuple(path.read_bytes() for path in project.glob("*.*") if path.suffix in (".md", ".gz"))
        if "-o" in arguments:
            assert files(project / "output") == given
            shown = build(*arguments, "--no-cache")
            assert (printed, code) == (shown[0], shown[2])
        elif "--check" in arguments:
            assert files(project / "output") == given
            expected = anew(project, given, *arguments)
            assert (sorted(printed), code) == (
                sorted(line.replace("fresh/", "output/") for line in expected[1]),
                expected[2],
            )
        else:
            expected = anew(project, given, *arguments)
            assert (files(project / "output"), printed, code) == expected
            again = tuple(path.read_bytes() for path in project.glob("*.*") if path.suffix in (".md", ".gz"))
            assert made == again
    build(*ALL)
    if not {"-s", "-t", "--format", "--all"} & set(arguments):  # What these add stays.
        assert files(project / "output") == anew(project, {}, *ALL)[0]


def test_cache_knows_builds_of_several_branches(project: Path) -> None:
    """A build that goes back to what was there before converts nothing, and writes the same."""
    before = files(project / "output")
    for _ in range(2):
        _EDIT(project)
        build(*ALL)
        assert files(project / "output") == anew(project, {}, *ALL)[0]
        undo(project)
        build(*ALL)
        assert files(project / "output") == before
