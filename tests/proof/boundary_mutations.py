"""Deliberate mistakes at the boundary: what a vendor stores, what a field becomes, how a text is analysed.

``python -m tests.proof.boundary_mutations [--only TEXT]`` makes each mistake of ``boundary_mutations.yml``
in a copy of the project, alone, and runs the tests that the entry names. A mistake is caught if a test
fails; the exit code is 1 if none does. ``--table`` prints the table of docs/mutations.md and runs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory

import yaml

from tests.support import ROOT

TABLE = Path(__file__).with_name("boundary_mutations.yml")
_PARTS = (
    "converter",
    "pipelines",
    "sigma",
    "tests",
    "docs",
    "output",
    "README.md",
    "CHANGELOG.md",
    "pyproject.toml",
)
LIMIT_S = 900
"""A run of the named tests takes seconds; this bound is only against hanging."""


@dataclass(frozen=True, slots=True)
class Mistake:
    """One wrong edit at the boundary."""

    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def apply(self, root: Path) -> None:
        """Make the edit in a copy of the project.

        Raises:
            ValueError: if the text to change is not there, or is there more than once.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times {self.old!r}")
        path.write_text(text.replace(self.old, self.new), encoding="utf-8")


def mistakes() -> list[Mistake]:
    """Return the table."""
    entries = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["mistakes"]
    return [
        Mistake(entry["what"], entry["file"], entry["old"], entry["new"], tuple(entry["tests"]))
        for entry in entries
    ]


def failing(tests: Sequence[str], mistake: Mistake | None = None) -> str:
    """Return the first test that fails in a copy of the project with a mistake; empty if none does."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        for part in _PARTS:
            source = ROOT / part
            if source.is_dir():
                copytree(source, root / part, ignore=ignore_patterns("__pycache__", "browser"), symlinks=True)
            else:
                (root / part).write_bytes(source.read_bytes())
        if (ROOT.parent / "shared").is_dir():
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        if mistake is not None:
            mistake.apply(root)
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
        ran = subprocess.run(
            command,
            cwd=root,
            env={**os.environ, "PYTHONPATH": str(root)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )
    if ran.returncode == 0:
        return ""
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].split(" ")[1] if failed else ran.stdout[-300:] + ran.stderr[-300:]


def table() -> str:
    """Return the mistakes as a table in Markdown."""
    lines = ["| Mistake | File | Caught by |", "|---|---|---|"]
    lines += [f"| {one.what} | {one.file} | {', '.join(one.tests)} |" for one in mistakes()]
    return "\n".join(lines)


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.proof.boundary_mutations", description=__doc__)
    parser.add_argument("--only", default="", help="only mistakes whose description has this text")
    parser.add_argument("--table", action="store_true", help="print the table for docs/mutations.md")
    given = parser.parse_args(arguments)
    if given.table:
        print(table())
        return 0
    chosen = [mistake for mistake in mistakes() if given.only in mistake.what]
    for tests in dict.fromkeys(mistake.tests for mistake in chosen):
        if test := failing(tests):
            print(f"{' '.join(tests)} fails without any mistake: {test}")
            return 2
    passed = 0
    for mistake in chosen:
        test = failing(mistake.tests, mistake)
        passed += not test
        print(f"{'caught' if test else 'PASSED'}: {mistake.what} ({mistake.file}): {test}", flush=True)
    print(f"{len(chosen)} mistakes, {passed} not caught")
    return int(passed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
