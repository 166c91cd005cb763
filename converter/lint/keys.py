"""Keys that are misspelt or stand at the wrong place (SC120), and `timeframe` (SC125).

The specification allows keys of one's own at the top of a rule, so an unknown one is only reported there if
it looks like a known one. In `logsource` and `correlation` every unknown key is.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from typing import Any

from converter.errors import RuleError
from converter.lint.schema import known_keys
from converter.rules.rule import Rule

_BELOW = {
    "category": "logsource",
    "product": "logsource",
    "service": "logsource",
    "condition": "detection",
    "timeframe": "detection",
    "selection": "detection",
    "timespan": "correlation",
    "group-by": "correlation",
    "rules": "correlation",
    "aliases": "correlation",
}
"""Keys of a section that are of no use at the top."""


def misplaced(rule: Rule) -> Iterator[RuleError]:
    """Yield SC120 and SC125."""
    kind = rule.kind
    known = known_keys(kind)
    fatal = "condition" not in _mapping(rule.doc.get("detection"))  # Then `condition` at the top is SC104.
    for key in rule.doc:
        if str(key) in known or (key == "condition" and fatal and kind == "rule"):
            continue
        if str(key) in _BELOW:
            section = "filter" if kind == "filter" and key in ("condition", "rules") else _BELOW[str(key)]
            yield rule.error(
                "SC120", f"'{key}' has no effect here", key, hint=f"indent it as a key of '{section}'"
            )
        elif close := _close(key, known):
            yield rule.error("SC120", f"unknown key '{key}'", key, hint=f"did you mean '{close}'?")
    for section in ("logsource", "correlation"):
        if section in known:
            yield from _unknown(rule, section, known_keys(kind, section))
    if "timeframe" in _mapping(rule.doc.get("detection")):
        yield rule.error("SC125", "'timeframe' has no effect", "detection", "timeframe")


def _unknown(rule: Rule, section: str, known: Sequence[str]) -> Iterator[RuleError]:
    for key in _mapping(rule.doc.get(section)):
        # pySigma and the loader take both spellings.
        if str(key) in known or key == "group_by":
            continue
        close = _close(key, known)
        hint = f"did you mean '{close}'?" if close else f"'{section}' takes {', '.join(known)}"
        yield rule.error("SC120", f"unknown key '{key}' in '{section}'", section, key, hint=hint)


def _mapping(value: Any) -> dict[Any, Any]:
    return value if isinstance(value, dict) else {}


def _close(key: Any, known: Sequence[str]) -> str | None:
    found = difflib.get_close_matches(str(key).lower(), known, 1, 0.8)
    return found[0] if found else None
