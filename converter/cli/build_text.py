"""What `sigconv build` says of rules that gave nothing, and at its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from converter.cli import overview

if TYPE_CHECKING:
    from converter.build import Outcome
    from converter.exporting import Exports


def errors(exports: Exports, found: Sequence[Outcome]) -> str:
    """Return a line for each rule and cell that gave nothing, and one for all that are accepted."""
    lines = "".join(f"{error}\n" for error in exports.errors)
    lines += "".join(map(refusal, found))
    return refusals(lines, len(exports.accepted) + sum(one.accepted for one in found))


def refusals(lines: str, accepted: int) -> str:
    """Return the lines of what was refused, and what to know of them.

    Args:
        lines: of `refusal`.
        accepted: how many more the configuration accepts.
    """
    if lines:
        lines += "a refusal that you expect: name it in accept-refusals of the configuration\n"
    if accepted:
        plural = "s" if accepted > 1 else ""
        lines += f"{accepted} accepted refusal{plural} (accept-refusals of the configuration)\n"
    return lines


def refusal(outcome: Outcome) -> str:
    """Return the line of a rule and cell that gave nothing, and was not expected to; else ""."""
    return f"{line(outcome)}\n" if outcome.error is not None and not outcome.accepted else ""


def line(outcome: Outcome) -> str:
    """Return the error of an outcome, with its cell."""
    return f"{outcome.error} [{outcome.entry['source']}/{outcome.entry['target']}]"


def word(outcome: Outcome) -> str:
    """Return what the overview says of an outcome."""
    return overview.word(outcome.entry)


def done(folder: Path, queries: int, has_exports: bool, changed: int = 0, removed: int = 0) -> str:
    """Return the last line: what is in the output folder now, and what to do next."""
    next_step = "" if has_exports else "; to import them: --all or --format"
    files = "file" if changed == 1 else "files"
    return f"{queries} queries in {folder}/: {changed} {files} written, {removed} removed{next_step}"


def up_to_date(folder: Path) -> str:
    """Return the last line of ``--check``."""
    return f"{folder}/ is up to date"
