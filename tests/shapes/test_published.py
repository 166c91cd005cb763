"""Records that Splunk and Microsoft publish as their platforms store them, reproduced by the shapes.

Elastic's are in the tests of its shapes. Licences: splunk/security_content Apache-2.0, Azure/Azure-Sentinel
MIT.
"""

from __future__ import annotations

import html
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.pipelines.cells import cell
from converter.shapes import shape_for
from converter.shapes.crowdstrike import sensor, sentinel, splunk

DATA = Path(__file__).parent / "data"
SYSMON = yaml.safe_load((DATA / "splunk.yml").read_text())
FDR = yaml.safe_load((DATA / "crowdstrike_elastic.yml").read_text())
FLOWS = yaml.safe_load((DATA / "crowdstrike_sentinel.yml").read_text())


def record(pair: dict[str, Any]) -> dict[str, Any]:
    header = {
        "EventID": int(pair["stored"]["EventCode"]),
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "Computer": pair["computer"],
        "TimeCreated": pair["time"],
    }
    return header | pair["data"]


@pytest.mark.parametrize("pair", SYSMON, ids=[pair["source"] for pair in SYSMON])
def test_what_splunks_add_on_makes_of_sysmons_records(pair: dict[str, Any]) -> None:
    doc = shape_for("sysmon", "splunk").store(record(pair), 0).doc
    # The add-on does not decode what the published records write as entities (`&amp;`).
    data = {name: html.escape(value, quote=False) for name, value in pair["data"].items()}
    wanted = {"Computer": pair["computer"], **pair["stored"], **data}
    assert {name: doc.get(name) for name in wanted} == wanted
    columns = cell("sysmon", "spl").columns
    assert set(pair["data"]) - {"LogonGuid"} <= set(columns)


# splunk/security_content data_sources/crowdstrike_processrollup2.yml at 24d7259c (Splunk Add-on for
# CrowdStrike FDR 3.0.0): properties of the record, all of them fields of the same name; the volume is the
# host's own.
ROLLUP = {
    "event_simpleName": "ProcessRollup2",
    "event_platform": "Win",
    "timestamp": "1713805173418",
    "ImageFileName": r"\Device\HarddiskVolume1\Windows\System32\WindowsPowerShell\v1.0\powershell.exe",
    "CommandLine": r'"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe" ',
    "ParentBaseFileName": "explorer.exe",
    "MD5HashData": "097ce5761c89434367598b34fe32893b",
    "SHA256HashData": "ba4038fd20e474c047be8aad5bfacdb1bfc1ddbe12f803f473b7918d8d819436",
    "SHA1HashData": "0" * 40,
    "IntegrityLevel": "12288",
    "AuthenticationId": "2669499",
    "RawProcessId": "5012",
}


def test_a_process_start_of_fdr_as_splunk_publishes_it() -> None:
    path = r"C:\Windows\System32\WindowsPowerShell\v1.0\powershell.exe"
    of_sysmon = {
        "EventID": 1,
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "Provider_Name": "Microsoft-Windows-Sysmon",
        "UtcTime": "2024-04-22 16:59:33.418",
        "Image": path,
        "CommandLine": f'"{path}" ',
        "ParentImage": r"C:\Windows\explorer.exe",
        "Hashes": f"MD5={ROLLUP['MD5HashData'].upper()},SHA256={ROLLUP['SHA256HashData'].upper()}",
        "IntegrityLevel": "High",
        "LogonId": "0x28bbbb",
        "ProcessId": "5012",
    }
    doc = dict(splunk.store(of_sysmon, 0).doc)
    doc["ImageFileName"] = doc["ImageFileName"].replace("HarddiskVolume3", "HarddiskVolume1")
    wanted = {name: value for name, value in ROLLUP.items() if name != "SHA1HashData"}
    assert {name: doc.get(name) for name in wanted} == wanted
    assert doc.get("SHA1HashData", ROLLUP["SHA1HashData"]) == ROLLUP["SHA1HashData"]
    assert set(wanted) <= set(cell("crowdstrike", "spl").columns)


@pytest.mark.parametrize("pair", FDR, ids=[pair["source"] for pair in FDR])
def test_published_events_of_fdr_through_microsofts_connector(pair: dict[str, Any]) -> None:
    """The event as elastic/integrations publishes it, through the data flows that Microsoft publishes.

    Rows of these tables are public for the registry only (the test below).
    """
    raw = {name: value for name, value in pair["raw"].items() if value != ""}
    ((table, flow),) = [one for one in FLOWS.items() if raw["event_simpleName"] in one[1]["events"]]
    made = sentinel.row(raw)
    columns = cell("crowdstrike", "kql").columns
    held = {*sentinel.COLUMNS[table].split(), "event_simpleName", "event_platform", "aid", "cid"}
    wanted: dict[str, Any] = {
        name: int(raw[name]) if flow["casts"].get(name) == "int" else raw[name]
        for name in held & set(raw) & set(columns)
    }
    milliseconds = int(raw["timestamp"])
    wanted |= {"timestamp": milliseconds, "TimeGenerated": datetime.fromtimestamp(milliseconds / 1000, UTC)}
    assert made[0] == table
    assert {name: made[1].get(name) for name in wanted} == wanted
    assert {name for name in made[1] if name in columns} - {"ContextProcessId"} == set(wanted)


def test_the_tables_of_fdr_are_those_of_microsofts_data_flows() -> None:
    for table, flow in FLOWS.items():
        for action in flow["events"]:
            assert sentinel.row({"event_simpleName": action, "timestamp": "0"})[0] == table


# Azure/Azure-Sentinel, Sample Data/ASIM/CrowdStrike_Falcon Data Replicator_RegistryEvent_IngestedLogs.csv at
# 509613cf: rows of CrowdStrike_Registry_Events_CL. Key, value name, operation, type, text, number.
POLICIES = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"
QOS = r"SOFTWARE\Policies\Microsoft\Windows\QoS\Teams Audio-Microsoft"
MACHINE = "\\REGISTRY\\MACHINE\\"
ROWS = [
    (
        rf"HKLM\{POLICIES}\consentpromptbehavioruser",
        "DWORD (0x00000003)",
        (MACHINE + POLICIES, "consentpromptbehavioruser", "1", "4", None, 3),
    ),
    (
        r"HKLM\SYSTEM\CurrentControlSet\Control\Lsa\lmcompatibilitylevel",
        "DWORD (0x00000005)",
        (rf"{MACHINE}SYSTEM\ControlSet001\Control\Lsa", "lmcompatibilitylevel", "1", "4", None, 5),
    ),
    (
        rf"HKLM\{QOS}\Application Name",
        "ms-teams.exe",
        (MACHINE + QOS, "Application Name", "1", "1", "ms-teams.exe", None),
    ),
    (
        r"HKLM\SOFTWARE\Policies\Microsoft\Windows Defender\Scan\DisableRemovableDriveScanning",
        "",
        (
            rf"{MACHINE}SOFTWARE\Policies\Microsoft\Windows Defender\Scan",
            *("DisableRemovableDriveScanning", "2", "0", None, None),
        ),
    ),
]
COLUMNS = ("RegObjectName", "RegValueName", "RegOperationType", "RegType", "RegStringValue")


@pytest.mark.parametrize(("path", "details", "row"), ROWS)
def test_registry_values_of_fdr_as_microsoft_publishes_them(
    path: str, details: str, row: tuple[Any, ...]
) -> None:
    event: dict[str, Any] = {"EventID": 13, "EventType": "SetValue", "TargetObject": path, "Details": details}
    if not details:
        event = {"EventID": 12, "EventType": "DeleteValue", "TargetObject": path}
    table, doc = sentinel.row(sensor.event_of(event))
    assert table == "CrowdStrike_Registry_Events_CL"
    found = (*(doc.get(name) for name in COLUMNS), doc.get("RegNumericValue_int"))
    assert found == row
