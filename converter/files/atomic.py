"""The output folder: where queries go, the manifest, and files that are replaced whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any

from converter.errors import UsageError

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Packed:
    """A text that waits to be written: of thousands of queries it is a third of the memory."""

    compressed: bytes
    """Of zlib."""

    def text(self) -> str:
        """Return the text."""
        return zlib.decompress(self.compressed).decode()


Content = str | bytes | Packed
"""What a file is to hold; text is written as UTF-8."""


def data_of(content: Content) -> bytes:
    """Return the bytes of a file."""
    if isinstance(content, Packed):
        return zlib.decompress(content.compressed)
    return content.encode() if isinstance(content, str) else content


def text_of(content: Content) -> str:
    """Return the text of a file that is one."""
    return content if isinstance(content, str) else data_of(content).decode()


_quoted = json.encoder.encode_basestring
_LITERAL = {True: "true", False: "false"}
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


def digest(text: Content) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(data_of(text)).hexdigest()


def write(path: Path, text: Content, scratch: Path | None = None) -> bool:
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
    data = data_of(text)
    try:
        if (
            path.exists() and not path.is_file() and not path.is_dir()
        ):  # /dev/stdout, a pipe: none to replace.
            path.write_bytes(data)
            return True
        if path.is_file() and path.read_bytes() == data:
            return False
        path.parent.mkdir(parents=True, exist_ok=True)
        _replace(os.fspath(path), data, os.fspath(scratch or path.parent))
    except OSError as problem:
        raise UsageError("SC603", f"cannot be written: {problem.strerror}", file=path.as_posix()) from problem
    return True


def replace(path: str, text: Content, scratch: str) -> None:
    """Write a file whole, in a folder that is made if it is not there.

    Args:
        path: the file.
        text: its content.
        scratch: as for `write`.

    Raises:
        UsageError: SC603 if it cannot be written.
    """
    data = data_of(text)
    try:
        try:
            _replace(path, data, scratch)
        except FileNotFoundError:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            _replace(path, data, scratch)
    except OSError as problem:
        raise UsageError("SC603", f"cannot be written: {problem.strerror}", file=path) from problem


def remove(path: Path) -> None:
    """Remove a file.

    Raises:
        UsageError: SC603 if it cannot be removed.
    """
    try:
        path.unlink()
    except OSError as problem:
        raise UsageError("SC603", f"cannot be removed: {problem.strerror}", file=path.as_posix()) from problem


_count = itertools.count()


def _replace(path: str, data: bytes, scratch: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    while True:
        temporary = f"{scratch}/{_PREFIX}{os.getpid()}-{next(_count)}{_SUFFIX}"
        try:
            descriptor = os.open(temporary, flags, 0o600)
        except FileExistsError:  # Of a process of the same number that was killed.
            continue
        break
    try:
        try:
            left = memoryview(data)
            while left:  # No fsync: against a killed process the rename is enough.
                left = left[os.write(descriptor, left) :]
        finally:
            os.close(descriptor)
        # The functions and not Path's methods: of thousands of files it is felt.
        os.chmod(temporary, 0o644)  # noqa: PTH101
        os.replace(temporary, path)  # noqa: PTH105
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


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
        why = "is a file, not a folder" if folder.is_file() else f"cannot be written: {problem.strerror}"
        raise UsageError("SC603", why, file=folder.as_posix()) from problem
    try:
        with suppress(OSError):  # A network file system without locks.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def holds(path: str, text: Content) -> bool:
    """Tell whether a file is there and is this, byte for byte."""
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    except OSError:
        return False
    data = data_of(text)
    found = b""
    try:
        while part := os.read(descriptor, len(data) + 1 - len(found)):
            found += part
    except OSError:  # A folder.
        return False
    finally:
        os.close(descriptor)
    return found == data


def remove_scratch(folder: Path) -> None:
    """Remove the temporary files that killed builds left; to be called under the lock."""
    for path in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        path.unlink(missing_ok=True)


def interrupted(folder: Path) -> bool:
    """Tell whether a killed build left something to repair."""
    return (folder / PENDING).exists() or any(folder.glob(f"{_PREFIX}*{_SUFFIX}"))


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
    entries = manifest.get("entries")
    if not isinstance(entries, list) or not all(map(_is_entry, entries)):
        return {"entries": []}
    return manifest


def _is_entry(entry: object) -> bool:
    return isinstance(entry, dict) and all(
        isinstance(entry.get(name), str) for name in ("file", "rule", "target", "source")
    )


def manifest_data(
    entries: Sequence[Mapping[str, Any]],
    exports: Sequence[Mapping[str, Any]],
    pipelines: Mapping[str, str],
    version: str,
) -> bytes:
    """Return the manifest: sorted, without a clock, so that equal input gives equal bytes."""
    manifest: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "sigconv": version,
        "pipelines": dict(sorted(pipelines.items())),
        "entries": sorted(entries, key=entry_key),
    }
    if exports:
        manifest["exports"] = list(exports)
    entries_at = "\0entries\0"
    around = json.dumps(manifest | {"entries": entries_at}, indent=2, ensure_ascii=False)
    before, _, after = around.partition(json.dumps(entries_at))
    if not entries:
        return f"{before}[]{after}\n".encode()
    # Bytes of all its parts, and no other copy: there may be tens of megabytes.
    data = bytearray(f"{before}[\n    ".encode())
    for number, entry in enumerate(manifest["entries"]):
        if number:
            data += b",\n    "
        data += _entry_text(entry).encode()
    data += f"\n  ]{after}\n".encode()
    return bytes(data)


_ENTRY, _END = b"\n    {\n", b"\n    }"
"""What an entry begins and ends with. No string of JSON holds a line's end."""


def entries_in(manifest: Content) -> int:
    """Return how many entries a manifest has (`manifest_data`)."""
    return data_of(manifest).count(b'\n      "source_sha256": ')


def spliced(manifest: bytes, file: str, entries: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a manifest with other entries of a rule file in the place of those that it has.

    Args:
        manifest: as `manifest_data` makes it: sorted, so those of a file stand together.
        file: the rule file, below the rules root; the manifest has entries of it.
        entries: one or more.
    """
    said = f'\n      "file": {_quoted(file)},\n'.encode()
    start = manifest.rindex(_ENTRY, 0, manifest.index(said) + 1) + 1
    end = manifest.index(_END, manifest.rindex(said)) + len(_END)
    texts = [f"    {_entry_text(entry)}" for entry in sorted(entries, key=entry_key)]
    return b"".join((manifest[:start], ",\n".join(texts).encode(), manifest[end:]))


def has_exports(files: Mapping[str, Content]) -> bool:
    """Tell whether files to write have import files among them, as their manifest lists (`manifest_data`)."""
    return b'\n  "exports": [' in data_of(files[MANIFEST])


_HEAD = ("rule", "title", "file", "source_sha256", "target", "source", "status")
_REFUSED = ((*_HEAD, "refusal"), ("code", "message", "accepted"))
_CONVERTED = (*_HEAD, "fidelity", "reasons", "schedule", "queries")
_QUERY = ("name", "file", "sha256")
_REASON = ("fidelity", "text")


def _entry_text(entry: Mapping[str, Any]) -> str:
    """Return an entry as `json.dumps` indents it: there are thousands, and this takes a third of its time."""
    try:
        body = _refused(entry) or _converted(entry)
    except (AttributeError, KeyError, TypeError):  # Of a manifest that someone edited.
        body = None
    if body is None:
        return json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", "\n    ")
    head = "".join(f'      "{name}": {_quoted(entry[name])},\n' for name in _HEAD)
    return f"{{\n{head}{body}    }}"


def _refused(entry: Mapping[str, Any]) -> str | None:
    if tuple(entry) != _REFUSED[0] or tuple(entry["refusal"]) != _REFUSED[1]:
        return None
    said = entry["refusal"]
    return (
        f'      "refusal": {{\n        "code": {_quoted(said["code"])},\n'
        f'        "message": {_quoted(said["message"])},\n'
        f'        "accepted": {_LITERAL[said["accepted"]]}\n      }}\n'
    )


def _converted(entry: Mapping[str, Any]) -> str | None:
    if tuple(entry) != _CONVERTED or tuple(entry["schedule"]) != ("interval_seconds", "lookback_seconds"):
        return None
    when = entry["schedule"]
    if not entry["queries"] or not all(type(seconds) is int for seconds in when.values()):
        return None
    parts = []
    for name, keys in (("reasons", _REASON), ("queries", _QUERY)):
        texts = []
        for one in entry[name]:
            if tuple(one) != keys:
                return None
            said = ",\n".join(
                f'          "{key}": {"null" if one[key] is None else _quoted(one[key])}' for key in keys
            )
            texts.append(f"        {{\n{said}\n        }}")
        listed = ",\n".join(texts)
        parts.append(f'      "{name}": [\n{listed}\n      ]' if texts else f'      "{name}": []')
    return (
        f'      "fidelity": {_quoted(entry["fidelity"])},\n{parts[0]},\n      "schedule": {{\n'
        f'        "interval_seconds": {when["interval_seconds"]},\n'
        f'        "lookback_seconds": {when["lookback_seconds"]}\n      }},\n{parts[1]}\n'
    )


def entry_key(entry: Mapping[str, Any]) -> tuple[str, str, str, str]:
    """Return what identifies an entry: file, rule, target and source."""
    return (entry["file"], entry["rule"], entry["target"], entry["source"])
