"""The public Windows rules through the Sysmon and Security cells: queries that the checkers accept.

KQL: Microsoft's analyser with the table's columns. EQL: with the field types. SPL and Lucene: their parsers.
"""

from __future__ import annotations

import pytest

from converter.conversion.convert import Options, convert
from converter.engines import engine_for
from converter.errors import EngineError, Refusal
from converter.pipelines import cells
from converter.verify.stored import tables_of
from tests.proof import coverage
from tests.support import shared

CELLS = [
    *(("sysmon", target, "") for target in ("eql", "lucene", "spl", "kql")),
    ("sysmon", "kql", "windowsevent"),
    *(("windows-security", target, "") for target in ("eql", "kql")),
]


@pytest.mark.shared
@pytest.mark.parametrize(
    ("source", "target", "variant"), CELLS, ids=["-".join(filter(None, one)) for one in CELLS]
)
@pytest.mark.parametrize("step", [25, pytest.param(1, marks=pytest.mark.proof)])
def test_every_query_is_valid_on_the_cells_columns(step: int, source: str, target: str, variant: str) -> None:
    shared("sigmahq")
    everything = coverage.corpus()
    cell = cells.cell(source, target, variant)
    engine = engine_for(target)
    wrong, checked = [], 0
    for rule in everything.rules[3::step]:
        try:
            conversion = convert(everything, rule, cell, Options("any"))
        except Refusal:
            continue
        for query in conversion.queries:
            checked += 1
            try:
                engine.validate(query.text, tables_of(conversion))
            except EngineError as error:
                wrong.append(f"{rule.file}: {error}")
    assert wrong == []
    assert checked > 300 / step
