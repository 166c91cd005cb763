"""How many alerts a broader form raises on real events, beside those that the rule means.

``python -m tests.proof.bounds`` converts every shipped and public rule in the cells of each source, and
counts with the reference matcher what the rule and what the relaxed rule select of the events of
../shared/corpus: `verify` proves that the query selects what the relaxed rule means. A form is not bounded if
it raises more than 20 times the alerts that the rule means, or, of a rule of level high or critical, any
alert where the rule means none. Exits with 1 if such a form is given by default.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path

from converter import pipelines, rules
from converter.convert import Options, convert
from converter.errors import SigconvError
from converter.plan import Fidelity
from converter.verify import run
from converter.verify.expected import expected_marks
from converter.verify.relaxations import Situation, relaxed
from converter.verify.stored import stored_events
from tests.proof.real_events import events, every_rule

MOST = 20
"""Times the alerts that the rule means; fewer alerts than that are no flood."""
_ROOT = Path(__file__).resolve().parents[2]


def main(arguments: list[str] | None = None) -> int:
    """Run, print a line for each form that has no bound, and return the exit code."""
    parser = argparse.ArgumentParser(description="Alerts of broader forms on real events.")
    parser.add_argument("--every", type=int, default=1, help="one of so many rules")
    parser.add_argument("--events", type=int, default=20_000)
    parser.add_argument("--sources", default="sysmon,defender,crowdstrike")
    given = parser.parse_args(arguments)
    raw = events(given.events)
    tally: Counter[str] = Counter()
    shipped = rules.load([_ROOT / "sigma"], _ROOT / "sigma")
    candidates = [(shipped, rule) for rule in shipped.emitted()]
    candidates += [(found, rule) for _, found, rule in every_rule()[:: given.every]]
    for source in given.sources.split(","):
        for language in ("lucene", "eql", "spl", "kql"):
            cell = pipelines.cell(source, language)
            for found, rule in candidates:
                try:
                    conversion = convert(found, rule, cell, Options("broader"))
                except SigconvError:
                    continue
                if conversion.fidelity != Fidelity.BROADER:
                    continue
                names = run.relaxations_of(conversion)
                seen, stored = stored_events(raw, conversion)
                docs = tuple(one.doc for one in found.closure(rule))
                situation = Situation(docs, tuple(seen), tuple(one.doc for one in stored))
                meant = len(set(expected_marks(rule, situation, cell)))
                raised = len(set(expected_marks(rule, relaxed(names, situation), cell)))
                tally["broader"] += 1
                high = str(rule.doc.get("level")) in ("high", "critical")
                if raised > MOST * max(meant, 1) or (high and not meant and raised):
                    tally["without bound"] += 1
                    print(f"{cell} {rule.relative}: {raised} alerts, {meant} meant: {', '.join(names)}")
    print(dict(tally), f"of {len(raw)} events")
    return 1 if tally["without bound"] else 0


if __name__ == "__main__":
    sys.exit(main())
