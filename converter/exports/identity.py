"""Ids of imported rules: the same in every run, and of no two rules that stand side by side in a SIEM."""

from __future__ import annotations

from uuid import NAMESPACE_URL, UUID, uuid5

from converter.exports.item import ExportItem

_FIRST = ("sysmon", "none")
"""Sources whose rules keep the Sigma id: Sigma's field names are Sysmon's, or the rule's own."""


def rule_id(item: ExportItem, query: str | None = None) -> str:
    """Return the UUID of an imported rule.

    It is the Sigma id itself, but for a further query of a rule that needs several, and for sources beside
    Sysmon: with one id for all of them, importing a rule for a second source would replace the first.

    Args:
        item: the rule.
        query: the query's name, where the rule needs several.
    """
    try:
        sigma = UUID(item.id)
    except ValueError:  # No id, or one that is no UUID.
        sigma = uuid5(NAMESPACE_URL, f"sigconv:{item.file}:{item.id or item.rule.get('name') or item.title}")
    parts = [part for part in ("" if item.source in _FIRST else item.source, query or "") if part]
    return str(uuid5(sigma, "/".join(parts)) if parts else sigma)
