"""All rules in all cells: output files and the manifest."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter import __version__
from converter.artifacts import manifest
from converter.build.cache import Cache
from converter.build.convert_rules import Progress, work
from converter.build.import_files import Exports, export_item, plan_exports
from converter.build.records import Ready, Record, Task, error_of, task
from converter.conversion.convert import Options
from converter.errors import Refusal, SigconvError
from converter.exports.item import ExportItem
from converter.files import atomic
from converter.files.atomic import Content
from converter.pipelines.cells import Cell
from converter.project.config import Accepted
from converter.rules.duplicates import in_file
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


@dataclass(slots=True)
class Outcome:
    """One rule in one cell: an entry of the manifest and the files that go with it."""

    entry: dict[str, Any]
    files: dict[str, Content]
    """Path below the output folder -> text."""
    error: SigconvError | None = None
    accepted: bool = False
    """The configuration accepts this refusal."""
    broken: bool = False
    """The error is no refusal: what the rule gave before is kept, and marked stale."""
    item: ExportItem | None = None
    """What the import formats are made from, where one was asked for."""


@dataclass(slots=True)
class Written:
    """What a write changed, as paths below the output folder."""

    changed: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)


def outcomes(
    rules: RuleSet,
    cells: Sequence[Cell],
    options: Options,
    accepted: Sequence[Accepted] = (),
    *,
    takes: Callable[[Rule], bool] = lambda _: True,
    exporting: bool = False,
    cache: Cache | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> Iterator[Outcome]:
    """Convert every emitted rule for every cell; an error of one never stops the others.

    Args:
        rules: as loaded.
        cells: the cells to convert for.
        options: what the user chose about queries.
        accepted: refusals that do not count as failures.
        takes: which rules to convert.
        exporting: whether to keep what import formats are made from.
        cache: what earlier runs worked out.
        workers: how many processes may convert.
        progress: is told how many conversions there are to do, and returns what to call after some of them.

    Raises:
        InternalError: SC900 if a worker process dies.
    """
    emitted = emitted_rules(rules)
    per_file = in_file(rules)
    tasks = []
    for rule in filter(takes, emitted):
        ready: Ready | None = rules.ahead.get(id(rule.doc))
        if ready is not None:
            tasks.append(Task(rule, None, ready.source_digest, ready.key))
        else:
            suffix = rule.name if per_file[rule.relative] > 1 else None
            tasks.append(task(rules, rule, suffix, cache is not None))
    found = work(rules, tasks, cells, options, exporting, cache, workers, progress)
    for one, records in zip(tasks, found, strict=True):
        for cell, record in zip(cells, records, strict=True):
            outcome = _outcome(one, cell, record, accepted)
            if exporting and "item" in record:
                texts = [atomic.text_of(text) for text in record["files"].values()]
                outcome.item = export_item(
                    rules, one.rule, cell, one.suffix, record["entry"], texts, record["item"]
                )
            yield outcome


def _outcome(one: Task, cell: Cell, record: Record, accepted: Sequence[Accepted]) -> Outcome:
    rule = one.rule
    entry: dict[str, Any] = {
        "rule": rule.id or rule.name,
        "title": rule.title,
        "file": rule.relative,
        "source_sha256": one.source_digest,
        "target": cell.target,
        "source": cell.source,
    }
    error = error_of(record)
    if error is None:
        return Outcome(entry | record["entry"], record["files"])
    keys = (rule.id, str(rule.doc.get("name") or ""), rule.relative)
    taken = any(a.covers(keys, cell.source, cell.target, error.code) for a in accepted)
    entry["status"] = "refused"
    entry["refusal"] = {"code": error.code, "message": error.message, "accepted": taken}
    return Outcome(entry, {}, error, taken, not isinstance(error, Refusal))


def plan_write(
    folder: Path,
    found: Sequence[Outcome],
    cells: Sequence[Cell],
    untouched: Sequence[str],
    whole: bool,
    exports: Exports | None = None,
    broken: Sequence[str] = (),
) -> tuple[dict[str, Content], list[str]]:
    """Return what the output folder must hold: path -> text, and the paths to remove.

    Entries of cells, rules and import formats that this run did not look at stay as they are. Those of rules
    that are broken stay too, with their files, and are marked stale.

    Args:
        folder: the output folder.
        found: this run's outcomes.
        cells: this run's cells.
        untouched: rule files, below the rules root, of which a selection left rules out.
        whole: whether all rules of the root were looked at, so that a missing rule was removed.
        exports: the import files of this run.
        broken: rule files, below the rules root, with an error.

    Raises:
        UsageError: SC605 if an import file of an earlier run, which another one needs, is not as it was.
    """
    old = manifest.read_manifest(folder)
    ran = {(cell.source, cell.target) for cell in cells}
    made = {manifest.entry_key(outcome.entry): outcome for outcome in found}
    failing = {(one.entry["file"], one.entry["rule"]) for one in found if one.broken}
    mine = {(one.entry["file"], one.entry["rule"]) for one in found}
    looked_at = {one.entry["file"] for one in found}
    files: dict[str, Content] = {path: text for outcome in found for path, text in outcome.files.items()}
    left = {*untouched, *broken}
    failed = set(broken)

    def gone(file: str, rule: str) -> bool:
        if (file, rule) in mine:
            return (file, rule) not in failing
        return file not in left and (whole or file in looked_at)

    entries: list[dict[str, Any]] = []
    stale: list[str] = []
    for entry in old["entries"]:
        name = manifest.entry_key(entry)
        new = made.get(name)
        if new is not None and new.broken and entry.get("queries"):
            del made[name]
            entries.append(entry | {"stale": True})
        elif new is not None or ((entry["source"], entry["target"]) in ran and gone(name[0], name[1])):
            stale += [query["file"] for query in entry.get("queries", ())]
        else:
            entries.append(entry | {"stale": True} if name[0] in failed else entry)
    entries += [outcome.entry for outcome in made.values()]
    kept = {query["file"] for entry in entries for query in entry.get("queries", ())}
    more, exported, left_over = plan_exports(
        folder,
        old.get("exports", []),
        exports or Exports(),
        gone,
        lambda file, rule: file in failed or (file, rule) in failing,
    )
    versions = dict(old.get("pipelines", {})) | {str(cell): cell.version for cell in cells}
    files |= more
    kept |= {entry["file"] for entry in exported}
    files[manifest.MANIFEST] = manifest.manifest_data(entries, exported, versions, __version__)
    return files, sorted({*stale, *left_over, *atomic.read_pending(folder)} - kept)


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
