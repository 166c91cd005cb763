"""`SplBackend`: rules and correlations as searches."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from converter.backends.spl import condition
from converter.backends.spl.correlation import search
from converter.backends.spl.keywords import keyword_reasons
from converter.plan.model import BaseRule, CorrelationPlan, Draft


class SplBackend:
    """Splunk's SPL.

    pySigma's backend writes what `search` can say and defers the rest to commands of their own, which loses
    or inverts conditions; here a condition is split in two as a whole (`condition.split`).
    """

    language: ClassVar[str] = "spl"
    extension: ClassVar[str] = "spl"
    correlation_extension: ClassVar[str] = "spl"

    def event(self, base: BaseRule) -> list[Draft]:
        """Return the one search that selects the events of a rule.

        Raises:
            Refusal: SC201, SC206, SC209.
        """
        split = condition.split(condition.build(base.condition, base.columns), base.state)
        text = "\n| ".join([split.terms, *split.commands])
        return [Draft(text, reasons=keyword_reasons(base.condition, base.columns))]

    def correlation(self, plan: CorrelationPlan) -> list[Draft]:
        """Return the one search that gives a row for each alert of a correlation.

        Raises:
            Refusal: as `event`; SC203, SC205.
        """
        return [search.draft(plan)]

    def comment(self, lines: Sequence[str]) -> str:
        """Return each line as a comment between triple backticks; backticks in it become apostrophes."""
        return "".join(f"```{' '.join(line.replace('`', chr(39)).split())}```\n" for line in lines)
