"""Which of the loaded rules a run is about: by status, level, tag and id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from converter.errors import UsageError
from converter.project.ids import canonical

if TYPE_CHECKING:
    from converter.rules.rule import Rule

LEVELS = ("informational", "low", "medium", "high", "critical")
"""Of the Sigma specification 2.1, rising."""
STATUSES = ("stable", "test", "experimental", "deprecated", "unsupported")
"""Of the Sigma specification 2.1."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a rule must have: all of the kinds that are given, and of each kind one of its values."""

    statuses: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    min_level: str | None = None
    tags: tuple[str, ...] = ()
    """Tags or patterns of tags (``attack.t1021*``), in any case."""
    ids: tuple[str, ...] = ()
    """Ids or names."""

    def __bool__(self) -> bool:
        return bool(self.statuses or self.levels or self.min_level or self.tags or self.ids)

    def takes(self, rule: Rule) -> bool:
        """Tell whether the rule is selected; one that lacks a key has none of its values."""
        level = str(rule.doc.get("level") or "").lower()
        if self.statuses and str(rule.doc.get("status") or "").lower() not in self.statuses:
            return False
        if self.levels and level not in self.levels:
            return False
        if self.min_level and (level not in LEVELS or LEVELS.index(level) < LEVELS.index(self.min_level)):
            return False
        tags = [str(tag).lower() for tag in rule.doc.get("tags") or []]
        if self.tags and not any(fnmatchcase(tag, wanted.lower()) for tag in tags for wanted in self.tags):
            return False
        return not self.ids or bool(_names(rule) & {_wanted(wanted) for wanted in self.ids})

    def check(self, rules: Sequence[Rule]) -> None:
        """Refuse a selection that leaves nothing, or an id that no rule has: most often a slip of the pen.

        Args:
            rules: all that could be selected.

        Raises:
            UsageError: SC606.
        """
        known = {name for rule in rules for name in _names(rule)}
        for wanted in self.ids:
            if _wanted(wanted) not in known:
                raise UsageError(
                    "SC606", f"no rule that is converted on its own has the id or name '{wanted}'"
                )
        if self and not any(self.takes(rule) for rule in rules):
            raise UsageError("SC606", "the selection leaves no rule")


def _wanted(name: str) -> str:
    return canonical(name).lower()


def _names(rule: Rule) -> set[str]:
    return {str(rule.doc[key]).lower() for key in ("id", "name") if rule.doc.get(key)}
