"""`sigconv verify`."""

from __future__ import annotations

import json
import os
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.junit import JUNIT, write_junit
from converter.cli.options import (
    FORMAT,
    PATHS,
    Asked,
    query_options,
    table,
)
from converter.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from converter.verify.junit import Case
    from converter.verify.verify import Checked


_STATUSES = ("agrees", "refused", "disagrees", "error")


@click.command()
@PATHS
@query_options
@JUNIT
@FORMAT
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Processes with engines, where there is enough to do.  [default: the number of CPUs]",
)
def verify(
    paths: tuple[Path, ...],
    asked: Asked,
    junit: Path | None,
    form: str,
    jobs: int | None,
) -> None:
    """Run every query on an engine of its language and compare with the reference matcher.

    The events are the rules' own test events and others made from each rule: hits for each
    alternative, near misses for each value. They are stored as the platform's ingest stores them.

    \b
    Examples:
      sigconv verify
      sigconv verify sigma/windows -t kql --format json

    Needs the engines, and for KQL Microsoft's analyser; what is missing is said with the command that
    installs it.

    \b
    Exit codes:
      0  every query agrees; what is refused is listed (that it fails is for build to say)
      1  a query disagrees or cannot be run, or a rule is broken
      2  a wrong option, path or configuration, or an engine is not installed
      3  a defect of sigconv
    """
    from converter.engines import need
    from converter.verify.parallel import verify_in_processes

    options = asked.options()
    config, rules, cells = asked.inputs(paths)
    need((cell.target for cell in cells), analyser=True)
    if any(cell.inferred and (cell.proof or cell).pipeline is not None for cell in cells):
        hint = "name the source that it goes with, as -s sysmon"
        raise UsageError("SC604", "no shape of stored events for a mapping of your own alone", hint=hint)
    for error in rules.errors:
        click.echo(str(error), err=True)
    found = []
    for checked in verify_in_processes(rules, cells, config.tests, options, jobs or os.cpu_count() or 1):
        found.append(checked)
        if form == "text" and checked.status in ("disagrees", "error"):
            _print_problem(checked)
    if junit is not None:
        write_junit(junit, map(_case, found), "sigconv verify")
    if form == "json":
        click.echo(json.dumps({"results": [_result(one) for one in found]}, indent=2, ensure_ascii=False))
    else:
        _print_table(found)
    if rules.errors or any(one.status in ("disagrees", "error") for one in found):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _print_problem(checked: Checked) -> None:
    click.echo(f"{checked.rule.file}: {checked.status} in {checked.cell}: {checked.reason}", err=True)
    for line in checked.detail[:10]:
        click.echo(f"  {line}", err=True)
    if len(checked.detail) > 10:
        click.echo(f"  and {len(checked.detail) - 10} more", err=True)


def _print_table(found: list[Checked]) -> None:
    """Print what became of each rule in each cell; then why cells are not exact.

    One source has a row for each rule, several have a row for each rule and source: twelve columns are wider
    than any terminal.
    """
    several = len({one.cell.source for one in found}) > 1
    columns = list(dict.fromkeys(_column(one, several) for one in found))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for one in found:
        row = (one.rule.title, one.cell.source) if several else (one.rule.title,)
        rows.setdefault(row, {})[_column(one, several)] = _verdict(one)
    head = ["verdict, fidelity, events/hits", *(["source"] if several else []), *columns]
    table(head, [[*row, *(said.get(name, "") for name in columns)] for row, said in rows.items()], err=False)
    notes: dict[tuple[str, str], list[str]] = {}
    for one in found:
        if one.reason:
            reason = one.reason.replace(f"{one.cell} ", "")  # "sysmon/kql has no events ...": as elsewhere.
            notes.setdefault((one.rule.title, reason), []).append(str(one.cell))
    for (title, reason), cells in notes.items():
        click.echo(f"{', '.join(dict.fromkeys(cells))}: {title}: {reason}")
    count = Counter(one.status for one in found)
    click.echo(
        ", ".join(
            f"{count[status]} {_counted(status, count[status])}" for status in _STATUSES if count[status]
        )
    )


def _column(one: Checked, several: bool) -> str:
    return one.cell.target if several else str(one.cell)


def _counted(status: str, number: int) -> str:
    """Return 1 agrees, 8 agree, 1 error, 3 errors, 4 refused."""
    many = {"agrees": "agree", "disagrees": "disagree", "error": "errors"}
    return status if number == 1 else many.get(status, status)


def _verdict(one: Checked) -> str:
    if one.status not in ("agrees", "disagrees"):
        return one.status
    word = "agree" if one.status == "agrees" else "DISAGREE"
    return f"{word} {one.fidelity} {one.events}/{one.hits}"


def _case(one: Checked) -> Case:
    from converter.verify.junit import Case

    wrong = one.status in ("disagrees", "error")
    return Case(
        suite=str(one.cell),
        name=one.rule.title,
        failure="\n".join([one.reason, *one.detail]) if wrong else None,
        skipped=f"refused: {one.reason}" if one.status == "refused" else None,
        file=one.rule.file,
    )


def _result(one: Checked) -> dict[str, Any]:
    return {
        "rule": one.rule.id or one.rule.name,
        "title": one.rule.title,
        "file": one.rule.file,
        "source": one.cell.source,
        "target": one.cell.target,
        "fidelity": one.fidelity or None,
        "status": one.status,
        "events": one.events,
        "hits": one.hits,
        "reason": one.reason or None,
        "disagreements": list(one.detail),
    }
