"""What the Splunk Add-on for Sysmon makes of a record."""

from converter.shapes import shape_for

SHAPE = shape_for("sysmon", "splunk")
RAW = {
    "EventID": 3,
    "Computer": "WORKSTATION5.theshire.local",
    "UtcTime": "2020-10-18 07:30:46.319",
    "Image": "System",
    "Initiated": False,
    "DestinationPort": 445,
    "DestinationHostname": "",
}


def test_fields_are_text_under_sysmons_names():
    doc = SHAPE.store(RAW, 4).doc
    assert (doc["Image"], doc["Initiated"], doc["DestinationPort"], doc["EventCode"]) == (
        "System",
        "false",
        "445",
        "3",
    )
    # splunk/security_content writes these in its macro `sysmon`.
    assert doc["source"] == "XmlWinEventLog:Microsoft-Windows-Sysmon/Operational"
    assert doc["sourcetype"] == "XmlWinEventLog"


def test_time_is_the_records_and_not_utc_time():
    late = RAW | {"TimeCreated": "2020-10-18T07:30:48.025223900Z"}
    assert SHAPE.store(late, 0).doc["_time"] == 1603006248.025223
    # Without TimeCreated: a network connection is written late, a process start at once.
    assert SHAPE.store(RAW, 0).doc["_time"] == 1603006247.819
    assert SHAPE.store(RAW | {"EventID": 1}, 0).doc["_time"] == 1603006246.319
    assert SHAPE.store(RAW, 0).doc["UtcTime"] == "2020-10-18 07:30:46.319"


def test_time_of_a_record_under_a_collectors_name():
    script = {"EventID": 4104, "Channel": "Microsoft-Windows-PowerShell/Operational"}
    given = script | {"@timestamp": "2020-10-18T07:30:46.319Z"}
    doc = SHAPE.store(given, 0).doc
    assert doc["_time"] == 1603006246.319
    assert "@timestamp" not in doc
    # A copy's own time, where a record has one, is when it was collected.
    assert SHAPE.store(RAW | {"@timestamp": "2026-01-01T00:00:00Z"}, 0).doc["_time"] == 1603006247.819


def test_an_empty_text_makes_no_field():
    assert "DestinationHostname" not in SHAPE.store(RAW, 0).doc
    assert "DestinationHostname" not in SHAPE.view(RAW)
    assert SHAPE.store(RAW | {"DestinationHostname": "-"}, 0).doc["DestinationHostname"] == "-"


def test_the_filters_name_stands_beside_the_providers():
    doc = SHAPE.store({"EventID": 19, "Name": "BotFilter82"}, 0).doc
    assert doc["Name"] == ["'Microsoft-Windows-Sysmon'", "BotFilter82"]
