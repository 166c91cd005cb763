"""What a format of the registry is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from converter.exports.item import ExportItem


@dataclass(frozen=True, slots=True)
class Part:
    """One Sigma rule of one source in a format, as it is in its file."""

    rule: str
    """The rule's id, or its name if it has none."""
    rule_file: str
    """The rule's file below the rules root."""
    file: str
    """Below the output folder."""
    text: str


@dataclass(frozen=True, slots=True)
class Exporter:
    """One import format."""

    targets: tuple[str, ...]
    """The languages whose queries it takes (eql, lucene, spl, kql)."""
    extension: str
    """Of a rule's file, without the dot."""
    part: Callable[[Sequence[ExportItem]], str | Mapping[str, str]]
    """One Sigma rule of one source -> the text of its file, ending in a newline; or, where a rule can need
    several files, suffix of the file's name -> text (the suffix "" adds nothing). The items are the rule's
    conversions that succeeded, in the order of ``targets``: never none, at most one for each target.
    Raises Refusal for what the format cannot hold."""
    whole: Callable[[str, Sequence[Part]], Mapping[str, str]] | None = None
    """Source and the parts of all its rules, sorted by file -> files below ``exports/<format>/<source>/``
    (path -> text). Parts of an earlier run come back as they were written, so text is all there is. A name
    must not begin with ``rules/``, where the parts are."""
    sources: tuple[str, ...] = ()
    """The sources whose queries it takes; empty: all. Rules of others are left out, without an error."""
