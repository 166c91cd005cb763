"""What import files say of a rule in words: its description, and how far its query is to be trusted."""

from __future__ import annotations

from collections.abc import Sequence

from converter.exports.item import ExportItem
from converter.plan.model import Fidelity

MEANING = {
    Fidelity.EXACT: "The query selects exactly what the Sigma rule means.",
    Fidelity.ASSUMED: "The query selects exactly what the Sigma rule means if the assumptions below hold.",
    Fidelity.BROADER: "The query may return more than the Sigma rule means, never less.",
    Fidelity.NARROWER: "The query may miss events that the Sigma rule means.",
}


def described(item: ExportItem) -> str:
    """Return the rule's own description; the title where it has none."""
    return str(item.rule.get("description") or "").strip() or item.title


def reasons(item: ExportItem) -> list[str]:
    """Return why a query is not exact, and its notes, each with its label."""
    return [
        f"{'note' if reason.fidelity == Fidelity.EXACT else reason.fidelity}: {reason.text}"
        for reason in item.reasons
    ]


def description(item: ExportItem, longest: int) -> str:
    """Return the description with its attribution and what is not exact, for formats with no other place.

    Of a text that is too long the rule's own description gives way.

    Args:
        item: the rule.
        longest: characters.
    """
    lines = [f"Made by sigconv from Sigma rule {item.id or item.title}; fidelity: {item.fidelity}."]
    if item.fidelity != Fidelity.EXACT:
        lines += [MEANING[item.fidelity]]
    lines += [f"- {' '.join(text.split())}" for text in reasons(item)]
    about = cut("\n".join(lines), longest // 2)
    return f"{cut(described(item), longest - len(about) - 2)}\n\n{about}"


def cut(text: str, longest: int) -> str:
    """Return a text of that many characters at the most, with an ellipsis where something is missing."""
    return text if len(text) <= longest else text[: longest - 1] + "…"


def bullets(lines: Sequence[str]) -> str:
    """Return a list in Markdown."""
    return "\n".join("- " + " ".join(line.split()) for line in lines)
