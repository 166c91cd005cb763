"""All rules in all cells: what each becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from converter.build.cache import Cache
from converter.build.convert_rules import Progress, work
from converter.build.import_files import export_item
from converter.build.records import Ready, Record, Task, error_of, task
from converter.conversion.convert import Options
from converter.errors import Refusal, SigconvError
from converter.exports.item import ExportItem
from converter.files import atomic
from converter.files.atomic import Content
from converter.pipelines.cells import Cell
from converter.project.config import Accepted
from converter.rules.duplicates import in_file
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


def tasks_of(rules: RuleSet, emitted: Sequence[Rule], keyed: bool) -> list[Task]:
    """Return what identifies the conversion of each rule.

    Args:
        rules: all rules.
        emitted: those to convert.
        keyed: whether there is a cache to look in.
    """
    per_file = in_file(rules)
    tasks = []
    for rule in emitted:
        suffix = rule.name if per_file[rule.relative] > 1 else None
        tasks.append(task(rules, rule, suffix, keyed))
        ready: Ready | None = rules.ahead.get(id(rule.doc))
        if ready is not None:
            tasks[-1].identity = ready.identity
    return tasks


@dataclass(frozen=True, slots=True)
class Conversions:
    """How the rules of a build are converted."""

    rules: RuleSet
    cells: Sequence[Cell]
    options: Options
    accepted: Sequence[Accepted]
    """Refusals that do not count as failures."""
    exporting: bool
    """Import formats are made from what comes out."""
    cache: Cache | None
    workers: int
    """How many processes may convert."""

    def outcomes(self, tasks: Sequence[Task], progress: Progress | None = None) -> Iterator[list[Outcome]]:
        """Convert rules for all cells; an error of one rule never stops the others.

        Args:
            tasks: the rules.
            progress: is told how many conversions there are to do, and returns what to call after some.

        Raises:
            InternalError: SC900 if a worker process dies.
        """
        given = self.cells, self.options, self.exporting, self.cache, self.workers, progress
        found = work(self.rules, tasks, *given)
        for one, records in zip(tasks, found, strict=True):
            row = []
            for cell, record in zip(self.cells, records, strict=True):
                outcome = _outcome(one, cell, record, self.accepted)
                if self.exporting and "item" in record:
                    texts = [atomic.text_of(text) for text in record["files"].values()]
                    outcome.item = export_item(
                        self.rules, one.rule, cell, one.suffix, record["entry"], texts, record["item"]
                    )
                row.append(outcome)
            yield row


def _outcome(one: Task, cell: Cell, record: Record, accepted: Sequence[Accepted]) -> Outcome:
    rule = one.rule
    entry: dict[str, Any] = {
        "rule": rule.id or rule.name,
        "title": rule.title,
        "file": rule.relative,
        "source_sha256": one.identity.source_digest,
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
