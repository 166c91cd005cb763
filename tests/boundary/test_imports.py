"""Findings about import files (I1 to I4): what SIEMs take, held against what their vendors publish."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from converter import pipelines, rules
from converter.convert import convert
from converter.engines import engine_for
from converter.engines.base import Stored
from converter.errors import Refusal, UsageError
from converter.exporting import make
from converter.exports import attack
from converter.exports.defender.rule import JSON as DETECTIONS
from converter.exports.elastic.formats import NDJSON
from converter.exports.item import ExportItem
from converter.exports.sentinel.formats import ARM, YAML
from converter.plan import Fidelity, Reason
from tests.exports.making import base, correlation, here, item_of, items, simple
from tests.exports.running import Case, cases, kql_at
from tests.exports.test_sentinel import SCHEMA, check_alert, check_document
from tests.support import ROOT, shared

DATA = ROOT / "tests" / "exports" / "data"
SENTINEL = {
    tactic: set(ids.split())
    for tactic, ids in json.loads((DATA / "sentinel-techniques.json").read_text())["tactics"].items()
}
"""Azure-Sentinel, KillChainTechniquesHelper.cs; it stops at ATT&CK 13."""
ELASTIC = {
    tuple(line.split("\t"))
    for line in (DATA / "elastic-attack-18.tsv").read_text().splitlines()
    if not line.startswith("#")
}
"""Tactic, technique and name in the rules of elastic/detection-rules."""


@cache
def published(of: str) -> Any:
    return json.loads((ROOT / f"converter/exports/attack-{of}.json").read_text())


def pascal(name: str) -> str:
    return "".join(word[0].upper() + word[1:] for word in name.split())


def pairs(tactics: tuple[attack.Tactic, ...]) -> set[tuple[str, str]]:
    """Return each technique and sub-technique with the tactic that it stands under."""
    return {
        (tactic.id, one.id)
        for tactic in tactics
        for technique in tactic.techniques
        for one in (technique, *technique.subtechniques)
    }


# I1: ATT&CK ------------------------------------------------------------------------------------------------


def test_i1_tables_are_those_that_the_vendors_check_against() -> None:
    """elastic/detection-rules: 556 pairs of 2,192 rules; Azure-Sentinel: the list of its validation."""
    table = published("18")
    shorts = {key: short for key, (_, short) in table["tactics"].items()}
    assert len(ELASTIC) == 556
    for tactic, technique, name in ELASTIC:
        known, tactics = table["techniques"][technique]
        assert (known, shorts[tactic] in tactics) == (name, True), technique
    names = {pascal(name): short for name, short in table["tactics"].values()}
    assert set(names) == set(SENTINEL)
    for tactic, ids in SENTINEL.items():
        assert all(names[tactic] in table["techniques"][one][1] for one in ids), tactic


@pytest.mark.parametrize(
    ("tag", "of_18", "of_19"),
    [
        # The rule's own id stays where the version has it.
        ("t1562.001", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
        ("t1685", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
        # detection-rules, etc/attack-version-maps/attack_v18_to_v19.yaml, and back.
        ("t1562.002", ("TA0005", "T1562.002"), ("TA0112", "T1685.001")),
        ("t1685.001", ("TA0005", "T1562.002"), ("TA0112", "T1685.001")),
        ("t1070.001", ("TA0005", "T1070.001"), ("TA0112", "T1685.005")),
        ("t1685.005", ("TA0005", "T1070.001"), ("TA0112", "T1685.005")),
        ("t1070.002", ("TA0005", "T1070.002"), ("TA0112", "T1685.006")),
        ("t1685.006", ("TA0005", "T1070.002"), ("TA0112", "T1685.006")),
        ("t1562.004", ("TA0005", "T1562.004"), ("TA0112", "T1686")),
        ("t1686", ("TA0005", "T1562.004"), ("TA0112", "T1686")),
        ("t1686.001", ("TA0005", "T1562.007"), ("TA0112", "T1686.001")),
        ("t1685.002", ("TA0005", "T1562.008"), ("TA0112", "T1685.002")),
        ("t1689", ("TA0005", "T1562.010"), ("TA0112", "T1689")),
        ("t1562.006", ("TA0005", "T1562.006"), ("TA0112", "T1685")),
        ("t1656", ("TA0005", "T1656"), ("TA0005", "T1684.001")),
        # A new sub-technique of 19 took the place of nothing: in 18 it counts as its technique.
        ("t1686.003", ("TA0005", "T1562.004"), ("TA0112", "T1686.003")),
        ("t1027.018", ("TA0005", "T1027"), ("TA0005", "T1027.018")),
        # Revoked long before both.
        ("t1089", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
    ],
)
def test_i1_a_technique_in_each_version(tag: str, of_18: tuple[str, str], of_19: tuple[str, str]) -> None:
    for of, expected in (("18", of_18), ("19", of_19)):
        assert expected in pairs(attack.threat([f"attack.{tag}"], of)), of


def test_i1_what_a_version_has_no_place_for_is_left_out() -> None:
    """T1687 and T1683 came with 19 and took the place of nothing."""
    tags = ["attack.defense-impairment", "attack.t1687", "attack.t1683.001"]
    assert [one.id for one in attack.threat(tags, "18")] == ["TA0005"]
    assert not pairs(attack.threat(tags, "18"))
    assert attack.unknown(tags, "18") == tags[1:]
    assert not attack.unknown(tags, "19")


@cache
def _public_tags() -> list[list[str]]:
    """Return each list of tags that public rules have, once."""
    found = set()
    for file in shared("sigmahq").rglob("*.yml"):
        block = re.search(r"^tags:\n((?: +- .*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        if block:
            found.add(tuple(re.findall(r"- (\S+)", block[1])))
    assert len(found) > 600
    return [list(tags) for tags in sorted(found)]


@pytest.mark.shared
@pytest.mark.parametrize("of", attack.VERSIONS)
def test_i1_each_pair_of_public_rules_is_in_the_version(of: str) -> None:
    table = published(of)
    tactics = {key: short for key, (_, short) in table["tactics"].items()}
    for tags in _public_tags():
        for tactic, technique in pairs(attack.threat(tags, of)):
            assert tactics[tactic] in table["techniques"][technique][1], tags
        assert attack.unknown(tags, of) == [
            tag
            for tag in tags
            if not (tag.startswith("attack.t") or tag.removeprefix("attack.") in _tactics())
        ]


@cache
def _tactics() -> frozenset[str]:
    return frozenset(short for of in attack.VERSIONS for _, short in published(of)["tactics"].values())


def sentinel_takes(tactics: list[str], techniques: list[str]) -> bool:
    """NoTechniquesWithoutMatchingTactics.cs: of each technique at least one tactic is the rule's."""
    table = published("18")
    shorts = {pascal(name): short for name, short in table["tactics"].values()}
    if not set(tactics) <= set(shorts):
        return False
    known = set().union(*SENTINEL.values())
    for technique in (one.partition(".")[0] for one in techniques):
        if technique in known:
            if not any(technique in SENTINEL[tactic] for tactic in tactics):
                return False
        elif not {shorts[one] for one in tactics} & set(table["techniques"].get(technique, ("", []))[1]):
            return False
    return True


@pytest.mark.shared
def test_i1_sentinel_takes_the_tactics_and_techniques_of_public_rules() -> None:
    bare = simple(target="kql")
    for tags in _public_tags():
        item = replace(bare, rule={**bare.rule, "tags": tags})
        (resource,) = json.loads(str(ARM.part([item])))["resources"]
        rule = resource["properties"]
        assert sentinel_takes(rule["tactics"], rule["techniques"]), tags
        assert all("." not in one for one in rule["techniques"])
        (text,) = dict(YAML.part([item])).values()
        document = yaml.safe_load(text)
        assert sentinel_takes(document["tactics"], document["relevantTechniques"]), tags


def elastic_faults(threat: list[dict[str, Any]], of: str = "18") -> list[str]:
    """elastic/detection-rules, tests/test_all_rules.py, TestThreatMappings: what its five tests look at."""
    table = published(of)
    faults = []
    seen = [entry["tactic"]["id"] for entry in threat]
    if len(set(seen)) < len(seen):
        faults.append("a tactic twice")
    for entry in threat:
        tactic = entry["tactic"]
        name, short = table["tactics"].get(tactic["id"], ("", ""))
        if (name, tactic["reference"]) != (
            tactic["name"],
            f"https://attack.mitre.org/tactics/{tactic['id']}/",
        ):
            faults.append(tactic["id"])
        for technique in entry.get("technique", []):
            for one in (technique, *technique.get("subtechnique", [])):
                known, tactics = table["techniques"].get(one["id"], ("", []))
                page = f"https://attack.mitre.org/techniques/{one['id'].replace('.', '/')}/"
                if (known, page, short in tactics) != (one["name"], one["reference"], True):
                    faults.append(one["id"])
    return faults


@pytest.mark.shared
@pytest.mark.parametrize("of", ["", "18", "19"])
def test_i1_elastic_takes_the_threat_of_public_rules(of: str) -> None:
    item = simple()
    for tags in _public_tags():
        own = replace(item, rule={**item.rule, "tags": tags}, attack=of)
        rule = json.loads(str(NDJSON.part([own])))
        assert not elastic_faults(rule["threat"], of or "18"), tags
        # test_primary_tactic_as_tag
        assert {f"Tactic: {one['tactic']['name']}" for one in rule["threat"]} <= set(rule["tags"])


def test_i1_the_configuration_chooses_19_for_elastic(tmp_path: Path) -> None:
    """From stack 9.5 on (detection_rules/attack.py, MITRE_V19_MIN_STACK)."""
    from converter.config import load

    (tmp_path / "sigconv.toml").write_text('[export]\nelastic-attack = "19"\n')
    wishes = load(tmp_path).export
    item = simple(tags=["attack.t1685"])
    made = make(["elastic-ndjson"], [("sysmon", "eql")], [item], wishes=wishes)
    (part,) = made.parts["elastic-ndjson", "sysmon"]
    assert json.loads(part.text)["threat"][0]["tactic"]["id"] == "TA0112"
    made = make(["elastic-ndjson"], [("sysmon", "eql")], [item])
    (part,) = made.parts["elastic-ndjson", "sysmon"]
    assert json.loads(part.text)["threat"][0]["tactic"]["id"] == "TA0005"


def test_i1_splunk_keeps_the_rules_own_ids() -> None:
    """Annotations of Enterprise Security are not checked against a version."""
    from converter.exports.splunk.rule import stanzas

    text = stanzas([simple(target="spl", tags=["attack.t1562.001", "attack.t1685", "attack.t9999"])])
    assert 'annotations = {"mitre_attack": ["T1562.001", "T1685"]}' in text


# I2: entities and details ----------------------------------------------------------------------------------


def analytic(item: ExportItem) -> dict[str, Any]:
    (resource,) = json.loads(str(ARM.part([item])))["resources"]
    return dict(resource["properties"])


def mapped(rule: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return the first entity of each type: identifier -> column."""
    found: dict[str, dict[str, str]] = {}
    for one in rule.get("entityMappings", []):
        columns = {field["identifier"]: field["columnName"] for field in one["fieldMappings"]}
        found.setdefault(one["entityType"], columns)
    return found


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
    from converter.matcher.logsource import SYSMON_EVENT_IDS
    from converter.usual_fields import usual_fields
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


# I3: events that come in late ------------------------------------------------------------------------------


LATE_COLUMN = {"sysmon": "RenderedDescription", "defender": "FileOriginUrl"}
"""A column that no shipped rule reads: when the event came in, in the place of ingestion_time()."""


def late_alerts(case: Case, query: str, every: int, back: int, lateness: list[int]) -> Counter[Any]:
    """Return the alerts of consecutive runs, each over what a run can read: what came before it.

    Args:
        case: events, as stored.
        query: of the exported rule.
        every: seconds between two runs.
        back: seconds that a run reads, by the events' own times.
        lateness: seconds that events come in late, in turn.
    """
    column = LATE_COLUMN[case.item.source]
    times = [case.time(event) for event in case.stored]
    came = [time + timedelta(seconds=lateness[n % len(lateness)]) for n, time in enumerate(times)]
    stored = [
        replace(event, doc={**event.doc, column: f"{time.replace(tzinfo=None).isoformat()}Z"})
        for event, time in zip(case.stored, came, strict=True)
    ]
    raised: Counter[Any] = Counter()
    now = min(times).replace(second=0, microsecond=0)
    quiet = 0
    while now <= max(came) + timedelta(seconds=3 * every):
        start, last = now - timedelta(seconds=back), now - timedelta(seconds=every)
        read = [e for e, t, c in zip(stored, times, came, strict=True) if start <= t < now and c < now]
        news = any(last <= one < now for one in came)
        quiet = 0 if news else quiet + 1
        if read and quiet < 2:  # Where nothing came in, one run is as good as many.
            raised += case.marks(case.run(kql_at(query, now, f"todatetime({column})"), read))
        now += timedelta(seconds=every)
    return raised


def _by_title(source: str, title: str) -> Case:
    found = [case for case in cases(source, "kql") if case.item.title.startswith(title)]
    return max(found, key=lambda case: len(case.stored))


@pytest.mark.parametrize("lateness", [[0], [1400], [0, 1300, 30], [1400, 0, 700, 20]])
@pytest.mark.parametrize(
    "title",
    [
        "Process Reads LSASS",  # temporal
        "Command Run Through WMI",  # temporal_ordered
        "Services, Tasks or Processes",  # event_count
        "One Program Reaches Many Hosts",  # value_count
    ],
)
def test_i3_sentinel_raises_each_alert_once_though_events_are_late(title: str, lateness: list[int]) -> None:
    """Up to 25 minutes, whichever of an alert's events is late."""
    case = _by_title("sysmon", title)
    (text,) = dict(YAML.part([case.item])).values()
    rule = yaml.safe_load(text)
    expected = case.marks(case.run(case.item.queries[0].body, case.stored))
    assert expected
    back = int(rule["queryPeriod"][:-1]) * 60
    assert rule["queryFrequency"] == "5m"
    assert rule["queryPeriod"].endswith("m")
    assert late_alerts(case, rule["query"], 300, back, lateness) == expected


@pytest.mark.parametrize("lateness", [[0, 3 * 3600 - 700], [2 * 3600, 0, 600]])
@pytest.mark.parametrize("title", ["Command Run Through WMI", "One Program Reaches Many Hosts"])
def test_i3_defender_raises_each_alert_once_though_devices_are_late(title: str, lateness: list[int]) -> None:
    """An hourly rule reads four hours: a device may report hours later ("Create custom detections")."""
    case = _by_title("defender", title)
    (text,) = dict(DETECTIONS.part([case.item])).values()
    rule = json.loads(text)
    assert rule["schedule"] == {"frequency": "PT1H"}
    expected = case.marks(case.run(case.item.queries[0].body, case.stored))
    assert expected
    query = rule["queryCondition"]["queryText"]
    assert late_alerts(case, query, 3600, 4 * 3600, lateness) == expected


def test_i3_defender_does_not_judge_by_the_events_time() -> None:
    """Nothing but the window of what a run reads in whole looks at an event's time."""
    case = _by_title("defender", "Command Run Through WMI")
    (text,) = dict(DETECTIONS.part([case.item])).values()
    query = json.loads(text)["queryCondition"]["queryText"]
    assert re.findall(r"ago\(\w+\)", query) == ["ago(239m)", "ago(1h)"]
    assert query.count("| where ingestion_time() < until") == 2


# I4: versions, connectors, near real time ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "package", "current"),
    [
        # elastic/detection-rules, etc/integration-manifests.json.gz, 21 August 2026; the finding of November
        # names 3.3.0 (crowdstrike) and 5.12.3 (m365_defender).
        ("sysmon", "windows", ("3.4.0",)),
        ("defender", "m365_defender", ("5.5.0", "5.12.3")),
        ("crowdstrike", "crowdstrike", ("3.3.0",)),
        ("windows-security", "system", ("2.12.0",)),
    ],
)
def test_i4_related_integrations_fit_todays_packages(
    source: str, package: str, current: tuple[str, ...]
) -> None:
    more: dict[str, Any] = {}
    if source == "windows-security":
        more = {
            "logsource": {"product": "windows", "service": "security"},
            "detection": {"selection": {"EventID": 4624}, "condition": "selection"},
        }
    rule = json.loads(str(NDJSON.part([simple(source, **more)])))
    (version,) = [one["version"] for one in rule["related_integrations"] if one["package"] == package]
    for one in current:  # ^x.y.z: the same major, not below.
        parts, least = ([int(n) for n in text.split(".")] for text in (one, version.removeprefix("^")))
        assert version.startswith("^")
        assert parts[0] == least[0]
        assert parts >= least


@pytest.mark.parametrize(
    ("source", "connectors"),
    [
        # DumpingLSASSProcessIntoaFile.yaml, a rule of Azure-Sentinel about Sysmon in the table Event.
        ("sysmon", {"SecurityEvents": ["SecurityEvent"], "WindowsSecurityEvents": ["SecurityEvent"]}),
        ("defender", {"MicrosoftThreatProtection": ["DeviceProcessEvents"]}),
        # CrowdStrikeS3FDR_ccp/DataConnectorDefinition.json: connectorUiConfig.id, dataTypes.
        ("crowdstrike", {"CrowdStrikeFalconS3CCPDefinition": ["CrowdStrike_Process_Events_CL"]}),
    ],
)
def test_i4_required_connectors_of_each_table(source: str, connectors: dict[str, list[str]]) -> None:
    (text,) = dict(YAML.part([simple(source, "kql")])).values()
    required = yaml.safe_load(text)["requiredDataConnectors"]
    assert {one["connectorId"]: one["dataTypes"] for one in required} == connectors


NRT = """
alertDetailsOverride alertRuleTemplateName customDetails description displayName enabled entityMappings
eventGroupingSettings incidentConfiguration query sentinelEntitiesMappings severity subTechniques
suppressionDuration suppressionEnabled tactics techniques templateVersion
"""
"""Microsoft's SDK, NrtAlertRuleProperties (@azure/arm-securityinsight): no frequency, period and trigger."""


def test_i4_near_real_time_rules_of_sentinel() -> None:
    item = replace(simple(target="kql"), near_real_time=True)
    (resource,) = json.loads(str(ARM.part([item])))["resources"]
    assert resource["kind"] == "NRT"
    rule = resource["properties"]
    assert set(rule) <= set(NRT.split())
    # The service looks at each event as it comes in, and takes no joins and unions (near-real-time-rules).
    assert "ingestion_time" not in rule["query"]
    assert not re.search(r"\b(join|union)\b", rule["query"])
    (text,) = dict(YAML.part([item])).values()
    document = yaml.safe_load(text)
    assert document["kind"] == "NRT"
    # NrtTemplateInternalModel.cs is QueryBasedTemplateInternalModel, which has none of these.
    assert not {"queryFrequency", "queryPeriod", "triggerOperator", "triggerThreshold"} & set(document)


def test_i4_a_correlation_stays_a_scheduled_rule() -> None:
    counted = correlation("event_count", ["first"], condition={"gte": 3})
    (item,) = items(base("first", Image="a"), counted, targets=("kql",))
    (resource,) = json.loads(str(ARM.part([replace(item, near_real_time=True)])))["resources"]
    assert resource["kind"] == "Scheduled"


def test_i4_the_configuration_chooses_near_real_time(tmp_path: Path) -> None:
    from converter.config import load

    (tmp_path / "sigconv.toml").write_text("[export]\nsentinel-nrt = true\n")
    made = make(["sentinel-arm"], [("sysmon", "kql")], [simple(target="kql")], wishes=load(tmp_path).export)
    (part,) = made.parts["sentinel-arm", "sysmon"]
    assert json.loads(part.text)["resources"][0]["kind"] == "NRT"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[export]\nelastic-attack = "17"\n', "'export.elastic-attack' is one of 18, 19"),
        ("[export]\nsentinel-nrt = 1\n", "'export.sentinel-nrt' is true or false"),
        ("[export]\nnrt = true\n", "'export.nrt' is unknown"),
        ("export = 1\n", "'export' is a table"),
    ],
)
def test_i4_a_wrong_wish_is_told(tmp_path: Path, text: str, message: str) -> None:
    from converter.config import load

    (tmp_path / "sigconv.toml").write_text(text)
    with pytest.raises(UsageError, match=message):
        load(tmp_path)


# What is said of a query's fidelity ------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["kql", "spl", "eql"])
def test_exported_descriptions_say_what_is_assumed(target: str) -> None:
    item = replace(
        simple(target=target),
        fidelity=Fidelity.ASSUMED,
        reasons=(Reason(Fidelity.ASSUMED, "sysmon-x-1: a claim about a column"),),
    )
    if target == "kql":
        text = analytic(item)["description"]
    elif target == "spl":
        from converter.exports.splunk.rule import stanzas

        text = stanzas([item])
    else:
        text = json.loads(str(NDJSON.part([item])))["note"]
    assert "if the assumptions below hold" in text
    assert "assumed: sysmon-x-1: a claim about a column" in text
    assert item.id in text


# S3: names that no platform has ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "form", ["sentinel-arm", "sentinel-yaml", "elastic-ndjson", "elastic-toml", "splunk-conf"]
)
def test_s3_no_made_up_index_or_table_is_deployed(form: str) -> None:
    """Index names are lower case in Elasticsearch and Splunk, and no workspace has a table `Events`."""
    target = {"sentinel": "kql", "elastic": "eql", "splunk": "spl"}[form.partition("-")[0]]
    item = simple("none", target, detection={"s": {"a": "x"}, "condition": "s"})
    made = make([form], [("none", target)], [item])
    if target == "kql":
        (error,) = made.errors
        assert (error.code, "no table is configured" in error.message) == ("SC210", True)
        return
    (part,) = made.parts[form, "none"]
    assert "Events" not in part.text
    if form == "elastic-ndjson":
        assert "index" not in json.loads(
            part.text
        )  # Kibana's API: defaults to securitySolution:defaultIndex.


def test_i4_the_rules_of_one_temporal_are_told_to_belong_together() -> None:
    """EQL has no sequence without an order: three rules give six, which one tag holds together."""
    names = ["first", "second", "third"]
    bases = [base(name, Image=rf"c:\\{name}.exe") for name in names]
    (item,) = items(*bases, correlation("temporal", names))
    made = [json.loads(line) for line in str(NDJSON.part([item])).splitlines()]
    assert len(made) == len(item.queries) == 6
    assert all("Sigma Rule: 99999999-2222-4333-8444-555555555555" in rule["tags"] for rule in made)
    assert len({rule["rule_id"] for rule in made}) == 6
    for rule, query in zip(made, item.queries, strict=True):
        assert f"this rule is for `{query.name}`" in rule["note"]
    assert "One of" not in json.loads(str(NDJSON.part([simple()])))["note"]


# Every public rule -----------------------------------------------------------------------------------------


def _public_analytics(source: str, every: int) -> Iterator[tuple[str, ExportItem]]:
    with here():
        found = rules.load([shared("sigmahq/rules")])
        cell = pipelines.cell(source, "kql")
        for rule in found.emitted()[::every]:
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
