"""What Sentinel's tables hold of a record."""

from datetime import UTC, datetime
from xml.etree import ElementTree

from converter.shapes import shape_for

RAW = {
    "EventID": 1,
    "Computer": "WORKSTATION5.theshire.local",
    "UtcTime": "2020-10-18 07:30:46.435",
    "TimeCreated": "2020-10-18T07:30:46.437Z",
    "CommandLine": "cmd /c \"echo a & b\" < c > d 'e'",
    "ProcessId": 4,
    "Description": "",
}


def test_event_has_xml_that_reads_back():
    doc = shape_for("sysmon", "kusto").store(RAW, 2).doc
    assert doc["Source"] == "Microsoft-Windows-Sysmon"
    assert doc["EventLog"] == "Microsoft-Windows-Sysmon/Operational"
    assert doc["EventID"] == 1
    assert doc["TimeGenerated"] == datetime(2020, 10, 18, 7, 30, 46, 437000, UTC)
    assert doc["EventData"].startswith('<DataItem Type="System.XmlData" time="')
    assert "&amp; b" in doc["EventData"]
    assert "&lt; c &gt; d" in doc["EventData"]
    item = ElementTree.fromstring(doc["EventData"])
    found = {one.get("Name"): one.text or "" for one in item[0]}
    names = ("UtcTime", "CommandLine", "ProcessId", "Description")
    assert found == {name: str(RAW[name]) for name in names}


def test_windows_event_has_properties():
    doc = shape_for("sysmon", "kusto-windowsevent").store(RAW, 2).doc
    assert doc["Provider"] == "Microsoft-Windows-Sysmon"
    assert doc["EventData"]["CommandLine"] == RAW["CommandLine"]
    assert doc["EventData"]["ProcessId"] == "4"
    assert "Computer" not in doc["EventData"]


def test_empty_and_missing_are_one():
    assert "Description" not in shape_for("sysmon", "kusto").view(RAW)
    assert shape_for("sysmon", "kusto").view(RAW | {"Description": "-"})["Description"] == "-"


def test_a_column_is_cut_at_64_kb():
    """Azure Monitor's service limits: "Maximum size for field values" is 64 KB; the rest is truncated."""
    long = RAW | {"CommandLine": "x" * 70_000 + "\u00e4"}
    data = shape_for("sysmon", "kusto").store(long, 0).doc["EventData"]
    assert len(data.encode()) == 64 * 1024
    assert not data.endswith("</DataItem>")
    # A character of several bytes that the cut would part is gone as a whole.
    wide = shape_for("sysmon", "kusto").store(RAW | {"CommandLine": "\u20ac" * 70_000}, 0).doc["EventData"]
    assert 64 * 1024 - 3 < len(wide.encode()) <= 64 * 1024


def test_windows_event_has_named_data_elements_only():
    """Azure Monitor's table reference, WindowsEvent: EventData has a property for each Data element."""
    raw = {"EventID": 7036, "Channel": "System", "Provider_Name": "Service Control Manager", "param1": "x"}
    doc = shape_for("sysmon", "kusto-windowsevent").store(raw | {"Binary": "00ff"}, 0).doc
    assert doc["EventData"] == {"param1": "x"}
