"""The output folder as one file, the same bytes for the same rules: `sigconv build --archive`."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from converter.artifacts import manifest as manifest_module
from converter.errors import UsageError
from converter.files import atomic
from converter.rules.rule import Rule

TOP = "output"
"""The one folder at the top of an archive, whatever the output folder is called."""
LICENSES = "licenses"
"""Below `TOP`: licence files beside the rules, and the licences that rules name themselves."""
_NOTICE = re.compile(r"(LICEN[CS]E|COPYING|NOTICE)([._-].*)?$", re.IGNORECASE)


def members(
    folder: Path, files: Mapping[str, atomic.Content], notices: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return what an archive of an output folder holds: path below `TOP` -> content.

    It is what the folder holds after the build, whether or not the build writes it (``--check``): this run's
    files, and of earlier runs what the manifest still names.

    Args:
        folder: the output folder.
        files: what this run makes, the manifest among them (`build.plan_write`).
        notices: of `notices`.

    Raises:
        UsageError: SC608 if a file that the manifest names is missing, changed or outside of the folder.
    """
    found = {path: atomic.data_of(text) for path, text in files.items()}
    for path, digest in _named(json.loads(found[manifest_module.MANIFEST])):
        if path not in found:
            found[path] = _kept(folder, path, digest)
    return found | dict(notices)


def _named(manifest: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield path and SHA-256 of each file that a manifest names."""
    for entry in manifest["entries"]:
        for query in entry.get("queries", ()):
            yield query["file"], query["sha256"]
    for part in manifest.get("exports", ()):
        yield part["file"], part["sha256"]


def _kept(folder: Path, path: str, digest: str) -> bytes:
    data = b""
    if (folder / path).resolve().is_relative_to(folder.resolve()):
        with suppress(OSError):
            data = (folder / path).read_bytes()
    if hashlib.sha256(data).hexdigest() != digest:
        raise UsageError(
            "SC608",
            "is missing or was changed, and the archive needs it",
            file=(folder / path).as_posix(),
            hint="build all rules for all of its cells and formats",
        )
    return data


def notices(root: Path, rules: Iterable[Rule]) -> dict[str, bytes]:
    """Return what an archive says about the licences of rules: path below `TOP` -> content.

    Args:
        root: the rules folder. Licence files in it, at any depth, and in the folder around it are taken.
        rules: those with the attribute ``license`` (Sigma specification 2.1) are listed with their authors.
    """
    around = root.parent
    found: dict[str, bytes] = {}
    for path in sorted([*around.iterdir(), *root.rglob("*")]) if root.is_dir() else ():
        if _NOTICE.fullmatch(path.name) and path.is_file() and path.suffix not in (".py", ".yml"):
            found[f"{LICENSES}/{path.relative_to(around).as_posix()}"] = path.read_bytes()
    lines = sorted(
        "\t".join(" ".join(str(part or "").split()) for part in parts)
        for rule in rules
        if rule.doc.get("license")
        for parts in [(rule.relative, rule.title, rule.doc.get("author"), rule.doc["license"])]
    )
    if lines:
        text = "\n".join(["file\ttitle\tauthor\tlicense", *dict.fromkeys(lines)]) + "\n"
        found[f"{LICENSES}/rules.tsv"] = text.encode()
    return found


def packed(contents: Mapping[str, bytes], epoch: int = 0) -> bytes:
    """Return a ``.tar.gz`` that says nothing of when, where and by whom it was made.

    The tar is the same bytes everywhere. The compression around it is zlib's: the same bytes wherever its
    version is the same.

    Args:
        contents: path below `TOP` -> content.
        epoch: the time of all members, in seconds since 1970.
    """
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT, encoding="utf-8") as tar:
        for path in sorted(contents):
            member = tarfile.TarInfo(f"{TOP}/{path}")
            member.size = len(contents[path])
            member.mtime = epoch
            member.mode = 0o644
            tar.addfile(member, io.BytesIO(contents[path]))
    result = io.BytesIO()
    with gzip.GzipFile(filename="", fileobj=result, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(plain.getvalue())
    return result.getvalue()


def epoch() -> int:
    """Return the time that the environment says an archive is of: SOURCE_DATE_EPOCH, else 0.

    Raises:
        UsageError: SC601 if it is no whole number of seconds since 1970.
    """
    said = os.environ.get("SOURCE_DATE_EPOCH", "")
    if not said:
        return 0
    if not (said.isascii() and said.isdecimal() and len(said) <= 12):
        raise UsageError("SC601", f"SOURCE_DATE_EPOCH is '{said}', not a number of seconds since 1970")
    return int(said)
