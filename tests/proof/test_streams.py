"""Random streams of every correlation type and language: `make test` runs a sample, `make proof` 2,000 each.

`python -m tests.proof.streams` is the same as a command.
"""

from __future__ import annotations

import re
from functools import cache
from random import Random

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.conversion.convert import Conversion
from converter.errors import Refusal
from tests.proof.stream_cells import LANGUAGES
from tests.proof.stream_rules import TYPES, random_chain
from tests.proof.streams import converted, prove

REFUSED = {
    *(("eql", kind) for kind in TYPES if kind.startswith("value_")),
    *(("lucene", kind) for kind in TYPES if kind.startswith("value_") and kind != "value_count"),
}
"""What a language has nothing for."""
SAMPLE = 20


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("count", "seed"),
    [pytest.param(SAMPLE, "1", id="sample"), pytest.param(2000, "2", id="all", marks=pytest.mark.proof)],
)
def test_alerts_are_the_matchers(count: int, seed: str, language: str, kind: str) -> None:
    cell = prove(kind, language, count, seed)
    assert cell.disagreements == []
    if (language, kind) in REFUSED:
        assert cell.streams == 0
        return
    assert cell.streams == count
    if count > SAMPLE:
        # Streams that raise nothing would show little.
        assert cell.alerts > 3 * count
        exact = cell.labels["exact"] / cell.queries
        assert exact == {"kql": 1, "spl": 1, "lucene": 0}.get(language, exact)


@cache
def _queries(language: str) -> list[Conversion]:
    found = []
    for kind in TYPES:
        for attempt in range(60):
            try:
                found.append(converted(random_chain(Random(f"text/{kind}/{attempt}"), kind), language))
            except Refusal:
                continue
    assert len(found) > 200
    return found


def test_kql_estimates_nothing_and_joins_inner() -> None:
    """dcount and percentile estimate; innerunique, the default of joins, drops rows."""
    unwanted = r"\b(dcount|dcountif|percentile\w*|serialize|scan|partition|limit|take|top)\b"
    joins = 0
    for one in _queries("kql"):
        text = "\n".join(line for line in one.queries[0].text.splitlines() if not line.startswith("//"))
        assert not re.search(unwanted, text)
        joins += text.count("join ")
        assert text.count("join ") == text.count("| join kind=inner ")
    assert joins > 100


def test_kql_counts_are_linear() -> None:
    """N events or more, of event rules that are grouped alike: one sort and no join."""
    linear = 0
    for one in _queries("kql"):
        plan = one.plan
        if plan.type != "event_count" or not {t.op for t in plan.thresholds} <= {"gt", "gte"}:
            continue
        if all(not hasattr(member.source, "members") for member in plan.members):
            linear += 1
            assert "join" not in one.queries[0].text
    assert linear > 5


def test_spl_has_no_command_with_silent_limits() -> None:
    for one in _queries("spl"):
        commands = re.findall(r"^\| (\w+)", one.queries[0].text, re.MULTILINE)
        assert not {"join", "append", "appendcols", "transaction", "multisearch", "bin", "bucket"} & set(
            commands
        )
        assert "[" not in re.sub(r'"[^"]*"|```[^`]*```', "", one.queries[0].text)
