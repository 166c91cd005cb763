"""`sigconv report`."""

from __future__ import annotations

from collections.abc import Sized
from pathlib import Path

import click

from converter.cli.options import (
    PATHS,
    Asked,
    query_options,
)
from converter.errors import ExitCode


@click.command()
@PATHS
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Where to write index.html and navigator.json.",
)
@click.option(
    "--verify-results",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="What 'sigconv verify --format json' printed: shown beside each query.",
)
@click.option("--verify", "run_verify", is_flag=True, help="Run verify now and show its results.")
@click.option("--title", default="Detection rules", show_default=True, help="Of the page.")
@click.option(
    "--date", "generated", default="", metavar="TEXT", help="Printed at the foot; default: no date at all."
)
@query_options
def report(
    paths: tuple[Path, ...],
    folder: Path,
    verify_results: Path | None,
    run_verify: bool,
    title: str,
    generated: str,
    asked: Asked,
) -> None:
    """Write the rules, their queries, ATT&CK coverage and tests as a page that needs no network.

    DIR/index.html shows rules by cells with fidelity and verification, coverage as a heat map, and for each
    rule its source, its queries, how each field was mapped, and its tests. Of more than 150 rules each has a
    page of its own in DIR/rules/. DIR/navigator.json is a layer for the ATT&CK Navigator.

    \b
    Examples:
      sigconv report -o report
      sigconv verify --format json > verify.json
      sigconv report -o report --verify-results verify.json
      sigconv report -o report sigma/windows -s sysmon -t kql --verify

    The same rules give the same bytes. --verify needs the engines, as `sigconv verify` does.

    \b
    Exit codes:
      0  the page is written
      1  it is written, and a rule is broken or, with --verify, a query disagrees
      2  a wrong option, path or configuration, or with --verify an engine is not installed
      3  a defect of sigconv
    """
    from converter.report import model, page, results

    if run_verify and verify_results is not None:
        raise click.UsageError("--verify and --verify-results exclude each other")
    options = asked.options()
    config, rules, cells = asked.inputs(paths)
    for error in rules.errors:
        click.echo(str(error), err=True)
    verified = results.read(verify_results) if verify_results is not None else {}
    if run_verify:
        from converter.engines import need
        from converter.verify.verify import verify

        need((cell.target for cell in cells), analyser=True)
        verified = {
            (one.rule.id or one.rule.name, one.cell.source, one.cell.target): results.Verification(
                one.status, one.fidelity, one.events, one.hits, one.reason, one.detail
            )
            for one in verify(rules, cells, config.tests, options)
        }
    made = model.collect(rules, cells, config.tests, verified, options, config.accepted, title)
    found = page.pages(made, generated)
    page.write(folder, found)
    size = sum(len(text.encode()) for text in found.values())
    click.echo(
        f"{folder / page.INDEX}: {_number(made.rules, 'rule')}, {_number(cells, 'cell')}, "
        f"{_number(found, 'file')}, {size / 1e6:.1f} MB",
        err=True,
    )
    wrong = run_verify and any(one.status in ("disagrees", "error") for one in verified.values())
    if made.errors or wrong:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _number(things: Sized, name: str) -> str:
    return f"{len(things)} {name}" + ("s" if len(things) != 1 else "")
