"""What `sigconv build` says at its end: a row for each rule, and what became of it in each cell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from converter.cli.options import table_text

Cell = tuple[str, str]
"""Source and target."""
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


def overview(entries: Sequence[Mapping[str, Any]]) -> str:
    """Return the table of the manifest's entries, which are in the order of rules and cells."""
    cells = list(dict.fromkeys((entry["source"], entry["target"]) for entry in entries))
    rows: dict[tuple[str, str], dict[tuple[str, str], str]] = {}
    for entry in entries:
        row = rows.setdefault((entry["file"], entry["title"]), {})
        row[entry["source"], entry["target"]] = word(entry)
    return of_rows(cells, [(title, row) for (_, title), row in rows.items()])


def of_rows(cells: Sequence[Cell], rows: Sequence[tuple[str, Mapping[Cell, str]]]) -> str:
    """Return the table.

    Args:
        cells: source and target of each.
        rows: a rule's title, and for each cell what became of it (`word`).
    """
    if len(cells) <= _WIDE:
        lines = [[title, *(row.get(cell, "") for cell in cells)] for title, row in rows]
        return table_text(["rule", *("/".join(cell) for cell in cells)], lines)
    return _marks(cells, rows)


def word(entry: Mapping[str, Any]) -> str:
    """Return what became of a rule in a cell: the fidelity, or that it is refused and the code."""
    return str(entry.get("fidelity") or f"refused {entry['refusal']['code']}")


def _marks(cells: Sequence[Cell], rows: Sequence[tuple[str, Mapping[Cell, str]]]) -> str:
    """Return a column for each source, with a mark for each language in the order of the line below."""
    sources = list(dict.fromkeys(source for source, _ in cells))
    targets = list(dict.fromkeys(target for _, target in cells))
    used: dict[str, None] = {}
    lines = []
    for title, row in rows:
        line = [title]
        states = {cell: said.partition(" ")[0] for cell, said in row.items()}
        used.update(dict.fromkeys(states.values()))
        marks = {cell: _MARKS[state] for cell, state in states.items()}
        for source in sources:
            line.append(" ".join([marks.get((source, target), " ") for target in targets]))
        lines.append(line)
    legend = ", ".join(f"{_MARKS[state]} {_MEANINGS[state]}" for state in _MARKS if state in used)
    return table_text(["rule", *sources], lines) + f"In the order {', '.join(targets)}: {legend}\n"
