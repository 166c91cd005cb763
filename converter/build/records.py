"""One rule in one cell as plain data: what the cache holds and what a worker process sends back."""

from __future__ import annotations

import hashlib
import json
import sys
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from converter import errors
from converter.build import cache
from converter.build.import_files import item_data
from converter.conversion.convert import Conversion, Options, convert
from converter.errors import Refusal, SigconvError
from converter.files import atomic
from converter.files.atomic import Packed
from converter.pipelines.cells import Cell
from converter.plan import query_paths
from converter.plan.schedule import schedule
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet

Record = dict[str, Any]
"""``entry`` (its part of the manifest's entry), ``files`` (path -> text) and, where import formats are made,
``item`` (`exporting.item_data`); or ``error``."""
PackedRecords = tuple[bytes, tuple[bytes, ...]]
"""All but the texts, and the texts in the order of the records and their queries."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What identifies a rule's conversion."""

    source_digest: str
    """SHA-256 of the rule's content and of every rule that it refers to."""
    key: str | None
    """SHA-256 of everything that the rule's queries follow from, but for cell and options.

    None without a cache, or if a reference of the rule is broken: then the error is worked out each time.
    """


@dataclass
class Task:
    """A rule that is to be converted."""

    rule: Rule
    suffix: str | None
    """The rule's name where its file holds several rules that are converted."""
    closure: Sequence[Rule]
    """The rule and every rule that it refers to; empty if a reference is broken."""
    keyed: bool
    """There is a cache to look in."""

    @cached_property
    def identity(self) -> Identity:
        """What identifies the conversion; worked out only if no unit holds what the rule gives."""
        if not self.closure:
            return Identity(_digest([self.rule]), None)
        return identified(self.closure, self.suffix, self.keyed)

    @property
    def key(self) -> str | None:
        """The key of the rule's records."""
        return self.identity.key


@dataclass(frozen=True, slots=True)
class Ready:
    """A rule that is converted already."""

    identity: Identity
    """That of its `Task`."""
    records: PackedRecords
    """One for each cell."""
    lasting: tuple[bool, ...]
    """Which of them follow from the rule alone."""


def task(rules: RuleSet, rule: Rule, suffix: str | None, keyed: bool) -> Task:
    """Return the task of a rule.

    Args:
        rules: where references are resolved.
        rule: what to convert.
        suffix: its name where its file holds several rules that are converted.
        keyed: whether there is a cache to look in.
    """
    closure: Sequence[Rule] = [rule]
    if rule.kind == "correlation":
        try:
            closure = rules.closure(rule)
        except SigconvError:
            closure = []
    return Task(rule, suffix, closure, keyed)


def identified(closure: Sequence[Rule], suffix: str | None, keyed: bool) -> Identity:
    """Return what identifies the conversion of a rule, given with those that it refers to.

    The key takes the documents as they are after filters, in the order of their keys and with the types of
    their values, and where they are, because errors say so.
    """
    if not keyed:
        return Identity(_digest(closure), None)
    parts = [repr((one.file, one.relative, one.document, one.doc)) for one in closure]
    return Identity(_digest(closure), cache.key("rule", repr(suffix), *parts))


def _digest(closure: Sequence[Rule]) -> str:
    return hashlib.sha256("\n".join(one.digest() for one in closure).encode()).hexdigest()


def cell_key(cell: Cell, options: Options) -> str:
    """Return what a record follows from beside the rule: the cell, with its configuration, and options."""
    backend = sorted(options.backend.get(cell.target, {}).items())
    values = sorted((name, list(found)) for name, found in options.placeholders.items())
    said = (str(cell), cell.variant, cell.version, cell.origins, cell.own, cell.declare)
    return hashlib.sha256(repr((said, options.limit, backend, values)).encode()).hexdigest()[:32]


def work_out(
    rules: RuleSet, rule: Rule, suffix: str | None, cell: Cell, options: Options, with_item: bool
) -> Record:
    """Convert, and return the record.

    Args:
        rules: where references are resolved.
        rule: what to convert.
        suffix: its name where its file holds several rules that are converted.
        cell: what for.
        options: what the user chose.
        with_item: whether import formats are made from it.
    """
    try:
        conversion = convert(rules, rule, cell, options)
    except SigconvError as error:
        return {"error": [type(error).__name__, *error.said()]}
    record = converted(conversion, suffix)
    return record | {"item": item_data(conversion)} if with_item else record


def complete(record: Mapping[str, Any], with_item: bool) -> bool:
    """Tell whether a record has what is asked of it."""
    return not with_item or "item" in record or "error" in record


def converted(conversion: Conversion, suffix: str | None) -> Record:
    """Return the record of a conversion."""
    rule, cell = conversion.rule, conversion.cell
    files: dict[str, str] = {}
    queries = []
    when = schedule(conversion.plan)
    for query in conversion.queries:
        path = query_paths.query_path(
            cell.target, cell.source, rule.relative, query.extension, suffix, query.name
        )
        files[path] = query.text
        queries.append({"name": query.name, "file": path, "sha256": atomic.digest(query.text)})
    entry = {
        "status": "converted",
        "fidelity": str(conversion.fidelity),
        "reasons": [{"fidelity": str(r.fidelity), "text": r.text} for r in conversion.reasons],
        "schedule": {"interval_seconds": when.interval, "lookback_seconds": when.lookback},
        "queries": queries,
    }
    return {"entry": entry, "files": files}


def packed(records: Sequence[Record]) -> PackedRecords:
    """Return records in a third of their size; their texts apart, so that each can wait to be written."""
    texts = tuple(_deflated(text) for record in records for text in record.get("files", {}).values())
    said = [{name: part for name, part in record.items() if name != "files"} for record in records]
    return _deflated(json.dumps(said, separators=(",", ":"))), texts


def _deflated(text: str) -> bytes:
    return zlib.compress(text.encode(), 1, _WINDOW)


_WINDOW = 12
"""Bits: texts are of about a thousand bytes, and to prepare a larger window takes longer than to fill it."""


def text_of(record: Record) -> str:
    """Return a record whose texts are packed as JSON."""
    if "files" in record:
        record = record | {"files": {path: text.text() for path, text in record["files"].items()}}
    return json.dumps(record, separators=(",", ":"))


def unpacked(packed: PackedRecords) -> list[Record]:
    """Return packed records, their texts still packed."""
    found: list[Record] = json.loads(zlib.decompress(packed[0]))
    texts = iter(packed[1])
    for record in found:
        if "entry" in record:
            queries = record["entry"]["queries"]
            record["files"] = {query["file"]: Packed(next(texts)) for query in queries}
    return found


def lean(record: Record, kept: dict[object, Any]) -> Record:
    """Return a record that shares with others what is the same: there are thousands.

    Args:
        record: of another process, or of the cache.
        kept: what records of this run hold so far.
    """
    if "error" in record:
        record["error"] = [kept.setdefault(one, one) for one in record["error"]]
        return record
    entry = record["entry"]
    reasons = tuple((one["fidelity"], one["text"]) for one in entry["reasons"])
    when = entry["schedule"]
    entry["reasons"] = kept.setdefault(reasons, entry["reasons"])
    entry["schedule"] = kept.setdefault(tuple(when.items()), when)
    for name in ("status", "fidelity"):
        entry[name] = sys.intern(entry[name])
    return record


def error_of(record: Mapping[str, Any]) -> SigconvError | None:
    """Return the error that a record holds."""
    if "error" not in record:
        return None
    name, *said = record["error"]
    made: SigconvError = getattr(errors, name).of(said)
    return made


def lasting(record: Mapping[str, Any]) -> bool:
    """Tell whether a record follows from the rule alone.

    Defects and broken references are looked at anew, and so is what names a line: a comment moves it.
    """
    if "error" not in record:
        return True
    name, _, _, _, line, *_ = record["error"]
    return bool(name == Refusal.__name__ and line is None)
