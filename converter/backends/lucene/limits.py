"""Refuse at build time what Elasticsearch would find too complex to determinise."""

from __future__ import annotations

from collections.abc import Sequence

from converter.backends.common.regex_syntax import EVERY, Chars, Node, Seq
from converter.backends.elastic.determinize_effort import too_complex
from converter.backends.elastic.regex import ANYTHING
from converter.backends.lucene.expression import ANY, Part
from converter.errors import Refusal

_SHORT = 300


def check(tree: Node, shown: str) -> None:
    """Refuse an expression that Lucene would not determinise within 10,000 states' worth of work.

    Args:
        tree: over the whole value, without anchors.
        shown: what to call it in the message.

    Raises:
        Refusal: SC203.
    """
    if too_complex(tree):
        raise Refusal(
            "SC203",
            f"Elasticsearch would find {shown!r:.100} too complex to determinize (10,000 states); "
            "KQL and SPL have no such limit",
        )


def check_text(parts: Sequence[Part], shown: str) -> None:
    """Refuse text with wildcards that Lucene would not determinise.

    Raises:
        Refusal: SC203.
    """
    literals = [part for part in parts if isinstance(part, str)]
    # One short text between stars cannot come near the limit: at worst half the square of its length.
    if len(parts) - len(literals) > 2 or len(literals) > 1 or len("".join(literals)) > _SHORT:
        check(tree_of(parts), shown)


def tree_of(parts: Sequence[Part]) -> Node:
    """Return the expression of text with wildcards."""
    items: list[Node] = []
    for part in parts:
        if isinstance(part, str):
            items.extend(Chars(((ord(char), ord(char)),)) for char in part)
        else:
            items.append(ANYTHING if part is ANY else Chars(EVERY))
    return Seq(tuple(items))
