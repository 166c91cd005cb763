"""YAML documents that were read and found good before: by the bytes of their file, never by its date."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from converter.build.cache import Cache, key

_DATE, _TIME = "!date", "!time"
_MOST = 1 << 20
"""Characters of the documents of one file, aliases expanded, that are worth a place in the cache."""


class Documents:
    """The documents of good files of one kind."""

    def __init__(self, cache: Cache, kind: str, digests: Mapping[str, str] | None = None) -> None:
        """Name the files.

        Args:
            cache: where documents are kept.
            kind: what the files were found to be: rules, or pipelines.
            digests: SHA-256 of files that this build has read: name -> digest.
        """
        self._cache = cache
        self._digests = digests or {}
        self._kind = kind
        self._fresh: dict[str, str] = {}
        self._known: dict[str, str | None] = {}

    def digest(self, name: str) -> str | None:
        """Return the digest of a file that this build has read.

        It is that of the bytes. As text, a file with a byte order mark has another one, and is read again.
        """
        return self._digests.get(name)

    def expect(self, digests: Iterable[str]) -> None:
        """Look for many at once: they are asked for next, each once."""
        names = [self._key(digest) for digest in digests]
        found = self._cache.get_texts(names)
        self._known = {name: found.get(name) for name in names}

    def get(self, digest: str) -> list[Any] | None:
        """Return the documents of a file if it was found good; else None.

        Args:
            digest: of its text (`yaml_source.digest`).
        """
        name = self._key(digest)
        known = self._known.pop(name) if name in self._known else self._cache.get_texts([name]).get(name)
        try:
            return None if known is None else list(json.loads(known, object_hook=_restored))
        except (TypeError, ValueError, RecursionError):
            return None

    def keep(self, digest: str, documents: Sequence[Any]) -> None:
        """Remember the documents of a file that is good.

        What JSON cannot say exactly (keys that are no strings, bytes, NaN) is read from YAML each time.
        """
        try:
            said = json.dumps(documents, default=_default)
            exact = len(said) <= _MOST and _same(json.loads(said, object_hook=_restored), documents)
        except (TypeError, ValueError, RecursionError):
            return
        if exact:
            self._fresh[self._key(digest)] = said

    def _key(self, digest: str) -> str:
        return key(self._kind, digest)

    def save(self) -> None:
        """Write what is new."""
        self._cache.put_texts(self._fresh)
        self._fresh = {}


def _default(value: object) -> object:
    if isinstance(value, datetime):
        return {_TIME: value.isoformat()}
    if isinstance(value, date):
        return {_DATE: value.isoformat()}
    raise TypeError


def _restored(value: dict[str, Any]) -> Any:
    """Return a mapping of JSON, whose parts are restored, as the document had it."""
    if len(value) == 1:
        if isinstance(said := value.get(_DATE), str):
            return date.fromisoformat(said)
        if isinstance(said := value.get(_TIME), str):
            return datetime.fromisoformat(said)
    return value


def _same(one: object, other: object) -> bool:
    """Tell whether two documents are equal, types and the order of keys included."""
    if type(one) is not type(other):
        return False
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return list(one) == list(other) and all(_same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)
