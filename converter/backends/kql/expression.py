"""Boolean expressions as text that knows its structure, so that it is grouped once and laid out once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

WIDTH = 110
"""Characters of a line that is not broken."""
INDENT = "    "
CHAIN_MAX = 100
"""Terms of one and/or chain. Kusto's parser nests each `or` and stops at a depth of about 450 (KS245)."""

Operator = Literal["", "and", "or"]


class Expr(str):
    """One expression: its text on one line, and the parts that it can be broken into.

    ``op`` joins ``parts``; without it, ``head`` and parts are ``head(part, part)``, and parts without a
    head stand in parentheses.
    """

    op: Operator
    parts: tuple[Expr, ...]
    head: str

    def __new__(cls, text: str, op: Operator = "", parts: Sequence[Expr] = (), head: str = "") -> Expr:
        """Make an expression; use `atom`, `call`, `all_of`, `any_of` and `negation`."""
        self = super().__new__(cls, text)
        self.op = op
        self.parts = tuple(parts)
        self.head = head
        return self

    def laid_out(self, indent: str = "", *, hanging: bool = True) -> str:
        """Return the text, broken into lines where it is longer than `WIDTH`.

        ``indent`` is that of the line on which the expression begins; ``hanging``: indent further lines.
        """
        deeper = indent + INDENT
        if len(indent) + len(self) <= WIDTH or not self.parts:
            return str(self)
        if self.op:
            begin = deeper if hanging else indent
            return f"\n{begin}{self.op} ".join(_grouped(part, self.op, begin) for part in self.parts)
        if self.head == "not":
            return f"not(\n{deeper}{self.parts[0].laid_out(deeper, hanging=False)}\n{indent})"
        return f"{self.head}(\n{deeper}{_filled(self.parts, deeper)})"


def atom(text: str) -> Expr:
    """Return an expression that needs no parentheses anywhere."""
    return Expr(text)


def call(head: str, items: Iterable[str]) -> Expr:
    """Return ``head(items)``: a function call, or a comparison with a list (``F in~ (...)``)."""
    parts = tuple(Expr(item) for item in items)
    return Expr(f"{head}({', '.join(parts)})", parts=parts, head=head)


def all_of(parts: Iterable[Expr]) -> Expr:
    """Join by `and`; nested `and` and repeated parts are merged."""
    return _joined("and", parts)


def any_of(parts: Iterable[Expr]) -> Expr:
    """Join by `or`; nested `or` and repeated parts are merged, long chains grouped."""
    return _joined("or", parts)


def negation(expr: Expr) -> Expr:
    """Return ``not(...)`` of an expression."""
    return Expr(f"not({expr})", parts=(expr,), head="not")


def _joined(op: Operator, parts: Iterable[Expr]) -> Expr:
    flat: dict[Expr, None] = {}
    for part in parts:
        for one in part.parts if part.op == op else (part,):
            flat[one] = None
    terms = list(flat)
    while len(terms) > CHAIN_MAX:
        chains = [_chain(op, terms[i : i + CHAIN_MAX]) for i in range(0, len(terms), CHAIN_MAX)]
        terms = [Expr(f"({chain})", parts=(chain,)) for chain in chains]
    return terms[0] if len(terms) == 1 else _chain(op, terms)


def _chain(op: Operator, terms: Sequence[Expr]) -> Expr:
    return Expr(f" {op} ".join(_grouped(term, op) for term in terms), op, terms)


def _grouped(part: Expr, op: Operator, indent: str | None = None) -> str:
    """Return a part of a chain, in parentheses if it is a chain of the other operator."""
    in_parentheses = bool(part.parts) and not part.op and not part.head
    inner = part.parts[0] if in_parentheses else part
    if not in_parentheses and part.op in ("", op):
        return str(part) if indent is None else part.laid_out(indent)
    if indent is None or len(indent) + len(inner) + 2 <= WIDTH:
        return f"({inner})"
    deeper = indent + INDENT
    return f"(\n{deeper}{inner.laid_out(deeper, hanging=False)}\n{indent})"


def _filled(items: Sequence[str], indent: str) -> str:
    """Return the items separated by commas, as many on a line as fit."""
    lines = [""]
    for position, item in enumerate(items):
        piece = item + (", " if position < len(items) - 1 else "")
        if lines[-1] and len(indent) + len(lines[-1]) + len(piece) > WIDTH:
            lines.append("")
        lines[-1] += piece
    return f"\n{indent}".join(line.rstrip() for line in lines)
