"""What earlier builds worked out, in one SQLite file: read only where it is whole, made anew where it is not.

Every record carries the SHA-256 of its key and its data, and a record that does not fit is one that is
missing. The data are JSON, so that a record can never run anything. A file that SQLite cannot read is
removed. Nothing here raises: without a cache a build is slower and writes the same bytes.

A checksum is no signature: whoever may write into the folder may also write queries into the output.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from functools import cache as once
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = ".sigconv-cache"
"""Beside the output folder."""
_FILE = "build.sqlite3"
_LAYOUT = "1"
"""Of the records; raised when what they hold changes its meaning without a change of the code's text."""
_LIBRARIES = (
    *("pysigma", "pySigma-backend-elasticsearch", "pySigma-backend-splunk", "pySigma-backend-kusto"),
    *("PyYAML", "pyparsing"),
)
_SPARE = 2_000
"""Records that may stay beside those of the last run: of other branches, targets and options."""
_WAIT = 5.0
"""Seconds to wait for another process that writes."""


class Cache:
    """Records by key, of one folder. Two processes may use it at once."""

    def __init__(self, folder: Path) -> None:
        """Name the folder; it is made by the first `put`."""
        self._folder = folder
        self._used: set[str] = set()
        self._open: sqlite3.Connection | None = None
        self._gone = False
        """It failed once in this run: the rest is worked out."""

    def get(self, keys: Iterable[str]) -> dict[str, Any]:
        """Return the data of those keys that have a whole record."""
        try:
            return {key: json.loads(text) for key, text in self.get_texts(keys).items()}
        except (ValueError, RecursionError):
            return {}

    def get_texts(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the same as JSON."""
        wanted = list(dict.fromkeys(keys))
        self._used.update(wanted)
        found: dict[str, str] = {}

        def read(database: sqlite3.Connection) -> None:
            for start in range(0, len(wanted), 500):
                part = wanted[start : start + 500]
                marks = ",".join("?" * len(part))
                rows = database.execute(f"SELECT key, sum, data FROM records WHERE key IN ({marks})", part)
                for key, checksum, data in rows:
                    if isinstance(data, str) and checksum == _checksum(key, data):
                        found[key] = data

        if self._open is not None or (self._folder / _FILE).is_file():
            self._do(read)
        return found

    def put(self, records: Mapping[str, Any]) -> None:
        """Store records; those of a key that is there already are replaced."""
        self.put_texts({key: json.dumps(one, separators=(",", ":")) for key, one in records.items()})

    def put_texts(self, records: Mapping[str, str]) -> None:
        """Store records that are JSON already."""
        rows = [(key, _checksum(key, data), data) for key, data in records.items()]
        self._used.update(records)

        def write(database: sqlite3.Connection) -> None:
            with database:
                database.executemany("INSERT OR REPLACE INTO records VALUES (?, ?, ?)", rows)

        if rows:
            self._do(write)

    def use(self, keys: Iterable[str]) -> None:
        """Note that records are still of use, though this run did not read them."""
        self._used.update(keys)

    def trim(self) -> None:
        """Drop records that this run did not use, if there are many of them."""

        def drop(database: sqlite3.Connection) -> None:
            (count,) = database.execute("SELECT count(*) FROM records").fetchone()
            if count > 2 * len(self._used) + _SPARE:
                keys = [key for (key,) in database.execute("SELECT key FROM records")]
                unused = [(key,) for key in keys if key not in self._used]
                with database:
                    database.executemany("DELETE FROM records WHERE key = ?", unused)
                database.execute("VACUUM")

        self._do(drop)

    def close(self) -> None:
        """Let the file go."""
        if self._open is not None:
            with suppress(sqlite3.Error):
                self._open.close()
            self._open = None

    def _do(self, action: Callable[[sqlite3.Connection], None]) -> None:
        """Do it, and let nothing out: a file that is broken goes, one that is busy or not writable stays."""
        if self._gone:
            return
        try:
            action(self._connected())
        except OSError:
            self._gone = True
        except Exception as problem:  # sqlite3's errors, and what its or JSON's reading of rubbish raises.
            self._gone = True
            self.close()
            if not isinstance(problem, sqlite3.OperationalError) or "no such column" in str(problem):
                for name in (_FILE, f"{_FILE}-journal"):
                    with suppress(OSError):
                        (self._folder / name).unlink(missing_ok=True)

    def _connected(self) -> sqlite3.Connection:
        if self._open is None:
            self._folder.mkdir(parents=True, exist_ok=True)
            ignore = self._folder / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
            self._open = sqlite3.connect(self._folder / _FILE, timeout=_WAIT)
            # Against a killed process the journal is enough; what a lost disk leaves, the checksums find.
            self._open.execute("PRAGMA synchronous = OFF")
            self._open.execute(
                "CREATE TABLE IF NOT EXISTS records (key TEXT PRIMARY KEY, sum TEXT, data TEXT) WITHOUT ROWID"
            )
        return self._open


def _checksum(key: str, data: str) -> str:
    return hashlib.sha256(f"{key}\0{data}".encode("utf-8", "surrogatepass")).hexdigest()


def key(*parts: str) -> str:
    """Return the key of what follows from ``parts`` and from the program that works it out."""
    return hashlib.sha256("\0".join((environment(), *parts)).encode("utf-8", "surrogatepass")).hexdigest()


@once
def environment() -> str:
    """Return the SHA-256 of everything that converts: this package's files and the libraries' versions.

    The files themselves and not a version: who works on sigconv must never be shown what it did before.
    """
    digest = hashlib.sha256(_LAYOUT.encode())
    for name in _LIBRARIES:
        try:
            version = metadata.version(name)
        except metadata.PackageNotFoundError:
            version = "?"
        digest.update(f"{name} {version}\0".encode())
    package = Path(__file__).parent.parent
    files = [path for path in package.rglob("*") if path.suffix in (".py", ".json", ".yml")]
    for path in sorted(files):
        if "node_modules" not in path.parts:
            digest.update(f"{path.relative_to(package).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
