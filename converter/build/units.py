"""The last build with the same options: of which nothing changed, or a few rules (`patch`).

What is compared is every byte that a build reads: rules, pipelines, column lists, configuration, options
and the program itself. Rule files are read and hashed; dates are not looked at.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter.artifacts import manifest as manifest_module
from converter.build.cache import Cache, environment, key
from converter.files import atomic
from converter.project import stock_pipelines
from converter.project.config import Config
from converter.rules.discovery import rule_files

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


@dataclass
class Part:
    """What one rule file gave to a build."""

    names: list[str]
    """Ids and names of its rules."""
    needs: list[str]
    """Ids and names that its rules refer to."""
    plain: bool
    """It holds one rule, which is converted for itself."""
    filters: bool
    """It holds a filter."""
    files: list[tuple[str, str]]
    """Paths below the output folder, with the digest of each."""
    refusals: str
    """The lines that were printed of it."""
    accepted: int
    """How many refusals the configuration accepts."""
    rows: dict[str, list[str]]
    """Of the overview: title -> what became of the rule in each cell."""


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
        self._rest = self._rest_signed()
        self._rules = self._rules_signed()
        self._read: dict[str, Any] | None = None

    def _rest_signed(self) -> str:
        """Return the digest of everything but rules."""
        files = [*self._files, *self._config.pipelines]
        for place in stock_pipelines.PLACES:
            files += sorted(path for path in place.rglob("*") if path.is_file())
        digest = hashlib.sha256(f"{environment()}\0{self._config!r}\0".encode("utf-8", "surrogatepass"))
        for path in files:
            digest.update(f"{path}\0{_hash(os.fspath(path))}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def _rules_signed(self) -> dict[str, str]:
        """Return the digest of each rule file, in the order in which they are read."""
        return {path.as_posix(): _hash(os.fspath(path)) for path in rule_files(self._config.rules)}

    def _known(self) -> dict[str, Any]:
        if self._read is None:
            self._read = self._cache.get([self._key]).get(self._key) or {}
        return self._read

    def said(self) -> Said | None:
        """Return what the build would say if all of its files are what it would write; else None."""
        known = self._known()
        if known.get("rest") != self._rest or known.get("rules") != self._rules or not self.in_place():
            return None
        return Said(*known["said"])

    def in_place(self) -> bool:
        """Tell whether the output folder holds what the last build wrote, and nothing of it is half done."""
        known = self._known()
        named = [
            *known["files"],
            *(file for part in (known["parts"] or {}).values() for file in part["files"]),
        ]
        return not atomic.interrupted(self._folder) and all(
            _hash(f"{self._folder}/{path}") == digest for path, digest in named
        )

    def parts(self) -> tuple[dict[str, Part], list[str]] | None:
        """Return what each rule file gave to the last build, and the rule files that changed since.

        None if another part of the build changed too, if rule files came or went, or if what a rule gives
        may depend on others.
        """
        known = self._known()
        if known.get("rest") != self._rest or not known["parts"] or list(known["rules"]) != list(self._rules):
            return None
        parts = {path: Part(**part) for path, part in known["parts"].items()}
        return parts, [path for path, digest in self._rules.items() if known["rules"][path] != digest]

    def keep(self, files: Sequence[tuple[str, str]], said: Said, parts: Mapping[str, Part] | None) -> None:
        """Remember a build whose files are all in place, unless what it read changed meanwhile.

        Args:
            files: path and digest of all that it wrote, or found to be there.
            said: what it printed.
            parts: what each rule file gave, where a later build can put another one in its place.
        """
        if self._rest_signed() == self._rest and self._rules_signed() == self._rules:
            mine = {path for part in (parts or {}).values() for path, _ in part.files}
            self._put([file for file in files if file[0] not in mine], said, parts)

    def keep_patched(
        self, manifest: bytes, said: Said, parts: Mapping[str, Part], changed: Sequence[str]
    ) -> None:
        """Remember the same of a build that put some parts in the place of others."""
        if self._rest_signed() == self._rest and all(_hash(path) == self._rules[path] for path in changed):
            self._put([(manifest_module.MANIFEST, atomic.digest(manifest))], said, parts)

    def _put(self, files: Sequence[tuple[str, str]], said: Said, parts: Mapping[str, Part] | None) -> None:
        count = len(files) + sum(len(part.files) for part in (parts or {}).values())
        if len(said.errors) + len(said.summary) + 100 * count < _MOST:
            kept = (said.errors, said.summary, said.queries, said.exports, said.code)
            record: dict[str, Any] = {"rest": self._rest, "rules": self._rules, "files": files, "said": kept}
            record["parts"] = {path: vars(part) for path, part in parts.items()} if parts else None
            self._cache.put({self._key: record})


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
