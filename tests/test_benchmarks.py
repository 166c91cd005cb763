"""The side-by-side finds upstream's known defects, row by row, and nothing wrong with ours."""

from __future__ import annotations

import pytest

from benchmarks.correctness import (
    AGREES,
    CASE,
    INVALID,
    LABELLED,
    LOST,
    OURS,
    REFUSED,
    UPSTREAM,
    WRONG,
    Found,
    compare,
    table,
)
from benchmarks.questions import of_corpus, of_table
from tests.support import shared

# Case, language, what upstream's query does: each is a row of the list of upstream's defects.
KNOWN = [
    ("cased/list", "eql", WRONG),
    ("cased/list", "kql", WRONG),
    ("cased/list", "spl", WRONG),
    ("utf16/utf16", "eql", WRONG),
    ("time/minute", "kql", REFUSED),
    ("regex/unanchored", "eql", WRONG),
    ("regex/unanchored", "lucene", WRONG),
    ("numbers/integer", "eql", INVALID),
    ("escaping/star", "eql", INVALID),
    ("escaping/star", "spl", WRONG),
    ("equality/string", "lucene", CASE),
    ("numbers/negative", "lucene", INVALID),
    ("wildcards/question-mark", "spl", WRONG),
    ("regex/two-fields", "spl", LOST),
    ("regex/list", "spl", INVALID),
    ("regex/text-and-not-and", "spl", WRONG),
    ("wildcards/star-middle", "kql", WRONG),
    ("null/missing", "kql", WRONG),
    ("field_names/dots", "kql", WRONG),
    ("numbers/list", "kql", INVALID),
    ("keywords/string", "kql", INVALID),
    # What upstream does right must come out right.
    ("equality/string", "eql", AGREES),
    ("equality/string", "spl", AGREES),
    ("equality/string", "kql", AGREES),
    ("null/missing", "lucene", AGREES),
]


@pytest.fixture(scope="module")
def found() -> dict[tuple[str, str, str], Found]:
    wanted = {case for case, _, _ in KNOWN}
    versions, findings = compare([one for one in of_table() if one.name in wanted])
    assert versions["pySigma"]
    return {(one.question, one.language, one.who): one for one in findings}


@pytest.mark.parametrize(("case", "language", "outcome"), KNOWN)
def test_upstream(found: dict[tuple[str, str, str], Found], case: str, language: str, outcome: str) -> None:
    one = found[case, language, UPSTREAM]
    assert one.outcome == outcome, one.why


@pytest.mark.parametrize(("case", "language"), sorted({row[:2] for row in KNOWN}))
def test_ours(found: dict[tuple[str, str, str], Found], case: str, language: str) -> None:
    one = found[case, language, OURS]
    assert one.outcome == (REFUSED if case == "keywords/string" else AGREES), one.why


def test_every_query_of_the_sample_is_counted(found: dict[tuple[str, str, str], Found]) -> None:
    lines = table(list(found.values())).splitlines()[2:]
    assert len(lines) == 8
    for line in lines:
        rules, *counts = (int(cell) for cell in line.split("|")[3:-1])
        assert rules == sum(counts) == len({case for case, _, _ in KNOWN})


@pytest.mark.shared
def test_public_rules() -> None:
    folder = shared("sigmahq")
    questions = of_corpus(300, folder)
    assert len(questions) > 5
    ours = [one for one in compare(questions)[1] if one.who == OURS]
    assert len(ours) == 4 * len(questions)
    assert [one for one in ours if one.outcome not in (AGREES, LABELLED, REFUSED)] == []
