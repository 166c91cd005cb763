"""Draw each correlation type's window on a time line: ``python docs/drawings/make.py [--check]``.

The drawings are read on light and dark pages: colours come from the viewer's scheme.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent
WIDTH, LEFT, UNIT = 640, 60, 26
STYLE = """
  :root { color-scheme: light dark; --ink: #1f2328; --soft: #6e7781; --band: #0969da22; --edge: #0969da;
    --hit: #1a7f37; --a: #8250df; --b: #bc4c00; --c: #0550ae; --paper: #ffffff; }
  @media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --soft: #9198a1; --band: #4493f833;
    --edge: #4493f8; --hit: #3fb950; --a: #bc8cff; --b: #f0883e; --c: #79c0ff; --paper: #0d1117; } }
  text { font: 13px system-ui, sans-serif; fill: var(--ink); }
  .soft { fill: var(--soft); font-size: 12px; }
  .line { stroke: var(--soft); stroke-width: 1.5; }
  .band { fill: var(--band); stroke: var(--edge); stroke-width: 1; }
  .mark { fill: var(--paper); stroke-width: 2; }
  .a { stroke: var(--a); } .b { stroke: var(--b); } .c { stroke: var(--c); } .o { stroke: var(--soft); }
  .alert { fill: var(--hit); }
"""


@dataclass(frozen=True)
class Row:
    """One time line: events (time, label), windows (begin, end, text), alerts (times)."""

    name: str
    events: tuple[tuple[float, str], ...]
    windows: tuple[tuple[float, float, str], ...] = ()
    alerts: tuple[float, ...] = ()


DRAWINGS: dict[str, tuple[str, tuple[Row, ...]]] = {
    "event_count": (
        "event_count, gte 3, timespan 5: the window ends at each event",
        (
            Row(
                "host x",
                ((1, "a"), (4, "a"), (6, "a"), (7, "a"), (14, "a"), (16, "a")),
                ((1, 6, "3"),),
                (6, 7),
            ),
            Row("host y", ((2, "a"), (5, "a"), (7.4, "a")), ((2.4, 7.4, "2: the first is outside"),)),
        ),
    ),
    "value_count": (
        "value_count of user, gte 3, timespan 5: distinct values in the window",
        (
            Row("host x", ((1, "u"), (2, "u"), (4, "v"), (6, "w"), (9, "u")), ((1, 6, "u v w"),), (6, 9)),
            Row("host y", ((1, "u"), (2, "u"), (3, "u"), (5, "v")), ((0, 5, "u v"),)),
        ),
    ),
    "value_sum": (
        "value_sum, gte 10, timespan 5: events without a number take no part",
        (
            Row("host x", ((1, "4"), (3, "?"), (5, "6"), (8, "5")), ((0, 5, "10"), (3, 8, "11")), (5, 8)),
            Row("host y", ((1, "4"), (5, "5"), (9, "4")), ((4, 9, "9"),)),
        ),
    ),
    "value_avg": (
        "value_avg, gt 4, timespan 5: the mean of the window's numbers",
        (Row("host x", ((1, "2"), (3, "6"), (5, "7"), (9, "2")), ((0, 5, "5"), (4, 9, "4.5")), (5, 9)),),
    ),
    "value_percentile": (
        "value_percentile 75, gte 6, timespan 5: nearest rank, the value that 75 % do not exceed",
        (
            Row(
                "host x",
                ((1, "1"), (2, "9"), (3, "6"), (5, "2")),
                ((0, 5, "1 2 6 9: the third"),),
                (2, 3, 5),
            ),
        ),
    ),
    "value_median": (
        "value_median, lt 3, timespan 5: the 50th percentile; of four values the second",
        (Row("host x", ((1, "5"), (2, "4"), (3, "1"), (5, "2")), ((0, 5, "1 2 4 5: the second, 2"),), (5,)),),
    ),
    "temporal": (
        "temporal of a, b and c, timespan 5: all rules in the window, in any order",
        (
            Row("host x", ((1, "b"), (3, "c"), (5, "a"), (6, "b")), ((0, 5, "b c a"),), (5, 6)),
            Row("host y", ((1, "a"), (3, "b"), (7, "c")), ((2, 7, "b c"),)),
        ),
    ),
    "temporal_ordered": (
        "temporal_ordered a, b, c, timespan 6: each no earlier than the one before",
        (
            Row("host x", ((1, "a"), (3, "b"), (5, "b"), (7, "c"), (8, "c")), ((1, 7, "a b c"),), (7,)),
            Row("host y", ((1, "b"), (3, "a"), (6, "c")), ((0, 6, "no b after a"),)),
        ),
    ),
    "chained": (
        "chained: event_count of a, gte 3 in 4, then b in 9: an alert begins as late as it can",
        (
            Row("inner", ((1, "a"), (3, "a"), (5, "a"), (6, "a")), ((1, 5, ""), (3, 6, "")), (5, 6)),
            Row("outer", ((12, "b"),), ((3, 12, "holds the alert 3 to 6, not 1 to 5"),), (12,)),
        ),
    ),
}


def draw(title: str, rows: tuple[Row, ...]) -> str:
    """Return a drawing as SVG."""
    height = 44 + 74 * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{STYLE}</style>",
        f'<text x="8" y="20">{escape(title)}</text>',
    ]
    for number, row in enumerate(rows):
        y = 84 + 74 * number
        parts.append(f'<text class="soft" x="8" y="{y + 4}">{escape(row.name)}</text>')
        parts.append(f'<line class="line" x1="{LEFT}" y1="{y}" x2="{WIDTH - 16}" y2="{y}"/>')
        for place, (begin, end, text) in enumerate(row.windows):
            top, x = y - 16 - 3 * place, LEFT + begin * UNIT
            width = (end - begin) * UNIT
            parts.append(
                f'<rect class="band" x="{x:g}" y="{top}" width="{width:g}" height="{32 + 6 * place}" rx="4"/>'
            )
            parts.append(
                f'<text class="soft" x="{x + width / 2:g}" y="{y - 24}" text-anchor="middle">'
                f"{escape(text)}</text>"
            )
        for time in row.alerts:
            x = LEFT + time * UNIT
            parts.append(f'<path class="alert" d="M{x:g} {y + 18} l-6 11 h12 z"/>')
        for time, label in row.events:
            x = LEFT + time * UNIT
            kind = label if label in "abc" else "o"
            parts.append(f'<circle class="mark {kind}" cx="{x:g}" cy="{y}" r="10"/>')
            parts.append(f'<text x="{x:g}" y="{y + 4}" text-anchor="middle">{escape(label)}</text>')
    parts.append(f'<path class="alert" d="M{WIDTH - 62} 8 l-6 11 h12 z"/>')
    parts.append(f'<text class="soft" x="{WIDTH - 52}" y="19">alert</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def main() -> int:
    """Write the drawings, or tell whether they are as this script makes them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = 0
    for name, (title, rows) in DRAWINGS.items():
        path = FOLDER / f"{name}.svg"
        text = draw(title, rows)
        if check:
            stale += not path.exists() or path.read_text(encoding="utf-8") != text
        else:
            path.write_text(text, encoding="utf-8")
    return int(bool(stale))


if __name__ == "__main__":
    sys.exit(main())
