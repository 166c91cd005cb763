"""The KQL backend: event queries, correlations, comments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from converter.backends.kql.event_query import Writing, definitions, stages
from converter.backends.kql.literals import comment
from converter.plan.model import AlertColumns, BaseRule, CorrelationPlan, Draft, Fidelity, Reason

SENTINEL_MAX = 10_000
"""Characters of a scheduled rule's query (Microsoft's "Create a custom analytics rule")."""


class KqlBackend:
    """KQL. One instance per rule and cell."""

    language: ClassVar[str] = "kql"
    extension: ClassVar[str] = "kql"
    correlation_extension: ClassVar[str] = "kql"

    def __init__(self, *, filters: str = "on") -> None:
        """Make a backend.

        Args:
            filters: ``off`` leaves out filters on terms, for measurements (`benchmarks.kql_cost`).
        """
        self._writing = Writing(filters=filters == "on")

    def event(self, base: BaseRule) -> list[Draft]:
        """Return the query that selects the events of one rule.

        Raises:
            Refusal: if KQL or the columns cannot say the rule.
        """

        def text(writing: Writing) -> str:
            query = stages(base, writing=writing)
            return definitions(query.needs) + query.text()

        return [_draft(self._shortest_needed(text))]

    def correlation(self, plan: CorrelationPlan) -> list[Draft]:
        """Return the query that raises the correlation's alerts, one row per alert.

        Raises:
            Refusal: if KQL cannot say the correlation.
        """
        from converter.backends.kql.correlation.query import correlate

        alert = correlate(plan)[1]
        text = self._shortest_needed(lambda writing: correlate(plan, writing)[0])
        return [_draft(text, alert)]

    def _shortest_needed(self, write: Callable[[Writing], str]) -> str:
        """Return the query as usual or, where a scheduled rule cannot hold that, a shorter one."""
        usual = write(self._writing)
        if len(usual) <= SENTINEL_MAX:
            return usual
        shorter = (replace(self._writing, alternation=True), Writing(filters=False, alternation=True))
        return next((text for text in map(write, shorter) if len(text) <= SENTINEL_MAX), usual)

    def comment(self, lines: Sequence[str]) -> str:
        """Return the lines as ``//`` comments, which nothing in them can end."""
        return "".join(f"// {comment(line)}".rstrip() + "\n" for line in lines)


def _draft(text: str, alert: AlertColumns | None = None) -> Draft:
    reasons: tuple[Reason, ...] = ()
    if len(text) > SENTINEL_MAX:
        note = f"the query has {len(text)} characters; a scheduled rule of Sentinel takes {SENTINEL_MAX}"
        reasons = (Reason(Fidelity.EXACT, note),)
    return Draft(text, reasons=reasons, alert=alert)
