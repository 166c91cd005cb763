"""`sigconv build`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli import build_text
from converter.cli.options import (
    FIDELITY,
    PATHS,
    PIPELINES,
    PLACEHOLDERS,
    SOURCE,
    TARGET,
    VARIANTS,
    backend_choices,
    backend_options,
    chosen,
    chosen_cells,
    collect_rarely,
    selecting,
)
from converter.errors import ExitCode
from converter.exports import FORMATS

if TYPE_CHECKING:
    from converter.build.convert_rules import Progress
    from converter.build.report import Report
    from converter.build.request import BuildRequest
    from converter.conversion.convert import Options
    from converter.files.yaml_source import Documents
    from converter.pipelines.cells import Cell
    from converter.project.config import Config


@click.command()
@PATHS
@TARGET
@SOURCE
@click.option(
    "-o", "--output", "output_name", metavar="DIR", help="Output folder, or - to print the queries."
)
@FIDELITY
@backend_options
@PLACEHOLDERS
@PIPELINES
@VARIANTS
@selecting
@click.option(
    "--format",
    "formats",
    multiple=True,
    type=click.Choice(list(FORMATS)),
    help="Also write what a SIEM imports, into exports/ of the output folder; repeatable.",
)
@click.option(
    "--print",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of what is printed: text, or JSON of the manifest's entries.",
)
@click.option(
    "--all",
    "everything",
    is_flag=True,
    help="All import formats of the languages that are made. With no other option: all there is to deploy.",
)
@click.option(
    "--archive",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.tar.gz",
    help="Also pack the output folder, the same bytes for the same rules; with --check what it should hold.",
)
@click.option(
    "--summary",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="Also write, as Markdown, what this build changes in the output folder; - prints it.",
)
@click.option("--check", is_flag=True, help="Write nothing; fail if the output folder is not up to date.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Processes that convert, where there is enough to do.  [default: the number of CPUs]",
)
@click.option("--no-cache", is_flag=True, help="Convert everything anew, and keep nothing for the next run.")
def build(**given: Any) -> None:
    """Convert rules into queries, and with --format into what a SIEM imports.

    PATHS are rule files or folders; default: the configured rules folder (sigma/). Options that select rules
    can be repeated (any of the values) and combined (all of the kinds); what is not selected stays as it is.

    \b
    Examples:
      sigconv build
      sigconv build sigma/windows -t kql -t eql -s sysmon
      sigconv build rule.yml -t spl -o -
      sigconv build --check                  in CI: is output/ up to date?
      sigconv build --no-cache -j 1          everything anew, in one process
      sigconv build --min-level high --tag 'attack.t1021*'
      sigconv build --format elastic-ndjson  detection rules for Elastic Security
      sigconv build --all --archive out.tar.gz --summary out.md    every night

    \b
    Files:
      sigconv.toml, or [tool.sigconv] of pyproject.toml: here or in a folder above
      output/manifest.json       each rule and cell: fidelity and reasons, files and hashes, or the refusal
      .sigconv-cache/            beside the output folder; may be deleted at any time

    \b
    Environment:
      SOURCE_DATE_EPOCH          the time of what is in the archive, in seconds since 1970; default 0

    \b
    Exit codes:
      0  everything is converted, and with --check the output folder is up to date
      1  a rule is broken or refused (and no accept-refusals covers it), or the folder is not up to date;
         everything else is written, and what a broken rule gave before stays and is marked stale
      2  a wrong option, path or configuration, or a file that cannot be written
      3  a defect of sigconv
    """
    from converter.build.run import run
    from converter.project import config as configuration

    config = configuration.load(Path.cwd())
    request = _request(given, config)
    report = run(request, config, _Terminal(request))
    if request.output is None:
        _print_queries(report, as_json=request.entries)
    else:
        _print_report(request, request.output, report)
    if report.code or report.differing:
        raise click.exceptions.Exit(report.code or ExitCode.FAILED)


def _request(given: Mapping[str, Any], config: Config) -> BuildRequest:
    """Return what the options ask for.

    Raises:
        click.UsageError: they contradict each other.
    """
    from converter.build.request import BuildRequest, CellChoice, QueryChoice
    from converter.rules.selection import Selection

    output, form, check = given["output_name"], given["form"], given["check"]
    archive, summary = given["archive"], given["summary"]
    if (output == "-" and (archive or summary)) or (str(summary) == "-" and form == "json"):
        raise click.UsageError("what is printed to stdout is queries, JSON or a summary: one of them")
    if output == "-" and check:
        raise click.UsageError("--check compares an output folder; -o - has none")
    if archive is not None and not archive.name.endswith((".tar.gz", ".tgz")):
        raise click.UsageError(f"the archive is a .tar.gz, and '{archive.name}' is none by its name")
    return BuildRequest(
        paths=given["paths"],
        output=None if output == "-" else Path(output or config.output),
        cells=CellChoice(
            given["targets"], given["source_names"], given["pipeline_files"], given["variant_names"]
        ),
        queries=QueryChoice(given["fidelity"], backend_choices(), given["placeholders"]),
        selection=Selection(
            given["statuses"], given["levels"], given["min_level"], given["tags"], given["ids"]
        ),
        formats=given["formats"],
        all_formats=given["everything"],
        check=check,
        entries=form == "json",
        archive=archive,
        summary=summary,
        workers=given["jobs"] or os.cpu_count() or 1,
        cached=not given["no_cache"],
    )


class _Terminal:
    """What a build prints while it runs, and what it asks of the command line."""

    def __init__(self, request: BuildRequest) -> None:
        self._request = request

    def tell(self, lines: str) -> None:
        """Print lines about rules that give nothing."""
        click.echo(lines, err=True, nl=False)

    def show(self, text: str) -> None:
        """Print a text that the user asked for."""
        click.echo(text)

    def choose(self, known: Documents | None) -> tuple[Sequence[Cell], Options]:
        """Return the cells and the options of the request."""
        collect_rarely()
        queries, names = self._request.queries, self._request.cells
        options = chosen(queries.fidelity, queries.placeholders)
        places = names.targets, names.sources, names.pipelines, names.variants
        return chosen_cells(*places, known), options

    @contextmanager
    def progress(self) -> Iterator[Progress | None]:
        """Show a bar on stderr while rules are converted, if that is a terminal."""
        if not sys.stderr.isatty():
            yield None
            return
        with ExitStack() as stack:

            def begin(count: int) -> Callable[[int], None]:
                bar = click.progressbar(length=count, label="Converting", file=sys.stderr, show_pos=True)
                return stack.enter_context(bar).update

            yield begin


def _print_report(request: BuildRequest, folder: Path, report: Report) -> None:
    """Print what is not up to date, what became of the rules, and what is in the output folder now."""
    for path in report.differing:
        click.echo(build_text.not_up_to_date(folder, path), err=True)
    if request.entries:
        outcomes = [unit.outcome for unit in report.units if unit.outcome is not None]
        entries = [json.loads(text) for outcome in outcomes for text in outcome.texts()]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    click.echo(build_text.overview(report), err=True, nl=False)
    if not request.check:
        click.echo(build_text.done(folder, report), err=True)
    elif not report.differing:
        click.echo(build_text.up_to_date(folder), err=True)


def _print_queries(report: Report, as_json: bool) -> None:
    """Print the queries; with formats, what is imported in their place."""
    from converter.files import atomic

    if report.exports is not None and report.exports.formats:
        click.echo("".join(part.text for made in report.exports.parts.values() for part in made), nl=False)
        return
    outcomes = [outcome for unit in report.units for outcome in unit.converted]
    if as_json:
        entries = [
            outcome.entry | {"texts": [atomic.text_of(text) for text in outcome.files.values()]}
            for outcome in outcomes
            if outcome.error is None
        ]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    texts = [atomic.text_of(text) for outcome in outcomes for text in outcome.files.values()]
    click.echo("\n".join(texts), nl=False)
