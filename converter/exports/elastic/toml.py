"""Write TOML as Elastic's repository does: scalars, then tables and arrays of tables; long texts readable."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def dumps(document: Mapping[str, Any]) -> str:
    """Return a TOML 1.0 document whose top-level values are tables.

    Raises:
        TypeError: for a value that is no string, number, boolean, list or mapping.
    """
    return "\n".join(_table(document, ())).lstrip("\n") + "\n"


def _table(table: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    nested = {key: value for key, value in table.items() if isinstance(value, Mapping) or _is_tables(value)}
    for key, value in table.items():
        if key not in nested:
            yield f"{_key(key)} = {_value(value)}"
    for key, value in nested.items():
        name = ".".join((*path, _key(key)))
        if isinstance(value, Mapping):
            yield f"\n[{name}]"
            yield from _table(value, (*path, _key(key)))
        else:
            for one in value:
                yield f"\n[[{name}]]"
                yield from _table(one, (*path, _key(key)))


def _key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _basic(key)


def _is_tables(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, Mapping) for one in value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _long(value) if "\n" in value else _basic(value)
    if isinstance(value, Sequence):
        return _array([_value(one) if not isinstance(one, str) else _basic(one) for one in value])
    raise TypeError(f"no TOML for {type(value).__name__}")


def _array(items: Sequence[str]) -> str:
    line = f"[{', '.join(items)}]"
    return line if len(line) <= 100 else "[\n" + "".join(f"    {item},\n" for item in items) + "]"


def _basic(text: str) -> str:
    # JSON escapes quotes, backslashes and control characters as TOML does, but for DEL.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _long(text: str) -> str:
    """Return a multi-line literal string, or a basic one where the text has what a literal cannot hold."""
    plain = all(character in "\n\t" or (character >= " " and character != "\x7f") for character in text)
    if plain and "'''" not in text and not text.endswith("'"):
        return f"'''\n{text}'''"
    lines = (_basic(line)[1:-1] for line in text.split("\n"))  # Quotes come out escaped.
    return '"""\n' + "\n".join(lines) + '"""'
