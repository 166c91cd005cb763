"""The files that hold rules."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = (".yml", ".yaml")


def rule_files(path: Path) -> Iterator[Path]:
    """Yield the file itself, or the YAML files below the folder, sorted.

    A folder that cannot be read stands for its files: who reads it has the error to show.
    """
    if not path.is_dir():
        yield path
        return
    found: list[tuple[tuple[str, ...], str]] = []
    closed: list[OSError] = []
    for folder, below, names in os.walk(path, onerror=closed.append):
        below[:] = [name for name in below if not name.startswith(".")]
        parts = Path(folder).relative_to(path).parts
        for name in names:
            file = f"{folder}/{name}"
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):  # Links to nothing too: errors.
                found.append(((*parts, name), file))
    for error in closed:
        found.append((Path(error.filename).relative_to(path).parts, error.filename))
    yield from (Path(file) for _, file in sorted(found))
