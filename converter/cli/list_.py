"""`sigconv list`."""

from __future__ import annotations

import json
import shutil
import textwrap
from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from converter.cli.options import FORMAT, PIPELINES, SOURCE, TARGET, VARIANTS, chosen_cells, table


@click.command(name="list")
@click.argument("what", type=click.Choice(["sources", "targets", "fields"]))
@TARGET
@SOURCE
@PIPELINES
@VARIANTS
@click.option("--category", metavar="NAME", help="Of fields: one category, or service:NAME.")
@FORMAT
def list_(
    what: str,
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    pipeline_files: tuple[Path, ...],
    variant_names: tuple[str, ...],
    category: str | None,
    form: str,
) -> None:
    """Show the sources, the languages, or the fields of a source in a language.

    \b
    Examples:
      sigconv list sources
      sigconv list targets
      sigconv list fields -s sysmon -t eql --category process_creation

    \b
    Exit codes:
      0  fine
      2  a wrong option, path or configuration
      3  a defect of sigconv
    """
    from converter.conversion import listing
    from converter.pipelines import cells

    found: list[dict[str, Any]]
    if what == "targets":
        found = [asdict(one) for one in listing.target_facts() if not targets or one.target in targets]
    else:
        if what == "sources":
            source_names = source_names or tuple(cells.sources())
        elif not source_names:
            raise click.UsageError("list fields needs a source: -s NAME")
        chosen = chosen_cells(targets, source_names, pipeline_files, variant_names)
        if what == "sources":
            found = [asdict(one) for one in listing.source_cells(chosen)]
        else:
            found = [
                {"cell": str(cell), **asdict(one)}
                for cell in chosen
                for one in listing.fields(cell, category)
            ]
            if not found:
                raise click.BadParameter(f"'{category}' is not of {chosen[0]}", param_hint="--category")
    if form == "json":
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    if what == "sources":
        for line in _sources(found, shutil.get_terminal_size((100, 24)).columns):
            click.echo(line)
        return
    facts = list(dict.fromkeys(f"{one['cell']}: {one.pop('fact')}" for one in found if "fact" in one))
    head = list(found[0])
    table(
        [name.replace("_", " ") for name in head],
        [[_text(one[name]) for name in head] for one in found],
        err=False,
    )
    for fact in facts:
        click.echo(fact)


def _sources(found: list[dict[str, Any]], width: int) -> Iterator[str]:
    """Yield a paragraph for each source: where each language finds it, and which log sources it has."""
    for position, (source, group) in enumerate(groupby(found, key=lambda one: one["source"])):
        cells = list(group)
        if position:
            yield ""
        yield source if cells[0]["default"] else f"{source} (built only where -s names it)"
        for platform, same in groupby(cells, key=lambda one: one["platform"]):
            there = list(same)
            languages = ", ".join(one["target"] for one in there)
            variants = "".join(f"; --variant {name}" for name in there[0]["variants"])
            yield from _wrapped(f"{languages} ({platform}): {', '.join(there[0]['places'])}{variants}", width)
        every = dict.fromkeys(name for one in cells for name in one["logsources"])
        lacking: dict[str, list[str]] = {}
        for one in cells:
            if absent := [name for name in every if name not in one["logsources"]]:
                lacking.setdefault(", ".join(absent), []).append(one["target"])
        yield from _wrapped(f"log sources: {', '.join(every)}", width)
        for names, targets in lacking.items():
            yield from _wrapped(f"not in {', '.join(targets)}: {names}", width)


def _wrapped(text: str, width: int) -> list[str]:
    return textwrap.wrap(
        text,
        max(width, 40),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
