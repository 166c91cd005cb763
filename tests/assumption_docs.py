"""The list of assumptions in docs/semantics.md, written from ``pipelines/**/*.assumptions.yml``.

``python -m tests.assumption_docs`` writes it, ``--check`` says whether it is up to date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence

from converter.pipelines import assumptions
from converter.pipelines.assumptions import SUFFIX, Assumption
from converter.project import stock_pipelines
from tests.support import ROOT

PAGE = ROOT / "docs" / "semantics.md"
BEGIN = "<!-- assumptions: written by `python -m tests.assumption_docs`; do not edit -->\n"
END = "<!-- end of assumptions -->\n"


def lists() -> list[tuple[str, tuple[Assumption, ...]]]:
    """Return each file's name below ``pipelines/`` and its assumptions; the languages' come first."""
    folder = stock_pipelines.folder()
    files = sorted(folder.rglob(f"*{SUFFIX}"), key=lambda file: (len(file.parts), file.as_posix()))
    return [(file.relative_to(folder).as_posix(), assumptions.read(file, file.name)) for file in files]


def section() -> str:
    """Return the text between the markers."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield ""
    found = [(name, entry) for name, entries in lists() for entry in entries]
    if not found:
        yield "None."
        yield ""
        return
    yield "| Id | Assumed | Depends on it | Looked for |"
    yield "|---|---|---|---|"
    for _, entry in found:
        yield f"| {entry.id} | {_cell(entry.text)} | {_cell(_dependent(entry))} | {_cell(entry.looked_for)} |"
    yield ""


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _dependent(entry: Assumption) -> str:
    """Return which queries depend on an assumption, in words."""
    columns = ", ".join(f"`{name}`" for name in sorted(entry.columns))
    parts = [columns or "what the text says"]
    if entry.values is not None:
        parts.append(f"values with `{entry.values.pattern}`")
    if entry.logsources:
        names = "; ".join(" ".join(one.values()) for one in entry.logsources)
        parts.append(f"of {names}")
    return ", ".join(parts)


def page(text: str) -> str:
    """Return the page's text with today's list."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{section()}{END}{after}"


def main(arguments: Sequence[str]) -> int:
    """Write the page, or check it."""
    text = PAGE.read_text(encoding="utf-8")
    made = page(text)
    if "--check" in arguments:
        print(f"docs/semantics.md is {'stale' if made != text else 'up to date'}", file=sys.stderr)
        return int(made != text)
    PAGE.write_text(made, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
