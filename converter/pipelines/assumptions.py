"""What is assumed of a vendor's software because no public material shows it: one list for each pipeline.

The list is ``pipelines/<source>/<platform>.assumptions.yml``, beside the pipeline and its column list. A
query that depends on an assumption is labelled ``assumed``, never ``exact``, and its header names it.
``docs/semantics.md`` lists them all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from converter.errors import PipelineError
from converter.files import yaml_source
from converter.plan.conditions import Alternatives, Condition, Value, comparisons
from converter.plan.model import Fidelity, Reason
from converter.plan.values import Regex, Text
from converter.plan.volume_paths import VolumePath
from converter.project import stock_pipelines

SUFFIX = ".assumptions.yml"
LANGUAGES = f"languages{SUFFIX}"
"""What is assumed of a query language itself, whatever the source."""
_KEYS = {"id", "text", "looked_for", "columns", "values", "logsources"}


@dataclass(frozen=True, slots=True)
class Assumption:
    """One claim about a vendor's software that no public material settles."""

    id: str
    """Unique among all assumptions, such as ``defender-kusto-2``."""
    text: str
    """The claim, as one sentence."""
    looked_for: str
    """Where a proof was looked for, and when."""
    columns: frozenset[str] = frozenset()
    """A query that compares or groups by one of these columns depends on it; empty: none does by a column."""
    values: re.Pattern[str] | None = None
    """If given, only comparisons with a text that this pattern finds depend on it."""
    logsources: tuple[Mapping[str, str], ...] = ()
    """If given, only rules of these log sources depend on it."""

    @property
    def reason(self) -> Reason:
        """Return what the header and the manifest say."""
        return Reason(Fidelity.ASSUMED, f"{self.id}: {self.text}")


def parse(text: str, name: str) -> tuple[Assumption, ...]:
    """Return the assumptions of a file.

    Raises:
        PipelineError: SC302 if a key is unknown or missing.
    """
    data = yaml_source.parse(text, name, PipelineError)[0]
    return tuple(_assumption(entry, name) for entry in data["assumptions"] or ())


def read(path: Path, name: str) -> tuple[Assumption, ...]:
    """Return the assumptions of a file; none if there is no such file."""
    return parse(yaml_source.read_text(path, name, PipelineError), name) if path.is_file() else ()


def _assumption(entry: Mapping[str, Any], name: str) -> Assumption:
    if not {"id", "text", "looked_for"} <= set(entry) <= _KEYS:
        raise PipelineError("SC302", "an assumption has 'id', 'text' and 'looked_for'", file=name)
    return Assumption(
        entry["id"],
        entry["text"],
        entry["looked_for"],
        frozenset(entry.get("columns") or ()),
        re.compile(entry["values"]) if entry.get("values") else None,
        tuple(entry.get("logsources") or ()),
    )


@cache
def of_language(id: str) -> Reason:  # noqa: A002
    """Return the reason that a backend gives for a query that depends on an assumption about its language.

    Args:
        id: of an entry in ``pipelines/languages.assumptions.yml``.

    Raises:
        KeyError: if there is no such entry.
    """
    return {entry.id: entry for entry in read(stock_pipelines.folder() / LANGUAGES, LANGUAGES)}[id].reason


def of_condition(
    condition: Condition, assumptions: Sequence[Assumption], logsource: Iterable[tuple[str, str]]
) -> list[Reason]:
    """Return what a condition depends on.

    Args:
        condition: of the rule, after the pipeline.
        assumptions: those of the cell.
        logsource: the rule's own, as pairs of key and name.
    """
    given = dict(logsource)
    relevant = [
        entry
        for entry in assumptions
        if not entry.logsources or any(wanted.items() <= given.items() for wanted in entry.logsources)
    ]
    found = [
        entry.reason
        for entry in relevant
        if entry.columns
        and any(
            leaf.field in entry.columns and (entry.values is None or _finds(entry.values, leaf.value))
            for leaf in comparisons(condition)
        )
    ]
    return list(dict.fromkeys(found))


def of_columns(columns: Iterable[str], assumptions: Sequence[Assumption]) -> list[Reason]:
    """Return what depends on an assumption because a correlation groups by, or counts, a column."""
    named = set(columns)
    return [entry.reason for entry in assumptions if entry.values is None and named & entry.columns]


def _finds(pattern: re.Pattern[str], value: Value) -> bool:
    match value:
        case Alternatives(values):
            return any(_finds(pattern, part) for part in values)
        case Text(parts):
            return any(isinstance(part, str) and pattern.search(part) for part in parts)
        case Regex():
            return pattern.search(value.pattern) is not None
        case VolumePath():
            return pattern.search(value.regex.pattern) is not None
    return False
