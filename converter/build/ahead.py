"""Convert rules in the process that reads them: what pySigma parsed to check a rule is what is converted.

It is done before all rules are known, so a result counts only for a rule that stands alone in its file and
whose document no filter changed (`jobs.work` looks at that); correlations need others and come later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from converter.backends import backend_for
from converter.build.convert_rules import Progress
from converter.build.records import Ready, identified, lasting, packed, work_out
from converter.conversion.convert import Options
from converter.pipelines.cells import Cell
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet


class Ahead:
    """What `loading.load` needs to convert on the way."""

    def __init__(
        self,
        cells: Sequence[Cell],
        options: Options,
        takes: Callable[[Rule], bool],
        exporting: bool = False,
        keyed: bool = True,
        progress: Progress | None = None,
    ) -> None:
        """Name what rules are converted for.

        Args:
            cells: the cells.
            options: what the user chose.
            takes: which rules to convert; can be pickled.
            exporting: whether import formats are made from the records.
            keyed: whether there is a cache.
            progress: see `jobs.Progress`.
        """
        self.convert = Conversions(cells, options, takes, exporting, keyed)
        self.steps = len(cells)
        self._progress = progress
        self._advance: Callable[[int], None] | None = None

    def expect(self, files: int) -> None:
        """Make ready for so many files: load what converts, so that a fork has it."""
        for target in {cell.target for cell in self.convert.cells}:
            backend_for(target)
        if self._progress is not None and files:
            self._advance = self._progress(files * len(self.convert.cells))

    def done(self, files: int) -> None:
        """Say that so many files more were read and converted."""
        if self._advance is not None:
            self._advance(files * len(self.convert.cells))


class Conversions:
    """Converts one rule for all cells; can be sent to another process."""

    def __init__(
        self,
        cells: Sequence[Cell],
        options: Options,
        takes: Callable[[Rule], bool],
        exporting: bool,
        keyed: bool,
    ) -> None:
        self.cells, self._options, self._takes = cells, options, takes
        self._exporting, self._keyed = exporting, keyed

    def __call__(self, rule: Rule) -> Ready | None:
        """Convert a rule; None if it is not for itself, or not asked for."""
        if rule.kind != "rule" or not self._takes(rule):
            return None
        alone = RuleSet([rule])
        made = [work_out(alone, rule, None, cell, self._options, self._exporting) for cell in self.cells]
        return Ready(*identified([rule], None, self._keyed), packed(made), tuple(map(lasting, made)))
