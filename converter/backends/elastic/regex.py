"""Translate Sigma's regular expressions into Lucene's flavour, as EQL and Lucene queries take it.

Lucene matches the whole value, has no anchors, and its ``.`` matches newlines. The text that comes out
means the same in every Lucene since 8: classes are spelled out (older versions read ``\\d`` as the letter),
operators of all of Lucene's optional syntaxes are escaped. A newline, and what else has no printable form,
stands as itself: Lucene has no escape for it.
"""

from __future__ import annotations

import string
from collections.abc import Sequence
from enum import Enum
from typing import Literal, NoReturn

from converter.backends.common.regex_syntax import (
    EVERY,
    LAST,
    NEWLINE,
    WORD,
    Alt,
    Anchor,
    Chars,
    Flags,
    Node,
    Ranges,
    Repeat,
    Seq,
    complement,
    parse,
    ranges,
)
from converter.errors import Refusal

ANYTHING = Repeat(Chars(EVERY), 0, None)
_NEWLINE = Chars(NEWLINE)
_OPERATORS = frozenset('.?+*|{}[]()"\\#@&<>~^$')
_CLASS_OPERATORS = frozenset('\\]-^["')


class _Edge(Enum):
    """What lies beside a part of the expression."""

    OPEN = "anything"
    """The value may go on: the expression is searched for, not matched."""
    TEXT = "the value's start or end"
    LINE = "a line's start or end"
    INNER = "more of the expression"


def to_lucene(
    pattern: str,
    *,
    ignore_case: bool,
    multiline: bool,
    dotall: bool,
    fold: Literal["classes", "flag"],
) -> str:
    """Return the Lucene regex of the values in which a PCRE is found.

    Args:
        pattern: a Sigma regular expression, searched for anywhere in the value.
        ignore_case: modifier ``i`` (ASCII letters).
        multiline: modifier ``m``.
        dotall: modifier ``s``.
        fold: where case is ignored, ``classes`` writes ``[Ff][Oo]``; ``flag`` leaves literals as they are,
            for a query that ignores case by itself (classes are still written in both cases).

    Raises:
        Refusal: SC202, naming the construct that Lucene lacks and the language that has it.
    """
    return write(tree_of(pattern, ignore_case=ignore_case, multiline=multiline, dotall=dotall, fold=fold))


def tree_of(
    pattern: str, *, ignore_case: bool, multiline: bool, dotall: bool, fold: Literal["classes", "flag"]
) -> Node:
    """Return the expression of `to_lucene` as a tree without anchors, over the whole value."""
    flags = Flags(ignore_case, multiline, dotall, by_flag=fold == "flag" and ignore_case)
    return _whole(parse(pattern, flags), _Edge.OPEN, _Edge.OPEN)


def _inner_anchor() -> NoReturn:
    raise Refusal(
        "SC202",
        "Lucene's regular expressions have no anchors: ^, $ or \\b stands where it cannot be expressed as "
        "the value's start or end; KQL and SPL can say it",
    )


def _has_anchor(node: Node) -> bool:
    if isinstance(node, Anchor):
        return True
    if isinstance(node, Repeat):
        return _has_anchor(node.item)
    return isinstance(node, Seq | Alt) and any(map(_has_anchor, node.items))


def _items(node: Node) -> tuple[Node, ...]:
    """Return a sequence's items, sequences within it dissolved."""
    if not isinstance(node, Seq):
        return (node,)
    return tuple(one for item in node.items for one in _items(item))


def _whole(node: Node, left: _Edge, right: _Edge) -> Node:
    """Replace anchors: return what the whole value is when ``node`` is between the edges."""
    if not _has_anchor(node):
        inner = _trimmed(_items(node), left, right)
        if not inner and _Edge.OPEN in (left, right):
            return ANYTHING
        return Seq((*_before(left), *inner, *_after(right)))
    if isinstance(node, Alt):
        return _either([_whole(item, left, right) for item in node.items])
    if isinstance(node, Repeat):
        if (node.low, node.high) == (0, 1):
            return _either([_whole(node.item, left, right), _whole(Seq(), left, right)])
        if (node.low, node.high) == (1, 1):
            return _whole(node.item, left, right)
        _inner_anchor()
    items = list(_items(node))
    before: list[Node] | None = None
    after: list[Node] | None = None
    while items and isinstance(items[0], Anchor):
        kind = items[0].kind
        if kind == "boundary":
            before = _boundary(left, _first(items[1:]), left=True)
            left = _Edge.INNER
        elif kind in ("start", "line start"):
            left = _anchored(left, kind)
        elif all(isinstance(item, Anchor) for item in items):
            break  # Only `$` and the like are left: they belong to the right edge.
        else:
            _inner_anchor()
        items.pop(0)
    while items and isinstance(items[-1], Anchor):
        kind = items[-1].kind
        if kind == "boundary":
            after = _boundary(right, _last(items[:-1]), left=False)
            right = _Edge.INNER
        elif kind in ("end", "last", "line end") and (kind, right) != ("end", _Edge.TEXT):
            if kind == "last" and right is _Edge.OPEN:
                # PCRE's `$` also comes before a newline that ends the text.
                after = [Repeat(_NEWLINE, 0, 1)]
            elif kind == "last" and right is not _Edge.TEXT:
                _inner_anchor()
            right = _anchored(right, "start" if kind in ("end", "last") else "line start")
        else:
            _inner_anchor()
        items.pop()
    return _between(items, left, right, before, after)


def _between(
    items: list[Node], left: _Edge, right: _Edge, before: list[Node] | None, after: list[Node] | None
) -> Node:
    """Join what is between anchors; anchors inside the first and the last item may touch the edges."""
    outer_left, outer_right = tuple(before or ()), tuple(after or ())
    if (before and _has_anchor(Seq(tuple(items[:1])))) or (after and _has_anchor(Seq(tuple(items[-1:])))):
        _inner_anchor()
    if len(items) <= 1 or not _has_anchor(Seq(tuple(items))):
        middle: tuple[Node, ...] = (_whole(items[0] if len(items) == 1 else Seq(tuple(items)), left, right),)
    else:
        if _has_anchor(Seq(tuple(items[1:-1]))):
            _inner_anchor()
        middle = (
            _whole(items[0], left, _Edge.INNER),
            *items[1:-1],
            _whole(items[-1], _Edge.INNER, right),
        )
    return Seq((*outer_left, *middle, *outer_right))


def _anchored(edge: _Edge, kind: str) -> _Edge:
    """Return the edge once a start anchor (or, mirrored, an end anchor) is at it."""
    if edge is _Edge.INNER or (edge is _Edge.LINE and kind == "start"):
        _inner_anchor()
    return _Edge.TEXT if kind == "start" or edge is _Edge.TEXT else _Edge.LINE


def _before(edge: _Edge) -> tuple[Node, ...]:
    if edge is _Edge.OPEN:
        return (ANYTHING,)
    return (_optional(ANYTHING, _NEWLINE),) if edge is _Edge.LINE else ()


def _after(edge: _Edge) -> tuple[Node, ...]:
    if edge is _Edge.OPEN:
        return (ANYTHING,)
    return (_optional(_NEWLINE, ANYTHING),) if edge is _Edge.LINE else ()


def _either(items: Sequence[Node]) -> Node:
    """Return an alternative; an empty branch makes the others optional, as Lucene has no empty branch."""
    full = tuple(item for item in dict.fromkeys(items) if _items(item))
    inner = full[0] if len(full) == 1 else Alt(full)
    return inner if len(full) == len(set(items)) else Repeat(inner, 0, 1) if full else Seq()


def _optional(*items: Node) -> Node:
    return Repeat(Seq(items), 0, 1)


def _boundary(edge: _Edge, neighbour: Ranges | None, *, left: bool) -> list[Node]:
    r"""Return what is beside a ``\b`` at an edge whose next character is of ``neighbour``."""
    if neighbour is None or edge not in (_Edge.OPEN, _Edge.TEXT):
        _inner_anchor()
    word = ranges([*neighbour, *WORD]) == WORD
    if not word and ranges([*neighbour, *complement(WORD)]) != complement(WORD):
        _inner_anchor()
    if edge is _Edge.TEXT:
        if not word:
            _inner_anchor()
        return []
    beside: list[Node] = [ANYTHING, Chars(complement(WORD) if word else WORD)]
    if not left:
        beside.reverse()
    return [_optional(*beside)] if word else beside


def _first(items: Sequence[Node]) -> Ranges | None:
    """Return the characters that a sequence can begin with; None if it can be empty or is anchored."""
    return _end(items, 0)


def _last(items: Sequence[Node]) -> Ranges | None:
    return _end(items, -1)


def _end(items: Sequence[Node], at: int) -> Ranges | None:
    found: list[tuple[int, int]] = []
    for item in items if at == 0 else reversed(items):
        match item:
            case Anchor():
                return None
            case Chars():
                inner: Ranges | None = item.ranges
            case Seq():
                inner = _end(item.items, at)
            case Repeat():
                inner = _end([item.item], at)
            case Alt():
                parts = [_end([one], at) for one in item.items]
                inner = None if None in parts else ranges(pair for part in parts for pair in part or ())
        if inner is None:
            return None
        found.extend(inner)
        if not nullable(item):
            return ranges(found)
    return None


def nullable(node: Node) -> bool:
    """Tell whether the empty string matches."""
    match node:
        case Chars():
            return False
        case Anchor():
            return True
        case Seq():
            return all(map(nullable, node.items))
        case Alt():
            return any(map(nullable, node.items))
        case Repeat():
            return node.low == 0 or nullable(node.item)


def _trimmed(items: tuple[Node, ...], left: _Edge, right: _Edge) -> tuple[Node, ...]:
    """Drop what an open edge makes redundant: ``x*foo`` is found wherever ``foo`` is."""
    found = list(items)
    for edge, at in ((left, 0), (right, -1)):
        while edge is _Edge.OPEN and found:
            item = found[at]
            if nullable(item):
                found.pop(at)
                continue
            if isinstance(item, Repeat) and item.high != item.low:
                found[at] = item.item if item.low == 1 else Repeat(item.item, item.low, item.low)
            break
    return tuple(found)


def write(node: Node) -> str:
    """Return a tree without anchors in Lucene's syntax."""
    match node:
        case Chars():
            return _chars(node)
        case Seq():
            return "".join(_atom(item) if isinstance(item, Alt) else write(item) for item in node.items)
        case Alt():
            return "|".join(write(item) for item in node.items)
        case Repeat():
            return _atom(node.item) + _count(node.low, node.high)
    raise AssertionError(node)


def _atom(node: Node) -> str:
    while isinstance(node, Seq) and len(node.items) == 1:
        node = node.items[0]
    text = write(node)
    return text if isinstance(node, Chars) else f"({text})"


def _count(low: int, high: int | None) -> str:
    if high is None:
        return {0: "*", 1: "+"}.get(low, f"{{{low},}}")
    if (low, high) == (0, 1):
        return "?"
    return f"{{{low}}}" if low == high else f"{{{low},{high}}}"


def _chars(node: Chars) -> str:
    given = node.ranges
    if given == EVERY:
        return "."
    if len(given) == 1 and given[0][0] == given[0][1]:
        return literal(chr(given[0][0]))
    if given[-1][1] == LAST:
        return f"[^{_class(complement(given))}]"
    return f"[{_class(given)}]"


def _class(given: Ranges) -> str:
    """Return a class's inside. No range begins or ends with an escape: Lucene reads ``[\\\\-x]`` as three."""
    parts: list[str] = []
    for low, high in given:
        ends: list[str] = []
        while low < high and chr(low) in _CLASS_OPERATORS:
            parts.append("\\" + chr(low))
            low += 1
        while low < high and chr(high) in _CLASS_OPERATORS:
            ends.append("\\" + chr(high))
            high -= 1
        if high - low < 2:
            parts.extend(_in_class(chr(code)) for code in range(low, high + 1))
        else:
            parts.append(f"{chr(low)}-{chr(high)}")
        parts.extend(ends)
    return "".join(parts)


def _in_class(char: str) -> str:
    return "\\" + char if char in _CLASS_OPERATORS else char


def literal(text: str) -> str:
    """Return a regex that matches just the text."""
    return text.translate(_LITERAL)


_LITERAL = {ord(char): f"\\{char}" for char in _OPERATORS}
_EITHER_CASE = _LITERAL | {ord(c): f"[{c.upper()}{c.lower()}]" for c in string.ascii_letters}


def either_case(text: str) -> str:
    """Return a regex that matches the text whatever the case of its ASCII letters."""
    return text.translate(_EITHER_CASE)
