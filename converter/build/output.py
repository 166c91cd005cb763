"""The output folder of a build: files to write, files to remove, and the manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from converter import __version__
from converter.artifacts import manifest
from converter.build.import_files import Exports, plan_exports
from converter.build.units import Unit
from converter.files import atomic
from converter.files.atomic import Content
from converter.pipelines.cells import Cell


@dataclass(frozen=True, slots=True)
class Plan:
    """What the output folder is to hold, as paths below it."""

    files: dict[str, Content]
    """What this build made, the manifest among it; queries that are in place already are left out."""
    stale: list[str]
    """Files to remove."""
    has_exports: bool
    """The folder has import files then."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What a build looked at: entries of everything else stay as they are."""

    cells: Sequence[Cell]
    whole: bool
    """All rules of the root were looked at, so that a rule that is missing was removed."""
    untouched: Sequence[str] = ()
    """Rule files, below the rules root, of which a selection left rules out."""
    failed: Sequence[str] = ()
    """Rule files, below the rules root, with an error."""


@dataclass(slots=True)
class Written:
    """What a write changed, as paths below the output folder."""

    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def plan_write(folder: Path, units: Sequence[Unit], scope: Scope, exports: Exports) -> Plan:
    """Return what the output folder must hold.

    Entries of rules that are broken stay, with their files, and are marked stale.

    Args:
        folder: the output folder.
        units: what this build's rule files gave.
        scope: what the build looked at.
        exports: the import files of this build.

    Raises:
        UsageError: SC605 if an import file of an earlier build, which another one needs, is not as it was.
    """
    old = manifest.read_manifest(folder)
    ran = {(cell.source, cell.target) for cell in scope.cells}
    files: dict[str, Content] = {}
    texts: dict[manifest.Key, str] = {}
    held: set[str] = set()
    broken: set[manifest.Key] = set()
    for unit in units:
        assert unit.outcome is not None
        held.update(path for path, _ in unit.outcome.files)
        for entry, text in zip(unit.outcome.entries, unit.outcome.texts(), strict=True):
            texts[unit.file, *entry] = text
        for outcome in unit.converted:
            files.update(outcome.files)
            if outcome.broken:
                broken.add(manifest.entry_key(outcome.entry))
    failing = {key[:2] for key in broken}
    converted = {key[:2] for key in texts}
    looked_at = {file for file, _ in converted}
    failed = set(scope.failed)
    left = {*scope.untouched, *failed}

    def gone(file: str, rule: str) -> bool:
        if (file, rule) in converted:
            return (file, rule) not in failing
        return file not in left and (scope.whole or file in looked_at)

    entries: list[tuple[manifest.Key, str]] = []
    stale: list[str] = []
    for entry in old["entries"]:
        key = manifest.entry_key(entry)
        queries = [query["file"] for query in entry.get("queries", ())]
        if key in texts and key not in broken:  # Nearly all: the rest takes longer.
            stale += queries
            continue
        keeps = key in broken and bool(queries)
        if not keeps and (
            key in texts or ((entry["source"], entry["target"]) in ran and gone(key[0], key[1]))
        ):
            stale += queries
            continue
        if keeps:
            texts.pop(key, None)
        held.update(queries)
        marked = entry | {"stale": True} if keeps or key[0] in failed else entry
        entries.append((key, manifest.entry_text(marked)))
    entries += texts.items()
    more, exported, left_over = plan_exports(
        folder,
        old.get("exports", []),
        exports,
        gone,
        lambda file, rule: file in failed or (file, rule) in failing,
    )
    held.update(entry["file"] for entry in exported)
    versions = dict(old.get("pipelines", {})) | {str(cell): cell.version for cell in scope.cells}
    files |= more
    files[manifest.MANIFEST] = manifest.manifest_data(entries, exported, versions, __version__)
    removed = sorted({*stale, *left_over, *atomic.read_pending(folder)} - held)
    return Plan(files, removed, bool(exported))


def write(folder: Path, files: Mapping[str, Content], stale: Sequence[str]) -> Written:
    """Write the files, the manifest last, and remove what is stale; to be called under `atomic.locked`.

    Killed at any moment each file is the old or the new one; the next run does the rest. The paths that
    are new are written down first, because until the end no manifest knows them.
    """
    atomic.remove_scratch(folder)
    result = Written()
    wrong = [path for path in sorted(files) if not atomic.holds(f"{folder}/{path}", files[path])]
    pending = folder / atomic.PENDING
    new = [path for path in wrong if not (folder / path).exists()]
    if new:
        known = sorted({*new, *atomic.read_pending(folder)})
        atomic.write(pending, json.dumps(known, indent=0) + "\n", folder)
    for path in wrong:
        if path != manifest.MANIFEST:
            atomic.replace(f"{folder}/{path}", files[path], os.fspath(folder))
            result.changed.append(path)
    for path in stale:
        if path != manifest.MANIFEST and _inside(folder, path) and (folder / path).is_file():
            atomic.remove(folder / path)
            result.removed.append(path)
    if manifest.MANIFEST in wrong:
        atomic.write(folder / manifest.MANIFEST, files[manifest.MANIFEST], folder)
        result.changed.append(manifest.MANIFEST)
    if pending.exists():
        atomic.remove(pending)
    return result


def differences(folder: Path, files: Mapping[str, Content], stale: Sequence[str]) -> list[str]:
    """Return the paths whose content is not what a build would write (for ``--check``)."""
    wrong = [path for path in sorted(files) if not atomic.holds(f"{folder}/{path}", files[path])]
    return wrong + [path for path in stale if _inside(folder, path) and (folder / path).exists()]


def _inside(folder: Path, path: str) -> bool:
    """A manifest is a file that anyone can edit: never remove what is outside the output folder."""
    return (folder / path).resolve().is_relative_to(folder.resolve())
