"""Sigma's regular expressions in EQL: Lucene's flavour, over the whole value."""

from __future__ import annotations

from typing import Any

from converter.backends.eql.expression import Node
from converter.errors import Refusal


def translate(name: str, value: Any) -> Node:
    """Return the condition of a regular expression.

    Raises:
        Refusal: SC202 for what Lucene's flavour cannot say.
    """
    raise Refusal("SC202", "regular expressions: not yet")
