"""What a format is given of a rule: plain data, nothing that knows how to convert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from converter.plan.columns import Column
from converter.plan.model import AlertColumns, Fidelity, Reason


@dataclass(frozen=True, slots=True)
class ExportQuery:
    """One emitted query."""

    text: str
    """As in its file: with the header comment, ending in a newline."""
    body: str
    """Without the header and without a newline at its end."""
    extension: str
    """Of its file: the language's, or ``json`` for a body of the query DSL or a threshold rule."""
    name: str | None = None
    """Set where the rule needs several queries: one per order of a temporal correlation."""
    alert: AlertColumns | None = None
    """The columns of the rows of a KQL or SPL correlation."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Lucene correlations: the threshold rule as a mapping (type, language, index, query, threshold)."""


@dataclass(frozen=True, slots=True)
class ExportItem:
    """One rule, converted for one cell."""

    rule: Mapping[str, Any]
    """The rule as loaded: id, title, level, tags, references, falsepositives ..."""
    bases: tuple[Mapping[str, Any], ...]
    """The event rules that it is made of, as loaded: itself, or at any depth those of a correlation."""
    file: str
    """The rule's file below the rules root."""
    suffix: str | None
    """The rule's name where its file holds several rules that are converted."""
    source: str
    target: str
    queries: tuple[ExportQuery, ...]
    """Never empty."""
    fidelity: Fidelity
    reasons: tuple[Reason, ...]
    interval: int
    """Seconds between two runs."""
    lookback: int
    """Seconds that each run reads, so that no window falls between two runs (converter.schedule). Events
    that arrive late are not in it: a format adds its own margin."""
    window: int
    """Seconds of a correlation's window, those of inner correlations included; 0 for an event rule."""
    correlation: str | None
    """Type of a correlation (event_count, temporal ...); None for an event rule."""
    groups: tuple[tuple[str, ...], ...]
    """For each event rule of a correlation, at any depth, the columns of the correlation's group."""
    states: tuple[Mapping[str, Any], ...]
    """What the pipeline says about each of ``bases``: index or table, time_field, eql_category ..."""
    fields: Mapping[str, Column]
    """The columns that the query compares, groups by or counts, with their types, in order of use."""
    shown: tuple[str, ...]
    """The columns of the rule's ``fields``: what its author wants to see of a hit."""
    usual: tuple[str, ...]
    """The columns that show an event of its log source, for a rule that names no ``fields``; none of a
    correlation and of the source `none`."""
    columns: Mapping[str, Column]
    """All columns of the cell."""
    attack: str = ""
    """The version of ATT&CK that the configuration wants for Elastic; empty: the format's own."""
    near_real_time: bool = False
    """Whether the configuration wants rules of Sentinel that run each minute, where a query can."""

    @property
    def id(self) -> str:
        """The rule's id, or "" if it has none."""
        return str(self.rule.get("id") or "")

    @property
    def title(self) -> str:
        """The title on one line."""
        return " ".join(str(self.rule.get("title") or "").split())

    @property
    def group_by(self) -> tuple[str, ...]:
        """Columns of a correlation's group in the rule whose event completes an alert: the last."""
        return self.groups[-1] if self.groups else ()

    @property
    def indices(self) -> tuple[str, ...]:
        """Elastic's index patterns, in order."""
        return self._state("index")

    @property
    def tables(self) -> tuple[str, ...]:
        """Kusto's tables, in order."""
        return self._state("table")

    @property
    def time_fields(self) -> tuple[str, ...]:
        """The columns that hold an event's own time."""
        return self._state("time_field")

    def _state(self, key: str) -> tuple[str, ...]:
        found: dict[str, None] = {}
        for state in self.states:
            value = state.get(key) or ()
            found.update(dict.fromkeys([value] if isinstance(value, str) else value))
        return tuple(found)

    def texts(self, key: str) -> list[str]:
        """Return a list of the rule (references, falsepositives, tags ...), however it is written."""
        value = self.rule.get(key) or []
        return [str(one) for one in (value if isinstance(value, list) else [value]) if str(one).strip()]
