"""A build of which nothing changed: what it would say and write is known, and only its files are looked at.

The signature holds every byte that a build reads: rules, pipelines, column lists, configuration, options
and the program itself. Rule files are read and hashed; dates are not looked at.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter import output
from converter.cache import Cache, environment, key
from converter.config import Config
from converter.rule_files import rule_files

_MOST = 64 << 20
"""Characters of a record that are worth keeping."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a build printed, and how it ended."""

    errors: str
    summary: str
    queries: int
    exports: bool
    """The output folder has import files."""
    code: int


def possible(config: Config, paths: Sequence[Path]) -> bool:
    """Tell whether all that a build reads of rules is in the rules root."""
    root = config.rules.resolve()
    return config.rules.is_dir() and all(path.resolve().is_relative_to(root) for path in paths)


class Replay:
    """The last build with these options, if nothing that it read is different now."""

    def __init__(
        self, cache: Cache, folder: Path, config: Config, paths: Sequence[Path], options: Mapping[str, Any]
    ) -> None:
        """Work out the signature of what would be built now.

        Args:
            cache: where builds are kept.
            folder: the output folder.
            config: the configuration.
            paths: the rules asked for, all in the rules root.
            options: everything of the command line that changes what is written or said.
        """
        self._cache, self._folder, self._config = cache, folder, config
        self._key = key("build", str(Path.cwd()), str(folder), repr(paths), repr(sorted(options.items())))
        self._files = [path for value in options.values() for path in _paths(value)]
        self._signature = self._signed()

    def _signed(self) -> str:
        files = [*self._files, *self._config.pipelines, *rule_files(self._config.rules)]
        for place in (Path(__file__).parent.parent / "pipelines", Path(__file__).parent / "stock_pipelines"):
            files += sorted(path for path in place.rglob("*") if path.is_file())
        digest = hashlib.sha256(f"{environment()}\0{self._config!r}\0".encode("utf-8", "surrogatepass"))
        for path in files:
            digest.update(f"{path}\0{_hash(os.fspath(path))}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def said(self) -> Said | None:
        """Return what the build would say if all of its files are what it would write; else None."""
        known = self._cache.get([self._key]).get(self._key)
        if known is None or known["signature"] != self._signature or output.interrupted(self._folder):
            return None
        if any(_hash(f"{self._folder}/{path}") != digest for path, digest in known["files"]):
            return None
        return Said(*known["said"])

    def keep(self, files: Mapping[str, output.Content], said: Said) -> None:
        """Remember a build whose files are all in place, unless what it read changed meanwhile."""
        if self._signed() != self._signature:
            return
        digests = [(path, output.digest(text)) for path, text in files.items()]
        if len(said.errors) + len(said.summary) + 100 * len(digests) < _MOST:
            kept = (said.errors, said.summary, said.queries, said.exports, said.code)
            self._cache.put({self._key: {"signature": self._signature, "files": digests, "said": kept}})


def _paths(value: object) -> Iterable[Path]:
    if isinstance(value, Path):
        return [value]
    return [one for one in value if isinstance(one, Path)] if isinstance(value, tuple) else []


def _hash(path: str) -> str:
    """Return the SHA-256 of a file, or what says that it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as problem:
        return f"errno {problem.errno}"
