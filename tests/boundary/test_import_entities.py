"""Finding I2: host, account, process and file of an alert, and its details."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import jsonschema
import pytest
import yaml

from converter.conversion.convert import convert
from converter.engines import engine_for
from converter.errors import Refusal
from converter.events.stored import Stored
from converter.exports.elastic.formats import NDJSON
from converter.exports.item import ExportItem
from converter.exports.sentinel.formats import YAML
from converter.pipelines import cells
from converter.rules import loading
from converter.rules.emitted import emitted_rules
from tests.boundary.importing import analytic, mapped, sentinel_takes
from tests.exports.making import base, correlation, here, item_of, items, simple
from tests.exports.test_sentinel import SCHEMA, check_alert, check_document
from tests.support import shared


def of_category(category: str, field: str, source: str) -> ExportItem:
    detection = {"selection": {field: "x"}, "condition": "selection"}
    return simple(
        source,
        "kql",
        logsource={"category": category, "product": "windows"},
        detection=detection,
        fields=None,
    )


PATH = {"Name": "{0}_Name", "Directory": "{0}_Folder"}


@pytest.mark.parametrize(
    ("source", "category", "field", "host", "account", "process", "file"),
    [
        ("sysmon", "process_creation", "Image", "Computer", "User", "CommandLine", "Image_Name"),
        ("sysmon", "file_event", "TargetFilename", "Computer", "User", "ProcessId", "TargetFilename_Name"),
        ("sysmon", "image_load", "ImageLoaded", "Computer", "User", "ProcessId", "ImageLoaded_Name"),
        ("sysmon", "registry_set", "TargetObject", "Computer", "User", "ProcessId", "Image_Name"),
        ("sysmon", "dns_query", "QueryName", "Computer", "User", "ProcessId", "Image_Name"),
        ("sysmon", "network_connection", "Image", "Computer", "User", "ProcessId", "Image_Name"),
        (
            *("sysmon", "process_access", "TargetImage", "Computer", "SourceUser", "SourceProcessId"),
            "SourceImage_Name",
        ),
        (
            "defender",
            "process_creation",
            "Image",
            "DeviceName",
            "AccountName",
            "ProcessCommandLine",
            "FileName",
        ),
        (
            *("defender", "file_event", "TargetFilename", "DeviceName", "InitiatingProcessAccountName"),
            *("InitiatingProcessCommandLine", "FileName"),
        ),
        (
            *("defender", "registry_set", "TargetObject", "DeviceName", "InitiatingProcessAccountName"),
            *("InitiatingProcessCommandLine", "InitiatingProcessFolderPath_Name"),
        ),
        # Azure-Sentinel, CrowdStrikeS3FDR_ccp: all tables have aid and UserName, none a computer's name; only
        # that of processes has a process of its own.
        ("crowdstrike", "process_creation", "Image", "aid", "UserName", "CommandLine", "ImageFileName_Name"),
        ("crowdstrike", "file_event", "TargetFilename", "aid", "UserName", None, "TargetFileName_Name"),
        ("crowdstrike", "network_connection", "DestinationIp", "aid", "UserName", None, None),
        ("crowdstrike", "dns_query", "QueryName", "aid", "UserName", None, None),
        ("crowdstrike", "registry_set", "TargetObject", "aid", "UserName", None, None),
    ],
)
def test_i2_each_source_has_host_account_process_and_file(
    source: str, category: str, field: str, host: str, account: str, process: str | None, file: str | None
) -> None:
    rule = analytic(of_category(category, field, source))
    found = mapped(rule)
    first = {kind: next(iter(columns.values())) for kind, columns in found.items()}
    assert (first.get("Host"), first.get("Account")) == (host, account)
    assert (first.get("Process"), first.get("File")) == (process, file)
    assert rule["customDetails"], "a rule without fields shows what its log source is about"
    # Alerts of different hosts are different incidents.
    assert rule["incidentConfiguration"]["groupingConfiguration"]["matchingMethod"] == "AllEntities"


@pytest.mark.parametrize(
    ("source", "stored", "path", "expected"),
    [
        # Microsoft's samples have the whole path in FolderPath; its reference says folder.
        ("defender", {"FolderPath": r"C:\Windows\cmd.exe"}, "FolderPath", ("cmd.exe", r"C:\Windows")),
        ("defender", {"FolderPath": r"C:\Windows"}, "FolderPath", ("cmd.exe", r"C:\Windows")),
        ("defender", {"FolderPath": ""}, "FolderPath", ("cmd.exe", "")),
        ("crowdstrike", {"ImageFileName": r"\Device\HarddiskVolume3\a b\x.exe"}, "ImageFileName", None),
        ("crowdstrike", {"ImageFileName": "System"}, "ImageFileName", ("System", "")),
    ],
)
def test_i2_a_files_directory_is_without_its_name(
    source: str, stored: dict[str, str], path: str, expected: tuple[str, str] | None
) -> None:
    """Entity types reference, File: name "without path", directory "full path to the file"."""
    item = of_category("process_creation", "CommandLine", source)
    rule = analytic(item)
    table = item.tables[0]
    columns = {name: column for name, column in item.columns.items() if not column.via}
    doc = {"FileName": "cmd.exe", **stored} if source == "defender" else dict(stored)
    event = Stored(0, table, doc)
    stages = [line for line in rule["query"].split("\n| ") if line.startswith("extend")]
    query = "\n| ".join([table, *stages])
    (row,) = engine_for("kql").load([event], {table: columns}).run(query).rows
    entity = mapped(rule)["File"]
    got = (row[entity["Name"]], row[entity["Directory"]])
    assert got == (expected or ("x.exe", r"\Device\HarddiskVolume3\a b"))


def test_i2_a_rule_without_fields_shows_its_log_source_and_what_it_compares() -> None:
    rule = analytic(of_category("registry_set", "Details", "sysmon"))
    assert list(rule["customDetails"]) == [
        *("Computer", "User", "Image", "ProcessId", "EventType", "TargetObject", "Details", "EventID"),
    ]
    named = simple(target="kql", fields=["Image"])
    assert analytic(named)["customDetails"] == {"Image": "Image"}


def test_i2_elastic_and_splunk_show_the_same() -> None:
    fields = json.loads(str(NDJSON.part([simple(fields=None)])))["investigation_fields"]["field_names"]
    assert {"process.executable", "process.command_line", "user.name"} <= set(fields)
    from converter.exports.splunk.rule import stanzas

    assert "nes_fields = Computer,User,Image,ProcessId,CommandLine" in stanzas(
        [simple(target="spl", fields=None)]
    )


def test_i2_the_default_fields_are_those_of_sysmons_schema() -> None:
    """Each category's fields are of its own events, as plain events of each kind have them."""
    from converter.exports.usual_fields import usual_fields
    from converter.matcher.logsource import SYSMON_EVENT_IDS
    from converter.witness import defaults

    for category, ids in SYSMON_EVENT_IDS.items():
        known = {name for number in ids for name in defaults.sysmon_event(number)}
        extra = set(usual_fields({"category": category})) - known - {"Computer"}
        assert not extra, category


@pytest.mark.parametrize("field", ["DestinationIp", ["DestinationIp", "DestinationPort"]])
def test_i2_an_alert_of_distinct_values_lists_them(field: Any) -> None:
    logsource = {"category": "network_connection", "product": "windows"}
    first = {**base("first", Image=r"c:\a"), "logsource": logsource}
    counted = correlation("value_count", ["first"], condition={"gte": 2, "field": field})
    (item,) = items(first, counted, targets=("kql",))
    rule = analytic(item)
    assert rule["customDetails"]["Values"] == "Values"
    assert "Values = make_set(" in rule["query"]
    times = ("2026-01-01 10:00:00", "2026-01-01 10:01:00")
    events = [
        Stored(
            number,
            "Event",
            {
                "TimeGenerated": datetime.fromisoformat(time),
                "Source": "Microsoft-Windows-Sysmon",
                "EventLog": "Microsoft-Windows-Sysmon/Operational",
                "EventID": 3,
                "Computer": "a",
                "EventData": "<DataItem><EventData>"
                rf'<Data Name="UtcTime">{time}</Data><Data Name="Image">c:\a</Data>'
                f'<Data Name="DestinationIp">10.0.0.{number}</Data><Data Name="DestinationPort">445</Data>'
                "</EventData></DataItem>",
            },
        )
        for number, time in enumerate(times)
    ]
    session = engine_for("kql").load(events, {"Event": item.columns})
    (row,) = session.run(item.queries[0].body).rows
    port = " 445" if isinstance(field, list) else ""
    values = json.loads(row["Values"]) if isinstance(row["Values"], str) else row["Values"]
    assert sorted(values) == [f"10.0.0.0{port}", f"10.0.0.1{port}"]


def _public_analytics(source: str, every: int) -> Iterator[tuple[str, ExportItem]]:
    with here():
        found = loading.load([shared("sigmahq/rules")])
        cell = cells.cell(source, "kql")
        for rule in emitted_rules(found)[::every]:
            try:
                conversion = convert(found, rule, cell)
            except Refusal:
                continue
            yield rule.relative, item_of(found, conversion)


def _check_public(source: str, every: int) -> int:
    """Check exported rules against the ARM schema, Azure-Sentinel's validation and Microsoft's analyser."""
    number = 0
    engine = engine_for("kql")
    for name, item in _public_analytics(source, every):
        try:
            rule = analytic(item)
        except Refusal:
            continue
        number += 1
        jsonschema.validate(rule, SCHEMA)
        check_alert(rule)
        assert sentinel_takes(rule["tactics"], rule["techniques"]), name
        assert "Host" in mapped(rule), name
        assert rule["customDetails"], name
        tables = dict.fromkeys(item.tables, item.columns)
        engine.validate(rule["query"], tables)
        (text,) = dict(YAML.part([item])).values()
        check_document(yaml.load(text, Loader=yaml.CSafeLoader))
    return number


SOURCES = ("sysmon", "defender", "crowdstrike", "windows-security")


@pytest.mark.shared
@pytest.mark.parametrize("source", SOURCES)
def test_i2_a_sample_of_public_rules_is_taken_by_sentinel(source: str) -> None:
    assert _check_public(source, 120) > 0


@pytest.mark.proof
@pytest.mark.shared
@pytest.mark.parametrize("source", SOURCES)
def test_i2_every_public_rule_is_taken_by_sentinel(source: str) -> None:
    assert _check_public(source, 1) > 50
