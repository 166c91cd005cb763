"""The emitted queries, run over whole public logs as each platform stores them, say what `match` says."""

from __future__ import annotations

import gzip
import json
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from converter.conversion.convert import convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.events import flatten
from converter.pipelines import cells
from converter.platforms import platform_of
from converter.rules import loading
from converter.rules import ruleset as ruleset_module
from converter.rules.emitted import emitted_rules
from converter.shapes import shape_for
from converter.verify.alerts import alerts_of
from converter.verify.stored import tables_of
from tests.support import ROOT, shared

pytestmark = [pytest.mark.shared, pytest.mark.slow]

PSEXEC = "cmd_psexec_lsa_secrets_dump"
# Of the chain in that log: file creation and start are 35 ms apart, the connection comes before both.
CHAIN = ("WORKSTATION5",), 1603092646435
DCOM = "covenant_dcom_executeexcel4macro_allowed"
# Excel starts 149 ms after a connection to the RPC endpoint mapper.
EXCEL = ("WORKSTATION6.theshire.local",), 1600379165560
FIRES = {
    PSEXEC: {"Remote PsExec on Its Target": [CHAIN]},
    DCOM: {"Office, MMC or HTA Program Started Over DCOM by Another Host": [EXCEL]},
}
SILENT = (
    "empire_psexec_dcerpc_tcp_svcctl",
    "empire_shell_rubeus_asktgt_createnetonly",
)
# 25,000 and 54,000 events: in `make proof`.
LARGE = (
    "cmd_wevtutil_modify_security_eventlog_path",
    "metasploit_logonpasswords_lsass_memory_dump",
)


@cache
def log(name: str) -> list[dict[str, Any]]:
    events = []
    with gzip.open(shared(f"corpus/otrf/{name}.jsonl.gz")) as file:
        for line in file:
            try:
                events.append(flatten(json.loads(line)))
            except ValueError:  # One log ends in the bytes of another file.
                continue
    return events


@cache
def ruleset() -> ruleset_module.RuleSet:
    return loading.load([ROOT / "sigma"])


@pytest.mark.parametrize("target", ["eql", "spl", "kql"])
@pytest.mark.parametrize(
    "name", [PSEXEC, DCOM, *SILENT, *(pytest.param(name, marks=pytest.mark.proof) for name in LARGE)]
)
def test_log(name: str, target: str) -> None:
    cell = cells.cell("sysmon", target)
    shape = shape_for("sysmon", platform_of(target).name)
    # The rules look at Sysmon's events; what other channels log never enters these indices.
    events = [event for event in log(name) if "Sysmon" in str(event.get("Channel"))]
    stored = [shape.store(event, position) for position, event in enumerate(events)]
    views = [shape.view(event) for event in events]
    conversions = {}
    for rule in emitted_rules(ruleset()):
        with suppress(Refusal):  # pyproject.toml says of each why it may be.
            conversions[rule.title] = convert(ruleset(), rule, cell)
    assert len(conversions) >= 10
    tables = {name: list_ for one in conversions.values() for name, list_ in tables_of(one, stored).items()}
    session = engine_for(target).load(stored, tables)
    fired = {}
    for title, conversion in conversions.items():
        found = alerts_of(
            conversion, views, stored, [session.run(query.text) for query in conversion.queries]
        )
        if found:
            fired[title] = [(mark.group, mark.time_ms) for mark in found]
    assert fired == FIRES.get(name, {})


def test_every_log_is_there() -> None:
    names = {path.name.partition(".")[0] for path in Path(shared("corpus/otrf")).glob("*.gz")}
    assert names == {
        PSEXEC,
        DCOM,
        *SILENT,
        *LARGE,
        "goldensaml_m365defender",
    }  # The last holds Defender's rows.
