"""What Splunk extracts of an event's JSON: 5,000 bytes, names as written."""

from __future__ import annotations

from typing import Any

import pytest

from converter.matcher import compile_detection
from converter.shapes import shape_for
from converter.shapes.windows import splunk_extraction
from tests.boundary.splunk import PROCESS, converted, hits

LONG = "#" * 6000


def test_s4_what_stands_behind_5000_bytes_of_json_is_no_field() -> None:
    """limits.conf.spec 9.0.3, [spath] extraction_cutoff; for automatic extraction too."""
    fields = splunk_extraction.of_json('{"a": "x", "b": {"c": null}, "d": "' + LONG + '", "e": "y"}')
    assert fields == {"a": "x", "b.c": "null"}
    # Bytes, not characters.
    assert splunk_extraction.of_json('{"d": "' + "é" * 2600 + '"}') == {}
    script = {
        "EventID": 4104,
        "Channel": "Microsoft-Windows-PowerShell/Operational",
        "Provider_Name": "Microsoft-Windows-PowerShell",
        "ScriptBlockText": LONG,
        "Computer": "a",
    }
    doc = shape_for("defender", "splunk").store(script, 0).doc
    assert doc["properties.ActionType"] == "AmsiScriptContent"
    assert "properties.AdditionalFields" not in doc
    assert "properties.DeviceName" not in doc
    assert "ScriptContent" not in shape_for("crowdstrike", "splunk").store(script, 0).doc


@pytest.mark.parametrize(
    ("source", "category", "selection", "assumed"),
    [
        ("defender", "process_creation", {"CommandLine|contains": "qzx"}, True),
        ("defender", "process_creation", {"ParentImage|endswith": "\\x.exe"}, True),
        ("defender", "registry_set", {"Details|contains": "qzx"}, True),
        # Of the names in the order of the alphabet these are before the first that can be long.
        ("defender", "process_creation", {"Image|endswith": "\\x.exe"}, False),
        ("defender", "image_load", {"ImageLoaded|endswith": "\\x.dll"}, False),
        ("crowdstrike", "process_creation", {"Image|endswith": "\\x.exe"}, True),
        ("crowdstrike", "registry_set", {"Details|contains": "qzx"}, True),
        # No property of these events is long.
        ("crowdstrike", "file_event", {"TargetFilename|endswith": "\\x.exe"}, False),
        ("crowdstrike", "dns_query", {"QueryName|endswith": ".x"}, False),
    ],
)
def test_s4_events_within_5000_bytes_are_an_assumption_where_they_can_be_longer(
    source: str, category: str, selection: dict[str, Any], assumed: bool
) -> None:
    """limits.conf.spec 9.0.3, [spath]; published records of Defender and FDR show the order of properties."""
    conversion = converted(source, {"category": category}, a=selection)
    named = [one.text for one in conversion.reasons if "5,000 bytes of JSON" in one.text]
    assert len(named) == assumed
    assert (str(conversion.fidelity) == "exact") is (not conversion.reasons or not assumed)


@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
def test_s4_a_process_whose_command_line_is_longer_is_missed(source: str) -> None:
    """Public stagers are: 7 process starts of 26,127 public records (December 2026)."""
    query = converted(source, PROCESS, a={"CommandLine|contains": "qzx"})
    starts = [{"EventID": 1, "Image": "C:\\x.exe", "CommandLine": f"qzx {'#' * n}"} for n in (1000, 6000)]
    assert hits(query, starts) == [0]


@pytest.mark.parametrize("source", ["defender", "crowdstrike"])
@pytest.mark.parametrize("condition", ["a", "not a"])
@pytest.mark.parametrize(
    "selection",
    [
        {"ScriptBlockText|contains": "Invoke-Évil"},
        {"ScriptBlockText|re": "Évil$"},
        {"ScriptBlockText|cased|endswith": 'Invoke-Évil "\\x"'},
        {"ScriptBlockText": "#*Invoke?Évil ??x?"},
    ],
)
def test_s4_long_scripts_are_read_whole(source: str, condition: str, selection: dict[str, str]) -> None:
    """Both script events of elastic/integrations m365_defender test-device.log are longer."""
    scripts = [LONG, f'{LONG} Invoke-Évil "\\x"', f"{LONG} Invoke-Évil", "short"]
    events = [
        {
            "EventID": 4104,
            "Channel": "Microsoft-Windows-PowerShell/Operational",
            "Provider_Name": "Microsoft-Windows-PowerShell",
            "ScriptBlockText": script,
        }
        for script in scripts
    ]
    conversion = converted(source, {"category": "ps_script"}, condition, a=selection)
    means = compile_detection({"a": selection, "condition": condition})
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]
    assert any("5,000 bytes" in reason.text for reason in conversion.reasons)


@pytest.mark.parametrize("condition", ["a", "not a"])
@pytest.mark.parametrize(
    "selection",
    [
        {"QueryName|cased": "Evil.com"},
        {"QueryName|contains|cased": "Evil"},
        {"QueryName": "evil?com"},
        {"QueryName|re": r"^Evil\.com$"},
        {"QueryName|endswith": "é.com"},
    ],
)
def test_s8_names_inside_a_json_text_are_compared_as_written(
    condition: str, selection: dict[str, str]
) -> None:
    events = [
        {"EventID": 22, "Image": r"C:\a.exe", "QueryName": name}
        for name in ("Evil.com", "evil.com", "EVIL.com", "é.com", 'x","DnsQueryString":"Evil.com')
    ]
    means = compile_detection({"a": selection, "condition": condition})
    conversion = converted("defender", {"category": "dns_query"}, condition, a=selection)
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]


@pytest.mark.parametrize("form", ["", "|cased", "|startswith|cased", "|contains|cased", "|re"])
def test_s8_pipes_as_written(form: str) -> None:
    events = [{"EventID": 17, "EventType": "CreatePipe", "PipeName": name} for name in (r"\Evil", r"\evil")]
    selection = {f"PipeName{form}": r"\\Evil" if form == "|re" else r"\Evil"}
    means = compile_detection({"a": selection, "condition": "a"})
    conversion = converted("defender", {"category": "pipe_created"}, a=selection)
    assert hits(conversion, events) == [number for number, event in enumerate(events) if means(event)]
