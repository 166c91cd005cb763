"""Defender's events as the three platforms store them."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from converter.pipelines import assumptions
from converter.pipelines.cells import cell
from converter.shapes import shape_for
from converter.shapes.defender import elastic
from converter.shapes.defender import rows as defender_rows
from tests.support import ROOT

PAIRS = yaml.safe_load((Path(__file__).parent / "data" / "defender_elastic.yml").read_text())
ASSUMED = ROOT / "pipelines" / "defender" / "elastic.assumptions.yml"
GUID = "{FA4A0DE6-E8A8-5D2F-0000-001094619900}"


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["source"] for pair in PAIRS])
def test_a_published_record_becomes_its_document(pair):
    doc = elastic.document(pair["category"], pair["properties"])
    wanted = pair["stored"] | pair["later"]
    assert {name: doc.get(name) for name in wanted} == wanted
    assert [name for name in pair["absent"] if name in doc] == []


# Columns that the pipeline names and no document above shows: what pipeline_device.yml makes them of, or the
# assumption that stands for them.
OF_THE_INGEST = {
    **{f"process.hash.{name}": "SHA1 and SHA256 of a process" for name in ("sha1", "sha256")},
    "process.pe.company": "ProcessVersionInfoCompanyName",
    "process.pe.product": "ProcessVersionInfoProductName",
    "process.Ext.api.parameters.desired_access_numeric": "defender-elastic-2",
    "Target.process.executable": "defender-elastic-3",
    "registry.data.strings": "defender-elastic-4",
    "m365_defender.event.process.id": "ProcessId of an API call",
    "m365_defender.event.previous.folder_path": "PreviousFolderPath; the step `source_filename` is narrower",
    "m365_defender.event.previous.file_name": "PreviousFileName; the same",
    "m365_defender.event.previous.registry_key": "PreviousRegistryKey",
}


def test_every_mapped_column_is_in_a_published_document_or_is_accounted_for():
    text = (ROOT / "pipelines" / "defender" / "elastic.yml").read_text(encoding="utf-8")
    used = {
        name
        for name in cell("defender", "eql").columns
        if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text)
    }
    shown = {name for pair in PAIRS for name in (*pair["stored"], *pair["later"])}
    assert used - shown == set(OF_THE_INGEST)
    known = {one.id for one in assumptions.read(ASSUMED, ASSUMED.name)}
    assert {why for why in OF_THE_INGEST.values() if why.startswith("defender-")} <= known


def test_every_property_of_additional_fields_is_assumed():
    """No public row shows AdditionalFields of these events: a query that reads it says so."""
    folder = ASSUMED.parent
    for platform, language in (("kusto", "kql"), ("splunk", "spl")):
        columns = cell("defender", language).columns
        read = {name for name, one in columns.items() if "AdditionalFields" in str(one.via)}
        entries = assumptions.read(folder / f"{platform}.assumptions.yml", platform)
        assert read <= {name for entry in entries for name in entry.columns}
        assert len(read) >= 8


def test_an_api_call_and_a_driver_join_folder_and_file():
    # pipeline_device.yml, set_Target_process_executable and set_dll_path_driver.
    given = {
        "ActionType": "OpenProcessApiCall",
        "FolderPath": r"C:\Windows\System32",
        "FileName": "lsass.exe",
    }
    more = json.dumps({"DesiredAccess": 5136})
    doc = elastic.document("AdvancedHunting-DeviceEvents", given | {"AdditionalFields": more})
    assert doc["Target.process.executable"] == r"C:\Windows\System32\lsass.exe"
    assert doc["process.Ext.api.parameters.desired_access_numeric"] == 5136
    assert (doc["event.category"], doc["event.action"]) == (["api"], "openprocessapicall")
    assert "process.executable" not in doc
    doc = elastic.document("AdvancedHunting-DeviceEvents", given | {"ActionType": "DriverLoad"})
    assert (doc["dll.path"], doc["event.action"]) == (r"C:\Windows\System32\lsass.exe", "load")


def test_a_dns_query_seen_on_the_network():
    more = {"direction": "Out", "query": "host.example", "rcode_name": "NOERROR"}
    given = {"ActionType": "DnsConnectionInspected", "AdditionalFields": more, "Protocol": "Udp"}
    doc = elastic.document("AdvancedHunting-DeviceNetworkEvents", given)
    assert (doc["dns.question.name"], doc["network.protocol"]) == ("host.example", "dns")


def test_only_value_changes_have_a_registry_path():
    key = r"HKEY_LOCAL_MACHINE\SOFTWARE\A"
    of = "AdvancedHunting-DeviceRegistryEvents"
    created = elastic.document(of, {"ActionType": "RegistryKeyCreated", "RegistryKey": key})
    assert "registry.path" not in created
    assert (created["registry.hive"], created["registry.key"]) == ("HKLM", r"SOFTWARE\A")
    gone = {
        "ActionType": "RegistryValueDeleted",
        "PreviousRegistryKey": key,
        "PreviousRegistryValueName": "V",
    }
    assert elastic.document(of, gone)["registry.path"] == r"HKLM\SOFTWARE\A\V"
    users = {"RegistryKey": r"HKEY_USERS\.DEFAULT\A", "RegistryValueName": "V"}
    assert elastic.document(of, users)["registry.path"] == r"HKU\HKEY_USERS\.DEFAULT\A\V"


def test_former_data_stands_beside_the_new():
    given = {"RegistryKey": r"HKEY_LOCAL_MACHINE\A", "RegistryValueName": "V", "RegistryValueData": "2"}
    of = "AdvancedHunting-DeviceRegistryEvents"
    doc = elastic.document(of, given | {"PreviousRegistryValueData": "1"})
    assert doc["registry.data.strings"] == ["2", "1"]


def test_a_row_of_a_new_process():
    raw = {
        "EventID": 1,
        "Computer": "WS1.Example.com",
        "UtcTime": "2024-05-06 07:08:09.123",
        "Image": r"C:\Windows\System32\Notepad.exe",
        "ProcessGuid": GUID,
        "ProcessId": 356,
        "User": r"EXAMPLE\Alice",
        "ParentImage": r"C:\Windows\Explorer.EXE",
        "IntegrityLevel": "S-1-16-12288",
        "LogonId": "0x3e7",
        "Hashes": "SHA256=AB,IMPHASH=00",
    }
    stored = shape_for("defender", "kusto").store(raw, 7)
    assert stored.index == "DeviceProcessEvents"
    row = stored.doc
    assert row["Timestamp"] == datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
    assert (row["DeviceName"], row["FileName"], row["ReportId"]) == ("ws1.example.com", "Notepad.exe", 8)
    assert row["FolderPath"] == r"C:\Windows\System32\Notepad.exe"
    assert row["InitiatingProcessFolderPath"] == r"c:\windows\explorer.exe"
    assert (row["AccountDomain"], row["AccountName"]) == ("example", "alice")
    assert (row["ProcessIntegrityLevel"], row["LogonId"], row["SHA256"]) == ("High", 999, "ab")
    assert row["ProcessId"] == 356
    # Sysmon's GUID has the second of the start (2019-07-18) behind the machine's part.
    assert row["ProcessCreationTime"].date().isoformat() == "2019-07-18"


@pytest.mark.parametrize(
    ("sysmon", "defender"),
    [
        (r"HKLM\System\CurrentControlSet\Services\x", r"HKEY_LOCAL_MACHINE\System\ControlSet001\Services\x"),
        (r"HKU\S-1-5-21-1-2-3-500\Software\x", r"HKEY_CURRENT_USER\S-1-5-21-1-2-3-500\Software\x"),
        (r"HKU\.DEFAULT\Software\x", r"HKEY_USERS\.DEFAULT\Software\x"),
        (r"HKCR\.txt", r"HKEY_LOCAL_MACHINE\SOFTWARE\Classes\.txt"),
    ],
)
def test_registry_roots(sysmon, defender):
    assert defender_rows.registry_path(sysmon) == defender


@pytest.mark.parametrize(
    ("sysmon", "defender"),
    [
        ("DWORD (0x0000000a)", ("Dword", "10")),
        ("QWORD (0x00000001-0x00000002)", ("Qword", "4294967298")),
        ("Binary Data", ("Binary", None)),
        ("(Empty)", ("String", None)),
        ("text", ("String", "text")),
        (None, (None, None)),
    ],
)
def test_registry_data(sysmon, defender):
    assert defender_rows.registry_data(sysmon) == defender


def test_an_accepted_connections_local_end_is_its_destination():
    ends = {"SourceIp": "10.0.0.9", "SourcePort": 5, "DestinationIp": "10.0.0.1", "DestinationPort": 445}
    shape = shape_for("defender", "kusto")
    row = shape.store({"EventID": 3, "Initiated": "false"} | ends, 0).doc
    assert row["ActionType"] == "InboundConnectionAccepted"
    assert (row["LocalIP"], row["LocalPort"], row["RemoteIP"]) == ("10.0.0.1", 445, "10.0.0.9")
    row = shape.store({"EventID": 3, "Initiated": True} | ends, 0).doc
    assert (row["ActionType"], row["RemoteIP"], row["RemotePort"]) == ("ConnectionSuccess", "10.0.0.1", 445)


def test_characters_outside_ascii_stand_in_json_in_both_forms_in_turn():
    """RFC 8259: a character may be as it is or as an escape. No public row shows which Defender writes."""
    script = {"EventID": 4104, "Channel": "Microsoft-Windows-PowerShell/Operational"}
    script |= {"Computer": "H", "ScriptBlockText": "\u2013Enc"}
    rows = [shape_for("defender", "kusto").store(script, position).doc for position in (0, 1)]
    assert [row["AdditionalFields"] for row in rows] == [
        '{"ScriptContent":"\u2013Enc"}',
        '{"ScriptContent":"\\u2013Enc"}',
    ]


def test_splunk_stores_null_as_a_text_and_all_values_as_text():
    stored = shape_for("defender", "splunk").store({"EventID": 1, "Image": "x", "ProcessId": 7}, 0)
    assert stored.doc["properties.ProcessId"] == "7"
    assert stored.doc["properties.ProcessCommandLine"] == "null"
    assert stored.doc["category"] == "AdvancedHunting-DeviceProcessEvents"
    assert "properties.RemoteIP" not in stored.doc


@pytest.mark.parametrize("target", ["kusto", "splunk", "elastic"])
def test_the_matcher_sees_processes_by_the_key_that_the_platform_has(target):
    raw = {"EventID": 3, "Computer": "H", "ProcessGuid": GUID, "ProcessId": 356, "Image": r"C:\A.exe"}
    shape = shape_for("defender", target)
    doc = shape.store(raw, 0).doc
    names = {
        "kusto": ("DeviceId", "InitiatingProcessId"),
        "splunk": ("properties.DeviceId", "properties.InitiatingProcessId"),
        "elastic": ("host.id", "process.pid"),
    }[target]
    seen = shape.view(raw)
    assert seen["ProcessGuid"].startswith("\\".join(str(doc[name]) for name in names) + "\\20")
    assert (seen["Computer"], seen["Image"]) == ("h", r"c:\a.exe")
    other = shape.view(raw | {"ProcessGuid": GUID.replace("9900", "9901")})
    assert other["ProcessGuid"] != seen["ProcessGuid"]


def test_what_defender_does_not_record_is_no_event_of_a_category():
    for raw in ({"EventID": 24}, {"EventID": 1, "Provider_Name": "Other", "Channel": "Security"}):
        stored = shape_for("defender", "kusto").store(raw, 0)
        assert (stored.index, stored.doc["ActionType"]) == ("DeviceEvents", "OtherAlertRelatedActivity")
