"""Every query of the public Windows rules in the twelve cells, executed and compared with the matcher.

``python -m tests.proof.cells -s SOURCE -t TARGET [--every N --offset K] [-o FILE]``: both options may be
repeated; without them all cells. What does not agree goes to stdout, counts to stderr; the exit code is 1 if
anything does not. Needs the rules in ../shared.
"""

from __future__ import annotations

import json
import sys
from argparse import ArgumentParser
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from time import monotonic

from converter import pipelines
from converter.convert import Options, convert
from converter.errors import SigconvError
from converter.rule import Rule
from converter.rules import RuleSet
from converter.verify.run import verify
from tests.proof.coverage import TARGETS, TWELVE, category, corpus
from tests.support import ROOT

PARTS = 8
"""Of each group of cells: the processes end at about the same time."""
_PER_CATEGORY = 2


@dataclass(frozen=True, slots=True)
class Outcome:
    """One public rule in one cell."""

    rule: str
    """Path below the corpus."""
    category: str
    cell: str
    status: str
    """agrees, refused, disagrees or error."""
    fidelity: str
    events: int
    hits: int
    reason: str
    detail: tuple[str, ...] = ()


def outcomes(rules: Sequence[Rule], source: str, targets: Sequence[str] = TARGETS) -> Iterator[Outcome]:
    """Convert the rules for the cells of one source, whatever the fidelity, and run their queries."""
    chosen = RuleSet(list(rules), [], [], corpus().rules)
    cells = [pipelines.cell(source, target) for target in targets]
    for one in verify(chosen, cells, ROOT / "tests" / "rules", Options("any")):
        what = (one.status, one.fidelity, one.events, one.hits, one.reason, one.detail[:3])
        yield Outcome(one.rule.relative, category(one.rule), str(one.cell), *what)


def disagreements(found: Sequence[Outcome]) -> list[Outcome]:
    return [one for one in found if one.status in ("disagrees", "error")]


def sample() -> list[Rule]:
    """Return some rules of each category that one of the cells has, spread over the category's rules."""
    groups: dict[str, list[Rule]] = defaultdict(list)
    for rule in corpus().rules:
        groups[category(rule)].append(rule)
    found = []
    for _, rules in sorted(groups.items()):
        places = dict.fromkeys(len(rules) * tenth // 10 for tenth in (3, 7, 1, 9, 5))
        found += list(islice(filter(_served, (rules[place] for place in places)), _PER_CATEGORY))
    return found


def _served(rule: Rule) -> bool:
    for source in TWELVE:
        try:
            convert(corpus(), rule, pipelines.cell(source, "spl"), Options("any"))
        except SigconvError:
            continue
        return True
    return False


def _part(source: str, targets: Sequence[str], part: slice) -> list[Outcome]:
    return list(outcomes(corpus().rules[part], source, targets))


def every_outcome(processes: int = 2) -> Iterator[Outcome]:
    """Yield the outcome of all rules in all cells; a process holds the engines of two languages."""
    for source in TWELVE:
        for targets in (("eql", "lucene"), ("spl", "kql")):
            parts = [slice(start, None, PARTS) for start in range(PARTS)]
            # Spawned, as a JVM must not fork.
            with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
                for some in pool.map(_part, [source] * PARTS, [targets] * PARTS, parts):
                    yield from some


def main(arguments: Sequence[str]) -> int:
    parser = ArgumentParser(prog="python -m tests.proof.cells", description=__doc__)
    parser.add_argument("-s", "--source", action="append", choices=TWELVE)
    parser.add_argument("-t", "--target", action="append", choices=TARGETS)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only each Nth rule")
    parser.add_argument("--offset", type=int, default=0, metavar="K", help="the first of them")
    parser.add_argument("--match", default="", help="only rules whose path has this text")
    parser.add_argument("-o", "--output", type=Path, help="write each outcome there as a line of JSON")
    given = parser.parse_args(arguments)
    rules = [rule for rule in corpus().rules[given.offset :: given.every] if given.match in rule.relative]
    counts: Counter[tuple[str, str]] = Counter()
    wrong, start = 0, monotonic()
    with ExitStack() as stack:
        file = stack.enter_context(given.output.open("w")) if given.output else None
        for source in given.source or TWELVE:
            for one in outcomes(rules, source, given.target or TARGETS):
                counts[one.cell, one.status] += 1
                if file:
                    print(json.dumps(asdict(one)), file=file, flush=True)
                if disagreements([one]):
                    wrong += 1
                    what = f"{one.rule} in {one.cell} ({one.fidelity}): {one.status}: {one.reason}"
                    print(what, *one.detail, sep="\n  ", flush=True)
    for (cell, status), count in sorted(counts.items()):
        print(f"{cell} {status}: {count}", file=sys.stderr)
    print(f"{len(rules)} rules, {monotonic() - start:.0f} s", file=sys.stderr)
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
