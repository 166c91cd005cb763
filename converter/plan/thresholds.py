"""What the comparisons of a correlation's condition come to."""

from __future__ import annotations

from collections.abc import Sequence
from math import floor

from converter.plan.model import Threshold


def lower_bound(thresholds: Sequence[Threshold]) -> int | None:
    """Return N if the thresholds say "N or more" of a count, else None."""
    bounds = []
    for threshold in thresholds:
        if threshold.op not in ("gt", "gte"):
            return None
        whole = floor(threshold.value)
        above = threshold.op == "gt" or whole != threshold.value
        bounds.append(whole + 1 if above else whole)
    return max(bounds) if bounds else None
