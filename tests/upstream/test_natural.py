"""The table of upstream's pipelines, and who loads upstream's backends."""

from __future__ import annotations

import re

import pytest

from converter.backends import BACKENDS
from converter.pipelines import cells
from converter.platforms import LANGUAGES, platform_of
from converter.upstream.ask import Asked, Way, ask
from converter.upstream.compare import way_of
from converter.upstream.natural import natural
from tests.support import ROOT

RULE = {
    "title": "t",
    "logsource": {"category": "process_creation", "product": "windows"},
    "detection": {"s": {"CommandLine|contains": "whoami"}, "condition": "s"},
}
# Source and language -> how upstream's query begins. None: upstream maps no such source.
BEGINS = {
    ("none", "eql"): "any where CommandLine",
    ("none", "lucene"): "CommandLine:",
    ("none", "spl"): "CommandLine=",
    ("none", "kql"): "Events\n| where CommandLine contains",
    ("sysmon", "eql"): "any where process.command_line",
    ("sysmon", "lucene"): "process.command_line:",
    ("sysmon", "spl"): "CommandLine=",
    ("sysmon", "kql"): None,
    ("windows-security", "kql"): "SecurityEvent\n| where CommandLine contains",
    ("defender", "eql"): None,
    ("defender", "spl"): None,
    ("defender", "kql"): "DeviceProcessEvents\n| where ProcessCommandLine contains",
    ("crowdstrike", "lucene"): None,
}


@pytest.fixture(scope="module")
def answers() -> dict[tuple[str, str], str]:
    """Upstream's query of the rule in each cell where it has a pipeline, asked for at once."""
    ways = {pair: way for pair in BEGINS if (way := way_of(cells.cell(*pair))) is not None}
    versions, (found,) = ask([Asked((RULE,), {})], list(ways.values()))
    assert set(versions) > {"pySigma"}
    return {pair: answer.queries[0] for pair, answer in zip(ways, found, strict=True)}


@pytest.mark.parametrize("pair", BEGINS, ids="/".join)
def test_pipelines(answers: dict[tuple[str, str], str], pair: tuple[str, str]) -> None:
    begins = BEGINS[pair]
    if begins is None:
        assert pair not in answers
    elif natural(pair[0], platform_of(pair[1]).name).selects_logsource or pair[0] == "none":
        assert answers[pair].startswith(begins)
    else:  # Where its package is installed, a further pipeline writes the event's number in front.
        assert begins.split()[-1] in answers[pair]


def test_each_language_names_a_backend_of_upstream() -> None:
    _, (found,) = ask([Asked((RULE,), {})], [Way(BACKENDS[language].upstream) for language in LANGUAGES])
    assert all(answer.queries for answer in found)


def test_what_upstream_raises_is_an_answer() -> None:
    broken = {**RULE, "detection": {"s": {"CommandLine|nosuch": "a"}, "condition": "s"}}
    _, (bad, good) = ask([Asked((broken,), {}), Asked((RULE,), {})], [Way("SplunkBackend")])
    assert "nosuch" in str(bad[0].raised)
    assert good[0].queries == ('CommandLine="*whoami*"',)


def test_upstream_alone_imports_backends_of_pysigma() -> None:
    pattern = re.compile(r"^\s*(from|import) sigma\.backends\b", re.MULTILINE)
    files = [path for path in (ROOT / "converter").rglob("*.py") if pattern.search(path.read_text())]
    assert [path.relative_to(ROOT).as_posix() for path in files] == ["converter/upstream/pysigma_process.py"]
