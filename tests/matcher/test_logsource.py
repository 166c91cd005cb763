"""Which events a logsource means."""

from __future__ import annotations

from typing import Any

import pytest

from converter.matcher import is_candidate

SYSMON = {"Channel": "Microsoft-Windows-Sysmon/Operational", "Provider_Name": "Microsoft-Windows-Sysmon"}
LINUX = {"Channel": "Linux-Sysmon/Operational", "Provider_Name": "Linux-Sysmon"}
SECURITY = {"Channel": "Security", "Provider_Name": "Microsoft-Windows-Security-Auditing"}


def windows(category: str | None = None, service: str | None = None) -> dict[str, Any]:
    return {"product": "windows", "category": category, "service": service}


@pytest.mark.parametrize(
    ("logsource", "event", "wanted"),
    [
        (windows("process_creation"), {**SYSMON, "EventID": 1}, True),
        (windows("process_creation"), {**SYSMON, "EventID": "1"}, True),
        (windows("process_creation"), {**SYSMON, "EventID": 3}, False),
        (windows("process_creation"), {**SYSMON, "EventID": 10}, False),
        (windows("process_creation"), {**SECURITY, "EventID": 1}, False),
        (windows("process_creation"), {**SECURITY, "EventID": 4688}, False),
        (windows("process_creation"), {**LINUX, "EventID": 1}, False),
        (windows("process_creation"), {"Provider_Name": "microsoft-windows-sysmon", "EventID": 1}, True),
        (windows("process_creation"), {**SYSMON, "Channel": "ForwardedEvents", "EventID": 1}, True),
        (windows("process_creation"), {**SECURITY, "Channel": "ForwardedEvents", "EventID": 1}, False),
        (windows("process_creation"), {"Image": "x"}, True),
        (windows("process_creation"), {"EventID": 5}, False),
        (windows("registry_event"), {**SYSMON, "EventID": 14}, True),
        (windows("registry_set"), {**SYSMON, "EventID": 12}, False),
        (windows("registry_delete"), {**SYSMON, "EventID": 12, "EventType": "DeleteValue"}, True),
        (windows("registry_delete"), {**SYSMON, "EventID": 12, "EventType": "CreateKey"}, False),
        (windows("registry_delete"), {**SYSMON, "EventID": 12}, True),
        (windows("registry_add"), {**SYSMON, "EventID": "12", "EventType": "createkey"}, True),
        (windows("registry_add"), {**SYSMON, "EventID": 12, "EventType": "DeleteKey"}, False),
        (windows("registry_event"), {**SYSMON, "EventID": 12, "EventType": "DeleteKey"}, True),
        (windows("pipe_created"), {**SYSMON, "EventID": 18}, True),
        (windows("ps_script"), {"Channel": "PowerShellCore/Operational", "EventID": 4104}, True),
        (windows("ps_script"), {"Channel": "Windows PowerShell", "EventID": 4104}, False),
        (windows(service="security"), {**SECURITY, "EventID": 4624}, True),
        (windows(service="security"), {**SYSMON, "EventID": 1}, False),
        (windows(service="system"), {"Channel": "SYSTEM"}, True),
        (windows(service="sysmon"), {**SYSMON, "EventID": 255}, True),
        (windows("process_creation", "security"), {**SECURITY, "EventID": 1}, False),
        (windows(service="no-such-service"), {**SECURITY}, True),
        (windows(), {**SECURITY}, True),
        (windows("file_access"), {"Provider_Name": "Microsoft-Windows-Kernel-File"}, True),
        (windows("file_access"), {**SYSMON, "EventID": 11}, False),
        ({"product": "linux", "category": "process_creation"}, {**LINUX, "EventID": 1}, True),
        ({"product": "linux", "category": "process_creation"}, {**SYSMON, "EventID": 1}, False),
        ({"product": "macos", "category": "process_creation"}, {"CommandLine": "x"}, True),
        ({"category": "process_creation"}, {**LINUX, "EventID": 1}, True),
        ({"category": "process_creation"}, {**SYSMON, "EventID": 2}, False),
        ({"category": "proxy"}, {"c-uri": "x"}, True),
        ({"product": "zeek", "service": "rdp"}, {"id.orig_h": "10.0.0.1"}, True),
        ({"product": "zeek", "service": "rdp"}, {**SYSMON, "EventID": 3}, False),
        ({"product": "macos", "category": "process_creation"}, {**SYSMON, "EventID": 1}, False),
        ({"product": "linux"}, {**LINUX, "EventID": 1}, True),
        ({"product": "rpc_firewall", "category": "application"}, {"Channel": "RPCFW", "EventID": 3}, True),
        ({"product": "okta", "service": "okta"}, {"actor": "x"}, True),
    ],
)
def test_candidates(logsource: dict[str, Any], event: dict[str, Any], wanted: bool) -> None:
    assert is_candidate(logsource)(event) is wanted
