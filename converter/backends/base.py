"""What every language backend offers to `convert`. The registry is in `converter.backends`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

from converter.plan.model import BaseRule, CorrelationPlan, Draft


class LanguageBackend(Protocol):
    """One language. An instance is made for each rule and cell and thrown away after it."""

    language: ClassVar[str]
    """``eql``, ``lucene``, ``spl`` or ``kql``."""
    extension: ClassVar[str]
    """Of output files, without the dot. A backend whose correlations are another kind of file has
    ``correlation_extension`` too; ``json`` files get no comment header."""

    def event(self, base: BaseRule) -> list[Draft]:
        """Return the query (rarely: queries) that selects the events of one rule.

        Raises:
            Refusal: if the language cannot say the rule.
        """
        ...

    def correlation(self, plan: CorrelationPlan) -> list[Draft]:
        """Return the queries that raise the correlation's alerts.

        Raises:
            Refusal: if the language cannot say the correlation; the message names one that can.
        """
        ...

    def comment(self, lines: Sequence[str]) -> str:
        """Return a header that comments the lines out, ending in a newline, or "" if there are no comments.

        No text in a line may end the comment.
        """
        ...
