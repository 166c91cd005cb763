"""`sigconv columns`."""

from __future__ import annotations

from pathlib import Path

import click

from converter.errors import ExitCode


@click.command()
@click.argument("list_file", metavar="LIST", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--from",
    "exports",
    multiple=True,
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Kusto: .show table T schema as json, or CSV of getschema. Elastic: GET index/_mapping. "
    "Splunk: CSV of fieldsummary. Repeatable.",
)
@click.option("--only", multiple=True, metavar="COLUMN", help="Of new columns, add only these; repeatable.")
@click.option("--known", is_flag=True, help="Add no new columns.")
@click.option("--check", is_flag=True, help="Write nothing; fail if something would change.")
def columns(
    list_file: Path, exports: tuple[Path, ...], only: tuple[str, ...], known: bool, check: bool
) -> None:
    """Bring a column list (pipelines/*/*.columns.yml) up to date with an export of the platform.

    \b
    Examples:
      sigconv columns pipelines/defender/kusto.columns.yml --from DeviceProcessEvents.json --known
      sigconv columns pipelines/sysmon/elastic.columns.yml --from mapping.json --check

    \b
    Exit codes:
      0  the list is up to date, or was brought up to date
      1  with --check: it would change
      2  a list or an export that cannot be read
      3  a defect of sigconv
    """
    from converter.authoring import refresh_columns
    from converter.files import atomic

    text = list_file.read_text(encoding="utf-8")
    changes = []
    for export in exports:
        text, made = refresh_columns.refresh(
            text, refresh_columns.read(export), ("\0none",) if known else only
        )
        changes += made
    for change in changes:
        click.echo(str(change))
    if not check and changes:
        atomic.write(list_file, text)
    click.echo(f"{len(changes)} changes in {list_file}", err=True)
    if check and changes:
        raise click.exceptions.Exit(ExitCode.FAILED)
