"""The command line: options, printing and exit codes. The only module that imports click.

Everything else is imported inside the commands, so that `--help` and a usage error are immediate.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from converter import __version__
from converter.errors import ExitCode, SigconvError

if TYPE_CHECKING:
    from converter.build import Outcome
    from converter.config import Config
    from converter.pipelines import Cell
    from converter.rules import RuleSet

TARGETS = ("eql", "lucene", "spl", "kql")
_PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
_TARGET = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(TARGETS),
    help="Language; repeatable. Default: all.",
)
_SOURCE = click.option(
    "-s",
    "--source",
    "source_names",
    multiple=True,
    help="Telemetry source; repeatable. Default: all that have pipelines.",
)
_FIDELITY = click.option(
    "--fidelity",
    type=click.Choice(["exact", "broader", "any"]),
    default="broader",
    show_default=True,
    help="What is acceptable: only exact queries; also those that may return more; or any.",
)
_FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Of what is printed.",
)


class _Group(click.Group):
    """A group whose commands' SigconvErrors are one line and an exit code, and whose own defects are 3."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SigconvError as error:
            click.echo(str(error), err=True)
            ctx.exit(error.exit_code)
        except BrokenPipeError:
            ctx.exit(ExitCode.OK)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            import traceback

            traceback.print_exc()
            click.echo(f"SC900 internal error: {error!r}: please report it with the lines above", err=True)
            ctx.exit(ExitCode.INTERNAL)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sigconv")
def main() -> None:
    """Convert Sigma rules into SIEM queries that are proven to select what the rules mean.

    \b
    Examples:
      sigconv build                          all rules, all cells, into output/
      sigconv build my/rule.yml -t kql -o -  print one query
      sigconv match --events log.evtx        which rules fire on a log
      sigconv verify                         run every query on an engine of its language

    Exit codes: 0 fine; 1 rules failed, disagree or are stale; 2 usage or configuration; 3 internal.
    """


@main.command()
@_PATHS
@_TARGET
@_SOURCE
@click.option(
    "-o", "--output", "output_name", metavar="DIR", help="Output folder, or - to print the queries."
)
@_FIDELITY
@_FORMAT
@click.option("--check", is_flag=True, help="Write nothing; fail if the output folder is not up to date.")
def build(
    paths: tuple[Path, ...],
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    output_name: str | None,
    fidelity: str,
    form: str,
    check: bool,
) -> None:
    """Convert rules into queries.

    PATHS are rule files or folders; default: the configured rules folder (sigma/).

    \b
    Examples:
      sigconv build
      sigconv build sigma/windows -t kql -t eql -s sysmon
      sigconv build rule.yml -t spl -o -
      sigconv build --check                  in CI: is output/ up to date?
    """
    from converter import build as builder

    config, rules, cells = _inputs(paths, targets, source_names)
    found = list(builder.outcomes(rules, cells, fidelity, config.accepted))
    for error in rules.errors:
        click.echo(str(error), err=True)
    for outcome in found:
        if outcome.error is not None:
            state = "accepted refusal: " if outcome.accepted else ""
            cell = f"{outcome.entry['source']}/{outcome.entry['target']}"
            click.echo(f"{state}{outcome.error} [{cell}]", err=True)
    stale = False
    if output_name == "-":
        _print_queries(found, form)
    else:
        folder = Path(output_name) if output_name else config.output
        stale = _write(folder, found, cells, rules, whole=_whole(paths, config), check=check, form=form)
    refused = any(outcome.error is not None and not outcome.accepted for outcome in found)
    if rules.errors or refused or stale:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _write(
    folder: Path,
    found: Sequence[Outcome],
    cells: Sequence[Cell],
    rules: RuleSet,
    *,
    whole: bool,
    check: bool,
    form: str,
) -> bool:
    """Write the output folder, or with ``check`` compare it; return whether it is stale."""
    from converter import build as builder

    files, stale = builder.plan_write(folder, found, cells, rules.failed_files, whole and not rules.errors)
    if check:
        wrong = builder.differences(folder, files, stale)
        for path in wrong:
            click.echo(f"{folder / path}: SC602 is not up to date: run 'sigconv build'", err=True)
    else:
        wrong = []
        written = builder.write(folder, files, stale)
    if form == "json":
        click.echo(json.dumps([outcome.entry for outcome in found], indent=2, ensure_ascii=False))
    else:
        _print_summary(found)
        if not check:
            queries = sum(len(outcome.files) for outcome in found)
            click.echo(
                f"{queries} queries in {folder}/: {len(written.changed)} files written, "
                f"{len(written.removed)} removed",
                err=True,
            )
    return bool(wrong)


def _print_queries(found: Sequence[Outcome], form: str) -> None:
    if form == "json":
        good = [outcome for outcome in found if outcome.error is None]
        entries = [outcome.entry | {"texts": list(outcome.files.values())} for outcome in good]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    texts = [text for outcome in found for text in outcome.files.values()]
    click.echo("\n".join(texts), nl=False)


def _print_summary(found: Sequence[Outcome]) -> None:
    """Print a table: a row for each rule, a column for each cell."""
    columns = list(dict.fromkeys(f"{o.entry['source']}/{o.entry['target']}" for o in found))
    rows: dict[str, dict[str, str]] = {}
    for outcome in found:
        entry = outcome.entry
        state = entry.get("fidelity") or f"refused {entry['refusal']['code']}"
        rows.setdefault(entry["title"], {})[f"{entry['source']}/{entry['target']}"] = state
    _table(
        ["rule", *columns], [[title, *(cells.get(c, "") for c in columns)] for title, cells in rows.items()]
    )


def _table(head: Sequence[str], rows: Sequence[Sequence[str]], err: bool = True) -> None:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    for row in [head, *rows]:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo(line.rstrip(), err=err)


def _whole(paths: Sequence[Path], config: Config) -> bool:
    """Tell whether a run looks at all rules of the root, so that output of other rules is stale."""
    return not paths or any(path.resolve() == config.rules.resolve() for path in paths)


def _inputs(
    paths: tuple[Path, ...], targets: tuple[str, ...], source_names: tuple[str, ...]
) -> tuple[Config, RuleSet, list[Cell]]:
    """Return configuration, loaded rules and cells that the common options name."""
    from converter import config as configuration
    from converter import pipelines
    from converter import rules as loader

    config = configuration.load(Path.cwd())
    known = [*pipelines.sources(), pipelines.NONE]
    for name in source_names:
        if name not in known:
            raise click.BadParameter(f"'{name}' is none of {', '.join(known)}", param_hint="--source")
    cells = [
        pipelines.cell(source, target)
        for source in source_names or pipelines.sources()
        for target in targets or TARGETS
    ]
    root = config.rules if config.rules.is_dir() else None
    given = list(paths) or [config.rules]
    inside = root is not None and all(path.resolve().is_relative_to(root.resolve()) for path in given)
    return config, loader.load(given, root if inside else None), cells


if __name__ == "__main__":
    sys.exit(main())
