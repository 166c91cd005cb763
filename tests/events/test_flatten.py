"""Every form in which exporters write Windows events comes out as the same fields."""

from __future__ import annotations

from typing import Any

import pytest

from converter.events import flatten

SYSTEM = {
    "Provider": {"#attributes": {"Name": "Microsoft-Windows-Sysmon", "Guid": "5770385F-C22A"}},
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Computer": "pc1",
    "TimeCreated": {"#attributes": {"SystemTime": "2024-03-05T10:00:01.5Z"}},
    "Execution": {"#attributes": {"ProcessID": 7, "ThreadID": 8}},
    "Correlation": None,
}
WANTED = {
    "Provider_Name": "Microsoft-Windows-Sysmon",
    "EventID": 1,
    "Channel": "Microsoft-Windows-Sysmon/Operational",
    "Computer": "pc1",
    "Image": "C:\\a.exe",
    "User": "D\\u",
}


def without_attributes(system: dict[str, Any]) -> dict[str, Any]:
    """As other converters write attributes: plainly."""
    return {
        key: value["#attributes"] if isinstance(value, dict) and "#attributes" in value else value
        for key, value in system.items()
    }


FORMS = {
    "evtx": {"Event": {"System": SYSTEM, "EventData": {"Image": "C:\\a.exe", "User": "D\\u"}}},
    "evtx with a qualified id": {
        "Event": {
            "System": {**SYSTEM, "EventID": {"#attributes": {"Qualifiers": 16384}, "#text": 1}},
            "EventData": {"Image": "C:\\a.exe", "User": "D\\u"},
        }
    },
    "no outer Event": {"System": SYSTEM, "EventData": {"Image": "C:\\a.exe", "User": "D\\u"}},
    "Data list": {
        "Event": {
            "System": without_attributes(SYSTEM),
            "EventData": {
                "Data": [
                    {"Name": "Image", "text": "C:\\a.exe"},
                    {"Name": "User", "text": "D\\u"},
                    {"Name": "RuleName"},
                ]
            },
        }
    },
    "Data list with attributes": {
        "Event": {
            "System": SYSTEM,
            "EventData": {
                "Data": [
                    {"#attributes": {"Name": "Image"}, "#text": "C:\\a.exe"},
                    {"@Name": "User", "#text": "D\\u"},
                ]
            },
        }
    },
    "UserData": {
        "Event": {
            "System": SYSTEM,
            "UserData": {"X": {"#attributes": {}, "Image": "C:\\a.exe", "User": "D\\u"}},
        }
    },
    "winlogbeat": {
        "@timestamp": "2024-03-05T10:00:01.500Z",
        "winlog": {
            "channel": "Microsoft-Windows-Sysmon/Operational",
            "event_id": 1,
            "provider_name": "Microsoft-Windows-Sysmon",
            "computer_name": "pc1",
            "event_data": {"Image": "C:\\a.exe", "User": "D\\u"},
        },
    },
    "NXLog": {
        "SourceName": "Microsoft-Windows-Sysmon",
        "Channel": "Microsoft-Windows-Sysmon/Operational",
        "EventID": 1,
        "Hostname": "pc1",
        "Image": "C:\\a.exe",
        "User": "D\\u",
    },
}


@pytest.mark.parametrize("form", FORMS, ids=str)
def test_form(form: str) -> None:
    flat = flatten(FORMS[form])
    assert {key: flat.get(key) for key in WANTED} == WANTED


def test_string_event_ids_stay_strings() -> None:
    event = {"Event": {"System": {**SYSTEM, "EventID": "1"}, "EventData": {}}}
    assert flatten(event)["EventID"] == "1"


def test_attributes_are_joined_by_an_underscore() -> None:
    flat = flatten(FORMS["evtx"])
    assert flat["Execution_ProcessID"] == 7
    assert flat["TimeCreated_SystemTime"] == "2024-03-05T10:00:01.5Z"
    assert flat["Provider_Guid"] == "5770385F-C22A"
    assert "Provider" not in flat


def test_names_with_spaces_are_there_without_them_too() -> None:
    event = {"Event": {"System": SYSTEM, "EventData": {"Threat Name": "x"}}}
    flat = flatten(event)
    assert flat["ThreatName"] == flat["Threat Name"] == "x"


def test_data_never_replaces_what_identifies_the_event() -> None:
    event = {
        "Event": {"System": SYSTEM, "EventData": {"Channel": "Security", "Computer": "other", "EventID": 9}}
    }
    flat = flatten(event)
    assert (flat["Channel"], flat["Computer"], flat["EventID"]) == (SYSTEM["Channel"], "pc1", 1)


def test_unnamed_data() -> None:
    event = {"Event": {"System": SYSTEM, "EventData": {"Data": ["xp_cmdshell", "0", "1"], "Binary": "00"}}}
    assert flatten(event)["Data"] == ["xp_cmdshell", "0", "1"]
    event = {"Event": {"System": SYSTEM, "EventData": {"Data": "one"}}}
    assert flatten(event)["Data"] == "one"


def test_other_events_stay_as_they_are() -> None:
    event = {"eventName": "DeleteTrail", "userIdentity": {"type": "Root"}, "Hostname": "h"}
    assert flatten(event) == event


def test_the_event_given_is_not_changed() -> None:
    event = {"Channel": "Security", "EventID": 1, "Hostname": "h", "a b": 1}
    before = dict(event)
    flatten(event)
    assert event == before
