"""The rules of a project: those that are asked for, with filters of the configured folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converter.errors import RuleError, UsageError
from converter.files.yaml_source import Documents
from converter.project.config import Config
from converter.rules.loading import Ahead, load
from converter.rules.ruleset import RuleSet


def load_project(
    paths: Sequence[Path],
    config: Config,
    known: Documents | None = None,
    workers: int = 1,
    ahead: Ahead | None = None,
) -> RuleSet:
    """Return the rules of the paths, or of the configured rules folder.

    Args:
        paths: as given.
        config: names the rules folder.
        known: documents that need not be read again.
        workers: how many processes may read.
        ahead: what to work out of rules on the way.

    Raises:
        UsageError: SC107 if a path does not exist, SC106 if those that are given hold no rule.
    """
    root = config.rules if config.rules.is_dir() else None
    given = list(paths) or [config.rules]
    inside = root is not None and all(path.resolve().is_relative_to(root.resolve()) for path in given)
    try:
        base = root if inside else None
        loaded = load(given, base, known=known, workers=workers, ahead=ahead, filtered=True)
    except RuleError as error:  # A path that is not there: no rule's fault.
        hint = "'sigconv init' starts a repository of rules" if not paths else error.hint
        raise UsageError(error.code, error.message, file=error.file, hint=hint) from error
    if paths and not loaded.rules and not loaded.errors:
        raise UsageError("SC106", "holds no rule", file=", ".join(map(str, paths)), hint="check the path")
    return loaded
