"""How often a query runs and how far back it looks, so that no window falls between two runs."""

from __future__ import annotations

from dataclasses import dataclass

from converter.plan.model import BaseRule, CorrelationPlan

INTERVAL = 300
"""Seconds between two runs: the shortest period of a scheduled rule in Microsoft Sentinel, and the default of
Elastic Security (both vendors' documentation of rule schedules)."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """When a query runs."""

    interval: int
    """Seconds between two runs."""
    lookback: int
    """Seconds from the earliest event that a run reads to the run: the interval, and before it the window
    of an alert that is completed just after the last run."""


def schedule(plan: BaseRule | CorrelationPlan, interval: int = INTERVAL) -> Schedule:
    """Return the schedule of a rule: a window of 1 h every 5 minutes looks back 1 h 5 m.

    Args:
        plan: the rule as it was handed to the backend.
        interval: seconds between two runs.
    """
    return Schedule(interval, interval + -(-_window(plan) // 1000))


def _window(plan: BaseRule | CorrelationPlan) -> int:
    """Return milliseconds: a window's first alert may itself have begun one window of its own earlier."""
    if isinstance(plan, BaseRule):
        return 0
    return plan.timespan_ms + max(_window(member.source) for member in plan.members)
