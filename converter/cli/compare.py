"""`sigconv compare`."""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter.cli.options import (
    FIDELITY,
    FORMAT,
    PATHS,
    PLACEHOLDERS,
    SOURCE,
    TARGET,
    backend_options,
    chosen,
    inputs,
)
from converter.errors import ExitCode, UsageError, plain

if TYPE_CHECKING:
    from converter.upstream.verdict import Compared, Decider

_LONGEST = 12
"""Fields of an event that --details shows."""
_WIDEST = 200
"""Characters of a value that it shows."""


@click.command()
@PATHS
@TARGET
@SOURCE
@FIDELITY
@backend_options
@PLACEHOLDERS
@click.option("--details", is_flag=True, help="Also both queries, and an event that decides.")
@click.option(
    "--fail-on",
    type=click.Choice(["nothing", "wrong"]),
    default="nothing",
    show_default=True,
    help="Exit with 1 if a query misses or adds events, or does not run, and does not say so.",
)
@FORMAT
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1),
    metavar="N",
    help="Processes with engines, where there is enough to do.  [default: the number of CPUs]",
)
def compare(
    paths: tuple[Path, ...],
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    fidelity: str,
    placeholders: Path | None,
    details: bool,
    fail_on: str,
    form: str,
    jobs: int | None,
) -> None:
    """Set sigma-cli's queries beside ours: the same rules, the same events, the same engines.

    Each rule goes through pySigma's own backend of the language, with the pipeline that goes with the
    source, and through sigconv. Both queries run over the rule's own test events and events made from the
    rule, stored as the platform stores them. What the rule means decides, not what one of the queries says.
    docs/upstream.md has the pipelines and how upstream is given the benefit of a doubt.

    \b
    Examples:
      sigconv compare sigma/windows -s sysmon
      sigconv compare rule.yml -s defender -t kql --details
      sigconv compare --format json --fail-on wrong

    Needs the engines, and for KQL Microsoft's analyser; what is missing is said with the command that
    installs it.

    \b
    Exit codes:
      0  compared; with --fail-on wrong: no query is wrong
      1  what --fail-on names, or a rule is broken or could not be compared
      2  a wrong option, path or configuration, or an engine is not installed
      3  a defect of sigconv
    """
    from converter.engines import need
    from converter.rules.emitted import emitted_rules
    from converter.upstream.compare import compare as compared

    options = chosen(fidelity, placeholders)
    config, rules, cells = inputs(paths, targets, source_names)
    need((cell.target for cell in cells), analyser=True)
    if any(cell.inferred and (cell.proof or cell).pipeline is not None for cell in cells):
        hint = "name the source that it goes with, as -s sysmon"
        raise UsageError("SC604", "no shape of stored events for a mapping of your own alone", hint=hint)
    for error in rules.errors:
        click.echo(str(error), err=True)
    several = {
        file for file, number in Counter(rule.file for rule in emitted_rules(rules)).items() if number > 1
    }
    results = []
    for result in compared(rules, cells, config.tests, options, jobs or os.cpu_count() or 1):
        results.append(result)
        if form == "text":
            title = f" ({plain(result.title)})" if result.file in several else ""
            click.echo(f"{result.file}{title}: {result.cell}: {plain(result.text)}")
            for line in _details(result) if details else ():
                click.echo(f"  {line}" if line else "")
    if form == "json":
        click.echo(
            json.dumps(
                {"results": [_entry(one) for one in results]}, indent=2, ensure_ascii=False, default=str
            )
        )
    elif results:
        _print_counts(results)
    broken = rules.errors or any(result.verdict == "error" for result in results)
    if broken or (fail_on == "wrong" and any(result.wrong for result in results)):
        raise click.exceptions.Exit(ExitCode.FAILED)


def _print_counts(results: list[Compared]) -> None:
    """Print how often each verdict came, a line for each cell."""
    from converter.upstream.verdict import Verdict

    counts = Counter((result.cell, result.verdict) for result in results)
    click.echo()
    for cell in dict.fromkeys(result.cell for result in results):
        numbers = {verdict: counts[cell, verdict] for verdict in Verdict if counts[cell, verdict]}
        rules = sum(numbers.values())
        parts = ", ".join(f"{verdict} {number}" for verdict, number in numbers.items())
        click.echo(f"{cell}, {rules} rule{'s' if rules != 1 else ''}: {parts}")


def _details(result: Compared) -> Iterator[str]:
    """Yield the lines below a verdict: what upstream was given, both queries, and the events that decide."""
    if result.pipelines or result.notes:
        yield "; ".join(filter(None, [f"pipelines: {', '.join(result.pipelines) or 'none'}", *result.notes]))
    for who, queries in (("upstream", result.upstream_queries), ("sigconv", result.our_queries)):
        for query in queries:
            yield f"{who}:"
            yield from (f"  {plain(line)}" for line in query.rstrip().splitlines() if line.strip())
    for decider in result.deciders:
        yield f"{_told(decider)}:"
        yield from (f"  {line}" for line in _event(decider, (*result.upstream_queries, *result.our_queries)))


def _told(decider: Decider) -> str:
    words = {True: "selects it", False: "does not", None: "does not run"}
    what = f"an event of index or table {decider.index}" if decider.event is not None else "an alert"
    rule = "the rule selects it" if decider.rule else "the rule does not select it"
    return f"{what}: {rule}, upstream {words[decider.upstream]}, sigconv {words[decider.ours]}"


def _event(decider: Decider, queries: tuple[str, ...]) -> Iterator[str]:
    """Yield the stored fields that a query names; of a correlation's alert its stream and group."""
    if decider.stored is None:
        yield f"of the events '{plain(decider.stream)}', group {', '.join(decider.group) or 'of all'}"
        return
    text = "\n".join(queries)
    names = [name for name in decider.stored if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text)]
    names = names or list(decider.stored)
    for name in names[:_LONGEST]:
        yield f"{name}: {_clipped(plain(str(decider.stored[name])))}"
    if len(names) > _LONGEST:
        yield f"and {len(names) - _LONGEST} more fields"


def _clipped(value: str) -> str:
    return value if len(value) <= _WIDEST else f"{value[:_WIDEST]}... ({len(value):,} characters)"


def _entry(result: Compared) -> dict[str, Any]:
    return asdict(result)
