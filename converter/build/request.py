"""What a user asks of a build, as one frozen value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from converter.rules.selection import Selection


@dataclass(frozen=True, slots=True)
class CellChoice:
    """For which cells rules are converted, by the names that the user gave; none is the configuration's."""

    targets: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    pipelines: tuple[Path, ...] = ()
    """The user's own pipeline files."""
    variants: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class QueryChoice:
    """What the user chose about queries."""

    fidelity: str = "broader"
    backend: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Language -> options of its backend."""
    placeholders: Path | None = None
    """The file with values of placeholders."""


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """A build: which rules, for which cells, into what, and how."""

    paths: tuple[Path, ...]
    """Rule files and folders; none is the configured folder."""
    output: Path | None
    """The output folder; None if the queries are only printed."""
    cells: CellChoice
    queries: QueryChoice
    selection: Selection
    formats: tuple[str, ...] = ()
    """Import formats."""
    all_formats: bool = False
    """All import formats of the languages that are made, in place of ``formats``."""
    check: bool = False
    """Compare the output folder and write nothing."""
    entries: bool = False
    """The report needs the manifest's entries."""
    archive: Path | None = None
    summary: Path | None = None
    """Where what changed is written as Markdown; ``-`` prints it."""
    workers: int = 1
    cached: bool = True

    def choices(self) -> str:
        """Return everything of the request that changes what is in the output folder or what is printed."""
        backend = sorted((name, sorted(chosen.items())) for name, chosen in self.queries.backend.items())
        chosen = (self.queries.fidelity, backend, self.queries.placeholders)
        return repr((self.paths, self.cells, chosen, self.selection, self.formats, self.all_formats))

    def files(self) -> tuple[Path, ...]:
        """Return the files that the request names beside rules."""
        values = self.queries.placeholders
        return (*self.cells.pipelines, values) if values is not None else self.cells.pipelines
