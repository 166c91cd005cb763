"""Parse a rule's condition: and, or, not, parentheses, `1 of`, `any of`, `all of`, `them` and patterns.

Sigma specification 2.1, "Condition". Precedence from least to most binding: or, and, not.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from converter.errors import RuleError


@dataclass(frozen=True, slots=True)
class Name:
    """A reference to one selection."""

    name: str


@dataclass(frozen=True, slots=True)
class Not:
    """What must not hold."""

    item: Tree


@dataclass(frozen=True, slots=True)
class Junction:
    """What must hold together, or of which one must hold."""

    op: Literal["and", "or"]
    items: tuple[Tree, ...]


Tree = Name | Not | Junction

# Deeper trees would exhaust Python's stack when they are evaluated.
MAX_DEPTH = 200
_TOKEN = re.compile(r"\s*(?:([()])|([A-Za-z0-9_*?.-]+)|(\S))")
_BINDING = {"or": 1, "and": 2, "not": 3}
_QUANTIFIERS = {"1": "or", "any": "or", "all": "and"}
_WORDS = {"and", "or", "not", "of", "them", "1", "any", "all"}


def parse(text: str, names: Sequence[str]) -> Tree:
    """Parse one condition.

    Args:
        text: the condition.
        names: the rule's selections, in order.

    Raises:
        RuleError: SC105 for what is no condition and for a selection that is not defined.
    """
    return _Parser(text, names).parse()


class _Parser:
    """Operator precedence with two stacks: a thousand parentheses need no recursion."""

    def __init__(self, text: str, names: Sequence[str]) -> None:
        self.text = text
        self.names = names
        self.tokens = list(_tokens(text))
        self.items: list[Tree] = []
        self.operators: list[str] = []

    def parse(self) -> Tree:
        if not self.tokens:
            raise RuleError("SC105", "the condition is empty")
        wants_item = True
        position = 0
        while position < len(self.tokens):
            token = self.tokens[position]
            if wants_item and token in ("(", "not"):
                self.operators.append(token)
            elif wants_item and self._is_quantifier(position):
                pattern = self.tokens[position + 2] if position + 2 < len(self.tokens) else None
                self.items.append(self._quantified(token, pattern))
                position += 2
                wants_item = False
            elif wants_item and token not in ("and", "or", ")"):
                self.items.append(Name(self._defined(token)))
                wants_item = False
            elif not wants_item and token in ("and", "or"):
                self._reduce(_BINDING[token])
                self.operators.append(token)
                wants_item = True
            elif not wants_item and token == ")":
                self._reduce(0)
                if not self.operators:
                    raise self._error("a ')' without its '('")
                self.operators.pop()
            else:
                raise self._error(f"unexpected '{token}'", self._hint(token))
            position += 1
        if wants_item:
            raise self._error(f"something must follow '{self.tokens[-1]}'")
        self._reduce(0)
        if self.operators:
            raise self._error("a '(' without its ')'")
        if _depth(self.items[0]) > MAX_DEPTH:
            raise RuleError("SC105", f"the condition is nested deeper than {MAX_DEPTH}")
        return self.items[0]

    def _reduce(self, binding: int) -> None:
        """Build what binds at least as strongly as the operator that comes."""
        while (
            self.operators and self.operators[-1] != "(" and _BINDING[self.operators[-1]] >= max(binding, 1)
        ):
            operator = self.operators.pop()
            right = self.items.pop()
            if operator == "not":
                self.items.append(right.item if isinstance(right, Not) else Not(right))
            else:
                left = self.items.pop()
                self.items.append(junction("and" if operator == "and" else "or", [left, right]))

    def _is_quantifier(self, position: int) -> bool:
        return self.tokens[position + 1 : position + 2] == ["of"]

    def _quantified(self, quantifier: str, pattern: str | None) -> Tree:
        op = _QUANTIFIERS.get(quantifier)
        if op is None:
            raise self._error(f"'{quantifier} of' is not Sigma; it has '1 of', 'any of' and 'all of'")
        if pattern is None or pattern in "()":
            raise self._error(f"'them' or a name must follow '{quantifier} of'")
        found = [name for name in self.names if _selects(pattern, name)]
        if not found:
            raise RuleError("SC105", f"no selection matches '{quantifier} of {pattern}'")
        return junction("and" if op == "and" else "or", [Name(name) for name in found])

    def _defined(self, name: str) -> str:
        if name in self.names:
            return name
        if name == "of" or name in ("them",):
            raise self._error(f"unexpected '{name}'")
        hint = self._hint(name)
        raise RuleError("SC105", f"the condition names '{name}', which is not defined", hint=hint)

    def _hint(self, word: str) -> str | None:
        lowered = word.lower()
        if lowered != word and lowered in _WORDS:
            return f"write '{lowered}'"
        if word == "|":
            return "aggregations in conditions are obsolete: write a correlation rule"
        near = get_close_matches(word, self.names, 1)
        return f"did you mean '{near[0]}'?" if near else None

    def _error(self, message: str, hint: str | None = None) -> RuleError:
        return RuleError("SC105", f"{message} in the condition '{self.text:.200}'", hint=hint)


def _tokens(text: str) -> list[str]:
    return [next(filter(None, found.groups())) for found in _TOKEN.finditer(text) if found.group().strip()]


def _selects(pattern: str, name: str) -> bool:
    """Names that begin with an underscore are left out unless the pattern begins with one."""
    if name.startswith("_") and not pattern.startswith("_"):
        return False
    return pattern == "them" or re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), name) is not None


def junction(op: Literal["and", "or"], items: Sequence[Tree]) -> Tree:
    """Join, taking joints of the same kind apart: `a and b and c` is one joint of three."""
    flat: list[Tree] = []
    for item in items:
        flat.extend(item.items if isinstance(item, Junction) and item.op == op else (item,))
    return flat[0] if len(flat) == 1 else Junction(op, tuple(flat))


def _depth(tree: Tree) -> int:
    deepest = 0
    todo = [(tree, 1)]
    while todo:
        item, depth = todo.pop()
        deepest = max(deepest, depth)
        if isinstance(item, Not):
            todo.append((item.item, depth + 1))
        elif isinstance(item, Junction):
            todo.extend((inner, depth + 1) for inner in item.items)
    return deepest
