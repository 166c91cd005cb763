"""What a build tells the command line at its end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from converter.build.import_files import Exports
    from converter.build.units import Unit


@dataclass(slots=True)
class Report:
    """What a build did, and what became of the rules."""

    problems: str
    """The lines about rules that gave nothing; they are printed before the build writes."""
    cells: list[tuple[str, str]]
    """Source and target of each."""
    rows: Sequence[tuple[str, Sequence[str]]]
    """Title of each rule and what became of it in each cell."""
    queries: int
    has_exports: bool
    """The output folder has import files."""
    code: int
    """The exit code, but for a folder that is not up to date."""
    changed: int = 0
    """Files that were written."""
    removed: int = 0
    differing: list[str] = field(default_factory=list)
    """With ``check``: paths below the output folder that are not up to date."""
    units: Sequence[Unit] = ()
    """What each rule file gave; empty where nothing changed."""
    exports: Exports | None = None
    """Import files; None where nothing changed."""

    def kept(self) -> dict[str, Any]:
        """Return what a later build reports of which nothing changed, as data that JSON can hold."""
        return {
            "problems": self.problems,
            "cells": self.cells,
            "rows": self.rows,
            "queries": self.queries,
            "has_exports": self.has_exports,
            "code": self.code,
        }
