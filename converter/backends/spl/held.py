"""How a field holds the text that a rule means: as it is, with entities, in apostrophes, inside a JSON text.

Splunk's add-ons do not decode what Windows writes in XML (`<` is `&lt;` in the field). `search` therefore
looks for a text in both forms, as Splunk's own searches do (splunk/security_content,
detections/endpoint/impacket_lateral_movement_commandline_parameters.yml); an expression decodes it first.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from converter.backends.spl.text import eval_field, search_field
from converter.plan.columns import Columns
from converter.plan.values import ANY, ONE, Wildcard

Parts = tuple[str | Wildcard, ...]
_ENTITIES = ("&amp;", "&lt;", "&gt;")
_TAILS = tuple(entity[start:] for entity in _ENTITIES for start in range(1, len(entity)))
_MARKED = re.compile("[&<>]")


@dataclass(frozen=True, slots=True)
class Held:
    """A field of a cell."""

    field: str | None
    """As `search` writes it; None if `search` cannot look at it."""
    subject: str
    """The expression of its text as it is stored."""
    text: str
    """The expression of its text as the rule means it."""
    stored: str
    """``""``, ``xml``, ``quoted`` or ``json`` (`converter.plan.columns.Column`)."""


def held(name: str, columns: Columns) -> Held:
    """Return how a column holds its text.

    Raises:
        Refusal: SC201 for a name that SPL cannot write.
    """
    column = columns.get(name)
    if column is None or not (column.via or column.stored not in ("", "plain")):
        subject = eval_field(name)
        return Held(search_field(name), subject, subject, "")
    subject = column.via or eval_field(name)
    looked = column.field if column.via else name
    text = decoded(subject) if column.stored in ("xml", "quoted") else subject
    return Held(search_field(looked) if looked else None, subject, text, column.stored)


def decoded(subject: str) -> str:
    """Return the expression of a text without entities; the ampersand's comes last."""
    return f'replace(replace(replace({subject}, "&lt;", "<"), "&gt;", ">"), "&amp;", "&")'


def encoded(text: str) -> str:
    """Return a text as XML writes it between two tags."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def forms(stored: str, parts: Parts) -> tuple[list[Parts], bool]:
    """Return the patterns one of which a stored text matches, and whether that says just what the rule means.

    Args:
        stored: as in `Held`.
        parts: of the rule's value.
    """
    if stored == "json":
        return [_inside_json(parts)], False
    if stored not in ("xml", "quoted"):
        return [parts], True
    found = [tuple(encoded(part) if isinstance(part, str) else part for part in parts)]
    if found[0] != parts and not _could_be_encoded(parts):
        found.insert(0, parts)
    if stored == "quoted":
        whole = len(parts) == 1 and "'" not in str(parts[0])
        return [*found, *(_in_apostrophes(one) for one in found)], whole and aligned(parts)
    return found, aligned(parts)


def aligned(parts: Parts) -> bool:
    """Tell whether a text with entities matches the encoded parts only where the text without them does.

    After a wildcard a match may begin inside an entity: ``lt;`` is found in ``&lt;``.
    """
    return not any(
        isinstance(part, str)
        and position > 0
        and any(tail.startswith(part.lower()) or part.lower().startswith(tail) or part.lower() in tail
                for tail in _TAILS)
        for position, part in enumerate(parts)
    )  # fmt: skip


def plainly(parts: Parts) -> bool:
    """Tell whether a pattern means the same of a text with entities as of one without."""
    return ONE not in parts and not any(map(_marked, parts)) and aligned(parts)


def _marked(part: object) -> bool:
    return isinstance(part, str) and _MARKED.search(part) is not None


def _could_be_encoded(parts: Sequence[object]) -> bool:
    """Tell whether some encoded text matches the parts as they are, so that they would find another text."""
    for part in parts:
        if not isinstance(part, str):
            continue
        if "<" in part or ">" in part:
            return False
        for at, char in enumerate(part):
            rest = part[at:].lower()
            if char == "&" and not any(one.startswith(rest) or rest.startswith(one) for one in _ENTITIES):
                return False
    return True


def _in_apostrophes(parts: Parts) -> Parts:
    made = list(parts)
    if isinstance(made[0], str):
        made[0] = f"'{made[0]}"
    if isinstance(made[-1], str):
        made[-1] = f"{made[-1]}'"
    return tuple(made)


def _inside_json(parts: Parts) -> Parts:
    made: list[str | Wildcard] = [ANY]
    for part in parts:
        if isinstance(part, str) and part.isascii():
            made += [json.dumps(part)[1:-1], ANY]
    return tuple(made)
