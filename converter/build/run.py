"""The one path of a build: read what rules say, link them, convert what no unit holds, write, report.

Nothing changed is the case in which all that the build reads is known together; a few changed rules are the
case in which few units are unknown. What loads pySigma is imported only where the first of the two is over.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from converter.build.cache import FOLDER, Cache
from converter.build.inputs import Inputs, complete
from converter.build.report import Report
from converter.build.request import BuildRequest
from converter.errors import ExitCode
from converter.files import atomic
from converter.project.config import Config

if TYPE_CHECKING:
    from converter.build.build import Conversions
    from converter.build.convert_rules import Progress
    from converter.build.import_files import Exports
    from converter.build.output import Plan, Scope
    from converter.build.units import Unit
    from converter.conversion.convert import Options
    from converter.files.yaml_source import Documents
    from converter.pipelines.cells import Cell
    from converter.rules.rule import Rule
    from converter.rules.ruleset import RuleSet


class Console(Protocol):
    """What a build needs of the command line while it runs."""

    def tell(self, lines: str) -> None:
        """Print lines about rules that give nothing."""

    def show(self, text: str) -> None:
        """Print a text that the user asked for."""

    def choose(self, known: Documents | None) -> tuple[Sequence[Cell], Options]:
        """Return the cells and the options of the request.

        Args:
            known: pipelines that need not be read again.
        """

    def progress(self) -> AbstractContextManager[Progress | None]:
        """Show, as long as it is entered, how many conversions are done."""


def run(request: BuildRequest, config: Config, console: Console) -> Report:
    """Build.

    Args:
        request: what the user asked for.
        config: the configuration.
        console: where problems are printed as soon as they are known.

    Raises:
        UsageError: what is asked for cannot be read or written.
        InternalError: SC900 if a worker process dies.
    """
    if request.output is None:
        return _report(_convert(request, config, console, None, None))
    cache = Cache(request.output.parent / FOLDER) if request.cached else None
    inputs = None
    if cache is not None and complete(config, request.paths):
        inputs = Inputs(request, config, cache, request.output)
        if not (request.archive or request.summary or request.entries):
            report = inputs.last_report()
            if report is not None:
                console.tell(report.problems)
                return report
    built = _convert(request, config, console, cache, inputs)
    return _written(built, request.output, cache, inputs)


@dataclass(frozen=True, slots=True)
class _Built:
    """A build of which something may have changed: everything but the output folder."""

    request: BuildRequest
    config: Config
    console: Console
    rules: RuleSet
    emitted: Sequence[Rule]
    """The rules that become queries of their own, also those that were not selected."""
    conversions: Conversions
    units: Sequence[Unit]
    exports: Exports
    problems: str
    """The lines that were printed."""


def _convert(
    request: BuildRequest, config: Config, console: Console, cache: Cache | None, inputs: Inputs | None
) -> _Built:
    """Read what rules say, link them, and convert what no unit holds."""
    # Only here: pySigma takes longer to load than a build takes in which nothing changed.
    from converter.build import import_files
    from converter.build import units as units_module
    from converter.build.build import Conversions, tasks_of
    from converter.build.cached_documents import Documents
    from converter.build.convert_rules import Ahead
    from converter.build.refusal_lines import with_advice
    from converter.rules.emitted import emitted_rules
    from converter.rules.project_rules import load_project

    digests = inputs.rules if inputs is not None else None
    documents = Documents(cache, "rules", digests) if cache is not None else None
    known = Documents(cache, "pipelines") if cache is not None else None
    cells, options = console.choose(known)
    ran = [(cell.source, cell.target) for cell in cells]
    formats = import_files.takers(ran) if request.all_formats else request.formats
    exporting, keyed = bool(formats), cache is not None
    takes = request.selection.takes
    with console.progress() as progress:
        ahead = Ahead(cells, options, takes, exporting, keyed, progress)
        rules = load_project(request.paths, config, documents, request.workers, ahead)
    for read in (documents, known):
        if read is not None:
            read.save()
    broken = "".join(f"{error}\n" for error in rules.errors)
    console.tell(broken)
    emitted = emitted_rules(rules)
    request.selection.check(emitted)
    how = Conversions(rules, cells, options, config.accepted, exporting, cache, request.workers)
    keys = units_module.UnitKeys(rules, cells, options, config.accepted, digests) if digests else None
    units = units_module.units_of(tasks_of(rules, list(filter(takes, emitted)), keyed), keys)
    if cache is not None and not exporting:  # Import files are made from more than a unit holds.
        units_module.recall(units, cache)
    unknown = [unit for unit in units if unit.outcome is None]
    with console.progress() as progress:
        units_module.fill(unknown, partial(how.outcomes, progress=progress))
    if cache is not None and digests is not None:
        units_module.keep(unknown, cache, digests)
    exports = import_files.make(
        formats,
        ran,
        [outcome.item for unit in units for outcome in unit.converted if outcome.item is not None],
        lambda *refusal: any(accepted.covers(*refusal) for accepted in config.accepted),
        config.export,
    )
    outcomes = [unit.outcome for unit in units if unit.outcome is not None]
    lines = "".join([*(f"{error}\n" for error in exports.errors), *(one.refusals for one in outcomes)])
    lines = with_advice(lines, len(exports.accepted) + sum(one.accepted for one in outcomes))
    console.tell(lines)
    return _Built(request, config, console, rules, emitted, how, units, exports, broken + lines)


def _written(built: _Built, folder: Path, cache: Cache | None, inputs: Inputs | None) -> Report:
    """Write the output folder, or compare it."""
    from converter.build import output
    from converter.build import units as units_module

    check = built.request.check
    with nullcontext() if check else atomic.locked(folder):
        # Under the lock: until now another build may have written.
        units_module.fill(units_module.displaced(built.units, folder), built.conversions.outcomes)
        plan = output.plan_write(folder, built.units, _scope(built), built.exports)
        _deliver(built, folder, plan)
        report = _report(built, plan.has_exports)
        if check:
            report.differing = output.differences(folder, plan.files, plan.stale)
        else:
            written = output.write(folder, plan.files, plan.stale)
            report.changed, report.removed = len(written.changed), len(written.removed)
    if report.code == ExitCode.INTERNAL:  # A defect is looked at anew each time.
        return report
    if inputs is not None and not report.differing:
        queries = [file for unit in built.units if unit.outcome for file in unit.outcome.files]
        held = {path for path, _ in queries}
        others = [(path, atomic.digest(text)) for path, text in plan.files.items() if path not in held]
        inputs.keep(report, queries + others)
    if cache is not None:
        cache.trim()
    return report


def _scope(built: _Built) -> Scope:
    from converter.build.output import Scope

    request, config, rules = built.request, built.config, built.rules
    paths = request.paths
    everything = not paths or any(path.resolve() == config.rules.resolve() for path in paths)
    whole = everything and not rules.errors and not request.selection
    left_out = [rule.relative for rule in built.emitted if not request.selection.takes(rule)]
    return Scope(built.conversions.cells, whole, left_out, rules.failed_files)


def _deliver(built: _Built, folder: Path, plan: Plan) -> None:
    """Write what a pipeline takes away: the archive, and the summary of what the build is about to change."""
    archive, summary = built.request.archive, built.request.summary
    if summary is not None:
        from converter.artifacts.changes_text import of_build

        problems = [str(error) for error in (*built.rules.errors, *built.exports.errors)]
        for unit in built.units:
            problems += unit.outcome.refusals.splitlines() if unit.outcome is not None else ()
        text = of_build(folder, plan.files, problems)
        if str(summary) == "-":
            built.console.show(text)
        else:
            atomic.write(summary, text)
    if archive is not None:
        from converter.artifacts import archive as archives

        notices = archives.notices(built.config.rules, built.rules.rules)
        contents = archives.members(folder, plan.files, notices)
        atomic.write(archive, archives.packed(contents, archives.epoch()))


def _report(built: _Built, has_exports: bool = False) -> Report:
    outcomes = [unit.outcome for unit in built.units if unit.outcome is not None]
    rows = [row for outcome in outcomes for row in outcome.rows]
    converted = [outcome for unit in built.units for outcome in unit.converted]
    errors = [one.error for one in converted if one.error is not None and not one.accepted]
    code = ExitCode.OK
    if built.rules.errors or built.exports.errors or any(outcome.refusals for outcome in outcomes):
        code = ExitCode.FAILED
    if any(error.exit_code == ExitCode.INTERNAL for error in (*errors, *built.exports.errors)):
        code = ExitCode.INTERNAL
    return Report(
        problems=built.problems,
        cells=[(cell.source, cell.target) for cell in built.conversions.cells] if rows else [],
        rows=rows,
        queries=sum(len(outcome.files) for outcome in outcomes),
        has_exports=has_exports,
        code=code,
        units=built.units,
        exports=built.exports,
    )
