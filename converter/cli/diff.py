"""`sigconv diff`."""

from __future__ import annotations

import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from converter.cli.options import chosen_cells
from converter.errors import ExitCode

if TYPE_CHECKING:
    from converter.artifacts.changes import Change


@click.command()
@click.argument("old", default="HEAD")
@click.argument("new", required=False)
@click.option("--no-engines", is_flag=True, help="Compare only texts: do not run the queries.")
@click.option(
    "--fail-on",
    type=click.Choice(["nothing", "meaning", "any"]),
    default="nothing",
    show_default=True,
    help="Exit with 1 if the meaning of a query (or that of one may have) changed, or if anything did.",
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
    help="Form of what is printed.",
)
def diff(old: str, new: str | None, no_engines: bool, fail_on: str, form: str) -> None:
    """Compare two outputs by rule, and tell a change of meaning from a change of text.

    OLD and NEW are output folders, archives that `build --archive` wrote, or git revisions; default: HEAD
    and the output folder as it is. For each query that changed, the old and the new text are run by an
    engine over the tests and witnesses of the old and the new rule.

    \b
    Examples:
      sigconv diff                       what a commit would change
      sigconv diff v1.0 v1.1 --format markdown
      sigconv diff yesterday.tar.gz output --fail-on meaning

    Running the queries needs the engines: pip install "sigconv[verify]".

    \b
    Exit codes:
      0  compared; with --fail-on: nothing of that kind changed
      1  what --fail-on names has changed
      2  OLD or NEW is no output folder, archive or revision
      3  a defect of sigconv
    """
    from converter.artifacts.changes import changes, side
    from converter.project import config

    settings = config.load(Path.cwd())
    cells = {str(cell): cell for cell in chosen_cells((), ())}
    with tempfile.TemporaryDirectory(prefix="sigconv-diff-") as scratch:
        folders = [Path(scratch, name) for name in ("old", "new")]
        for folder in folders:
            folder.mkdir()
        before = side(old, settings, folders[0])
        after = side(new or str(settings.output), settings, folders[1])
        found = list(changes(before, after))
        if not no_engines:
            from converter.verify.meaning import judge

            for change in found:
                if change.kind == "changed" and change.diff:
                    judge(change, before, after, cells)
    _print(found, form)
    bad = {
        "nothing": False,
        "meaning": any(one.kind != "changed" or one.meaning in ("other", "unknown") for one in found),
        "any": bool(found),
    }
    if bad[fail_on]:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _print(found: list[Change], form: str) -> None:
    if form == "json":
        entries = [
            {key: value for key, value in asdict(one).items() if key not in ("old", "new")} for one in found
        ]
        click.echo(json.dumps({"changes": entries}, indent=2, ensure_ascii=False))
        return
    if form == "markdown":
        from converter.artifacts.changes_text import markdown

        click.echo(markdown(found))
        return
    for one in found:
        meaning = {"": "", "same": ", text only", "other": ", MEANING", "unknown": ", meaning unknown"}
        click.echo(f"{one.kind}{meaning[one.meaning]}: {one.title} [{one.cell}] {one.file}")
        for note in [*([one.detail] if one.detail else []), *one.notes]:
            click.echo(f"  {note}")
        if one.kind == "changed":
            for line in one.diff:
                click.echo(f"  {line}")
    click.echo(f"{len(found)} changes" if found else "no changes", err=True)
