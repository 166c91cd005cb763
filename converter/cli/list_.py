"""`sigconv list`."""

from __future__ import annotations

import json
from dataclasses import asdict
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
    from converter import cells, listing

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
    facts = list(dict.fromkeys(f"{one['cell']}: {one.pop('fact')}" for one in found if "fact" in one))
    head = list(found[0])
    table(
        [name.replace("_", " ") for name in head],
        [[_text(one[name]) for name in head] for one in found],
        err=False,
    )
    for fact in facts:
        click.echo(fact)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
