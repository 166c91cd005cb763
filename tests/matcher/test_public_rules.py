"""Public rules match the public events that were recorded for them."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

import pytest
import yaml

from converter.events import flatten, read_events
from converter.matcher import Matcher, compile_detection
from tests.support import ROOT, shared

# Upstream's metadata says 1 for these; each of the events counted here satisfies the rule as written.
_MORE_THAN_UPSTREAM_SAYS = {
    "file_event_win_anydesk_artefact.yml": 3,
    "file_event_win_cred_dump_tools_dropped_files.yml": 3,
    "registry_set_disable_administrative_share.yml": 2,
}


@pytest.mark.shared
def test_every_regression_rule_matches_its_own_events() -> None:
    events: dict[str, list[Any]] = defaultdict(list)
    for event in read_events(shared("corpus/sigma_regression.jsonl.gz")):
        events[event["file"]].append(flatten(event))
    tests = json.loads(shared("corpus/sigma_regression_tests.json").read_text())
    assert len(tests) == 98
    wrong = []
    for test in tests:
        path = shared(f"sigmahq/{test['rule_path']}")
        hits = len(Matcher([yaml.safe_load(path.read_text(encoding="utf-8"))]).run(events[test["file"]]))
        wanted = _MORE_THAN_UPSTREAM_SAYS.get(path.name, test["match_count"])
        if not hits or (wanted is not None and hits != wanted):
            wrong.append((test["rule_path"], hits, wanted))
    assert wrong == []


@pytest.mark.shared
def test_every_public_rule_compiles_or_needs_placeholders() -> None:
    refused = []
    for path in sorted(shared("sigmahq").rglob("*.yml")):
        for rule in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader):
            try:
                compile_detection(rule["detection"])
            except Exception as error:
                refused.append(str(error))
    assert refused == ["SC114 no values are given for the placeholder %known_cdcs%"] * 2


def own_rules() -> list[dict[str, Any]]:
    paths = sorted((ROOT / "sigma").rglob("*.yml"))
    return [rule for path in paths for rule in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


REMOTE_PSEXEC = "Remote PsExec on Its Target"


@pytest.mark.shared
@pytest.mark.parametrize(
    ("log", "wanted"),
    [
        ("cmd_psexec_lsa_secrets_dump", [REMOTE_PSEXEC]),
        (
            "covenant_dcom_executeexcel4macro_allowed",
            ["Office, MMC or HTA Program Started Over DCOM by Another Host"],
        ),
        ("empire_psexec_dcerpc_tcp_svcctl", []),
        ("empire_shell_rubeus_asktgt_createnetonly", []),
        ("cmd_wevtutil_modify_security_eventlog_path", []),
        ("metasploit_logonpasswords_lsass_memory_dump", []),
    ],
)
def test_own_rules_on_whole_logs(log: str, wanted: list[str]) -> None:
    path = shared(f"corpus/otrf/{log}.jsonl.gz")
    # One of the logs ends in a line that is no event.
    events = [flatten(event) for event in read_events(path, on_error=lambda _: None)]
    rules = own_rules()
    found = Matcher(rules).run(events)
    assert [alert.title for alert in found] == wanted
    streamed = Matcher(rules)
    again = [alert for position, event in enumerate(events) for alert in streamed.feed(position, event)]
    assert [*again, *streamed.finish()] == found
    if wanted == [REMOTE_PSEXEC]:
        steps = [(events[p]["EventID"], events[p]["UtcTime"]) for p in found[0].events]
        assert steps == [
            (3, "2020-10-19 07:30:46.319"),
            (11, "2020-10-19 07:30:46.400"),
            (1, "2020-10-19 07:30:46.435"),
        ]
        assert found[0].group == ("WORKSTATION5",)
