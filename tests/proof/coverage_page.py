"""docs/coverage.md as text."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from tests.proof import coverage, real_events
from tests.proof.coverage import SOURCES, TARGETS, Outcome, Shipped
from tests.proof.everything import COLUMNS, NUMBERS

NAMES = {
    "sysmon": "Sysmon",
    "defender": "Microsoft Defender",
    "crowdstrike": "CrowdStrike Falcon (FDR)",
    "windows-security": "The Security log",
    "none": "Rules on their own names (the source none)",
}
_HEAD = """\
# Coverage

Written by `python -m tests.proof.coverage`; do not edit. It needs the folder `../shared` with the public
rules (SigmaHQ, {rules} of them for Windows). Every rule is converted for every cell; those for other products
for the source `none` alone, which takes fields as rules name them and has a row for each product.

A cell of a table says how many of the category's rules are `exact` / `assumed` / `broader` / `narrower` /
refused ([what these mean](semantics.md)). `assumed` and `broader` are accepted unless `--fidelity exact` asks
for less, `narrower` only with `--fidelity any`. Categories that a source refuses as a whole are below its
table.

A `*` marks a share of converted rules below the one that the project's facts give as reachable, which look at
fields alone and were counted on more rules. Whether marked or not, each refusal has its reason here, and each
reason its source; a refusal without one fails the command, and so does a reason without a refusal.
"""


_PROVEN = """\
`python -m tests.proof.everything` converts {rules} rules (all public ones, whatever their product, those of
the findings and the project's own) for every cell, whatever the fidelity, and runs each query over the events
made from its rule. An `exact` or `assumed` query selects what the reference matcher says that the rule means,
a `broader` or `narrower` one just what it says of the relaxed rule that its label names. `disagrees` and
`error` must be 0.
"""


def render(found: Sequence[Outcome], shipped: Sequence[Shipped]) -> str:
    rules = sum(one.cell == "sysmon/eql" for one in found)
    parts = [_HEAD.format(rules=f"{rules:,}")]
    for source in SOURCES:
        own = [one for one in found if one.cell.startswith(source + "/")]
        parts += [f"## {NAMES[source]}\n", *_table(own), *_losses(source, own), *_refusals(source, own)]
    parts += [*_proven(), *_real(), *_shipped(shipped)]
    return "\n".join(parts)


def _table(own: Sequence[Outcome]) -> Iterator[str]:
    counts: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for one in own:
        counts[one.category, one.cell.partition("/")[2]][one.result] += 1
    source = own[0].cell.partition("/")[0]
    limits = coverage.reachable()
    names = sorted({category for category, _ in counts})
    yield f"| Category | Rules | {' | '.join(TARGETS)} |"
    yield "|---|--:|" + "--:|" * len(TARGETS)
    totals = {target: Counter[str]() for target in TARGETS}
    without = []
    for name in names:
        for target in TARGETS:
            totals[target].update(counts[name, target])
        size = counts[name, "eql"].total()
        if all(counts[name, target]["refused"] == size for target in TARGETS):
            without.append(f"{name} ({size})")
            continue
        cells = [
            _numbers(counts[name, target]) + _mark(counts[name, target], limits, name, f"{source}/{target}")
            for target in TARGETS
        ]
        yield f"| {name} | {size} | {' | '.join(cells)} |"
    total = totals["eql"].total()
    yield f"| all | {total} | {' | '.join(_numbers(totals[target]) for target in TARGETS)} |"
    yield f"\nNone of: {', '.join(without)}.\n"


def _numbers(counted: Counter[str]) -> str:
    return "/".join(str(counted[result]) for result in (*coverage.CONVERTED, "refused"))


def _mark(counted: Counter[str], limits: dict[tuple[str, str], float], category: str, cell: str) -> str:
    share = 1 - counted["refused"] / counted.total()
    return "\\*" if share < limits.get((category, cell), 0) - 1e-9 else ""


def _losses(source: str, own: Sequence[Outcome]) -> Iterator[str]:
    """Yield why queries of a source are not exact, most frequent first."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for one in own:
        for loss in one.losses:
            counts[loss][one.cell.partition("/")[2]] += 1
    yield f"### Not exact of {NAMES[source]}\n"
    yield "A query counts once for each of its reasons. `...` is a field, a value or a log source.\n"
    yield f"| Why | {' | '.join(TARGETS)} |"
    yield "|---|" + "--:|" * len(TARGETS)
    for loss, counted in sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0])):
        yield f"| {loss} | {' | '.join(str(counted[target] or '') for target in TARGETS)} |"
    yield ""


def _refusals(source: str, own: Sequence[Outcome]) -> Iterator[str]:
    """Yield the reasons for a source's refusals, most frequent first, with what they are about."""
    among = coverage.reasons()
    counts: dict[coverage.Reason, Counter[str]] = defaultdict(Counter)
    about: dict[coverage.Reason, Counter[str]] = defaultdict(Counter)
    for one in own:
        reason = coverage.explain(one, among) if one.result == "refused" else None
        if reason is not None:
            counts[reason][one.cell.partition("/")[2]] += 1
            about[reason][coverage.subject(one)] += 1
    yield f"### Refused of {NAMES[source]}\n"
    yield f"| Why | {' | '.join(TARGETS)} | Most often | Source |"
    yield "|---|" + "--:|" * len(TARGETS) + "---|---|"
    for reason, counted in sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0].reason)):
        numbers = " | ".join(str(counted[target] or "") for target in TARGETS)
        often = ", ".join(name for name, _ in sorted(about[reason].items(), key=lambda p: (-p[1], p[0]))[:6])
        yield f"| {reason.reason} | {numbers} | {often} | {reason.source} |"
    yield ""


def _proven() -> Iterator[str]:
    """Yield what the last run of `tests.proof.everything` found."""
    if not NUMBERS.is_file():
        return
    numbers = json.loads(NUMBERS.read_text())
    yield "## Every rule in every cell, executed\n"
    yield _PROVEN.format(rules=f"{numbers['rules']:,}")
    yield f"| Cell | {' | '.join(COLUMNS)} |"
    yield "|---|" + "--:|" * len(COLUMNS)
    for cell, counts in numbers["cells"].items():
        yield f"| {cell} | {' | '.join(str(counts[column]) for column in COLUMNS)} |"
    yield ""


_REAL = """\
`python -m tests.proof.real_events` stores the {events:,} kinds of events of public logs (`../shared/corpus`,
of those that differ in times and ids alone one, at most {most} of a log and event id) in each cell's shape,
and runs the queries of {rules} event rules over all of them, whatever the fidelity. `same`: the query selects
the events that the rule means to the matcher, relaxed as the label says. `hits`: events that the queries
selected. `cut`: events that a query of Splunk's misses because their JSON is longer than `extraction_cutoff`,
as its label `assumed` says; [the import](import-splunk.md) says to raise it.
"""


def _real() -> Iterator[str]:
    """Yield what the last run of `tests.proof.real_events` found."""
    if not real_events.NUMBERS.is_file():
        return
    numbers = json.loads(real_events.NUMBERS.read_text())
    yield "## Every rule over real events\n"
    yield _REAL.format(events=numbers["events"], most=real_events.MOST, rules=f"{numbers['rules']:,}")
    yield f"| Cell | {' | '.join(real_events.COLUMNS)} |"
    yield "|---|" + "--:|" * len(real_events.COLUMNS)
    for cell, counts in numbers["cells"].items():
        yield f"| {cell} | {' | '.join(str(counts[column]) for column in real_events.COLUMNS)} |"
    yield ""


def _shipped(shipped: Sequence[Shipped]) -> Iterator[str]:
    yield "## The shipped rules in the twelve cells\n"
    yield "With the default fidelity, `broader`. The manifest has each query's label and its reasons.\n"
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for one in shipped:
        counted[one.cell][one.result] += 1
    yield "| Cell | exact | assumed | broader | refused |"
    yield "|---|--:|--:|--:|--:|"
    for cell, counts in counted.items():
        yield (
            "| "
            + " | ".join([cell, *(str(counts[key]) for key in ("exact", "assumed", "broader", "refused"))])
            + " |"
        )
    yield ""
    rows: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for one in shipped:
        if one.result == "refused":
            why = one.why.replace(one.cell, "the cell").replace("|", "\\|")
            rows[one.title, why, one.source].append(one.cell)
    if rows:
        yield "| Rule | Cells | Refused because | Why that is true |"
        yield "|---|---|---|---|"
    for (title, why, source), cells in sorted(rows.items()):
        where = "all" if len(cells) == len(counted) else ", ".join(cells)
        yield f"| {title} | {where} | {why} | {source} |"
    yield ""
