"""What must hold of the project's files as such."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import ROOT


def test_no_python_below_sigma() -> None:
    """PySigma is a namespace package called sigma: Python there breaks it, or is run by its plugin search."""
    below = [
        path
        for path in (ROOT / "sigma").rglob("*")
        if path.suffix in (".py", ".pyc") or path.name == "__init__"
    ]
    assert below == []
    assert not (ROOT / "sigma.py").exists()
    assert not (ROOT / "tests" / "sigma").exists()
    assert {path.suffix for path in (ROOT / "sigma").rglob("*") if path.is_file()} == {".yml"}


def test_help_imports_nothing_heavy() -> None:
    """`sigconv --help` starts in under 0.3 s because these are not imported; the time itself is no test."""
    code = (
        "import sys, click.testing, converter.cli\n"
        "click.testing.CliRunner().invoke(converter.cli.main, ['--help'])\n"
        "print([m for m in ('sigma', 'yaml', 'duckdb', 'eql', 'jpype', 'evtx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_wheel_works_in_an_empty_folder(tmp_path: Path) -> None:
    """The pipelines travel with the wheel."""
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "wheel",
            "-q",
            "--no-deps",
            "--no-build-isolation",
            "-w",
            tmp_path,
            ROOT,
        ],
        check=True,
        capture_output=True,
    )
    wheel = next(tmp_path.glob("sigconv-*.whl"))
    installed = tmp_path / "installed"
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        archive.extractall(installed)
    assert "converter/stock_pipelines/sysmon/kusto.yml" in names
    assert not any(name.startswith(("sigma/", "tests/", "pipelines/")) for name in names)
    empty = tmp_path / "empty"
    empty.mkdir()
    rule = empty / "rule.yml"
    rule.write_text(
        "title: x\nlogsource: {category: process_creation, product: windows}\n"
        "detection: {sel: {Image|endswith: '\\x.exe'}, condition: sel}\n"
    )
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from converter.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, "build", "rule.yml", "-t", "kql", "-o", "-"],
        cwd=empty,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "stock_pipelines" not in done.stdout
    assert r"\x.exe" in done.stdout.replace("\\\\", "\\")
