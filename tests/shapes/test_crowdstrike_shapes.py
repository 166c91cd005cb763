"""CrowdStrike's events as the three platforms store them."""

import gzip
import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from converter.pipelines.cells import cell
from converter.shapes import shape_for
from converter.shapes.crowdstrike import elastic, sensor, sentinel, splunk
from tests.support import ROOT, shared

PAIRS = yaml.safe_load((Path(__file__).parent / "data" / "crowdstrike_elastic.yml").read_text())
PROCESS = {
    "EventID": 1,
    "Computer": "WS1.example.com",
    "UtcTime": "2024-05-06 07:08:09.123",
    "Image": r"C:\Windows\System32\Notepad.exe",
    "CommandLine": "notepad.exe x",
    "ProcessGuid": "{FA4A0DE6-E8A8-5D2F-0000-001094619900}",
    "ProcessId": 356,
    "User": r"NT AUTHORITY\SYSTEM",
    "ParentImage": r"C:\Windows\Explorer.EXE",
    "IntegrityLevel": "High",
    "LogonId": "0x3e7",
    "Hashes": "MD5=CD,SHA1=AB,SHA256=EF,IMPHASH=00",
}
TIME = 1714979289123


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["source"] for pair in PAIRS])
def test_a_published_event_becomes_its_document(pair):
    doc = elastic.document(pair["raw"])
    assert {name: doc.get(name) for name in pair["stored"]} == pair["stored"]
    assert [name for name in pair["absent"] if name in doc] == []


def test_published_events_are_of_several_kinds():
    assert {pair["raw"]["event_simpleName"] for pair in PAIRS} == {
        *("AsepKeyUpdate", "AsepValueUpdate", "DriverLoad", "DwgFileWritten"),
        *("NetworkConnectIP4", "NetworkConnectIP6", "ProcessRollup2", "DnsRequest", "FileRenameInfo"),
    }


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["source"] for pair in PAIRS])
def test_what_is_mapped_of_a_published_document_is_in_the_column_list(pair):
    columns = cell("crowdstrike", "eql").columns
    # Not asked for by any rule's field.
    unused = {"observer.serial_number", "event.created", "registry.key", "registry.value", "file.name"}
    unused |= {
        "file.directory",
        "file.extension",
        "file.size",
        "process.args",
        "process.thread.id",
        "dll.name",
    }
    unused |= {"process.hash.sha1", "network.direction", "network.iana_number"}
    unused |= {"network.protocol", "dns.type"}
    mapped = {name for name in pair["stored"] if not name.startswith("crowdstrike.")} - unused
    assert sorted(mapped - set(columns)) == []


# Columns that the pipeline names and no document above shows, with the property that the ingest pipeline
# (default.yml at 0a4de859) makes them of.
OF_THE_INGEST = {
    "process.pe.original_file_name": "OriginalFilename of a process",
    "dll.code_signature.exists": "ImageSignatureType",
    "dll.code_signature.trusted": "ImageSignatureLevel",
    "file.hash.sha256": "SHA256HashData of a file",
    "registry.value": "RegValueName",
    # Properties that no processor touches stay below `crowdstrike`.
    **{
        f"crowdstrike.{name}": "as it is"
        for name in ("IP6Records", "RegNumericValue", "ScriptContent", "ScriptContentName")
    },
}


def test_every_mapped_column_is_in_a_published_document_or_of_a_named_processor():
    text = (ROOT / "pipelines" / "crowdstrike" / "elastic.yml").read_text(encoding="utf-8")
    used = {
        name
        for name in cell("crowdstrike", "eql").columns
        if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text)
    }
    assert used - {name for pair in PAIRS for name in pair["stored"]} == set(OF_THE_INGEST)


def test_the_event_of_a_new_process():
    made = sensor.event_of(PROCESS)
    assert made["event_simpleName"] == "ProcessRollup2"
    assert made["ImageFileName"] == r"\Device\HarddiskVolume3\Windows\System32\Notepad.exe"
    assert (made["ParentBaseFileName"], made["UserSid"]) == ("Explorer.EXE", "S-1-5-18")
    assert (made["IntegrityLevel"], made["AuthenticationId"], made["RawProcessId"]) == ("12288", "999", "356")
    assert (made["MD5HashData"], made["SHA256HashData"], made["SHA1HashData"]) == ("cd", "ef", "0" * 40)
    assert made["timestamp"] == str(TIME)
    assert all(isinstance(value, str) for value in made.values())
    assert not {"IMPHASH", "ParentCommandLine", "CurrentDirectory"} & set(made)


@pytest.mark.parametrize(
    ("sysmon", "kernel"),
    [
        (r"C:\Windows\x.exe", r"\Device\HarddiskVolume3\Windows\x.exe"),
        (r"k:\x.exe", r"\Device\HarddiskVolume11\x.exe"),
        (r"\\server\share\x.exe", r"\Device\Mup\server\share\x.exe"),
        (r"\Device\HarddiskVolumeShadowCopy1\x.exe", r"\Device\HarddiskVolumeShadowCopy1\x.exe"),
        ("System", "System"),
    ],
)
def test_paths(sysmon, kernel):
    assert sensor.path(sysmon) == kernel


@pytest.mark.parametrize(
    ("written", "seen"),
    [
        (r"\Device\HarddiskVolume3\x.exe", r"C:\x.exe"),
        (r"\device\harddiskvolume12\x.exe", r"L:\x.exe"),
        (r"\Device\Mup\server\share\x.exe", r"\\server\share\x.exe"),
        (r"qz:\x.exe", r"Z:\x.exe"),
        (r"E:\\Folder\\x.exe", r"E:\Folder\x.exe"),
        (r"\\server\share\x.exe", r"\\server\share\x.exe"),
        (r"\\\\server\\share\x.exe", r"\\server\share\x.exe"),
    ],
)
def test_what_fdr_cannot_tell_apart_is_one_record(written, seen):
    for name in ("Image", "TargetFilename", "ImageLoaded"):
        assert sensor.plausible({"EventID": 1, name: written})[name] == seen


def test_an_accepted_connections_local_end_is_its_destination():
    ends = {"SourceIp": "10.0.0.9", "SourcePort": 5, "DestinationIp": "10.0.0.1", "DestinationPort": 445}
    made = sensor.event_of({"EventID": 3, "Initiated": "false"} | ends)
    assert (made["event_simpleName"], made["ConnectionDirection"]) == ("NetworkReceiveAcceptIP4", "1")
    assert (made["LocalAddressIP4"], made["LocalPort"], made["RemoteAddressIP4"]) == (
        "10.0.0.1",
        "445",
        "10.0.0.9",
    )
    doc = elastic.document(made)
    assert (doc["source.ip"], doc["destination.ip"], doc["destination.port"]) == ("10.0.0.9", "10.0.0.1", 445)
    assert doc["network.direction"] == "inbound"


@pytest.mark.parametrize(
    ("sysmon", "key", "value"),
    [
        (
            r"HKLM\System\CurrentControlSet\Services\x\Start",
            r"\REGISTRY\MACHINE\System\ControlSet001\Services\x",
            "Start",
        ),
        (r"HKU\S-1-5-21-1-2-3-500\Run\(Default)", r"\REGISTRY\USER\S-1-5-21-1-2-3-500\Run", ""),
        (r"HKCR\.txt\shell\x", r"\REGISTRY\MACHINE\SOFTWARE\Classes\.txt\shell", "x"),
    ],
)
def test_registry_values(sysmon, key, value):
    made = sensor.event_of({"EventID": 13, "EventType": "SetValue", "TargetObject": sysmon})
    assert (made["RegObjectName"], made["RegValueName"], made["RegOperationType"]) == (key, value, "1")


@pytest.mark.parametrize(
    ("sysmon", "kept"),
    [
        ("DWORD (0x0000000a)", {"RegType": "4", "RegNumericValue": "10"}),
        ("QWORD (0x00000001-0x00000002)", {"RegType": "11", "RegNumericValue": "4294967298"}),
        ("Binary Data", {"RegType": "3"}),
        ("(Empty)", {"RegType": "1", "RegStringValue": ""}),
        ("text", {"RegType": "1", "RegStringValue": "text"}),
    ],
)
def test_registry_data(sysmon, kept):
    event = {"EventID": 13, "EventType": "SetValue", "TargetObject": r"HKLM\A\B", "Details": sysmon}
    made = sensor.event_of(event)
    assert kept.items() <= made.items()


def test_sentinel_has_typed_columns_and_a_table_for_each_kind():
    stored = shape_for("crowdstrike", "kusto").store(PROCESS, 7)
    assert (stored.id, stored.index) == (7, "CrowdStrike_Process_Events_CL")
    assert (stored.doc["timestamp"], stored.doc["RawProcessId"]) == (TIME, "356")
    assert stored.doc["TimeGenerated"] == datetime(2024, 5, 6, 7, 8, 9, 123000, tzinfo=UTC)
    ports = {
        "EventID": 3,
        "Initiated": "true",
        "DestinationIp": "10.0.0.1",
        "DestinationPort": 445,
        "Image": r"C:\x.exe",
    }
    table, row = sentinel.row(sensor.event_of(ports))
    assert (table, row["RemotePort"]) == ("CrowdStrike_Network_Events_CL", 445)
    assert "ContextBaseFileName" not in row  # The table has no such column.


def test_splunk_has_the_events_properties_as_text():
    stored = shape_for("crowdstrike", "splunk").store(PROCESS, 0)
    assert (stored.index, stored.doc["_time"]) == ("crowdstrike:events:sensor", TIME / 1000)
    assert (stored.doc["RawProcessId"], stored.doc["event_platform"]) == ("356", "Win")


@pytest.mark.parametrize("target", ["kusto", "splunk", "elastic"])
def test_the_matcher_sees_hosts_and_processes_by_the_keys_that_the_platform_has(target):
    shape = shape_for("crowdstrike", target)
    doc, seen = shape.store(PROCESS, 0).doc, shape.view(PROCESS)
    host, process = {"elastic": ("host.id", "process.entity_id")}.get(target, ("aid", "TargetProcessId"))
    assert seen["Computer"] == doc[host]
    assert seen["ProcessGuid"] == f"{doc[host]}\\{doc[process]}"
    assert shape.key("User", seen["User"]) == doc["user.id" if target == "elastic" else "UserSid"]
    image = doc["process.executable" if target == "elastic" else "ImageFileName"]
    assert shape.key("Image", seen["Image"]) == image


def test_what_fdr_does_not_report_is_no_event_of_a_category():
    for raw in (
        {"EventID": 10, "SourceImage": "x"},
        {"EventID": 1, "Provider_Name": "Other", "Channel": "Security"},
        {"EventID": 17, "PipeName": r"\x"},
    ):
        assert sensor.event_of(raw)["event_simpleName"] == sensor.OTHER


@pytest.mark.shared
def test_public_fdr_lines_have_the_properties_that_our_events_have():
    """Real lines (values edited by hand) have each property under the name that the shape gives it."""
    lines = []
    with gzip.open(shared("corpus/panther_crowdstrike_fdr.jsonl.gz"), "rt") as file:
        for line in file:
            raw = json.loads(line)["raw"]
            lines.append(raw.get("event", raw) | {"timestamp": raw.get("timestamp") or "0"})
    starts = [line for line in lines if line.get("event_simpleName") == "ProcessRollup2"]
    starts = [line for line in starts if line.get("event_platform") == "Win" and "ImageFileName" in line]
    assert len(starts) >= 5
    held = set().union(*starts)
    made = set(sensor.event_of(PROCESS))
    assert made - held - {"cid", "name", "ContextTimeStamp"} == set()
    for line in starts:
        assert line["ImageFileName"].startswith("\\Device\\HarddiskVolume")
        assert "\\" not in line["ParentBaseFileName"]
        doc = elastic.document({**line, "timestamp": "1682368414719"})
        assert doc["process.executable"] == line["ImageFileName"]
        assert doc["process.parent.name"] == line["ParentBaseFileName"]
        table, row = sentinel.row({**line, "timestamp": "1682368414719"})
        assert (table, row["ImageFileName"]) == ("CrowdStrike_Process_Events_CL", line["ImageFileName"])
        assert splunk.fields({**line, "timestamp": "1682368414719"})["CommandLine"] == line["CommandLine"]
