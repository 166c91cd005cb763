"""A build of which a few rules changed: their parts of the last build are replaced, the others stay.

Most builds are such ones, and reading what thousands of other rules became takes longer than converting one.
What it writes is what a whole build writes, byte for byte (`tests/test_patch.py`); wherever a rule's part
may depend on other rules, or more than rules changed, there is no patch and a whole build is made.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from converter.artifacts import manifest as manifest_module
from converter.build import build
from converter.build.build import Outcome, Written
from converter.build.cache import Cache
from converter.build.units import Part, Replay
from converter.conversion.convert import Options
from converter.files import atomic
from converter.pipelines.cells import Cell
from converter.project.config import Config
from converter.rules.emitted import emitted_rules
from converter.rules.loading import load
from converter.rules.ruleset import RuleSet

MOST = 50
"""Rules that a patch changes at most; a whole build of more takes several processes."""
Say = Callable[[Sequence[Outcome]], str]
"""Says something of a rule's outcomes: "" for nothing."""
Word = Callable[[Outcome], str]


@dataclass(slots=True)
class Patched:
    """What a patch did."""

    parts: dict[str, Part]
    """Of all rule files, in their order."""
    changed: list[str]
    """Rule files."""
    written: Written
    manifest: bytes


def parts_of(
    rules: RuleSet, found: Sequence[Outcome], cells: int, say: Say, word: Word
) -> dict[str, Part] | None:
    """Return what each rule file gave to a build; None if the next build cannot go on from it.

    Args:
        rules: all rules that the build read, of which it left none out.
        found: all outcomes.
        cells: for how many cells each rule was converted.
        say: the lines that are printed of a rule's outcomes.
        word: what the overview says of an outcome.
    """
    # What is broken is tried again, and what it gave before is kept.
    if rules.errors or rules.library or any(one.broken for one in found):
        return None
    emitted = {id(rule) for rule in emitted_rules(rules)}
    parts: dict[str, Part] = {}
    by_relative: dict[str, Part] = {}
    for rule in rules.rules:
        part = parts.get(rule.file)
        plain = part is None and rule.kind == "rule" and id(rule) in emitted
        if part is None:
            part = parts[rule.file] = by_relative[rule.relative] = Part([], [], plain, False, [], "", 0, {})
        part.plain = plain
        part.filters |= rule.kind == "filter"
        part.names += [str(rule.doc[key]) for key in ("id", "name") if rule.doc.get(key)]
        part.needs += rules.references(rule)
    if len(parts) != len(by_relative):
        return None
    for start in range(0, len(found), cells):
        row = found[start : start + cells]
        part = by_relative[row[0].entry["file"]]
        for one in row:
            part.files += [(query["file"], query["sha256"]) for query in one.entry.get("queries", ())]
            part.accepted += one.accepted
        part.refusals += say(row)
        part.rows[row[0].entry["title"]] = [word(one) for one in row]
    return parts


def apply(
    last: Replay,
    folder: Path,
    config: Config,
    cells: Sequence[Cell],
    options: Options,
    cache: Cache,
    say: Say,
    word: Word,
) -> Patched | None:
    """Convert the rules that changed since the last build, and write what they give; None if that is not all.

    Args:
        last: the last build.
        folder: the output folder.
        config: the configuration.
        cells: the cells of this and the last build.
        options: what the user chose, the same as for the last build.
        cache: what earlier runs worked out.
        say: as for `parts_of`.
        word: as for `parts_of`.

    Raises:
        UsageError: SC603 if a file cannot be written.
    """
    known = last.parts()
    if known is None:
        return None
    parts, changed = known
    if not 0 < len(changed) <= MOST or not all(path in parts and parts[path].plain for path in changed):
        return None
    with atomic.locked(folder):
        if not last.in_place():
            return None
        filters = [path for path, part in parts.items() if part.filters]
        rules = load([Path(path) for path in (*changed, *filters)], config.rules)
        mine = set(changed)
        found = list(
            build.outcomes(
                rules,
                cells,
                options,
                config.accepted,
                takes=lambda rule: rule.file in mine,
                cache=cache,
            )
        )
        new = parts_of(rules, found, len(cells), say, word)
        if new is None:
            return None
        new = {path: part for path, part in new.items() if path in changed}
        if not _fit(new, changed, parts):
            return None
        manifest = (folder / manifest_module.MANIFEST).read_bytes()
        for file in dict.fromkeys(one.entry["file"] for one in found):
            entries = [one.entry for one in found if one.entry["file"] == file]
            manifest = manifest_module.spliced(manifest, file, entries)
        files: dict[str, atomic.Content] = {path: text for one in found for path, text in one.files.items()}
        stale = {path for name in changed for path, _ in parts[name].files}
        parts |= new
        stale -= {path for part in parts.values() for path, _ in part.files}
        written = build.write(folder, files | {manifest_module.MANIFEST: manifest}, sorted(stale))
    return Patched(parts, changed, written, manifest)


def _fit(new: Mapping[str, Part], changed: Sequence[str], parts: Mapping[str, Part]) -> bool:
    """Tell whether no other rule has to do with those that changed, as they were and as they are now."""
    if set(new) != set(changed) or not all(part.plain for part in new.values()):
        return False
    others = [part for path, part in parts.items() if path not in new]
    names = {name for path in changed for name in new[path].names}
    if not names.isdisjoint(name for part in others for name in part.names):
        return False
    names |= {name for path in changed for name in parts[path].names}
    return names.isdisjoint(name for part in others for name in part.needs)
