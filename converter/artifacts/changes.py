"""What changed between two output folders, by rule and cell: `sigconv diff`."""

from __future__ import annotations

import difflib
import json
import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from converter.artifacts import manifest as manifest_module
from converter.errors import UsageError
from converter.files import atomic
from converter.project.config import Config
from converter.rules import loading
from converter.rules.ruleset import RuleSet

Key = tuple[str, str, str]
"""Rule (id, else name), source, target."""
STALE = "stale: the rule is broken, this is what it gave before"


@dataclass(slots=True)
class Side:
    """One of the two: an output folder, an archive of one, or a git revision."""

    name: str
    entries: dict[Key, dict[str, Any]]
    folder: Path
    """Of the queries."""
    rules_root: Path | None = None
    """The rules that the queries were made from; None if they are not known."""
    tests: Path | None = None
    planned: Mapping[str, atomic.Content] = field(default_factory=dict)
    """Files that a build is about to write there: path below the folder -> text."""
    _rules: RuleSet | None = None

    def rules(self) -> RuleSet | None:
        """Return the rules, loaded when they are first asked for."""
        if self._rules is None and self.rules_root is not None and self.rules_root.is_dir():
            self._rules = loading.load([self.rules_root], self.rules_root)
        return self._rules

    def texts(self, key: Key) -> dict[str, str]:
        """Return the queries of an entry: path below the output folder -> text."""
        found = {}
        for query in self.entries.get(key, {}).get("queries", ()):
            path = self.folder / query["file"]
            if query["file"] in self.planned:
                found[query["file"]] = atomic.text_of(self.planned[query["file"]])
            elif path.resolve().is_relative_to(self.folder.resolve()) and path.is_file():
                found[query["file"]] = path.read_text(encoding="utf-8", errors="replace")
        return found


@dataclass(slots=True)
class Change:
    """What became of a rule in a cell."""

    kind: str
    """``new``, ``removed``, ``changed``, ``refused`` (was converted), or ``converted`` (was refused)."""
    key: Key
    title: str
    file: str
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    notes: list[str] = field(default_factory=list)
    """Changes beside the queries: of the fidelity, of the refusal's reason, of the rule's file."""
    diff: list[str] = field(default_factory=list)
    """Of the queries' texts, unified."""
    meaning: str = ""
    """``same``, ``other`` or ``unknown``; empty where it was not looked at."""
    detail: str = ""
    """What shows it, or why it is not known."""

    @property
    def cell(self) -> str:
        """The cell, as source/target."""
        return f"{self.key[1]}/{self.key[2]}"


def side(name: str, config: Config, scratch: Path) -> Side:
    """Return one side of a comparison.

    Args:
        name: an output folder, an archive of one (``.tar.gz``), or a git revision of the repository
            around the current folder.
        config: names rules, tests and output folders.
        scratch: an empty folder for what must be unpacked.

    Raises:
        UsageError: SC613 if it is none of these.
    """
    path = Path(name)
    if path.is_dir():
        if not (path / manifest_module.MANIFEST).is_file():
            raise UsageError(
                "SC613", f"holds no {manifest_module.MANIFEST}", file=name, hint="run 'sigconv build'"
            )
        return _read(name, path, config.rules, config.tests)
    if path.is_file():
        _unpack(path.read_bytes(), name, scratch)
        manifests = sorted(scratch.rglob(manifest_module.MANIFEST))
        if not manifests:
            raise UsageError("SC613", f"holds no {manifest_module.MANIFEST}", file=name)
        return _read(name, manifests[0].parent, config.rules, config.tests)
    return _revision(name, config, scratch)


def planned(folder: Path, files: Mapping[str, atomic.Content]) -> tuple[Side, Side]:
    """Return an output folder as it is, which may be missing, and as a build would leave it.

    Args:
        folder: the output folder.
        files: what the build would write (`build.plan_write`), with the manifest.
    """
    before = _read(str(folder), folder, None, None)
    entries = _by_key(json.loads(atomic.data_of(files[manifest_module.MANIFEST])))
    return before, Side(str(folder), entries, folder, planned=files)


def _revision(name: str, config: Config, scratch: Path) -> Side:
    here = Path.cwd()
    commit = _git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    if commit is None:
        raise UsageError("SC613", "is no output folder, no archive and no git revision", file=name)
    revision = commit.decode().strip()
    wanted = {}
    for key, path in (("output", config.output), ("rules", config.rules), ("tests", config.tests)):
        if (here / path).resolve().is_relative_to(here.resolve()):
            wanted[key] = (here / path).resolve().relative_to(here.resolve()).as_posix()
    there = [p for p in wanted.values() if _git("cat-file", "-e", f"{revision}:./{p}") is not None]
    if wanted.get("output") not in there:
        raise UsageError("SC613", f"has no {config.output.as_posix()}/ in it", file=name)
    archive = _git("archive", "--format=tar", revision, "--", *there)
    _unpack(archive or b"", name, scratch)
    folders = {key: scratch / path for key, path in wanted.items() if path in there}
    return _read(name, folders["output"], folders.get("rules"), folders.get("tests"))


def _git(*arguments: str) -> bytes | None:
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)
    except FileNotFoundError:
        return None
    return done.stdout if done.returncode == 0 else None


def _unpack(data: bytes, name: str, folder: Path) -> None:
    try:
        with tarfile.open(fileobj=BytesIO(data)) as archive:
            archive.extractall(folder, filter="data")
    except (tarfile.TarError, OSError, EOFError) as problem:
        raise UsageError("SC613", f"cannot be unpacked: {problem}", file=name) from problem


def _read(name: str, folder: Path, rules_root: Path | None, tests: Path | None) -> Side:
    return Side(name, _by_key(manifest_module.read_manifest(folder)), folder, rules_root, tests)


def _by_key(manifest: Mapping[str, Any]) -> dict[Key, dict[str, Any]]:
    return {(one["rule"], one["source"], one["target"]): one for one in manifest["entries"]}


def changes(old: Side, new: Side) -> Iterator[Change]:
    """Yield what changed, sorted by file, rule and cell; entries that are the same are left out."""
    keys = {*old.entries, *new.entries}
    for key in sorted(keys, key=lambda one: ((new.entries.get(one) or old.entries[one])["file"], one)):
        before, after = old.entries.get(key), new.entries.get(key)
        entry = after or before or {}
        change = Change("changed", key, entry["title"], entry["file"], before, after)
        change.diff = _diff(old.texts(key), new.texts(key))
        if before is None:
            change.kind = "new"
        elif after is None:
            change.kind = "removed"
        elif before["status"] != after["status"]:
            change.kind = after["status"]
        else:
            change.notes = list(_notes(before, after))
            if not change.notes and not change.diff:
                continue
        if after is not None and after["status"] == "refused":
            refusal = after["refusal"]
            change.notes.append(f"refused: {refusal['code']} {refusal['message']}")
        yield change


def _notes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if bool(before.get("stale")) != bool(after.get("stale")):
        yield STALE if after.get("stale") else "no longer stale"
    for key in ("file", "title", "fidelity", "refusal", "reasons", "schedule"):
        if before.get(key) != after.get(key):
            if isinstance(after.get(key), str):
                yield f"{key}: {before.get(key)} became {after.get(key)}"
            elif key == "reasons":
                yield from (f"no longer: {r['text']}" for r in before[key] if r not in after[key])
                yield from (f"now: {r['text']}" for r in after[key] if r not in before[key])
            else:
                yield f"{key} changed"


def _diff(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    lines: list[str] = []
    for path in dict.fromkeys([*old, *new]):
        if old.get(path) != new.get(path):
            lines += difflib.unified_diff(
                old.get(path, "").splitlines(),
                new.get(path, "").splitlines(),
                f"old/{path}" if path in old else "/dev/null",
                f"new/{path}" if path in new else "/dev/null",
                lineterm="",
            )
    return lines
