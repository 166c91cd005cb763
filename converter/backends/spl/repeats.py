"""What a `where` computes several times from one field: computed once, by an `eval` before it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|\'[^\']*\'|(?P<name>[a-z_]*)\(|\)', re.DOTALL)
_NAME = re.compile(r"[A-Za-z_]\w*", re.ASCII)
_READING = ("json_extract", "replace")
"""Functions that read a value out of a field."""


def once(where: str, search: str) -> list[str]:
    """Return a `where` command, after an `eval` of what it would compute more than once.

    Args:
        where: the command.
        search: the commands before it, in which no field has the name of the new one.
    """
    evaluated = []
    while (found := _repeated(where)) is not None:
        name = _named(found, where + search)
        where = where.replace(found, name)
        evaluated.append(f"{name}={found}")
    return [*([f"eval {', '.join(evaluated)}"] if evaluated else []), where]


def _repeated(where: str) -> str | None:
    """Return the longest call that is in a command several times."""
    counts = Counter(_calls(where))
    return max((call for call, count in counts.items() if count > 1), key=len, default=None)


def _calls(text: str) -> Iterator[str]:
    """Yield the outermost calls of functions that read a value."""
    opened: list[tuple[str, int]] = []
    for found in _TOKEN.finditer(text):
        if found["name"] is not None:
            opened.append((found["name"], found.start()))
        elif found[0] == ")" and opened:
            name, start = opened.pop()
            if name in _READING and not any(outer in _READING for outer, _ in opened):
                yield text[start : found.end()]


def _named(call: str, used: str) -> str:
    """Return a name for the value of a call: that of the field or key that it reads."""
    keys: Sequence[str] = re.findall(r'"([^"]*)"', call) if call.startswith("json_extract") else ()
    key = keys[-1] if keys else call[call.rindex("(") + 1 :].partition(",")[0]
    words = _NAME.findall(key)
    base = f"{words[-1] if words else 'value'}_text"
    name, number = base, 1
    while name in used:
        number += 1
        name = f"{base}{number}"
    return name
