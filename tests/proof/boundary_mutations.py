"""Deliberate mistakes at the boundary: what a vendor stores, what a field becomes, how a text is analysed.

``python -m tests.proof.boundary_mutations [--only TEXT]`` makes each mistake of ``boundary_mutations.yml``
alone, in one copy of the project, runs the tests that the entry names, and takes the mistake back. It is
caught if a test fails that passes without it; the exit code is 1 if one is not caught. ``--table`` writes the
table of docs/mutations.md and runs nothing.
"""

from __future__ import annotations

import os
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from shutil import copytree, ignore_patterns
from tempfile import TemporaryDirectory
from time import monotonic

import yaml

from tests.support import ROOT

TABLE = Path(__file__).with_name("boundary_mutations.yml")
PAGE = ROOT / "docs" / "mutations.md"
BEGIN = "<!-- boundary: written by `python -m tests.proof.boundary_mutations --table`; do not edit -->\n"
END = "<!-- end of boundary -->\n"
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

    area: str
    """What it is a mistake about: one heading of the table."""
    what: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    """Arguments of pytest: the narrowest tests that catch it."""

    def changed(self, text: str) -> str:
        """Return the text of the file with the mistake.

        Raises:
            ValueError: if the text to change is not there, or is there more than once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self.file} has {text.count(self.old)} times {self.old!r}")
        return text.replace(self.old, self.new)

    @contextmanager
    def made(self, root: Path) -> Iterator[None]:
        """Make the edit in a copy of the project, and take it back at the end.

        The file then has its former time again, so that what Python compiled of it still holds.
        """
        path = root / self.file
        text, times = path.read_text(encoding="utf-8"), path.stat()
        path.write_text(self.changed(text), encoding="utf-8")
        try:
            yield
        finally:
            path.write_text(text, encoding="utf-8")
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def mistakes() -> list[Mistake]:
    """Return the table."""
    entries = yaml.safe_load(TABLE.read_text(encoding="utf-8"))["mistakes"]
    return [
        Mistake(
            *(entry[key] for key in ("area", "what", "file", "old", "new")),
            tests=tuple(entry["tests"]),
        )
        for entry in entries
    ]


@contextmanager
def project() -> Iterator[Path]:
    """Give a copy of the project, with the folder ``shared`` beside it where the project has that."""
    with TemporaryDirectory() as folder:
        root = Path(folder) / "project"
        root.mkdir()
        for part in _PARTS:
            source = ROOT / part
            if source.is_dir():
                ignored = ignore_patterns("__pycache__", "browser", "node_modules")
                copytree(source, root / part, ignore=ignored, symlinks=True)
            else:
                (root / part).write_bytes(source.read_bytes())
        for modules in ROOT.glob("converter/engines/*/node_modules"):
            (root / modules.relative_to(ROOT)).symlink_to(modules)
        if (ROOT.parent / "shared").is_dir():
            (Path(folder) / "shared").symlink_to(ROOT.parent / "shared")
        yield root


def failing(tests: Sequence[str], root: Path, *, compiled: bool = False) -> str:
    """Return the first test that fails in a copy of the project; empty if none does.

    Args:
        tests: arguments of pytest.
        root: the copy.
        compiled: whether Python may keep what it compiles: only of the project without a mistake.
    """
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", *tests]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    if not compiled:
        environment["PYTHONDONTWRITEBYTECODE"] = "1"
    ran = subprocess.run(
        command, cwd=root, env=environment, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    if ran.returncode == 0:
        return ""
    failed = [line for line in ran.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
    return failed[0].partition(" ")[2].split(" - ")[0] if failed else ran.stdout[-300:] + ran.stderr[-300:]


def section() -> str:
    """Return the table of docs/mutations.md, between its markers."""
    found = mistakes()
    lines = [f"{len(found)} mistakes, each alone; each is caught by a test that the table names."]
    for area, group in groupby(found, key=lambda mistake: mistake.area):
        lines += ["", f"### {area}", "", "| Mistake | In | Caught by |", "|---|---|---|"]
        lines += [f"| {one.what} | `{one.file}` | `{' '.join(one.tests)}` |" for one in group]
    return "\n".join(lines) + "\n"


def page(text: str) -> str:
    """Return the text of docs/mutations.md with the table of today."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + section() + END + rest.partition(END)[2]


def main(arguments: Sequence[str]) -> int:
    """Run the mistakes, or write their table; return the exit code."""
    parser = ArgumentParser(prog="python -m tests.proof.boundary_mutations", description=__doc__)
    parser.add_argument("--only", default="", help="only mistakes whose description or file has this text")
    parser.add_argument("--table", action="store_true", help="write the table of docs/mutations.md")
    given = parser.parse_args(arguments)
    if given.table:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
        return 0
    chosen = [mistake for mistake in mistakes() if given.only in f"{mistake.what} {mistake.file}"]
    passed, begin = 0, monotonic()
    with project() as root:
        for mistake in chosen:
            with mistake.made(root):
                test = failing(mistake.tests, root)
            # What fails must pass without the mistake.
            unfit = failing([test], root, compiled=True) if test else ""
            passed += not test or bool(unfit)
            said = "UNFIT" if unfit else "caught" if test else "PASSED"
            print(f"{said}: {mistake.what} ({mistake.file}): {test}", flush=True)
    print(f"{len(chosen)} mistakes, {passed} not caught, {monotonic() - begin:.0f} s")
    return int(passed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
