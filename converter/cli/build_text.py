"""What `sigconv build` prints at its end: a row for each rule, and what is in the output folder now."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from converter.build.report import Report
from converter.cli.options import table_text

_WIDE = 4
"""More cells than this are shown as marks: as words they are wider than a terminal."""
_MARKS = {"exact": "=", "assumed": "~", "broader": "+", "narrower": "-", "refused": "x"}
_MEANINGS = {
    "exact": "exact",
    "assumed": "assumed (exact if the assumptions in its header hold)",
    "broader": "broader (may return more)",
    "narrower": "narrower (may miss)",
    "refused": "refused",
}


def overview(report: Report) -> str:
    """Return a row for each rule, with what became of it in each cell."""
    cells = report.cells
    if len(cells) <= _WIDE:
        lines = [[title, *words] for title, words in report.rows]
        return table_text(["rule", *("/".join(cell) for cell in cells)], lines)
    return _marks(cells, report.rows)


def _marks(cells: Sequence[tuple[str, str]], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Return a column for each source, with a mark for each language in the order of the line below."""
    sources = list(dict.fromkeys(source for source, _ in cells))
    targets = list(dict.fromkeys(target for _, target in cells))
    used: dict[str, None] = {}
    lines = []
    for title, words in rows:
        line = [title]
        states = [word.partition(" ")[0] for word in words]
        used.update(dict.fromkeys(states))
        marks = {cell: _MARKS[state] for cell, state in zip(cells, states, strict=True)}
        for source in sources:
            line.append(" ".join([marks.get((source, target), " ") for target in targets]))
        lines.append(line)
    legend = ", ".join(f"{_MARKS[state]} {_MEANINGS[state]}" for state in _MARKS if state in used)
    return table_text(["rule", *sources], lines) + f"In the order {', '.join(targets)}: {legend}\n"


def done(folder: Path, report: Report) -> str:
    """Return the last line: what is in the output folder now, and what to do next."""
    next_step = "" if report.has_exports else "; to import them: --all or --format"
    files = "file" if report.changed == 1 else "files"
    changes = f"{report.changed} {files} written, {report.removed} removed"
    return f"{report.queries} queries in {folder}/: {changes}{next_step}"


def up_to_date(folder: Path) -> str:
    """Return the last line of ``--check``."""
    return f"{folder}/ is up to date"


def not_up_to_date(folder: Path, path: str) -> str:
    """Return the line of ``--check`` about a file."""
    return f"{folder / path}: SC602 is not up to date: run 'sigconv build'"
