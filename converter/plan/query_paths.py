"""The path of a query below the output folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath


def query_path(
    target: str, source: str, relative: str, extension: str, rule: str | None, query: str | None
) -> str:
    """Return the path of a query below the output folder.

    Args:
        target: language.
        source: telemetry source.
        relative: the rule file's path below the rules root.
        extension: without the dot.
        rule: the rule's name where its file holds several emitted rules, else None.
        query: the query's name where the rule needs several, else None.
    """
    return f"{target}/{source}/{query_stem(relative, rule, query)}.{extension}"


def query_stem(relative: str, rule: str | None, query: str | None) -> str:
    """Return the path of a query below the folder of its cell, without the extension."""
    return _stem(relative) + "".join(f".{_safe(part)}" for part in (rule, query) if part)


@lru_cache(maxsize=16)  # A rule is converted for all cells in turn.
def _stem(relative: str) -> str:
    return str(PurePosixPath(relative).with_suffix(""))


def _safe(name: str) -> str:
    """Return a name that is a file name everywhere: other characters become ``_``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:80]
