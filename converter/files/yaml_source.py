"""Read YAML files that people wrote: strict, bounded, and able to say where a value stands.

libyaml parses; positions are worked out again only when there is something to report.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from collections.abc import Hashable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import yaml

from converter.errors import RuleError, SigconvError

MAX_BYTES = 4 * 1024 * 1024
"""Largest file read. The largest public Sigma rule has 250 KB."""
MAX_NODES = 500_000
"""Largest document after its aliases are expanded (against "billion laughs")."""
MAX_DEPTH = 100


class _Loader(yaml.CSafeLoader):
    """libyaml's safe loader that refuses a key given twice: the first one would be lost in silence."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if not isinstance(key, Hashable):
                raise yaml.MarkedYAMLError(None, None, "a key is not a plain value", key_node.start_mark)
            if key in seen:
                raise yaml.MarkedYAMLError(None, None, f"key '{key}' stands twice", key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)

    def resolve(self, kind: type[yaml.Node], value: Any, implicit: Any) -> Any:
        """Return the tag of a node; most are texts, which no pattern needs to be tried on to know."""
        if kind is yaml.ScalarNode and (not implicit[0] or (value and value[0] not in _BEGINNINGS)):
            return _TEXT
        # PyYAML's stubs leave the loader's own methods without types.
        return super().resolve(kind, value, implicit)  # type: ignore[no-untyped-call]

    def construct_document(self, node: yaml.Node) -> Any:
        """Make a document; one with anything unusual, or wrong, as PyYAML does, which takes longer."""
        try:
            made = self._made(node, {}, 0)
        except _Unusual:
            return super().construct_document(node)
        finally:
            self.constructed_objects.clear()
        return made

    def _made(self, node: yaml.Node, known: dict[int, Any], depth: int) -> Any:
        if type(node) is yaml.ScalarNode:
            if node.tag != _TEXT:
                return self.construct_object(node, deep=True)
            # Keys, log sources, tags and authors stand in hundreds of rules: each is kept once.
            text: str = node.value
            return sys.intern(text) if len(text) <= _SHORT else text
        if id(node) in known:
            if known[id(node)] is None:  # It holds itself.
                raise _Unusual
            return known[id(node)]
        if depth > MAX_DEPTH:
            raise _Unusual
        known[id(node)] = None
        made: Any
        if isinstance(node, yaml.SequenceNode) and node.tag == _LIST:
            made = [self._made(one, known, depth + 1) for one in node.value]
        elif isinstance(node, yaml.MappingNode) and node.tag == _MAPPING:
            made = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, yaml.ScalarNode) or key_node.tag in _SPECIAL_KEYS:
                    raise _Unusual
                key = self._made(key_node, known, depth)
                if key in made:
                    raise _Unusual
                made[key] = self._made(value_node, known, depth + 1)
        else:
            raise _Unusual
        known[id(node)] = made
        return made


_TEXT, _LIST, _MAPPING = (f"tag:yaml.org,2002:{name}" for name in ("str", "seq", "map"))
_SPECIAL_KEYS = tuple(f"tag:yaml.org,2002:{name}" for name in ("merge", "value"))
_SHORT = 48
_BEGINNINGS = frozenset(_Loader.yaml_implicit_resolvers)
"""What plain scalars begin with that may be something else than text: a number, null, a date."""


class _Unusual(Exception):
    pass


class Documents(Protocol):
    """Documents of files that were read and found good before (`converter.build.cached_documents`)."""

    def digest(self, name: str) -> str | None:
        """Return the digest of a file's text if the file was read already; None if it is to be read."""

    def expect(self, digests: Iterable[str]) -> None:
        """Look for many at once: they are asked for next."""

    def get(self, digest: str) -> list[Any] | None:
        """Return the documents of a file's text (`digest`), or None."""

    def keep(self, digest: str, documents: Sequence[Any]) -> None:
        """Remember them."""


def digest(text: str) -> str:
    """Return the SHA-256 of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


def read_text(path: Path, name: str, error: type[SigconvError] = RuleError) -> str:
    """Return the file's text.

    Args:
        path: the file.
        name: how it is called in errors.
        error: class of the error raised.

    Raises:
        SigconvError: SC107 if it is not a readable UTF-8 file of at most ``MAX_BYTES`` bytes.
    """
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode) and os.access(path, os.R_OK):
            raise error("SC107", "is a directory, not a file", file=name)
        if stat.S_ISFIFO(found.st_mode) and not name.startswith("/dev/"):  # To open it would wait.
            raise error("SC107", "is a pipe, not a file", file=name)
        if found.st_size > MAX_BYTES:
            raise error("SC107", f"larger than {MAX_BYTES >> 20} MiB", file=name)
        data = path.read_bytes()
    except OSError as problem:
        hint = "the link points to nothing" if path.is_symlink() else None
        raise error("SC107", f"cannot be read: {problem.strerror}", file=name, hint=hint) from problem
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        hint = "looks like UTF-16: save it as UTF-8" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else None
        line = data.count(b"\n", 0, problem.start) + 1
        column = problem.start - (data.rfind(b"\n", 0, problem.start) + 1) + 1
        raise error("SC107", "is not UTF-8", file=name, line=line, column=column, hint=hint) from problem
    return text


def parse(text: str, name: str, error: type[SigconvError] = RuleError) -> list[Any]:
    """Return the YAML documents of a text.

    Raises:
        SigconvError: SC101 for broken YAML, SC108 for a key that stands twice, SC109 for a document
            that is too large after expansion or nested too deeply; with line and column.
    """
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.MarkedYAMLError as problem:
        mark = problem.problem_mark or problem.context_mark
        message = problem.problem or str(problem)
        code = "SC108" if message.endswith("stands twice") else "SC101"
        at = text.splitlines()[mark.line][mark.column :] if mark and mark.line < text.count("\n") else ""
        hint = "a tab: YAML indents with spaces" if at.startswith("\t") else None
        if message.endswith("'tag:yaml.org,2002:merge'"):
            message, hint = "merge keys ('<<') are no part of Sigma", "write the keys out"
        raise error(
            code,
            message,
            file=name,
            line=mark.line + 1 if mark else None,
            column=mark.column + 1 if mark else None,
            hint=hint,
        ) from problem
    except yaml.reader.ReaderError as problem:
        before = text[: problem.position]
        raise error(
            "SC101",
            f"character U+{ord(text[problem.position]):04X} is not allowed in YAML",
            file=name,
            line=before.count("\n") + 1,
            column=len(before) - (before.rfind("\n") + 1) + 1,
        ) from problem
    except (ValueError, OverflowError, RecursionError) as problem:  # An impossible date, number or depth.
        raise error("SC101", f"cannot be read: {problem}", file=name) from problem
    for document in documents:
        _bound(document, name, error)
    return documents


def _bound(document: Any, name: str, error: type[SigconvError]) -> None:
    """Refuse documents that grow too large when aliases are expanded; shared nodes are counted once."""
    sizes: dict[int, int] = {}

    def size(value: Any, depth: int) -> int:
        if not isinstance(value, dict | list):
            return 1
        known = sizes.get(id(value))
        if known is not None:
            return known
        if depth > MAX_DEPTH:
            raise error("SC109", f"nested more than {MAX_DEPTH} levels deep", file=name)
        sizes[id(value)] = MAX_NODES  # A document that holds itself is infinite.
        parts = value.values() if isinstance(value, dict) else value
        total = 1 + sum(size(one, depth + 1) for one in parts)
        if total > MAX_NODES:
            raise error("SC109", f"more than {MAX_NODES:,} values after its aliases are expanded", file=name)
        sizes[id(value)] = total
        return total

    size(document, 0)


@lru_cache(maxsize=1)
def _roots(text: str) -> list[yaml.Node | None]:
    """Return the nodes of a text; kept, since one file may have many errors."""
    try:
        return list(yaml.compose_all(text, Loader=yaml.CSafeLoader))
    except yaml.YAMLError:
        return []


def node(text: str, document: int, path: Sequence[str]) -> yaml.Node | None:
    """Return the YAML node of the value at ``path``, keys from the document's root, or None."""
    roots = _roots(text)
    found = roots[document] if document < len(roots) else None
    for step in path:
        pairs = found.value if isinstance(found, yaml.MappingNode) else []
        found = next((value for key, value in pairs if key.value == step), None)
    return found


def locate(text: str, document: int, path: Sequence[str | int]) -> tuple[int, int] | None:
    """Return 1-based line and column of the key or item at ``path``, or of its nearest parent that exists.

    Args:
        text: the whole file.
        document: 0-based number of the document in it.
        path: keys and list positions from the document's root.
    """
    roots = _roots(text)
    node = roots[document] if document < len(roots) else None
    if node is None:
        return None
    mark = node.start_mark
    for step in path:
        if isinstance(node, yaml.MappingNode):
            pair = next((pair for pair in node.value if pair[0].value == str(step)), None)
            if pair is None:
                break
            mark, node = pair[0].start_mark, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
            node = node.value[step]
            mark = node.start_mark
        else:
            break
    return mark.line + 1, mark.column + 1
