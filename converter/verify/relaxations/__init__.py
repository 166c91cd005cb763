"""What the label of a query takes away from a rule: a registry of relaxations by name.

A reason with a fidelity `broader` or `narrower` names one. The relaxed rule is evaluated by the reference
matcher, and the query must select exactly what it means. Nothing here knows how a backend or a pipeline
writes a query: a relaxation is told from the reason's text, the specification and the vendor's records.
docs/semantics.md says how to add one.
"""

from __future__ import annotations

from collections.abc import Iterable

from converter.verify.relaxations import correlations, dropped, fields, keywords, long, names, sources, words
from converter.verify.relaxations.situation import Relaxation, Situation

__all__ = ["REGISTRY", "Relaxation", "Situation", "known", "relaxed"]

REGISTRY: dict[str, Relaxation] = {
    one.name: one
    for one in (
        *names.RELAXATIONS,
        *fields.RELAXATIONS,
        *sources.RELAXATIONS,
        *keywords.RELAXATIONS,
        *words.RELAXATIONS,
        *long.RELAXATIONS,
        *dropped.RELAXATIONS,
        *correlations.RELAXATIONS,
    )
}
"""By name."""


def known(text: str) -> bool:
    """Tell whether a reason's relaxation (a name, or a name, a colon and an argument) is in the registry."""
    return text.partition(":")[0] in REGISTRY


def relaxed(relaxations: Iterable[str], situation: Situation) -> Situation:
    """Return the situation with the relaxations applied one after the other, each once.

    Args:
        relaxations: as reasons name them.
        situation: the rule, what it refers to, and events.
    """
    for text in dict.fromkeys(relaxations):
        name, _, argument = text.partition(":")
        situation = REGISTRY[name].relax(situation, argument.strip())
    return situation
