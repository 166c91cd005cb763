"""How the program ends: exit codes, what was printed, and streams that cannot be written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import IO

import pytest

from tests.support import ROOT

PROGRAM = [sys.executable, "-m", "converter.cli"]


def run(*words: str, stdout: int | IO[str] = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    command = [*PROGRAM, *words]
    return subprocess.run(command, cwd=ROOT, text=True, stdout=stdout, stderr=subprocess.PIPE, check=False)


@pytest.mark.parametrize(
    ("words", "code"),
    [(("--version",), 0), (("check", "sigma"), 0), (("build", "no-such.yml"), 2), (("list", "nonsense"), 2)],
)
def test_exit_code(words: tuple[str, ...], code: int) -> None:
    assert run(*words).returncode == code


MANY = ("list", "fields", "-s", "sysmon", "-t", "kql")


def test_everything_is_printed_before_the_end() -> None:
    done = run(*MANY)
    assert done.returncode == 0
    assert len(done.stdout) > 20_000
    assert done.stdout.endswith("\n")


def test_a_reader_that_goes_away() -> None:
    with subprocess.Popen(
        [*PROGRAM, *MANY], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        assert started.stdout.readline().startswith(b"cell ")
        started.stdout.close()
        assert started.stderr.read() == b""
        assert started.wait(60) in (0, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = run("list", "sources", stdout=full)
    assert done.returncode == 2
    assert done.stderr == "SC603 the output cannot be written: No space left on device\n"
