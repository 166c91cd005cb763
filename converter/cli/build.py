"""`sigconv build`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

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
    backend_options,
    chosen,
    chosen_cells,
    collect_rarely,
    load_rules,
    selecting,
)
from converter.cli.overview import overview
from converter.errors import ExitCode
from converter.exports import FORMATS

if TYPE_CHECKING:
    from converter.build.build import Outcome
    from converter.build.cache import Cache
    from converter.build.convert_rules import Progress
    from converter.build.import_files import Exports
    from converter.build.units import Replay
    from converter.conversion.convert import Options
    from converter.files.atomic import Content
    from converter.pipelines.cells import Cell
    from converter.project.config import Config
    from converter.rules.ruleset import RuleSet


_SAME_RESULT = ("check", "form", "jobs", "no_cache", "archive", "summary", "output_name", "paths")
"""Options that change neither what is in the output folder nor what is said of rules."""


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
@click.pass_context
def build(
    context: click.Context,
    paths: tuple[Path, ...],
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    output_name: str | None,
    fidelity: str,
    placeholders: Path | None,
    pipeline_files: tuple[Path, ...],
    variant_names: tuple[str, ...],
    statuses: tuple[str, ...],
    levels: tuple[str, ...],
    min_level: str | None,
    tags: tuple[str, ...],
    ids: tuple[str, ...],
    formats: tuple[str, ...],
    form: str,
    everything: bool,
    archive: Path | None,
    summary: Path | None,
    check: bool,
    jobs: int | None,
    no_cache: bool,
) -> None:
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
    from converter.artifacts import manifest as manifest_module
    from converter.build.cache import FOLDER, Cache
    from converter.build.units import Replay, Said, possible
    from converter.files import atomic
    from converter.project import config as configuration

    if (output_name == "-" and (archive or summary)) or (str(summary) == "-" and form == "json"):
        raise click.UsageError("what is printed to stdout is queries, JSON or a summary: one of them")
    if output_name == "-" and check:
        raise click.UsageError("--check compares an output folder; -o - has none")
    if archive is not None and not archive.name.endswith((".tar.gz", ".tgz")):
        raise click.UsageError(f"the archive is a .tar.gz, and '{archive.name}' is none by its name")
    folder = Path(output_name or configuration.load(Path.cwd()).output)
    cache = None if no_cache or output_name == "-" else Cache(folder.parent / FOLDER)
    config = configuration.load(Path.cwd())
    replay: Replay | None = None
    if cache is not None and not (archive or summary or form == "json") and possible(config, paths):
        given = {name: value for name, value in context.params.items() if name not in _SAME_RESULT}
        replay = Replay(cache, folder, config, paths, given)
        if (said := replay.said()) is not None:
            click.echo(said.errors + said.summary, err=True, nl=False)
            click.echo(
                build_text.up_to_date(folder)
                if check
                else build_text.done(folder, said.queries, said.exports),
                err=True,
            )
            raise click.exceptions.Exit(said.code)
    # Only now: pySigma takes longer to load than all of the above.
    from converter.build import build as builder
    from converter.build.ahead import Ahead
    from converter.build.cached_documents import Documents
    from converter.build.import_files import make, takers
    from converter.build.patch import parts_of
    from converter.rules.emitted import emitted_rules
    from converter.rules.selection import Selection

    documents = Documents(cache, "rules") if cache is not None else None
    known = Documents(cache, "pipelines") if cache is not None else None
    collect_rarely()
    options = chosen(fidelity, placeholders)
    cells = chosen_cells(targets, source_names, pipeline_files, variant_names, known)
    ran = [(cell.source, cell.target) for cell in cells]
    wanted = takers(ran) if everything else formats
    workers = jobs or os.cpu_count() or 1
    selection = Selection(statuses, levels, min_level, tags, ids)
    # Import files of all rules hold parts of each, so with these there is no patch.
    alone = not wanted and not selection and _whole(paths, config)
    if replay is not None and cache is not None and alone and not check:
        _patch_if_few_changed(replay, folder, config, cells, options, cache)
    with _progress() as progress:
        ahead = Ahead(
            cells,
            options,
            selection.takes,
            exporting=bool(wanted),
            keyed=cache is not None,
            progress=progress,
        )
        config, rules = load_rules(paths, documents, workers, ahead)
    for read in (documents, known):
        if read is not None:
            read.save()
    problems = "".join(f"{error}\n" for error in rules.errors)
    click.echo(problems, err=True, nl=False)
    emitted = emitted_rules(rules)
    selection.check(emitted)
    with _progress() as progress:
        found = list(
            builder.outcomes(
                rules,
                cells,
                options,
                config.accepted,
                takes=selection.takes,
                exporting=bool(wanted),
                cache=cache,
                workers=workers,
                progress=progress,
            )
        )
    items = [outcome.item for outcome in found if outcome.item is not None]
    exports = make(
        wanted,
        ran,
        items,
        lambda *refusal: any(known.covers(*refusal) for known in config.accepted),
        config.export,
    )
    failures = [outcome.error for outcome in found if outcome.error is not None and not outcome.accepted]
    refusals = build_text.errors(exports, found)
    click.echo(refusals, err=True, nl=False)
    stale = False
    if output_name == "-":
        _print_queries(found, exports, form)
    else:
        left_out = [rule.relative for rule in emitted if not selection.takes(rule)]
        whole = _whole(paths, config) and not rules.errors and not selection
        with nullcontext() if check else atomic.locked(folder):
            plan = builder.plan_write(folder, found, cells, left_out, whole, exports, rules.failed_files)
            wrong = [str(error) for error in (*rules.errors, *exports.errors)]
            wrong += "".join(map(build_text.refusal, build_text.rows(found))).splitlines()
            _deliver(folder, plan[0], config.rules, rules, wrong, archive, summary)
            stale = _write(folder, found, *plan, check=check, form=form)
    failures += exports.errors
    if any(error.exit_code == ExitCode.INTERNAL for error in failures):
        raise click.exceptions.Exit(ExitCode.INTERNAL)
    code = ExitCode.FAILED if rules.errors or failures else ExitCode.OK
    if replay is not None and not stale:
        queries = sum(len(outcome.files) for outcome in found)
        has_exports = manifest_module.has_exports(plan[0])
        said = Said(problems + refusals, _overview(found), queries, has_exports, code)
        alone = (
            alone
            and not has_exports
            and manifest_module.entries_in(plan[0][manifest_module.MANIFEST]) == len(found)
        )
        parts = parts_of(rules, found, len(cells), build_text.refusal, build_text.word) if alone else None
        files = [(path, atomic.digest(text)) for path, text in plan[0].items()]
        del rules, found, items, exports, plan  # What is kept takes their room.
        replay.keep(files, said, parts)
    if cache is not None:
        cache.trim()
    if code or stale:
        raise click.exceptions.Exit(ExitCode.FAILED)


def _patch_if_few_changed(
    replay: Replay,
    folder: Path,
    config: Config,
    cells: Sequence[Cell],
    options: Options,
    cache: Cache,
) -> None:
    """Convert only the rules that changed since the last build, and end; return if that is not possible."""
    from converter.build import patch
    from converter.build.units import Said
    from converter.cli.overview import of_rows

    done = patch.apply(replay, folder, config, cells, options, cache, build_text.refusal, build_text.word)
    if done is None:
        return
    names = [(cell.source, cell.target) for cell in cells]
    rows = [
        (title, dict(zip(names, words, strict=True)))
        for part in done.parts.values()
        for title, words in part.rows.items()
    ]
    refusals = "".join(part.refusals for part in done.parts.values())
    errors = build_text.refusals(refusals, sum(part.accepted for part in done.parts.values()))
    queries = sum(len(part.files) for part in done.parts.values())
    code = ExitCode.FAILED if refusals else ExitCode.OK
    said = Said(errors, of_rows(names, rows), queries, False, code)
    click.echo(said.errors + said.summary, err=True, nl=False)
    changes = len(done.written.changed), len(done.written.removed)
    click.echo(build_text.done(folder, queries, False, *changes), err=True)
    replay.keep_patched(done.manifest, said, done.parts, done.changed)
    raise click.exceptions.Exit(code)


@contextmanager
def _progress() -> Iterator[Progress | None]:
    """Show a bar on stderr while rules are converted, if that is a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    with ExitStack() as stack:

        def begin(count: int) -> Callable[[int], None]:
            bar = click.progressbar(length=count, label="Converting", file=sys.stderr, show_pos=True)
            return stack.enter_context(bar).update

        yield begin


def _deliver(
    folder: Path,
    files: Mapping[str, Content],
    root: Path,
    rules: RuleSet,
    problems: Sequence[str],
    archive: Path | None,
    summary: Path | None,
) -> None:
    """Write what a pipeline takes away: the archive, and the summary of what the build is about to change."""
    from converter.artifacts import archive as archives
    from converter.files import atomic

    if summary is not None:
        from converter.artifacts.changes_text import of_build

        text = of_build(folder, files, problems)
        if str(summary) == "-":
            click.echo(text)
        else:
            atomic.write(summary, text)
    if archive is not None:
        contents = archives.members(folder, files, archives.notices(root, rules.rules))
        atomic.write(archive, archives.packed(contents, archives.epoch()))


def _write(
    folder: Path,
    found: Sequence[Outcome],
    files: Mapping[str, Content],
    stale: Sequence[str],
    *,
    check: bool,
    form: str,
) -> bool:
    """Write the output folder, or with ``check`` compare it; return whether it is stale."""
    from converter.artifacts import manifest as manifest_module
    from converter.build import build as builder

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
        click.echo(_overview(found), err=True, nl=False)
        if not check:
            queries = sum(len(outcome.files) for outcome in found)
            has_exports = manifest_module.has_exports(files)
            changes = len(written.changed), len(written.removed)
            click.echo(build_text.done(folder, queries, has_exports, *changes), err=True)
        elif not wrong:
            click.echo(build_text.up_to_date(folder), err=True)
    return bool(wrong)


def _overview(found: Sequence[Outcome]) -> str:
    return overview([outcome.entry for outcome in found])


def _print_queries(found: Sequence[Outcome], exports: Exports, form: str) -> None:
    """Print the queries; with formats, what is imported in their place."""
    from converter.files import atomic

    if exports.formats:
        click.echo("".join(part.text for made in exports.parts.values() for part in made), nl=False)
        return
    if form == "json":
        good = [outcome for outcome in found if outcome.error is None]
        entries = [
            outcome.entry | {"texts": [atomic.text_of(text) for text in outcome.files.values()]}
            for outcome in good
        ]
        click.echo(json.dumps(entries, indent=2, ensure_ascii=False))
        return
    texts = [atomic.text_of(text) for outcome in found for text in outcome.files.values()]
    click.echo("\n".join(texts), nl=False)


def _whole(paths: Sequence[Path], config: Config) -> bool:
    """Tell whether a run looks at all rules of the root, so that output of other rules is stale."""
    return not paths or any(path.resolve() == config.rules.resolve() for path in paths)
