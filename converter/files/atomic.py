"""The output folder: where queries go, the manifest, and files that are replaced whole or not at all."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from converter.errors import UsageError


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


PENDING = ".sigconv-pending.json"
"""Paths that a build is about to add: there only while it writes, or after it was killed."""
_PREFIX, _SUFFIX = ".sigconv-", ".tmp"


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
