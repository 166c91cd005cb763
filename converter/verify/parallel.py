"""`sigconv verify` in several processes: each has engines of its own and takes rule after rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from converter.conversion.convert import Options
from converter.pipelines.cells import Cell
from converter.rules.emitted import emitted_rules
from converter.rules.ruleset import RuleSet
from converter.verify.verify import Checked, verify_rule
from converter.workers import shared_out

ENOUGH = 16
"""Rules times cells from which a further process is worth it: its engines take seconds to start."""
_Result = tuple[str, str, int, int, str, tuple[str, ...]]
"""What `Checked` says beside the rule and the cell, which the parent has."""


def verify_in_processes(
    rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options, workers: int, enough: int = ENOUGH
) -> Iterator[Checked]:
    """Verify every emitted rule in every cell, in the order of `verify`.

    Args:
        rules: as loaded.
        cells: the cells.
        tests: folder of the rules' own test files.
        options: what the user chose.
        workers: how many processes may work.
        enough: see `ENOUGH`.

    Raises:
        InternalError: SC900 if a process dies.
    """
    chosen = emitted_rules(rules)
    job = _Job(rules, cells, tests, options)
    workers = max(1, min(workers, len(chosen) * len(cells) // enough))
    ready: dict[int, list[_Result]] = {}
    position = 0
    for number, results in shared_out(job.run, range(len(chosen)), workers):
        ready[number] = results
        while position in ready:
            for cell, result in zip(cells, ready.pop(position), strict=True):
                yield Checked(chosen[position], cell, *result)
            position += 1


class _Job:
    """What a process needs."""

    def __init__(self, rules: RuleSet, cells: Sequence[Cell], tests: Path, options: Options) -> None:
        self.rules, self.cells, self.tests, self.options = rules, cells, tests, options

    def run(self, position: int) -> list[_Result]:
        rule = emitted_rules(self.rules)[position]
        return [
            (one.status, one.fidelity, one.events, one.hits, one.reason, one.detail)
            for one in verify_rule(self.rules, rule, self.cells, self.tests, self.options)
        ]
