"""Units of a build: what each rule file gives to it, kept under a key of everything that it follows from.

What other files may ask of a file (ids, names, references, filters, titles) is in its documents. They are
kept by content (`cached_documents`), and each build links all of them. A unit holds what takes longer: the
texts of the file's entries in the manifest, the digests of its queries, and what was printed about it.
"""

from __future__ import annotations

import os
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from converter.artifacts import manifest
from converter.build.build import Outcome
from converter.build.cache import Cache, key
from converter.build.inputs import file_digest, in_place
from converter.build.records import Task, cell_key
from converter.build.refusal_lines import refusal_lines
from converter.conversion.convert import Options
from converter.pipelines.cells import Cell
from converter.project.config import Accepted
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

_ROWS = 100
"""Outcomes that are written to the cache at once: as JSON all of them are megabytes."""


@dataclass(frozen=True, slots=True)
class UnitOutcome:
    """What the rules of one file gave, in the order of rules and cells; all but the texts of queries."""

    entries: Sequence[tuple[str, str, str]]
    """Rule, target and source of each entry of the manifest."""
    packed: str
    """The texts of the entries (`texts`): they are alike, and packed they are read in half the time."""
    files: Sequence[tuple[str, str]]
    """Path below the output folder and digest of each query."""
    refusals: str
    """The lines that are printed about rules that gave nothing."""
    accepted: int
    """How many refusals the configuration accepts."""
    rows: Sequence[tuple[str, Sequence[str]]]
    """Title of each rule, and what became of it in each cell."""
    records: Sequence[str]
    """Keys of the records of its rules (`records`)."""

    def texts(self) -> list[str]:
        """Return the text of each entry of the manifest."""
        return zlib.decompress(b64decode(self.packed)).decode().split("\0") if self.entries else []


def _packed(texts: Sequence[str]) -> str:
    # No text of JSON holds this character.
    return b64encode(zlib.compress("\0".join(texts).encode(), 1)).decode()


@dataclass(slots=True)
class Unit:
    """One rule file in a build."""

    file: str
    """The path below the rules root."""
    tasks: list[Task]
    """Its rules that are converted."""
    key: str | None
    """SHA-256 of everything that the outcome follows from; None if the outcome is worked out each time."""
    outcome: UnitOutcome | None = None
    converted: list[Outcome] = field(default_factory=list)
    """What was worked out in this build; empty if the outcome was known."""


class UnitKeys:
    """Makes the keys of units."""

    def __init__(
        self,
        rules: RuleSet,
        cells: Sequence[Cell],
        options: Options,
        accepted: Sequence[Accepted],
        digests: Mapping[str, str],
    ) -> None:
        """Note what all units follow from.

        Args:
            rules: all rules.
            cells: what they are converted for.
            options: what the user chose.
            accepted: refusals that the configuration accepts.
            digests: SHA-256 of each rule file. Of the file and not only of its documents: an error names a
                line, which a comment moves.
        """
        self._digests = digests
        self._common = repr(([cell_key(cell, options) for cell in cells], accepted))
        self._read = {id(rule.doc) for rule in rules.documents}
        """Documents that are as they were read: no filter changed them."""

    def of(self, tasks: Sequence[Task]) -> str | None:
        """Return the key of a unit; None if a reference is broken, or a file was not there at the start.

        Args:
            tasks: the rules of the unit.
        """
        parts = []
        for task in tasks:
            if not all(rule.file in self._digests for rule in task.closure):
                return None
            parts.append((task.suffix, [self._rule(rule) for rule in task.closure]))
        return key("unit", self._common, repr(parts)) if all(task.closure for task in tasks) else None

    def _rule(self, rule: Rule) -> tuple[object, ...]:
        filtered = None if id(rule.doc) in self._read else repr(rule.doc)
        return rule.file, rule.relative, rule.document, self._digests[rule.file], filtered


def units_of(tasks: Iterable[Task], keys: UnitKeys | None) -> list[Unit]:
    """Return the units of a build.

    Args:
        tasks: the rules that are converted, those of a file one after another.
        keys: makes keys; None if there is no cache.
    """
    units = []
    for file, group in groupby(tasks, lambda task: task.rule.relative):
        members = list(group)
        units.append(Unit(file, members, keys.of(members) if keys is not None else None))
    return units


def recall(units: Sequence[Unit], cache: Cache) -> None:
    """Give each unit the outcome that the cache has of it."""
    known = cache.get(unit.key for unit in units if unit.key is not None)
    for unit in units:
        if unit.key is not None and unit.key in known:
            unit.outcome = UnitOutcome(**known[unit.key])
            cache.use(unit.outcome.records)


def keep(units: Sequence[Unit], cache: Cache, digests: Mapping[str, str]) -> None:
    """Write the outcomes that were worked out to the cache.

    Those with a defect or a broken rule are left out, and those of which a rule file changed since its digest
    was taken.

    Args:
        units: as `fill` leaves them.
        cache: the cache.
        digests: SHA-256 of each rule file when the build began.
    """

    def lasts(unit: Unit) -> bool:
        files = {rule.file: rule.path for task in unit.tasks for rule in task.closure}
        return not any(outcome.broken for outcome in unit.converted) and all(
            file_digest(os.fspath(path)) == digests.get(file) for file, path in files.items()
        )

    lasting = [unit for unit in units if unit.key is not None and lasts(unit)]
    for start in range(0, len(lasting), _ROWS):
        cache.put(
            {
                unit.key: {name: getattr(unit.outcome, name) for name in UnitOutcome.__slots__}
                for unit in lasting[start : start + _ROWS]
                if unit.key is not None
            }
        )


def displaced(units: Sequence[Unit], folder: Path) -> list[Unit]:
    """Return the units whose outcomes are known but whose queries are not all in the output folder."""
    return [
        unit
        for unit in units
        if unit.outcome is not None and not unit.converted and not in_place(folder, unit.outcome.files)
    ]


def fill(units: Sequence[Unit], convert: Callable[[Sequence[Task]], Iterable[list[Outcome]]]) -> None:
    """Work out what units give.

    Args:
        units: those to work out.
        convert: returns the outcomes of each task.
    """
    outcomes = iter(convert([task for unit in units for task in unit.tasks]))
    for unit in units:
        rows = [next(outcomes) for _ in unit.tasks]
        unit.converted = [outcome for row in rows for outcome in row]
        unit.outcome = _outcome(unit, rows)


def _outcome(unit: Unit, rows: Sequence[Sequence[Outcome]]) -> UnitOutcome:
    entries = [outcome.entry for outcome in unit.converted]
    titles = {row[0].entry["title"]: [word(outcome.entry) for outcome in row] for row in rows}
    return UnitOutcome(
        [(entry["rule"], entry["target"], entry["source"]) for entry in entries],
        _packed([manifest.entry_text(entry) for entry in entries]),
        [(query["file"], query["sha256"]) for entry in entries for query in entry.get("queries", ())],
        "".join(refusal_lines(row) for row in rows),
        sum(outcome.accepted for outcome in unit.converted),
        list(titles.items()),
        [task.key for task in unit.tasks if task.key is not None],
    )


def word(entry: dict[str, Any]) -> str:
    """Return what became of a rule in a cell: the fidelity, or that it is refused and the code."""
    return str(entry.get("fidelity") or f"refused {entry['refusal']['code']}")
