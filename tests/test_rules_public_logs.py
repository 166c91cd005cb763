"""The shipped rules on public logs: the attacks that are in them, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from converter.events import flatten, read_events
from converter.matcher.matcher import Matcher
from tests.rule_tests import RULES, documents
from tests.support import shared

PSEXEC_LOG = "corpus/otrf/cmd_psexec_lsa_secrets_dump.jsonl.gz"
# Why each is here: facts/data.md beside the corpus ("must not fire").
QUIET = (
    "cmd_wevtutil_modify_security_eventlog_path",
    "covenant_dcom_executeexcel4macro_allowed",
    "empire_psexec_dcerpc_tcp_svcctl",
    "empire_shell_rubeus_asktgt_createnetonly",
    "goldensaml_m365defender",
    "metasploit_logonpasswords_lsass_memory_dump",
)
# Every shipped rule belongs here only if it is one of the five detections of PsExec.
FIVE = (
    "windows/lateral_movement/wsus_starts_psexec.yml",
    "windows/lateral_movement/psexec_network_connection.yml",
    "windows/execution/office_starts_encoded_command.yml",
    "windows/lateral_movement/remote_psexec_on_target.yml",
    "windows/privilege_escalation/update_orchestrator_hijack.yml",
)


def _matcher() -> Matcher:
    return Matcher([doc for rule in FIVE for doc in documents(rule)])


@pytest.mark.shared
def test_remote_psexec_fires_once_on_the_three_events_of_the_attack() -> None:
    events = [flatten(event) for event in read_events(shared(PSEXEC_LOG))]
    (alert,) = _matcher().run(events)
    first = documents("windows/lateral_movement/remote_psexec_on_target.yml")[0]
    assert alert.rule == first["id"]
    assert alert.group == ("WORKSTATION5",)
    assert alert.time_ms == datetime(2020, 10, 19, 7, 30, 46, 435_000, UTC).timestamp() * 1000
    connection, created, run = (events[position] for position in alert.events)
    assert (connection["DestinationPort"], connection["Initiated"]) == ("445", "false")
    assert connection["UtcTime"] == "2020-10-19 07:30:46.319"
    assert created["TargetFilename"] == run["Image"] == r"C:\Windows\PSEXESVC.exe"
    assert (created["UtcTime"], run["UtcTime"]) == ("2020-10-19 07:30:46.400", "2020-10-19 07:30:46.435")


@pytest.mark.shared
def test_by_the_time_of_the_record_the_attack_would_be_missed() -> None:
    # Sysmon writes the connection down after the program has run: why the event's own time counts.
    events = [flatten(event) for event in read_events(shared(PSEXEC_LOG))]
    by_record = [
        {**event, "UtcTime": event["TimeCreated"]} if "UtcTime" in event else event for event in events
    ]
    assert [alert.title for alert in _matcher().run(by_record)] == []


@pytest.mark.shared
@pytest.mark.parametrize("log", QUIET)
def test_no_rule_fires_elsewhere(log: str) -> None:
    events = map(flatten, read_events(shared(f"corpus/otrf/{log}.jsonl.gz"), on_error=lambda error: None))
    assert _matcher().run(events) == []


def test_the_five_are_shipped() -> None:
    assert all((RULES / rule).is_file() for rule in FIVE)


# Every alert of every shipped rule in the public logs; what is not named raises none. Rule, group, events.
FOUND = {
    "otrf/cmd_psexec_lsa_secrets_dump": [("remote_psexec_on_target", ("WORKSTATION5",), 3)],
    # Covenant has Excel of another host run a macro, over DCOM.
    "otrf/covenant_dcom_executeexcel4macro_allowed": [
        ("dcom_remote_execution", ("WORKSTATION6.theshire.local",), 2)
    ],
    # ProcDump, whose file comes before its access, and rundll32 with comsvcs.dll (in the log twice).
    "open_xp_rules_raw": [
        ("lsass_memory_dumped", ("PC04.example.corp", "{365abb72-9b75-5c8e-0000-0010013f1200}"), 2),
        ("lsass_memory_dumped", ("MSEDGEWIN10", "{747f3d96-1c70-5d69-0000-0010c9661f00}"), 3),
    ],
}


@pytest.mark.shared
@pytest.mark.slow
def test_all_rules_on_all_logs() -> None:
    paths = sorted(RULES.rglob("*.yml"))
    files = {doc["id"]: path.stem for path in paths for doc in documents(path.relative_to(RULES).as_posix())}
    matcher = Matcher([doc for path in paths for doc in documents(path.relative_to(RULES).as_posix())])
    found = {}
    corpus = shared("corpus")
    for path in sorted(corpus.rglob("*.jsonl.gz")):
        alerts = matcher.run(map(flatten, read_events(path, on_error=lambda error: None)))
        if alerts:
            name = path.relative_to(corpus).as_posix().removesuffix(".jsonl.gz")
            found[name] = [(files[alert.rule], alert.group, len(alert.events)) for alert in alerts]
    assert found == FOUND
