"""`build --jobs`: the same bytes from any number of processes, and one line where a process dies."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter import workers as processes
from converter.cli import main
from tests.support import ROOT
from tests.test_kill import files, rules

RULES = 80
COMMAND = [sys.executable, "-m", "converter.cli", "build", "--no-cache"]


def start(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Return the processes that convert beside the one that was started: its children, which are forks."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == process.pid and b"converter.cli" in (folder / "cmdline").read_bytes():
                found.append(int(folder.name))
        except (OSError, ValueError, IndexError):
            continue
    return found


def wait_for_workers(process: subprocess.Popen[str]) -> list[int]:
    end = time.monotonic() + 60
    while time.monotonic() < end and process.poll() is None:
        if len(found := workers(process)) >= 2:
            return found
        time.sleep(0.01)
    pytest.fail(f"no workers: {process.communicate()}")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rules(tmp_path, "o", range(RULES))
    return tmp_path


@pytest.mark.slow
def test_any_number_of_processes_writes_the_same(project: Path) -> None:
    said = []
    for jobs in ("1", "2", "3"):
        process = start(project, "-j", jobs, "-o", f"output{jobs}/output")
        said.append((process.communicate(timeout=180)[1].splitlines()[:-1], process.returncode))
    assert said[0][1] == 0
    assert said[0] == said[1] == said[2]
    made = [files(project / f"output{jobs}") for jobs in "123"]
    assert len(made[0]) == 80 * 12 + 1
    assert made[0] == made[1] == made[2]


needs_proc = pytest.mark.skipif(
    not Path("/proc/self/stat").exists(), reason="needs /proc to find the workers"
)


@needs_proc
def test_worker_that_is_killed_is_one_line_and_no_hang(project: Path) -> None:
    process = start(project, "-j", "3")
    os.kill(wait_for_workers(process)[0], signal.SIGKILL)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 3
    assert out == ""
    assert err.splitlines() == [
        "SC900 a worker process ended unexpectedly (killed, or out of memory) (--jobs 1 works without them)"
    ]
    assert not (project / "output").exists()


@needs_proc
def test_interrupt_ends_at_once(project: Path) -> None:
    process = start(project, "-j", "3")
    found = wait_for_workers(process)
    began = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - began < 5
    assert process.returncode == 1
    assert "Traceback" not in err
    assert "Aborted!" in err
    assert not any(_runs(pid) for pid in found)


@needs_proc
def test_workers_end_with_a_parent_that_is_killed(project: Path) -> None:
    process = start(project, "-j", "3")
    found = wait_for_workers(process)
    process.kill()
    process.communicate(timeout=60)
    end = time.monotonic() + 30
    while any(_runs(pid) for pid in found) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(_runs(pid) for pid in found)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _twice(number: int) -> int:
    if number < 0:
        raise ValueError(number)
    return 2 * number


@pytest.mark.parametrize("forks", [True, False])
def test_work_is_shared_out_to_forks_and_to_others(forks: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not forks:
        monkeypatch.setattr(processes, "_can_fork", lambda: False)
    before = set(multiprocessing.active_children())
    made = dict(processes.shared_out(_twice, range(50), 3))
    assert made == {number: 2 * number for number in range(50)}
    with pytest.raises((RuntimeError, ValueError)):
        list(processes.shared_out(_twice, [-1] * 9, 2))
    assert set(multiprocessing.active_children()) == before


def test_no_progress_bar_where_there_is_no_terminal(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    arguments = ["build", "-s", "sysmon", "-t", "eql", "-j", "1"]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)
    assert "Converting" not in result.output
    assert CliRunner().invoke(main, ["build", "-j", "0"]).exit_code == 2


def test_progress_bar_on_a_terminal(project: Path) -> None:
    pty = pytest.importorskip("pty")
    parent, child = pty.openpty()
    arguments = [*COMMAND, "-s", "sysmon", "-t", "eql", "-j", "1"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TERM": "xterm"}
    process = subprocess.Popen(
        arguments, cwd=project, env=environment, stdout=subprocess.DEVNULL, stderr=child
    )
    os.close(child)
    shown = b""
    try:
        while part := os.read(parent, 4096):
            shown += part
    except OSError:  # Linux: the other end is closed.
        pass
    os.close(parent)
    assert process.wait(60) == 0
    assert b"Converting" in shown
    assert b"80/80" in shown
