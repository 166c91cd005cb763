"""The documents: their commands run or at least exist, their files are valid, their links lead somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.commands import check_line
from tests.support import ROOT

DOCS = sorted([*(ROOT / "docs").glob("*.md"), ROOT / "CONTRIBUTING.md", ROOT / "README.md"])
MARKED = re.compile(r"<!-- (run|write)(?: (\S+))? -->\n```\w+\n(.*?)```", re.DOTALL)
SHELL = re.compile(r"```(?:sh|bash|shell)\n(.*?)```", re.DOTALL)


def commands(block: str) -> Iterator[str]:
    """Yield the sigconv commands of a shell block, without what is around them."""
    for line in block.replace("\\\n", " ").splitlines():
        for part in re.split(r"\||&&|;", line.split(" #")[0].removeprefix("$ ")):
            found = re.match(r"\s*(?:\.venv/bin/)?(sigconv .*)", part.split(">")[0])
            if found:
                yield found[1].strip()


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_commands_exist(file: Path) -> None:
    for block in SHELL.findall(file.read_text()):
        for command in commands(block):
            check_line(command)


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_inline_commands_exist(file: Path) -> None:
    """`sigconv ...` in a sentence: the command and its options are real, whatever stands for the values."""
    from converter.cli import main

    sentences = re.sub(r"(`{3,})\w+\n.*?\n\1\n", "", file.read_text(), flags=re.DOTALL)
    for text in re.findall(r"`(sigconv [a-z][^`]*)`", sentences):
        words = text.split()
        assert words[1] in main.commands, f"{file.name}: {text}"
        known = {option for one in main.commands[words[1]].params for option in one.opts}
        used = {word.split("=")[0] for word in words[2:] if re.match(r"--?[a-z]", word)} - {"--help"}
        assert used <= known, f"{file.name}: {text}"


@pytest.mark.parametrize("file", DOCS, ids=lambda file: file.name)
def test_links_lead_somewhere(file: Path) -> None:
    text = re.sub(r"(`{3,})\w+\n.*?\n\1\n", "", file.read_text(), flags=re.DOTALL)
    for link in re.findall(r"\]\((?!https?:|mailto:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = (file.parent / path) if path else file
        assert target.exists(), f"{file.name}: {link}"
        if anchor and target.suffix == ".md":
            heads = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
            assert anchor in slugs, f"{file.name}: {link}"


def test_index_names_every_document() -> None:
    index = (ROOT / "docs" / "README.md").read_text()
    assert [file.name for file in (ROOT / "docs").glob("*.md") if f"({file.name})" not in index] == [
        "README.md"
    ]


@pytest.mark.parametrize("name", ["authors.md", "deploy.md"])
def test_walkthrough(name: str, tmp_path: Path) -> None:
    """What is marked is done, from top to bottom, in an empty folder; each command must succeed.

    `deploy.md` begins where `authors.md` ends.
    """
    steps = [(name, step) for step in MARKED.findall((ROOT / "docs" / name).read_text())]
    assert steps
    if name == "deploy.md":
        first = list(MARKED.findall((ROOT / "docs" / "authors.md").read_text()))
        steps = [("authors.md", step) for step in first if step[0] == "write"] + steps
    for document, (kind, path, text) in steps:
        if kind == "write":
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text)
            continue
        for command in commands(text):
            done = subprocess.run(
                [sys.executable, "-m", "converter.cli", *_words(command)],
                cwd=tmp_path,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, f"{document}: {command}\n{done.stdout}\n{done.stderr}"
            assert "disagree" not in done.stdout


def _words(command: str) -> list[str]:
    import shlex

    return shlex.split(command)[1:]
