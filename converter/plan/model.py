"""What `convert` hands to a backend and gets back: rules after their pipeline, and emitted queries.

Everything here is data. A backend never loads a rule or a pipeline; it turns one of these into text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from converter.plan.columns import Columns
from converter.plan.conditions import Condition


class Verbatim(str):
    """Text of the query's language in the place of a name: a table as the configuration gives it."""


class Fidelity(StrEnum):
    """How an emitted query relates to the rule's meaning (docs/semantics.md, Fidelity)."""

    EXACT = "exact"
    ASSUMED = "assumed"
    """Exact if the assumptions that its reasons name hold (pipelines/*/*.assumptions.yml)."""
    BROADER = "broader"
    """It may return more, never less."""
    NARROWER = "narrower"
    """It may miss (and may also return more)."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a query is not exact, or what an `exact` one must be read with (a note has fidelity EXACT)."""

    fidelity: Fidelity
    text: str
    relaxation: str = ""
    """Of a broader or narrower one: the name of what the reference matcher does to the rule so that it means
    just what the query selects (converter/verify/relaxations/)."""
    unbounded: bool = False
    """A query that is broader for this reason raises alerts on a plain day that the rule does not mean, so it
    is not given by default (docs/bounds.md)."""


@dataclass(frozen=True, slots=True)
class BaseRule:
    """One event rule after its pipeline: fields are the cell's, event filters are in the tree."""

    name: str
    """The name, or else the id, by which correlations and people call the rule."""
    condition: Condition
    """What the rule asks of an event; several conditions are joined by OR. Event filters are AND-ed in."""
    state: Mapping[str, Any]
    """The pipeline's state after the rule: ``index``/``table``, ``eql_category``, ``time_field`` ..."""
    columns: Columns
    fields: tuple[str, ...] = ()
    """The rule's ``fields``, mapped."""
    category: str | None = None
    """Of the rule's log source."""
    choosing: frozenset[str] = frozenset()
    """The fields by which the pipeline chooses the events of the log source."""


@dataclass(frozen=True, slots=True)
class Threshold:
    """One comparison of a correlation's condition: ``op`` is gt, gte, lt, lte, eq or neq."""

    op: str
    value: float


@dataclass(frozen=True, slots=True)
class Member:
    """A rule that a correlation refers to, with the columns that play each part in it."""

    name: str
    """The reference as the correlation writes it (rule name or id); unique within the correlation."""
    source: BaseRule | CorrelationPlan
    group_by: tuple[tuple[str, ...], ...]
    """For each group-by key of the correlation, in order, the member's columns that hold it
    (aliases resolved, fields mapped; more than one where a field is split, as user into domain and name).
    If ``source`` is itself a correlation these are names of that correlation's group-by keys."""
    values: tuple[tuple[str, ...], ...] = ()
    """The same for the fields of the condition (value_count, value_sum ...)."""


@dataclass(frozen=True, slots=True)
class CorrelationPlan:
    """A correlation rule whose references, aliases and fields are resolved per member."""

    rule: Mapping[str, Any]
    """The rule as loaded (title, id, level, fields ...)."""
    name: str
    type: str
    """event_count, value_count, temporal, temporal_ordered, value_sum, value_avg, value_percentile."""
    members: tuple[Member, ...]
    group_by: tuple[str, ...]
    """Group-by keys and aliases as the rule writes them."""
    timespan_ms: int
    thresholds: tuple[Threshold, ...]
    """All must hold (a range is two). For temporal types: how many of the members (default: all)."""
    percentile: float | None = None
    expression: Any = None
    """Boolean temporal condition: nested tuples ("and"|"or"|"not", ...) over member names; else None."""
    fields: tuple[str, ...] = ()
    """The rule's ``fields`` mapped for the completing event, for the alert row."""


@dataclass(frozen=True, slots=True)
class AlertColumns:
    """Which columns of a correlation query's rows carry what; `verify` and exports read it.

    Times are first and last event of the alert; ``group`` is in the order of the plan's ``group_by``.
    """

    first: str
    last: str
    group: tuple[str, ...]
    count: str
    values: str | None = None
    """The list of the distinct values that a value_count counted, where the rows have one."""


@dataclass(frozen=True, slots=True)
class Draft:
    """One query as a backend makes it, before the header."""

    text: str
    name: str | None = None
    """Suffix where one rule needs several queries (one per order of a temporal correlation)."""
    reasons: tuple[Reason, ...] = ()
    """What this language or query form loses, beyond what the fields lose."""
    alert: AlertColumns | None = None
    """Set for KQL and SPL correlations."""
    extension: str | None = None
    """Of the file, where it is not the backend's own."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Threshold and the like for JSON outputs, and for Kibana: a query with the filters that it needs."""
