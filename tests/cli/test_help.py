"""The help of each command: it has examples, which parse, and says what the exit codes mean."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.exports import FORMATS
from tests.commands import check_line
from tests.support import ROOT

COMMANDS = sorted(main.commands)


def help_of(*command: str) -> str:
    result = CliRunner().invoke(main, [*command, "--help"], terminal_width=110)
    assert result.exit_code == 0
    return result.stdout


def section(text: str, head: str) -> list[str]:
    """Return the lines of a section, without their indentation."""
    found = re.search(rf"^  {head}:\n((?:    .+\n)+)", text, re.MULTILINE)
    assert found, f"no section {head}"
    return [line.strip() for line in found[1].splitlines()]


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_examples_parse(name: str) -> None:
    lines = section(help_of(*[name] if name else []), "Examples")
    commands = [command for line in lines if (command := _command(line))]
    assert commands
    for command in commands:
        check_line(command)
        if name:
            assert command.split()[1] == name or len(commands) > 1


def _command(line: str) -> str | None:
    """Return the sigconv command of an example: what is after it, two spaces apart, is an explanation."""
    line = re.split(r"\s{2,}", line)[0]
    found = re.search(r"\bsigconv [^)|>&]*", line)
    return found[0].strip() if found else None


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_exit_codes_are_told(name: str) -> None:
    lines = section(help_of(*[name] if name else []), "Exit codes")
    codes = [line.split()[0] for line in lines if re.match(r"\d  ", line)]
    assert codes == sorted(codes)
    assert {"0", "2"} <= set(codes)


@pytest.mark.parametrize("name", COMMANDS)
def test_options(name: str) -> None:
    """Each has a help text, a sentence; those that commands share come in one order."""
    options = [one for one in main.commands[name].params if isinstance(one, click.Option)]
    for option in options:
        assert option.help, option.name
        assert option.help[0].isupper(), option.help
        assert option.help.rstrip(")").endswith((".", "]")), option.help
    shared = [
        "targets",
        "source_names",
        "fidelity",
        "placeholders",
        "pipeline_files",
        "variant_names",
        "form",
    ]
    order = [option.name for option in options if option.name in shared]
    assert order == [one for one in shared if one in order]
    assert "-h, --help" in help_of(name)


@pytest.mark.parametrize("name", COMMANDS)
def test_lines_fit_a_terminal(name: str) -> None:
    """What is laid out by hand (examples, codes) must fit: 110 columns."""
    assert [line for line in help_of(name).splitlines() if len(line) > 110 and "--format" not in line] == []


def test_group_names_every_command() -> None:
    text = help_of()
    for name in COMMANDS:
        assert re.search(rf"^  {name} +\S", text, re.MULTILINE), name
        short = main.commands[name].get_short_help_str(200)
        assert short.endswith("."), name


def test_build_knows_each_format() -> None:
    text = " ".join(help_of("build").split())
    for name in FORMATS:
        assert name in text


def test_help_is_immediate() -> None:
    """Nothing that converts is imported for it; processor time, for a busy machine."""
    script = "import sys; from converter.cli import main; main(['--help'], standalone_mode=False)"
    heavy = ("sigma", "yaml", "converter.plan.model")
    script += f"; print(*(m for m in {heavy} if m in sys.modules), file=sys.stderr)"
    times = []
    for _ in range(3):
        before = os.times()
        done = subprocess.run(
            [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
        )
        after = os.times()
        times.append(
            after.children_user + after.children_system - before.children_user - before.children_system
        )
        assert done.stderr.strip() == ""
    assert min(times) < 0.3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_SIGCONV_COMPLETE" in result.stdout
    assert f"{shell}_complete" in result.stdout


def test_bash_takes_the_completion_script() -> None:
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    done = subprocess.run(
        ["bash", "-c", 'eval "$0"; complete -p sigconv', script], capture_output=True, text=True, check=True
    )
    assert "_sigconv_completion" in done.stdout


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sigconv bu", ["build"]),
        ("sigconv build -t k", ["kql"]),
        ("sigconv build -s c", ["crowdstrike"]),
        ("sigconv verify --source win", ["windows-security"]),
        ("sigconv build --id b8802a45", ["b8802a45-2227-46bc-8f9d-42c8f83115b8"]),
        ("sigconv build --tag attack.t1003.00", [f"attack.t1003.00{n}" for n in (1, 2, 4, 5)]),
        ("sigconv build --variant windowse", ["windowsevent"]),
        ("sigconv completion z", ["zsh"]),
    ],
)
def test_completions(words: str, expected: list[str]) -> None:
    """As bash asks for them."""
    done = subprocess.run(
        [sys.executable, "-c", "from converter.cli import main; main(prog_name='sigconv')"],
        env={
            "PYTHONPATH": str(ROOT),
            "_SIGCONV_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert [line.split(",")[1] for line in done.stdout.splitlines()] == expected


def test_completion_of_a_broken_project_is_empty(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    from converter.cli.completion import rule_ids

    monkeypatch.chdir(str(tmp_path))
    context = click.Context(main)
    assert rule_ids(context, main.commands["build"].params[0], "") == []
    with open("sigconv.toml", "w") as file:  # noqa: PTH123
        file.write("broken = ")
    assert rule_ids(context, main.commands["build"].params[0], "") == []
