"""Write lists beyond the limit of clauses as few regexes, each with many of the values."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from converter.backends.common.regex_syntax import Alt, Seq
from converter.backends.elastic.determinize_effort import too_complex
from converter.backends.elastic.regex import ANYTHING, either_case, literal
from converter.backends.lucene import limits, text
from converter.backends.lucene.expression import (
    ANY,
    And,
    Node,
    Not,
    Or,
    Part,
    Regex,
    Text,
    both,
    either,
    negation,
)


def packed(node: Node) -> Node:
    """Return the condition with the alternatives of each field joined into regexes within Lucene's limits."""
    match node:
        case Not():
            return negation(packed(node.item))
        case And():
            return both([packed(item) for item in node.items])
        case Or():
            return either(_alternatives(node.items))
    return node


_Shape = tuple[str | None, bool, bool, bool]
"""Field, whether case is ignored, and whether anything may be before and after."""


def _alternatives(items: Iterable[Node]) -> list[Node]:
    """Join the values of one shape; ``.*(a|b).*`` is far simpler to Lucene than ``.*a.*|.*b.*``."""
    shapes: dict[_Shape, list[str]] = {}
    others: list[Node] = []
    for item in items:
        core = _core(item.parts) if isinstance(item, Text) else None
        if isinstance(item, Text) and core is not None:
            before, after = item.parts[:1] == (ANY,), item.parts[-1:] == (ANY,)
            shapes.setdefault((item.field, item.folds, before, after), []).append(core)
        else:
            others.append(packed(item))
    return [*(regex for shape, values in shapes.items() for regex in _batches(shape, values)), *others]


def _core(parts: Sequence[Part]) -> str | None:
    """Return the text of a value whose only wildcards are a star at either end."""
    inner = [part for part in parts if part is not ANY]
    return inner[0] if len(inner) == 1 and isinstance(inner[0], str) else None


def _batches(shape: _Shape, values: Sequence[str]) -> list[Regex]:
    _, folds, before, after = shape
    write = either_case if folds else literal
    head, tail = (".*(" if before else "("), (").*" if after else ")")
    if not before and not after:
        head = tail = ""
    found: list[Regex] = []
    batch: list[str] = []
    length = 0
    for value in values:
        more = text.regex_length(write(value)) + 1
        if batch and length + more + len(head + tail) > text.MAX_REGEX:
            found += _simple(shape, batch, head, tail)
            batch, length = [], 0
        batch.append(value)
        length += more
    return found + _simple(shape, batch, head, tail) if batch else found


def _simple(shape: _Shape, values: Sequence[str], head: str, tail: str) -> list[Regex]:
    """Return the values as one regex, or as several where Lucene would find it too complex."""
    field, folds, before, after = shape
    alike = [value.lower() if folds else value for value in values]
    tree = Seq(
        (
            *((ANYTHING,) if before else ()),
            Alt(tuple(limits.tree_of((value,)) for value in alike)),
            *((ANYTHING,) if after else ()),
        )
    )
    if len(values) > 1 and too_complex(tree):
        middle = len(values) // 2
        return _simple(shape, values[:middle], head, tail) + _simple(shape, values[middle:], head, tail)
    write = either_case if folds else literal
    return [Regex(field, head + "|".join(map(write, values)) + tail)]
