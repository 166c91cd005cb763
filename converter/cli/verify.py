"""`sigconv verify`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import FIDELITY, FORMAT, PATHS, SOURCE, TARGET, inputs, table
from converter.errors import ExitCode

if TYPE_CHECKING:
    from converter.verify.run import Checked


@click.command()
@PATHS
@TARGET
@SOURCE
@FIDELITY
@FORMAT
def verify(
    paths: tuple[Path, ...],
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    fidelity: str,
    form: str,
) -> None:
    """Run every query on an engine of its language and compare with the reference matcher.

    The events are the rules' own test events and others made from each rule: hits for each
    alternative, near misses for each value. They are stored as the platform's ingest stores them.

    \b
    Examples:
      sigconv verify
      sigconv verify sigma/windows -t kql --format json

    Needs the engines: pip install "sigconv[verify]".
    """
    from converter.verify.run import verify as run

    config, rules, cells = inputs(paths, targets, source_names)
    for error in rules.errors:
        click.echo(str(error), err=True)
    found = []
    for checked in run(rules, cells, config.tests, fidelity):
        found.append(checked)
        if form == "text" and checked.status in ("disagrees", "error"):
            _print_problem(checked)
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
    """Print rule x cell, each with verdict, fidelity, events and hits; then why cells are not exact."""
    rows = []
    for one in found:
        numbers = [str(one.events), str(one.hits)] if one.status in ("agrees", "disagrees") else ["", ""]
        status = {"agrees": "agree", "disagrees": "DISAGREE"}.get(one.status, one.status)
        rows.append([one.rule.title, str(one.cell), status, one.fidelity, *numbers])
    table(["rule", "cell", "verdict", "fidelity", "events", "hits"], rows, err=False)
    notes = dict.fromkeys(f"{one.cell}: {one.rule.title}: {one.reason}" for one in found if one.reason)
    for note in notes:
        click.echo(note)


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
