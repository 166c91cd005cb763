"""`sigconv verify` of the shipped rules, as README shows it; and that it notices what is wrong."""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.conversion.convert import Options, convert
from converter.pipelines import cells as cells_module
from converter.plan.model import Fidelity, Reason
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from converter.verify import verify as run
from tests.support import ROOT

# Not `from converter.cli import verify`: that is the command.
printing = importlib.import_module("converter.cli.verify")

FIVE = (
    "windows/execution/office_starts_encoded_command",
    "windows/lateral_movement/psexec_network_connection",
    "windows/lateral_movement/remote_psexec_on_target",
    "windows/lateral_movement/wsus_starts_psexec",
    "windows/privilege_escalation/update_orchestrator_hijack",
)
# A threshold rule that counts kinds of events fires on a normal day: only `--fidelity any` gives it.
UNBOUNDED = ("lucene", FIVE[2])
WITHOUT_BOUND = "SC208 the query would be broader without bound: the inner correlations are not checked"
# What each language can say of each rule; the reason is in docs/semantics.md.
BROADER = {
    ("lucene", FIVE[1]): "the order of the rules is not checked",
    ("eql", FIVE[2]): "not joined by file",
}


@pytest.fixture(scope="module")
def report() -> tuple[dict[str, list[dict[str, object]]], str]:
    """Return the results as JSON, and the table that is printed."""
    paths = [ROOT / "sigma" / f"{rule}.yml" for rule in FIVE]
    cells = [cells_module.cell("sysmon", target) for target in ("eql", "lucene", "spl", "kql")]
    found = list(run.verify(loading.load(paths, ROOT / "sigma"), cells, ROOT / "tests" / "rules"))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        printing._print_table(found)
    return {"results": [printing._result(one) for one in found]}, printed.getvalue()


def test_every_cell_agrees_with_its_label(report: tuple[dict[str, list[dict[str, object]]], str]) -> None:
    found = {
        (one["target"], str(one["file"]).partition("/sigma/")[2].removesuffix(".yml")): one
        for one in report[0]["results"]
    }
    for rule in FIVE:
        for target in ("eql", "lucene", "spl", "kql"):
            one = found[target, rule]
            if (target, rule) == UNBOUNDED:
                assert str(one["reason"]).startswith(WITHOUT_BOUND), one
                continue
            assert one["status"] == "agrees", one
            assert one["fidelity"] == ("broader" if (target, rule) in BROADER else "exact")
            assert BROADER.get((target, rule), "") in str(one["reason"])
            assert one["events"] >= 30
            assert one["hits"] >= 5


def _five(source: str) -> list[tuple[str, dict[str, object]]]:
    """Return rule and result of the five detections in the cells of a source."""
    paths = [str(ROOT / "sigma" / f"{rule}.yml") for rule in FIVE]
    arguments = ["verify", "-s", source, "--format", "json", *paths]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    found = json.loads(done.stdout)["results"]
    assert done.exit_code == 0
    assert len(found) == len(FIVE) * 4
    return [(str(one["file"]).partition("/sigma/")[2].removesuffix(".yml"), one) for one in found]


def _of_json(one: dict[str, object]) -> str:
    """Return the label of a right query: on Splunk, events are assumed to be within 5,000 bytes of JSON."""
    return "assumed" if one["target"] == "spl" else "exact"


def test_defender_agrees_too() -> None:
    for rule, one in _five("defender"):
        if (one["target"], rule) == UNBOUNDED:
            assert str(one["reason"]).startswith(WITHOUT_BOUND), one
            continue
        assert one["status"] == "agrees", one
        assert one["fidelity"] == ("broader" if (one["target"], rule) in BROADER else _of_json(one)), one
        assert one["hits"] >= 5


# What FDR's events cannot tell; each is accepted in pyproject.toml with its reason.
FDR_REFUSED = {
    UNBOUNDED[::-1]: WITHOUT_BOUND,
    (FIVE[1], "eql"): "SC208 the query would be narrower: FDR keeps the name of the parent's file only",
    (FIVE[1], "lucene"): "SC208 the query would be narrower: FDR keeps the name of the parent's file only",
    (FIVE[1], "spl"): "SC208 the query would be narrower: FDR keeps the name of the parent's file only",
    (FIVE[1], "kql"): "SC204 field 'Image' is not part of FDR's connections",
    **{(FIVE[4], target): "SC204 field 'ParentCommandLine'" for target in ("eql", "lucene", "spl", "kql")},
}


def test_crowdstrike_agrees_or_refuses_for_a_true_reason() -> None:
    for rule, one in _five("crowdstrike"):
        refused = FDR_REFUSED.get((rule, str(one["target"])))
        if refused:
            assert one["status"] == "refused"
            assert str(one["reason"]).startswith(refused), one
            continue
        assert one["status"] == "agrees", one
        # FDR names volumes by number: C:\\Windows is found on any of them.
        assert one["fidelity"] == ("broader" if rule == FIVE[2] else _of_json(one)), one
        assert one["hits"] >= 5


def test_readme_shows_this_table(report: tuple[dict[str, list[dict[str, object]]], str]) -> None:
    (shown,) = re.findall(
        r"<!-- verify -->\n```text\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL
    )
    printed = {" ".join(line.split()) for line in report[1].splitlines()}
    for line in shown.splitlines():
        assert " ".join(line.split()) in printed


def _check(relative: str, target: str, change: object) -> run.Checked:
    """Verify one rule whose conversion was changed on purpose."""
    found = loading.load([ROOT / "sigma"])
    rule = next(one for one in emitted_rules(found) if one.relative == relative + ".yml")
    conversion = convert(found, rule, cells_module.cell("sysmon", target), Options("any"))
    streams = run.streams_of(found, rule, ROOT / "tests" / "rules")
    return run.check(found, change(conversion), streams)  # type: ignore[operator]


def _text(old: str, new: str) -> object:
    def change(conversion: run.Conversion) -> run.Conversion:
        (query,) = conversion.queries
        assert old in query.text
        return replace(conversion, queries=(replace(query, text=query.text.replace(old, new, 1)),))

    return change


@pytest.mark.parametrize(
    ("target", "rule", "old", "new", "problem"),
    [
        ("kql", FIVE[3], 'endswith @"\\wuauclt.exe"', 'endswith @"\\wuauclt2.exe"', "missed"),
        ("kql", FIVE[3], 'OriginalFileName =~ "psexec.c"', 'OriginalFileName == "psexec.c"', "missed"),
        ("kql", FIVE[1], "Timespan = 1m", "Timespan = 59s", "missed"),
        ("kql", FIVE[1], "Timespan = 1m", "Timespan = 61s", "returned too much"),
        ("eql", FIVE[1], "maxspan=1m", "maxspan=59s", "missed"),
        ("eql", FIVE[4], "not process.executable", "process.executable", "missed"),
        ("spl", FIVE[1], "60000", "60001", "returned too much"),
        ("spl", FIVE[3], "EventCode=1", "EventCode=5", "missed"),
        ("lucene", FIVE[3], "[Cc]64", "[C]64", "missed"),
        ("lucene", FIVE[2], '"value": 3', '"value": 4', "missed"),
    ],
)
def test_wrong_query_is_noticed(target: str, rule: str, old: str, new: str, problem: str) -> None:
    checked = _check(rule, target, _text(old, new))
    assert checked.status == "disagrees"
    assert checked.reason.startswith(problem)
    assert checked.detail


def test_label_that_nothing_bears_out_is_noticed() -> None:
    def change(conversion: run.Conversion) -> run.Conversion:
        broader = Reason(Fidelity.BROADER, "made up", "any volume")
        return replace(conversion, fidelity=Fidelity.BROADER, reasons=(broader,))

    checked = _check(FIVE[3], "eql", change)
    assert (checked.status, checked.reason) == ("disagrees", "labelled broader, but no event shows it")


@pytest.mark.parametrize(
    ("options", "fidelity"),
    [(("--lucene-case", "as-is", "--fidelity", "any"), "narrower"), (("--lucene-form", "dsl"), "exact")],
)
def test_other_forms_of_lucene(options: tuple[str, ...], fidelity: str) -> None:
    paths = [str(ROOT / "sigma" / f"{rule}.yml") for rule in (FIVE[0], FIVE[3], FIVE[4])]
    arguments = ["verify", *paths, "-s", "sysmon", "-t", "lucene", "--format", "json", *options]
    done = CliRunner().invoke(main, arguments, catch_exceptions=False)
    found = json.loads(done.stdout)["results"]
    assert [(one["status"], one["fidelity"]) for one in found] == [("agrees", fidelity)] * 3


MIXED = """\
title: A script
name: script
logsource: {product: windows, category: ps_script}
detection: {s: {ScriptBlockText|contains: 'Get-A '}, condition: s}
---
title: A process
name: process
logsource: {product: windows, category: process_creation}
detection: {s: {CommandLine|contains: '-a'}, condition: s}
---
title: A process after a script
correlation: {type: temporal_ordered, rules: [script, process], group-by: [Computer], timespan: 5m}
"""


@pytest.mark.parametrize("target", ["spl", "kql", "lucene"])
def test_rules_of_two_channels_whose_records_have_other_times(tmp_path: Path, target: str) -> None:
    """Sysmon's records have UtcTime, PowerShell's only the time of the record."""
    (tmp_path / "mixed.yml").write_text(MIXED)
    (found,) = run.verify(
        loading.load([tmp_path]), [cells_module.cell("sysmon", target)], ROOT / "tests" / "rules"
    )
    assert found.status == "agrees", found.detail
    assert found.hits > 20
