"""What `sigconv build` says of rules that gave nothing, and at its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from converter.cli import overview

if TYPE_CHECKING:
    from converter.build.build import Outcome
    from converter.build.import_files import Exports
    from converter.errors import SigconvError


def errors(exports: Exports, found: Sequence[Outcome]) -> str:
    """Return the lines of what gave nothing, and one for all refusals that are accepted."""
    lines = "".join(f"{error}\n" for error in exports.errors) + "".join(map(refusal, rows(found)))
    return refusals(lines, len(exports.accepted) + sum(one.accepted for one in found))


def rows(found: Sequence[Outcome]) -> Iterator[list[Outcome]]:
    """Yield the outcomes of each rule."""
    for _, row in groupby(found, lambda one: (one.entry["file"], one.entry["rule"])):
        yield list(row)


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


def refusal(row: Sequence[Outcome]) -> str:
    """Return what is to be said of a rule that gave nothing in some cells: a line for each reason.

    Refusals that the configuration accepts are left out.
    """
    reasons: dict[tuple[object, ...], list[Outcome]] = {}
    for one in row:
        if one.error is not None and not one.accepted:
            said = (text.replace(_cell(one), _CELLS) if text else text for text in _texts(one.error))
            reasons.setdefault((one.error.code, *said), []).append(one)
    return "".join(f"{_line(several)}\n" for several in reasons.values())


_CELLS = "\0"


def _texts(error: SigconvError) -> tuple[str, str | None]:
    return error.message, error.hint


def _cell(one: Outcome) -> str:
    return f"{one.entry['source']}/{one.entry['target']}"


def _line(several: Sequence[Outcome]) -> str:
    """Return the error that outcomes have in common, with their cells: ``sysmon/{eql,lucene}``."""
    error = several[0].error
    assert error is not None
    targets: dict[str, list[str]] = {}
    for one in several:
        targets.setdefault(one.entry["source"], []).append(one.entry["target"])
    cells = ", ".join(
        f"{source}/{names[0]}" if len(names) == 1 else f"{source}/{{{','.join(names)}}}"
        for source, names in targets.items()
    )
    own = _cell(several[0])
    message, hint = (text.replace(own, cells) if text else text for text in _texts(error))
    line = str(type(error).of((error.code, message or "", error.file, error.line, error.column, hint)))
    return line if own in error.message else f"{line} [{cells}]"


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
