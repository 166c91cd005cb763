"""Microsoft's names of tactics."""

from __future__ import annotations


def tactic_name(name: str) -> str:
    """Return Microsoft's name of a tactic: CommandAndControl."""
    return "".join(word[0].upper() + word[1:] for word in name.split())
