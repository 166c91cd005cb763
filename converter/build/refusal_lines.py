"""The lines that are printed about a rule that gave nothing in some cells."""

from __future__ import annotations

from collections.abc import Sequence

from converter.build.build import Outcome
from converter.errors import SigconvError

_CELLS = "\0"
"""Stands in a message for the cells that share it."""


def refusal_lines(outcomes: Sequence[Outcome]) -> str:
    """Return a line for each reason, with the cells that it is true of.

    Refusals that the configuration accepts are left out.

    Args:
        outcomes: of one rule.
    """
    reasons: dict[tuple[object, ...], list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.error is not None and not outcome.accepted:
            texts = (text.replace(_cell(outcome), _CELLS) if text else text for text in _texts(outcome.error))
            reasons.setdefault((outcome.error.code, *texts), []).append(outcome)
    return "".join(f"{_line(alike)}\n" for alike in reasons.values())


def with_advice(lines: str, accepted: int) -> str:
    """Return the lines of all refusals, and what to know of them.

    Args:
        lines: about rules that gave nothing.
        accepted: how many more the configuration accepts.
    """
    if lines:
        lines += "a refusal that you expect: name it in accept-refusals of the configuration\n"
    if accepted:
        plural = "s" if accepted > 1 else ""
        lines += f"{accepted} accepted refusal{plural} (accept-refusals of the configuration)\n"
    return lines


def _texts(error: SigconvError) -> tuple[str, str | None]:
    return error.message, error.hint


def _cell(outcome: Outcome) -> str:
    return f"{outcome.entry['source']}/{outcome.entry['target']}"


def _line(alike: Sequence[Outcome]) -> str:
    """Return the error that outcomes have in common, with their cells: ``sysmon/{eql,lucene}``."""
    error = alike[0].error
    assert error is not None
    targets: dict[str, list[str]] = {}
    for outcome in alike:
        targets.setdefault(outcome.entry["source"], []).append(outcome.entry["target"])
    cells = ", ".join(
        f"{source}/{names[0]}" if len(names) == 1 else f"{source}/{{{','.join(names)}}}"
        for source, names in targets.items()
    )
    first = _cell(alike[0])
    message, hint = (text.replace(first, cells) if text else text for text in _texts(error))
    line = str(type(error).of((error.code, message or "", error.file, error.line, error.column, hint)))
    return line if first in error.message else f"{line} [{cells}]"
