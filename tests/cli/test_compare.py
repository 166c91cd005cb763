"""`sigconv compare`: upstream's queries beside ours, both on the real engines."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from converter.cli import main
from tests.support import ROOT

PROCESS = "{category: process_creation, product: windows}"
NETWORK = "{category: network_connection, product: windows}"


class Case(NamedTuple):
    name: str
    logsource: str
    selection: str
    cell: str
    verdict: str
    text: str
    """What the line says."""


CASES = [
    Case("agree", PROCESS, "{CommandLine|contains: whoami}", "none/spl", "same events", "same events"),
    Case("agree", PROCESS, "{CommandLine|contains: whoami}", "sysmon/eql", "same events", "same events"),
    # Upstream writes the value as it is; a wildcard query on a keyword field minds letter case (Elasticsearch
    # reference, "Wildcard query", case_insensitive: false by default).
    Case(
        *("letter case", PROCESS, "{CommandLine|contains: Mimikatz}", "none/lucene"),
        *("upstream misses events", "by letter case alone"),
    ),
    # Upstream refuses one value that is `cased` ("Case-sensitive string matching is not supported by
    # backend"), but writes a list as `IN (...)`, and `search` compares field values without regard to
    # letter case (Splunk, Search Reference, `search`).
    Case(
        *("cased", PROCESS, "{CommandLine|contains|cased: [WhoAmI, HostName]}", "none/spl"),
        *("upstream adds events", "upstream adds"),
    ),
    # sigma/pipelines/microsoftxdr/ gives a file_event the table DeviceFileEvents and asks for no ActionType:
    # deleted and renamed files are in that table too (Microsoft's reference of the table).
    Case(
        *("files", "{category: file_event, product: windows}", "{TargetFilename|endswith: qz.exe}"),
        *("defender/kql", "upstream adds events", "upstream adds"),
    ),
    # The same pipeline: "Rule category not yet supported" (microsoftxdr.py).
    Case(
        *("category", "{category: process_access, product: windows}", "{TargetImage|endswith: lsass.exe}"),
        *("defender/kql", "upstream refuses", "upstream refuses: "),
    ),
    # Event 3 of Sysmon's manifest has no ParentImage.
    Case(
        *("no such field", NETWORK, "{ParentImage|endswith: winword.exe}", "sysmon/spl"),
        *("ours refuses", "ours refuses: SC20"),
    ),
    # Sysmon does not write the Security log: no event shows what upstream's query does.
    Case(
        *("no such events", "{service: security, product: windows}", "{EventID: 4624}", "sysmon/spl"),
        *("ours refuses", "; upstream's is not run here: the source has no such events"),
    ),
    # `:` compares texts only (Elasticsearch, EQL syntax reference); upstream writes it for numbers too.
    Case(
        *("number", PROCESS, "{ProcessId: 4}", "none/eql"),
        *("upstream's does not parse", "upstream's does not parse: "),
    ),
    # Two regular expressions of two fields: upstream's Splunk backend returns an empty list.
    Case(
        *("two regexes", PROCESS, "{Image|re: 'a.c', CommandLine|re: 'd.f'}", "none/spl"),
        *("upstream gives no query", "no query and no error"),
    ),
    Case(
        *("no pipeline", PROCESS, "{CommandLine|contains: whoami}", "crowdstrike/spl"),
        *(
            "upstream has no pipeline",
            "upstream has no pipeline for crowdstrike on splunk: nothing is compared",
        ),
    ),
]


def rule(title: str, logsource: str, selection: str) -> str:
    return f"title: {title}\nlogsource: {logsource}\ndetection: {{s: {selection}, condition: s}}\n"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Write rules and run the command over them, in a folder without a configuration."""
    monkeypatch.chdir(tmp_path)

    def compared(cell: str, *options: str, paths: tuple[str, ...] = (".",), **rules: str) -> Result:
        for name, text in rules.items():
            Path(f"{name}.yml").write_text(text)
        source, target = cell.split("/")
        return CliRunner().invoke(main, ["compare", *paths, "-s", source, "-t", target, "-j", "1", *options])

    return compared


def results(done: Result) -> list[dict[str, Any]]:
    return list(json.loads(done.stdout)["results"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.name}, {case.cell}")
def test_verdicts(run: Callable[..., Result], case: Case) -> None:
    done = run(case.cell, "--format", "json", one=rule(case.name, case.logsource, case.selection))
    assert done.exit_code == 0, done.output
    (result,) = results(done)
    assert result["verdict"] == case.verdict, result["text"]
    assert case.text in result["text"]
    assert f"{result['source']}/{result['target']}" == case.cell
    bad = ("misses", "adds", "does not parse", "no query")
    assert result["wrong"] == (
        case.verdict.startswith("upstream") and any(one in case.verdict for one in bad)
    )


def test_a_line_for_each_rule_and_language_and_the_counts(run: Callable[..., Result]) -> None:
    agree, adds = CASES[0], next(case for case in CASES if case.name == "cased")
    texts = {case.name: rule(case.name, case.logsource, case.selection) for case in (agree, adds)}
    done = run("none/spl", "--details", **texts)
    assert done.exit_code == 0
    lines = done.stdout.splitlines()
    assert "agree.yml: none/spl: same events" in lines
    assert any(line.startswith("cased.yml: none/spl: upstream adds") for line in lines)
    # Both queries, and an event that has the value in other letters.
    start = next(number for number, line in enumerate(lines) if line.startswith("cased.yml"))
    below = lines[start + 1 : lines.index("", start)]
    assert [line for line in below if line in ("  upstream:", "  sigconv:")] == ["  upstream:", "  sigconv:"]
    decides = next(number for number, line in enumerate(below) if "the rule does not select it" in line)
    assert "upstream selects it, sigconv does not" in below[decides]
    value = next(line for line in below[decides:] if "CommandLine: " in line)
    assert any(word in value.lower() for word in ("whoami", "hostname"))
    assert "WhoAmI" not in value
    assert "HostName" not in value
    assert lines[-1] == "none/spl, 2 rules: same events 1, upstream adds events 1"


@pytest.mark.parametrize(("name", "code"), [("agree", 0), ("cased", 1)])
def test_fail_on_wrong(run: Callable[..., Result], name: str, code: int) -> None:
    case = next(case for case in CASES if case.name == name)
    text = rule(case.name, case.logsource, case.selection)
    assert run("none/spl", "--fail-on", "wrong", one=text).exit_code == code


def test_a_rule_that_means_no_event_shows_nothing(run: Callable[..., Result]) -> None:
    text = rule("Never", PROCESS, "{CommandLine|re: '^a(?=b)c', Image|endswith: x}")
    (result,) = results(run("none/spl", "--format", "json", never=text))
    assert result["meant"] == 0
    assert result["text"] == "same events: none, so nothing is shown"


def test_a_broken_rule_does_not_stop_the_others(run: Callable[..., Result]) -> None:
    good = rule("Good", PROCESS, "{CommandLine|contains: whoami}")
    done = run("none/spl", broken=rule("Broken", PROCESS, "{CommandLine|nosuch: a}"), good=good)
    assert done.exit_code == 1
    assert [line for line in done.stderr.splitlines() if line.startswith("broken.yml:3:")]
    assert "good.yml: none/spl: same events" in done.stdout


INBOUND = """\
rule: network.yml
id: 11111111-1111-4111-8111-111111111111
events:
    accepted: {EventID: 3, Channel: Microsoft-Windows-Sysmon/Operational,
        Provider_Name: Microsoft-Windows-Sysmon, Computer: a.example.org,
        UtcTime: '2026-11-21 10:00:00.000', Image: 'C:\\x\\qz.exe', Protocol: tcp, Initiated: 'false',
        SourceIp: 192.0.2.7, SourcePort: '50123', DestinationIp: 192.0.2.8, DestinationPort: '445'}
tests:
    - name: a connection from outside
      events: [{use: accepted}]
      alerts: []
"""


def test_json_has_both_queries_and_the_event_of_the_rules_own_test(run: Callable[..., Result]) -> None:
    # sigma/pipelines/microsoftxdr/microsoftxdr.py drops `Initiated`: "essentially ignore initiated field".
    text = rule("Network", NETWORK, "{Initiated: 'true', Image|endswith: qz.exe}")
    Path("sigma").mkdir()
    Path("sigma/network.yml").write_text(f"id: 11111111-1111-4111-8111-111111111111\n{text}")
    Path("tests/rules").mkdir(parents=True)
    Path("tests/rules/network.yml").write_text(INBOUND)
    done = run("defender/kql", "--format", "json", paths=("sigma",))
    (result,) = results(done)
    assert result["verdict"] == "upstream adds events", result["text"]
    assert result["pipelines"] == ["microsoft_xdr_pipeline"]
    (theirs,), (ours,) = result["upstream_queries"], result["our_queries"]
    assert theirs == 'DeviceNetworkEvents\n| where InitiatingProcessFolderPath endswith "qz.exe"'
    assert "ActionType" in ours
    (decider,) = result["deciders"]
    assert (decider["rule"], decider["upstream"], decider["ours"]) == (False, True, False)
    assert decider["index"] == "DeviceNetworkEvents"
    assert decider["event"]["Initiated"] == "false"
    assert decider["event"]["DestinationIp"] == "192.0.2.8"


OFTEN = (
    "name: base\n"
    + rule("Base", PROCESS, "{CommandLine|contains: whoami}")
    + "---\ntitle: Often\ncorrelation:\n  type: event_count\n  rules: [base]\n  group-by: [Computer]\n"
    "  timespan: 5m\n  condition: {gte: 3}\n"
)


@pytest.mark.parametrize(
    ("cell", "verdict", "text"),
    [
        # SigmaHQ/pySigma, sigma/conversion/base.py: "Backend does not support correlation rules."
        ("none/lucene", "upstream refuses", "does not support correlation rules"),
        # `sequence by ... with maxspan=5m [...] with runs=3` on both sides.
        ("none/eql", "same events", "same alerts"),
        # sigma/backends/splunk/splunk.py counts in fixed buckets (`bin _time span=5m`): three events of which
        # the first are in one bucket and the last is in the next are no alert.
        ("none/spl", "upstream misses events", "upstream misses"),
    ],
)
def test_correlations(run: Callable[..., Result], cell: str, verdict: str, text: str) -> None:
    (result,) = results(run(cell, "--format", "json", often=OFTEN))
    assert result["verdict"] == verdict
    assert text in result["text"]
    if verdict == "upstream misses events":
        (decider,) = result["deciders"]
        assert (decider["rule"], decider["upstream"], decider["ours"]) == (True, False, True)
        assert decider["stream"] == "on the window's edge"


def test_the_documents_example_is_what_is_printed(run: Callable[..., Result]) -> None:
    text = (ROOT / "docs" / "upstream.md").read_text()
    (example,) = re.findall(r"```yaml\n(title.*?)```", text, re.DOTALL)
    shown = re.findall(r"```console\n\$ sigconv compare startup.yml (.*?)\n(.*?)```", text, re.DOTALL)
    assert len(shown) == 2
    Path("startup.yml").write_text(example)
    for options, output in shown:
        done = CliRunner().invoke(main, ["compare", "startup.yml", *options.split(), "-j", "1"])
        assert done.stdout == output


@pytest.mark.skipif(find_spec("sigma.pipelines.windows") is not None, reason="windows-audit is installed")
def test_a_category_needs_the_pipeline_that_maps_its_fields(run: Callable[..., Result]) -> None:
    done = run("windows-security/spl", one=rule("One", PROCESS, "{CommandLine|contains: whoami}"))
    assert "has no pipeline for the category (windows_audit_pipeline is not installed" in done.stdout


def test_the_lines_of_two_rules_of_a_file_have_their_titles(run: Callable[..., Result]) -> None:
    texts = [rule(title, PROCESS, "{CommandLine|contains: whoami}") for title in ("First", "Second")]
    done = run("crowdstrike/eql", both="---\n".join(texts))
    assert [line.split(":")[0] for line in done.stdout.splitlines()[:2]] == [
        "both.yml (First)",
        "both.yml (Second)",
    ]


def test_processes_say_what_one_says(run: Callable[..., Result]) -> None:
    texts = {f"r{number}": rule("R", PROCESS, f"{{CommandLine|contains: q{number}}}") for number in range(32)}
    alone = run("crowdstrike/spl", **texts)
    assert alone.stdout.count("has no pipeline") == 33
    assert run("crowdstrike/spl", "-j", "2").stdout == alone.stdout
