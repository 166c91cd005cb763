"""Changes of an output folder as text for people: Markdown for job summaries and pull requests."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from converter.artifacts import changes as diff
from converter.artifacts import manifest as manifest_module
from converter.artifacts.changes import Change
from converter.files import atomic

KINDS = ("new", "changed", "converted", "refused", "removed")
_WORDS = {
    "new": "New",
    "changed": "Changed",
    "converted": "Converted (was refused)",
    "refused": "Refused (was converted)",
    "removed": "Removed",
}
_MEANING = {
    "same": "only the text changed",
    "other": "**the meaning changed**",
    "unknown": "whether the meaning changed is not known",
}
_MOST_LINES = 80
"""Of a diff that are shown: GitHub cuts a job summary at 1 MiB (its documentation of workflow commands)."""
_MOST_CHANGES = 200
_MOST_PROBLEMS = 200


def markdown(changes: Sequence[Change], problems: Iterable[str] = ()) -> str:
    """Return what changed, as Markdown: a count, and for each rule the cells with their diffs.

    Args:
        changes: as ``diff.changes`` yields them.
        problems: lines about rules that could not be converted.
    """
    lines = ["# sigconv: what changed", ""]
    count = Counter(change.kind for change in changes)
    if not changes:
        lines += ["Nothing changed.", ""]
    else:
        lines += ["| | Queries |", "|---|---|"]
        lines += [f"| {_WORDS[kind]} | {count[kind]} |" for kind in KINDS if count[kind]]
        lines.append("")
    wrong = list(problems)
    if wrong:
        shown = wrong[:_MOST_PROBLEMS]
        if len(wrong) > _MOST_PROBLEMS:
            shown.append(f"... and {len(wrong) - _MOST_PROBLEMS} more")
        lines += [f"## Not converted: {len(wrong)}", "", *_fenced("text", shown), ""]
    for kind in KINDS:
        mine = [change for change in changes if change.kind == kind]
        if mine:
            lines += [f"## {_WORDS[kind]}", ""]
            for change in mine[:_MOST_CHANGES]:
                lines += _one(change)
            if len(mine) > _MOST_CHANGES:
                lines += [f"... and {len(mine) - _MOST_CHANGES} more.", ""]
    return "\n".join(lines)


def of_build(folder: Path, files: Mapping[str, atomic.Content], problems: Iterable[str]) -> str:
    """Return what a build changes in its output folder; to be called before it writes.

    Args:
        folder: the output folder, which may be missing.
        files: what the build would write (`build.plan_write`), with the manifest.
        problems: lines about rules that could not be converted.
    """
    changes = list(diff.changes(*diff.planned(folder, files)))
    before, after = (
        manifest_module.read_manifest(folder),
        json.loads(atomic.data_of(files[manifest_module.MANIFEST])),
    )
    return "\n".join([markdown(changes, problems), *_imports(before, after)])


def _imports(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the import files that change, counted by format; their rules are listed above them."""
    old, new = (
        {one["file"]: (one["format"], one["source"], one["sha256"]) for one in manifest.get("exports", ())}
        for manifest in (before, after)
    )
    count: Counter[tuple[str, str, str]] = Counter()
    for file in {*old, *new}:
        name, source, _ = new.get(file) or old[file]
        kind = "new" if file not in old else "removed" if file not in new else "changed"
        count[name, source, kind] += old.get(file) != new.get(file)
    wrong = sorted({(name, source) for (name, source, _), number in count.items() if number})
    if not wrong:
        return []
    lines = ["## Import files", "", "| Format | Source | New | Changed | Removed |", "|---|---|---|---|---|"]
    for name, source in wrong:
        numbers = " | ".join(str(count[name, source, kind]) for kind in ("new", "changed", "removed"))
        lines.append(f"| {name} | {source} | {numbers} |")
    return [*lines, ""]


def _one(change: Change) -> list[str]:
    lines = [f"### {_plain(change.title)} — {change.cell}", "", f"`{change.file}`", ""]
    if change.meaning:
        detail = f": {_plain(change.detail)}" if change.detail else ""
        lines += [f"{_MEANING[change.meaning].capitalize()}{detail}.", ""]
    lines += [f"- {_plain(note)}" for note in change.notes]
    if change.notes:
        lines.append("")
    if change.diff and change.kind != "removed":
        shown = change.diff[:_MOST_LINES]
        if len(change.diff) > _MOST_LINES:
            shown.append(f"... {len(change.diff) - _MOST_LINES} more lines")
        lines += ["<details><summary>Queries</summary>", "", *_fenced("diff", shown), "", "</details>", ""]
    return lines


def _fenced(language: str, lines: Sequence[str]) -> list[str]:
    """Return a code block whose fence is longer than any in the text (SPL's comments are backticks)."""
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return [f"{fence}{language}", *lines, fence]


def _plain(text: str) -> str:
    """Return text that Markdown shows as it is, on one line."""
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", " ".join(text.split()))
