"""Options and printing that several commands share."""

from __future__ import annotations

import functools
import gc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from converter.backends import BACKENDS
from converter.cli import completion
from converter.platforms import LANGUAGES, platform_of

if TYPE_CHECKING:
    from converter.conversion.convert import Options
    from converter.files.yaml_source import Documents
    from converter.pipelines.cells import Cell
    from converter.project.config import Config
    from converter.rules.ruleset import RuleSet

TARGETS = tuple(LANGUAGES)
PATHS = click.argument("paths", nargs=-1, type=click.Path(path_type=Path))
TARGET = click.option(
    "-t",
    "--target",
    "targets",
    multiple=True,
    type=click.Choice(TARGETS),
    help="Language; repeatable. Default: all.",
)
SOURCE = click.option(
    "-s",
    "--source",
    "source_names",
    multiple=True,
    metavar="NAME",
    shell_complete=completion.sources,
    help="Telemetry source; repeatable. Default: the configuration's, or all but the optional.",
)
FIDELITY = click.option(
    "--fidelity",
    type=click.Choice(["exact", "broader", "any"]),
    default="broader",
    show_default=True,
    help="What is acceptable: only exact queries; also those that may return more; or any.",
)
PLACEHOLDERS = click.option(
    "--placeholders",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="YAML: names to values, for the modifier 'expand'.",
)
PIPELINES = click.option(
    "--pipeline",
    "pipeline_files",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A pySigma pipeline of your own, before or after ours by its priority (ours: 20); repeatable. "
    "With -s none the only mapping.",
)
VARIANTS = click.option(
    "--variant",
    "variant_names",
    multiple=True,
    shell_complete=completion.variants,
    metavar="NAME",
    help="Another pipeline of a cell, such as windowsevent (Sysmon on Sentinel); repeatable.",
)
FORMAT = click.option(
    "--format",
    "form",
    type=click.Choice(["text", "json"]),
    default="text",
    show_default=True,
    help="Form of what is printed.",
)

_LEVELS = ("informational", "low", "medium", "high", "critical")
_STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
_Command = TypeVar("_Command", bound=Callable[..., object])


def selecting(command: _Command) -> _Command:
    """Add the options that select rules; each is repeatable but --min-level."""
    choice = functools.partial(click.Choice, case_sensitive=False)
    for option in (
        click.option(
            "--id",
            "ids",
            multiple=True,
            metavar="ID",
            shell_complete=completion.rule_ids,
            help="Only the rule of this id or name.",
        ),
        click.option(
            "--tag",
            "tags",
            multiple=True,
            metavar="TAG",
            shell_complete=completion.tags,
            help="Only rules with this tag (attack.t1021*).",
        ),
        click.option("--min-level", type=choice(_LEVELS), help="Only rules of this level or above."),
        click.option(
            "--level", "levels", multiple=True, type=choice(_LEVELS), help="Only rules of this level."
        ),
        click.option(
            "--status", "statuses", multiple=True, type=choice(_STATUSES), help="Only rules of this status."
        ),
    ):
        command = option(command)
    return command


_CHOICES = f"{__name__}.choices"
"""Where a command's context has the options of backends."""


def backend_options(command: _Command) -> _Command:
    """Add the options that the languages' backends have; `chosen` reads them."""
    for language, entry in reversed(BACKENDS.items()):
        for choice in reversed(entry.options):

            def keep(
                context: click.Context,
                _: click.Parameter,
                value: str,
                at: tuple[str, str] = (language, choice.name),
            ) -> None:
                context.meta.setdefault(_CHOICES, {}).setdefault(at[0], {})[at[1]] = value

            option = click.option(
                f"--{language}-{choice.name}",
                type=click.Choice(choice.choices),
                default=choice.choices[0],
                show_default=True,
                help=choice.help,
                expose_value=False,
                callback=keep,
            )
            command = option(command)
    return command


def backend_choices() -> Mapping[str, Mapping[str, str]]:
    """Return what the options of `backend_options` say: language -> options of its backend."""
    choices: Mapping[str, Mapping[str, str]] = click.get_current_context().meta[_CHOICES]
    return choices


def chosen(fidelity: str, placeholders: Path | None) -> Options:
    """Return what the options say about queries."""
    from converter.conversion.convert import Options

    values = placeholder_values(placeholders) or {}
    return Options(fidelity, backend_choices(), values)


@dataclass(frozen=True, slots=True)
class Asked:
    """What the options of `query_options` say."""

    targets: tuple[str, ...]
    source_names: tuple[str, ...]
    fidelity: str
    placeholders: Path | None
    pipeline_files: tuple[Path, ...]
    variant_names: tuple[str, ...]

    def options(self) -> Options:
        """Return what they say about queries."""
        return chosen(self.fidelity, self.placeholders)

    def cells(self, read_before: Documents | None = None) -> list[Cell]:
        """Return the cells; ``read_before`` are pipelines that need not be read again."""
        places = self.targets, self.source_names, self.pipeline_files, self.variant_names
        return chosen_cells(*places, read_before)

    def inputs(self, paths: tuple[Path, ...]) -> tuple[Config, RuleSet, list[Cell]]:
        """Return configuration, loaded rules and cells."""
        return inputs(paths, self.targets, self.source_names, self.pipeline_files, self.variant_names)


def query_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options that say which queries are meant; the command gets them as ``asked``."""

    @functools.wraps(command)
    def gathered(
        targets: tuple[str, ...],
        source_names: tuple[str, ...],
        fidelity: str,
        placeholders: Path | None,
        pipeline_files: tuple[Path, ...],
        variant_names: tuple[str, ...],
        **others: Any,
    ) -> None:
        places = pipeline_files, variant_names
        command(asked=Asked(targets, source_names, fidelity, placeholders, *places), **others)

    added: Callable[..., None] = gathered
    for option in (VARIANTS, PIPELINES, PLACEHOLDERS, backend_options, FIDELITY, SOURCE, TARGET):
        added = option(added)
    return added


def placeholder_values(file: Path | None) -> Mapping[str, list[str | int | float]] | None:
    """Return the configuration's values and over them those of the file; None if there are none."""
    from converter.pipelines.placeholders import read
    from converter.project import config as configuration

    values = dict(configuration.load(Path.cwd()).placeholders)
    return (values | read(file) if file is not None else values) or None


def inputs(
    paths: tuple[Path, ...],
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    pipeline_files: tuple[Path, ...] = (),
    variant_names: tuple[str, ...] = (),
) -> tuple[Config, RuleSet, list[Cell]]:
    """Return configuration, loaded rules and cells that the common options name."""
    cells = chosen_cells(targets, source_names, pipeline_files, variant_names)
    config, rules = load_rules(paths)
    return config, rules, cells


def chosen_cells(
    targets: tuple[str, ...],
    source_names: tuple[str, ...],
    pipeline_files: tuple[Path, ...] = (),
    variant_names: tuple[str, ...] = (),
    read_before: Documents | None = None,
) -> list[Cell]:
    """Return the cells that the options name, or else the configuration, with what the user brings.

    ``read_before`` are pipelines that need not be read again.
    """
    from converter.errors import UsageError
    from converter.pipelines import cells as cells_module
    from converter.pipelines import user_files
    from converter.project import config as configuration

    config = configuration.load(Path.cwd())
    known = [*cells_module.sources(), cells_module.NONE]
    for name in source_names:
        if name not in known:
            raise click.BadParameter(f"'{name}' is none of {', '.join(known)}", param_hint="--source")
    for key, names, all_of_them in (
        ("sources", config.sources, known),
        ("targets", config.targets, TARGETS),
        ("source", tuple(source for source, _ in config.settings), known),
    ):
        for name in names:
            if name not in all_of_them:
                hint = ", ".join(all_of_them)
                raise UsageError("SC601", f"'{key}' names '{name}'", file=config.file, hint=hint)
    user = [user_files.read(file) for file in (*config.pipelines, *pipeline_files)]
    wanted = dict.fromkeys((*config.variants, *variant_names), False)
    cells = []
    for source in source_names or config.sources or cells_module.sources(optional=False):
        for target in targets or config.targets or TARGETS:
            found = [name for name in reversed(wanted) if name in cells_module.variants(source, target)]
            wanted.update(dict.fromkeys(found[:1], True))
            said = config.settings.get((source, platform_of(target).name))
            cells.append(
                cells_module.cell(source, target, found[0] if found else "", said, user, read_before)
            )
    for name in variant_names:
        if not wanted[name]:
            raise click.BadParameter(f"no chosen cell has a '{name}'", param_hint="--variant")
    return cells


def load_rules(paths: tuple[Path, ...]) -> tuple[Config, RuleSet]:
    """Return configuration and the rules of the paths, or of the configured rules folder.

    Raises:
        UsageError: SC107 if a path does not exist, SC106 if those that are given hold no rule.
    """
    from converter.project import config as configuration
    from converter.rules.project_rules import load_project

    config = configuration.load(Path.cwd())
    return config, load_project(paths, config)


def collect_rarely() -> None:
    """Let the garbage collector run less often until the command ends: most of what is made stays."""
    before = gc.get_threshold()
    click.get_current_context().call_on_close(lambda: gc.set_threshold(*before))
    gc.set_threshold(50_000, 20, 100)


def table(head: Sequence[str], rows: Sequence[Sequence[str]], err: bool = True) -> None:
    """Print columns of text, to stderr by default."""
    click.echo(table_text(head, rows), err=err, nl=False)


def table_text(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return columns of text, each line with a newline."""
    lines = [head, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    made = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in lines)
    return "".join(f"{line}\n" for line in made)
