"""All that a build reads, by its digests: if none of them changed, the last report is that of this build too.

What is compared is every byte: rules, pipelines, column lists, configuration, options and the program itself.
Rule files are read and hashed; dates are not looked at. This module is on the way of a build in which nothing
changed, so it loads neither pySigma nor YAML.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from converter.build.cache import Cache, environment, key
from converter.build.report import Report
from converter.build.request import BuildRequest
from converter.files import atomic
from converter.project import stock_pipelines
from converter.project.config import Config
from converter.rules.discovery import rule_files

_MOST = 64 << 20
"""Characters of a report that are worth keeping."""


def complete(config: Config, paths: Iterable[Path]) -> bool:
    """Tell whether all that a build reads of rules is in the rules root."""
    root = config.rules.resolve()
    return config.rules.is_dir() and all(path.resolve().is_relative_to(root) for path in paths)


class Inputs:
    """Digests of what a build reads, as it was when the build began; and the last report in the cache."""

    def __init__(self, request: BuildRequest, config: Config, cache: Cache, folder: Path) -> None:
        """Read and hash the files.

        Args:
            request: what the user asked for; its rules are all in the rules root (`complete`).
            config: the configuration.
            cache: where reports are kept.
            folder: the output folder.
        """
        self._config, self._cache, self._folder = config, cache, folder
        self._files = [*request.files(), *config.pipelines]
        self._key = key("build", str(Path.cwd()), str(folder), request.choices())
        self._about = key("report", self._key)
        self.rules: dict[str, str] = {}
        """The digest of each rule file, in the order in which they are read."""
        self._digest = self._signed(self.rules)

    def _signed(self, rules: dict[str, str]) -> str:
        """Return the digest of everything; the digests of rule files are added to ``rules``."""
        for path in rule_files(self._config.rules):
            rules[path.as_posix()] = file_digest(os.fspath(path))
        both = f"{self._rest_signed()}\0{rules}".encode("utf-8", "surrogateescape")
        return hashlib.sha256(both).hexdigest()

    def _rest_signed(self) -> str:
        """Return the digest of everything but rules."""
        files = list(self._files)
        for place in stock_pipelines.PLACES:
            files += sorted(path for path in place.rglob("*") if path.is_file())
        digest = hashlib.sha256(f"{environment()}\0{self._config!r}\0".encode("utf-8", "surrogatepass"))
        for path in files:
            digest.update(f"{path}\0{file_digest(os.fspath(path))}\0".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def last_report(self) -> Report | None:
        """Return the report of the last build if it read the same and its files are in place; else None."""
        if self._cache.get([self._key]).get(self._key) != self._digest:
            return None
        known: dict[str, Any] | None = self._cache.get([self._about]).get(self._about)
        if known is None or known["of"] != self._digest:
            return None
        if atomic.interrupted(self._folder) or not in_place(self._folder, known["files"]):
            return None
        report = Report(**known["report"])
        report.cells = [(source, target) for source, target in report.cells]
        return report

    def keep(self, report: Report, files: list[tuple[str, str]]) -> None:
        """Remember the report of a build, unless what it read changed meanwhile.

        Args:
            report: of a build after which the output folder is up to date.
            files: path below the output folder and digest of all that the build made.
        """
        size = len(report.problems) + sum(len(title) + 100 for title, _ in report.rows) + 100 * len(files)
        if size < _MOST and self._signed({}) == self._digest:
            known = {"of": self._digest, "files": files, "report": report.kept()}
            self._cache.put({self._key: self._digest, self._about: known})


def in_place(folder: Path, files: Iterable[tuple[str, str]]) -> bool:
    """Tell whether files of an output folder are as their digests say.

    Args:
        folder: the output folder.
        files: path below it, and SHA-256.
    """
    return all(file_digest(f"{folder}/{path}") == digest for path, digest in files)


def file_digest(path: str) -> str:
    """Return the SHA-256 of a file, or what says that it cannot be read."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return hashlib.sha256(file.read()).hexdigest()
    except OSError as problem:
        return f"errno {problem.errno}"
