"""Load tests/cases/*.yml, the table of the language (tests/cases/README.md)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "cases"
KEYS = {
    "id",
    "title",
    "detection",
    "events",
    "match",
    "placeholders",
    "needs",
    "beyond",
    "note",
    "queries",
    "refused",
}


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    id: str
    """``feature/id``; the twin under not ends in ``/not``."""
    feature: str
    title: str
    detection: dict[str, Any]
    events: list[dict[str, Any]]
    match: list[int]
    placeholders: dict[str, list[Any]] = field(default_factory=dict)
    needs: frozenset[str] = frozenset()
    beyond: bool = False
    note: str = ""
    queries: dict[str, str] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    def negated(self) -> Case:
        """Return the case with its condition negated: what did not match does, and the reverse."""
        conditions = self.detection["condition"]
        conditions = conditions if isinstance(conditions, list) else [conditions]
        condition = "not (" + " or ".join(f"({one})" for one in conditions) + ")"
        others = [position for position in range(len(self.events)) if position not in self.match]
        detection = {**self.detection, "condition": condition}
        return replace(self, id=f"{self.id}/not", detection=detection, match=others, queries={}, refused={})


@cache
def cases(*, negated: bool = True) -> tuple[Case, ...]:
    """Return every case, each followed by its twin under not if ``negated``."""
    found = []
    for path in sorted(FOLDER.glob("*.yml")):
        table = yaml.safe_load(path.read_text(encoding="utf-8"))
        for row in table["cases"]:
            one = Case(
                id=f"{path.stem}/{row['id']}",
                feature=table["feature"],
                title=row["title"],
                detection=row["detection"],
                events=row["events"],
                match=row["match"],
                placeholders=row.get("placeholders", {}),
                needs=frozenset(row.get("needs", ())),
                beyond=row.get("beyond", False),
                note=row.get("note", ""),
                queries=row.get("queries", {}),
                refused=row.get("refused", {}),
            )
            found += [one, one.negated()] if negated else [one]
    return tuple(found)
