"""All rules in all cells: output files and the manifest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from converter import __version__, output
from converter.config import Accepted
from converter.convert import Conversion, Options, convert
from converter.errors import SigconvError
from converter.exporting import Exports, export_item, plan_exports
from converter.exports.item import ExportItem
from converter.pipelines import Cell
from converter.rule import Rule
from converter.rules import RuleSet
from converter.schedule import schedule


@dataclass(slots=True)
class Outcome:
    """One rule in one cell: an entry of the manifest and the files that go with it."""

    entry: dict[str, Any]
    files: dict[str, str]
    """Path below the output folder -> text."""
    error: SigconvError | None = None
    accepted: bool = False
    """The configuration accepts this refusal."""
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
) -> Iterator[Outcome]:
    """Convert every emitted rule for every cell; an error of one never stops the others.

    Args:
        rules: as loaded.
        cells: the cells to convert for.
        options: what the user chose about queries.
        accepted: refusals that do not count as failures.
        takes: which rules to convert.
        exporting: whether to keep what import formats are made from.
    """
    emitted = rules.emitted()
    per_file = Counter(rule.relative for rule in emitted)
    for rule in filter(takes, emitted):
        suffix = rule.name if per_file[rule.relative] > 1 else None
        for cell in cells:
            yield _outcome(rules, rule, cell, options, accepted, suffix, exporting)


def _outcome(
    rules: RuleSet,
    rule: Rule,
    cell: Cell,
    options: Options,
    accepted: Sequence[Accepted],
    suffix: str | None,
    with_item: bool,
) -> Outcome:
    entry: dict[str, Any] = {
        "rule": rule.id or rule.name,
        "title": rule.title,
        "file": rule.relative,
        "source_sha256": source_digest(rules, rule),
        "target": cell.target,
        "source": cell.source,
    }
    try:
        conversion = convert(rules, rule, cell, options)
    except SigconvError as error:
        keys = (rule.id, str(rule.doc.get("name") or ""), rule.relative)
        taken = next((a for a in accepted if a.covers(keys, cell.source, cell.target, error.code)), None)
        entry |= {
            "status": "refused",
            "refusal": {"code": error.code, "message": error.message, "accepted": taken is not None},
        }
        return Outcome(entry, {}, error, taken is not None)
    outcome = _converted(conversion, entry, suffix)
    if with_item:
        outcome.item = export_item(rules, conversion, suffix)
    return outcome


def _converted(conversion: Conversion, entry: dict[str, Any], suffix: str | None) -> Outcome:
    rule, cell = conversion.rule, conversion.cell
    files: dict[str, str] = {}
    queries = []
    when = schedule(conversion.plan)
    for query in conversion.queries:
        path = output.query_path(cell.target, cell.source, rule.relative, query.extension, suffix, query.name)
        files[path] = query.text
        queries.append({"name": query.name, "file": path, "sha256": output.digest(query.text)})
    entry |= {
        "status": "converted",
        "fidelity": str(conversion.fidelity),
        "reasons": [{"fidelity": str(r.fidelity), "text": r.text} for r in conversion.reasons],
        "schedule": {"interval_seconds": when.interval, "lookback_seconds": when.lookback},
        "queries": queries,
    }
    return Outcome(entry, files)


def source_digest(rules: RuleSet, rule: Rule) -> str:
    """Return the SHA-256 of the rule and of every rule it refers to."""
    try:
        parts = [one.digest() for one in rules.closure(rule)]
    except SigconvError:
        parts = [rule.digest()]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def plan_write(
    folder: Path,
    found: Sequence[Outcome],
    cells: Sequence[Cell],
    untouched: Sequence[str],
    whole: bool,
    exports: Exports | None = None,
) -> tuple[dict[str, str], list[str]]:
    """Return what the output folder must hold: path -> text, and the paths to remove.

    Entries of cells, rules and import formats that this run did not look at stay as they are, as do those of
    rule files that could not be loaded.

    Args:
        folder: the output folder.
        found: this run's outcomes.
        cells: this run's cells.
        untouched: rule files, below the rules root, of which not all rules were looked at: they could not be
            loaded, or a selection left rules out.
        whole: whether all rules of the root were looked at, so that a missing rule was removed.
        exports: the import files of this run.

    Raises:
        UsageError: SC605 if an import file of an earlier run, which another one needs, is not as it was.
    """
    old = output.read_manifest(folder)
    ran = {(cell.source, cell.target) for cell in cells}
    entries = [outcome.entry for outcome in found]
    files = {path: text for outcome in found for path, text in outcome.files.items()}
    mine = {(entry["file"], entry["rule"]) for entry in entries}
    looked_at = {entry["file"] for entry in entries}

    def gone(file: str, rule: str) -> bool:
        return (file, rule) in mine or (file not in untouched and (whole or file in looked_at))

    stale: list[str] = []
    for entry in old["entries"]:
        if (entry["source"], entry["target"]) in ran and gone(entry["file"], entry["rule"]):
            stale += [query["file"] for query in entry.get("queries", ())]
        else:
            entries.append(entry)
    kept = {query["file"] for entry in entries for query in entry.get("queries", ())}
    more, exported, left_over = plan_exports(folder, old.get("exports", []), exports or Exports(), gone)
    versions = dict(old.get("pipelines", {})) | {str(cell): cell.version for cell in cells}
    files |= more
    files[output.MANIFEST] = output.manifest_text(entries, exported, versions, __version__)
    return files, sorted({*stale, *left_over} - kept)


def write(folder: Path, files: dict[str, str], stale: Sequence[str]) -> Written:
    """Write the files, the manifest last, and remove what is stale.

    Killed at any moment each file is the old or the new one; the next run does the rest.
    """
    result = Written()
    manifest = files[output.MANIFEST]
    for path in sorted(set(files) - {output.MANIFEST}):
        if output.write(folder / path, files[path]):
            result.changed.append(path)
    for path in stale:
        if _inside(folder, path) and (folder / path).is_file():
            (folder / path).unlink()
            result.removed.append(path)
    if output.write(folder / output.MANIFEST, manifest):
        result.changed.append(output.MANIFEST)
    return result


def differences(folder: Path, files: dict[str, str], stale: Sequence[str]) -> list[str]:
    """Return the paths whose content is not what a build would write (for ``--check``)."""
    wrong = []
    for path, text in sorted(files.items()):
        file = folder / path
        if not file.is_file() or file.read_bytes() != text.encode():
            wrong.append(path)
    return wrong + [path for path in stale if _inside(folder, path) and (folder / path).exists()]


def _inside(folder: Path, path: str) -> bool:
    """A manifest is a file that anyone can edit: never remove what is outside the output folder."""
    return (folder / path).resolve().is_relative_to(folder.resolve())
