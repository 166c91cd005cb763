"""Killed at any moment: each file of the output is the old one or the new one, and the next run repairs."""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.errors import UsageError
from converter.files import atomic

RULE = """\
title: Rule {n}
id: {n:08d}-1111-4111-8111-111111111111
logsource: {{category: process_creation, product: windows}}
detection:
    selection:
        Image|endswith: '\\{word}{n}.exe'
    condition: selection
"""
RULES, KILLS = 60, 20
ARGUMENTS = ["build", "-s", "sysmon", "-t", "eql", "-t", "kql", "-j", "1"]
ROOT = Path(__file__).parent.parent
KILLED = """\
import os, signal, sys
left, count = int(sys.argv.pop(1)), 0
changing = {"open", "write", "flush", "close", "__exit__", "replace", "rename", "unlink", "mkdir", "chmod"}

def profile(frame, kind, function):
    global count
    if kind in ("c_call", "c_return") and getattr(function, "__name__", "") in changing:
        count += 1
        if count == left:
            os.kill(os.getpid(), signal.SIGKILL)

def begin(kind, details):
    if kind == "open" and ".sigconv-" in str(details[0]) and "output" in str(details[0]):
        sys.setprofile(profile)

from converter.cli import main
sys.addaudithook(begin)
try:
    main()
finally:
    sys.setprofile(None)
    print(count)
"""
"""Runs a build, and kills it at the n-th step from its first change of the output on (0: never). A step is
begin or end of what changes a file: open, write, close, rename, removal. Prints how many there are."""


def rules(folder: Path, word: str, numbers: range) -> None:
    shutil.rmtree(folder / "sigma", ignore_errors=True)
    (folder / "sigma").mkdir(parents=True)
    for n in numbers:
        (folder / f"sigma/{n}.yml").write_text(RULE.format(n=n, word=word))


def run(folder: Path, kill_before: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", KILLED, str(kill_before), *ARGUMENTS]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in (folder / "output").rglob("*") if path.is_file())
    return {path.relative_to(folder / "output").as_posix(): path.read_bytes() for path in found}


def finished(folder: Path) -> dict[str, bytes]:
    with contextlib.chdir(folder):
        result = CliRunner().invoke(main, ARGUMENTS, catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return files(folder)


def hidden(path: str) -> bool:
    return Path(path).name.startswith(".sigconv-")


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_output_is_whole_after_a_kill(tmp_path: Path) -> None:
    """Old and new differ in every file; ten rules go and ten come."""
    made = {}
    for name, word, numbers in (("old", "o", range(RULES)), ("new", "n", range(10, RULES + 10))):
        rules(tmp_path / name, word, numbers)
        made[name] = finished(tmp_path / name)
    prepare(tmp_path, "counted", converted=True)
    counted = run(tmp_path / "counted", 0)
    assert counted.returncode == 0
    assert files(tmp_path / "counted") == made["new"]
    changes = int(counted.stdout)
    assert changes > 1000
    moments = sorted(random.Random(20261121).sample(range(1, changes + 1), KILLS))
    between = 0
    for number, moment in enumerate(moments):
        place = prepare(tmp_path, "place", converted=number % 4 > 0)
        killed = run(place, moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        found = files(place)
        between += made["old"] != found != made["new"]
        for path, data in found.items():
            assert hidden(path) or data in (made["old"].get(path), made["new"].get(path)), (moment, path)
        assert set(made["old"]) & set(made["new"]) <= set(found), moment
        told = [json.loads(made[name]["manifest.json"]) for name in made]
        assert json.loads(found["manifest.json"]) in told
        assert finished(place) == made["new"], moment
    assert between >= KILLS // 2


def prepare(folder: Path, name: str, *, converted: bool) -> Path:
    """Return a project with the old output and the new rules, converted before or not."""
    place = folder / name
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(folder / "old" / "output", place / "output")
    shutil.copytree(folder / "new" / "sigma", place / "sigma")
    if converted:
        shutil.copytree(folder / "new" / ".sigconv-cache", place / ".sigconv-cache")
    return place


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_first_build_that_was_killed_leaves_nothing_of_a_rule_that_goes(tmp_path: Path) -> None:
    """No manifest knows the file that the killed run added."""
    rules(tmp_path, "o", range(3))
    good = finished(tmp_path)
    added = tmp_path / "output/eql/sysmon/99.eql"
    added.write_text("any where true")
    (tmp_path / "output/.sigconv-pending.json").write_text(
        '["eql/sysmon/99.eql", "../sigma/1.yml", "manifest.json"]'
    )
    (tmp_path / "output/.sigconv-abc.tmp").write_text("half of a fi")
    assert finished(tmp_path) == good
    assert (tmp_path / "sigma/1.yml").exists()


def test_what_cannot_be_removed_is_one_line(tmp_path: Path) -> None:
    """Such as in a folder that is read-only."""
    with pytest.raises(UsageError, match="SC603 cannot be removed: "):
        atomic.remove(tmp_path)
