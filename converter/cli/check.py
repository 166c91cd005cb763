"""`sigconv check`."""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import PATHS
from converter.errors import ExitCode, SigconvError

if TYPE_CHECKING:
    from converter.lint.run import Report

_STDIN = "<stdin>"


@click.command()
@PATHS
@click.option("--strict", is_flag=True, help="Warnings fail too.")
@click.option(
    "--ignore",
    "ignored",
    multiple=True,
    metavar="CODE",
    help="Leave out a warning, such as SC131; repeatable.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "sarif"]),
    default="text",
    show_default=True,
    help="Form of what is printed; sarif is for code scanning.",
)
def check(paths: tuple[Path, ...], strict: bool, ignored: tuple[str, ...], form: str) -> None:
    """Say what is wrong with rules, each with its place and what to do.

    \b
    Examples:
      sigconv check                            all rules of the project
      sigconv check sigma/windows/new_rule.yml --strict
      sigconv check --format sarif > check.sarif
      cat rule.yml | sigconv check -           one rule from standard input

    Errors are what keeps a rule from being converted; the rest are warnings (docs/checks.md).

    \b
    Exit codes:
      0  no errors
      1  errors (a path that does not exist is one), or with --strict warnings
      2  a wrong option or configuration
      3  a defect of sigconv
    """
    from converter.lint.catalogue import CATALOGUE

    for code in ignored:
        if code not in CATALOGUE or CATALOGUE[code].level == "error":
            raise click.BadParameter(f"'{code}' is no warning of docs/checks.md", param_hint="--ignore")
    report = _report(paths)
    report.findings = [finding for finding in report.findings if finding.code not in ignored]
    for finding in report.findings:
        finding.hint = finding.hint or CATALOGUE[finding.code].fix
    _print(report, form)
    if any(finding.code == "SC900" for finding in report.findings):
        raise click.exceptions.Exit(ExitCode.INTERNAL)
    if report.count("error") or (strict and report.findings):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _report(paths: tuple[Path, ...]) -> Report:
    from converter.lint.run import check as run
    from converter.project import config as configuration

    config = configuration.load(Path.cwd())
    root = config.rules.resolve() if config.rules.is_dir() else None
    given = [path for path in paths if str(path) != "-"]
    if len(given) == len(paths):
        given = given or [config.rules]
        inside = root is not None and all(path.resolve().is_relative_to(root) for path in given)
        return run(given, config.rules if inside else None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "stdin.yml"
        file.write_bytes(sys.stdin.buffer.read())
        report = run([*given, file], config.rules if root else None)
    for finding in report.findings:
        if finding.file == file.as_posix():
            finding.file = _STDIN
    return report


def _print(report: Report, form: str) -> None:
    summary = {
        "files": report.files,
        "rules": report.rules,
        "errors": report.count("error"),
        "warnings": report.count("warning"),
    }
    if form == "sarif":
        from converter.lint import sarif

        click.echo(json.dumps(sarif.log(report.findings, _repository()), indent=2, ensure_ascii=False))
    elif form == "json":
        found = [_entry(finding) for finding in report.findings]
        click.echo(json.dumps({"findings": found, "summary": summary}, indent=2, ensure_ascii=False))
    else:
        for finding in report.findings:
            click.echo(str(finding))
    said = (f"{number} {what if number != 1 else what[:-1]}" for what, number in summary.items())
    click.echo(", ".join(said), err=True)


def _entry(finding: SigconvError) -> dict[str, Any]:
    from converter.lint.catalogue import CATALOGUE

    return {
        "code": finding.code,
        "name": CATALOGUE[finding.code].name,
        "level": CATALOGUE[finding.code].level,
        "message": finding.message,
        "hint": finding.hint,
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
    }


def _repository() -> Path:
    """Return the root of the repository that the current folder is in, else the current folder."""
    here = Path.cwd().resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".git").exists()), here)
