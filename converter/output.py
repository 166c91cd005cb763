"""The output folder: where queries go, the manifest, and files that are replaced whole or not at all."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any

from converter.errors import UsageError

MANIFEST = "manifest.json"
PENDING = ".sigconv-pending.json"
"""Paths that a build is about to add: there only while it writes, or after it was killed."""
_PREFIX, _SUFFIX = ".sigconv-", ".tmp"
SCHEMA_VERSION = 1
"""Of the manifest; raised when a key changes its meaning or goes (converter/schemas)."""


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
    stem = PurePosixPath(relative).with_suffix("")
    suffix = "".join(f".{_safe(part)}" for part in (rule, query) if part)
    return str(PurePosixPath(target, source, *stem.parts[:-1], f"{stem.name}{suffix}.{extension}"))


def _safe(name: str) -> str:
    """Return a name that is a file name everywhere: other characters become ``_``."""
    return "".join(c if c.isascii() and (c.isalnum() or c in "-_") else "_" for c in name)[:80]


def digest(text: str) -> str:
    """Return the SHA-256 of a query as written."""
    return hashlib.sha256(text.encode()).hexdigest()


def write(path: Path, text: str | bytes, scratch: Path | None = None) -> bool:
    """Write a file whole: a reader, or a kill at any moment, sees the old file or the new one.

    Args:
        path: the file.
        text: its content; text is written as UTF-8.
        scratch: the folder, on the same file system, for the file that a kill can leave behind; default:
            the file's own.

    Returns:
        False if the file had this text already (it is left alone).

    Raises:
        UsageError: SC603 if it cannot be written.
    """
    data = text.encode() if isinstance(text, str) else text
    try:
        if (
            path.exists() and not path.is_file() and not path.is_dir()
        ):  # /dev/stdout, a pipe: none to replace.
            path.write_bytes(data)
            return True
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=scratch or path.parent, prefix=_PREFIX, suffix=_SUFFIX)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)  # No fsync: against a killed process the rename is enough.
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    except OSError as problem:
        raise UsageError("SC603", f"cannot be written: {problem.strerror}", file=path.as_posix()) from problem
    return True


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one build at a time write into a folder (where the system has such locks); a kill ends the lock."""
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError as problem:
        text = f"cannot be written: {problem.strerror}"
        raise UsageError("SC603", text, file=folder.as_posix()) from problem
    try:
        with suppress(OSError):  # A network file system without locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def holds(path: Path, text: str) -> bool:
    """Tell whether a file is there and is this text, byte for byte."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    data = text.encode()
    try:
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            return file.read(len(data) + 1) == data
    except OSError:  # A folder.
        return False


def remove_scratch(folder: Path) -> None:
    """Remove the temporary files that killed builds left; to be called under the lock."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        path.unlink(missing_ok=True)


def read_pending(folder: Path) -> list[str]:
    """Return the paths that a killed build may have added without telling the manifest."""
    try:
        found = json.loads((folder / PENDING).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return [str(path) for path in found] if isinstance(found, list) else []


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the folder's manifest; an empty one if it is missing, broken or of another schema."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"entries": []}
    if not isinstance(manifest, dict) or manifest.get("schema_version") != SCHEMA_VERSION:
        return {"entries": []}
    return manifest


def manifest_text(
    entries: Sequence[Mapping[str, Any]],
    exports: Sequence[Mapping[str, Any]],
    pipelines: Mapping[str, str],
    version: str,
) -> str:
    """Return the manifest's text: sorted, without a clock, so that equal input gives equal bytes."""
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "sigconv": version,
        "pipelines": dict(sorted(pipelines.items())),
        "entries": sorted(entries, key=entry_key),
    }
    if exports:
        manifest["exports"] = list(exports)
    return json.dumps(manifest, indent=2, ensure_ascii=False, sort_keys=False) + "\n"


def entry_key(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return what identifies an entry: file, rule, target and source."""
    return (entry["file"], entry["rule"], entry["target"], entry["source"])
