"""The fourth source, which is data only: what it converts is proven, what it does not have is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from converter.conversion.convert import convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.rules import loading, ruleset
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from converter.shapes import shape_for
from converter.verify.verify import verify
from tests.support import ROOT, shared

SOURCE = "windows-security"
TARGETS = ("eql", "lucene", "spl", "kql")
FOLDER = ROOT / "pipelines" / SOURCE
SECURITY = {"product": "windows", "service": "security"}
PROCESS = {"product": "windows", "category": "process_creation"}

# Logsource and detection; the targets that refuse it, with the words of the refusal.
CASES = {
    "process creation": (
        PROCESS,
        {
            "sel": {"ParentImage|endswith": "\\wscript.exe", "CommandLine|contains|all": ["-enc", " http"]},
            "filter": {"Image|re": "foo[0-9]+"},
            "condition": "sel and not filter",
        },
        {},
    ),
    "process id": (
        PROCESS,
        {"sel": {"ProcessId": 4, "Image|endswith": "\\a.exe"}, "condition": "sel"},
        {"spl": "ProcessId", "kql": "ProcessId"},
    ),
    "logon": (
        SECURITY,
        {
            "sel": {"EventID": 4624, "LogonType": 3, "IpAddress": "10.1.2.3", "WorkstationName": "K*"},
            "filter": {"TargetUserName|endswith": "$"},
            "condition": "sel and not filter",
        },
        {},
    ),
    "failed logon": (
        SECURITY,
        {"sel": {"EventID": 4625, "SubStatus": "0xc000006a", "ProcessName": "*\\a.exe"}, "condition": "sel"},
        {},
    ),
    "object": (
        SECURITY,
        {"sel": {"EventID": [4656, 4663], "ObjectName|endswith": "\\lsass.exe", "ProcessName": "*Temp*"},
         "condition": "sel"},
        {},
    ),
    "share": (
        SECURITY,
        {"sel": {"EventID": 5145, "ShareName": "\\\\\\\\\\*\\\\ADMIN$", "RelativeTargetName": "*.exe"},
         "condition": "sel"},
        {},
    ),
    "service": (SECURITY, {"sel": {"EventID": 4697, "ServiceFileName": "a"}, "condition": "sel"}, {}),
    "kerberos": (
        SECURITY,
        {"sel": {"EventID": 4769, "TicketEncryptionType": "0x17"}, "condition": "sel"},
        {"kql": "TicketEncryptionType"},
    ),
    "task": (SECURITY, {"sel": {"EventID": 4698, "TaskName": "a"}, "condition": "sel"}, {"kql": "TaskName"}),
    "account": (SECURITY, {"sel": {"EventID": [4720, 4738], "TargetUserName": "a"}, "condition": "sel"}, {}),
    "ambiguous process": (
        SECURITY,
        {"sel": {"EventID": [4625, 4663], "ProcessName": "a"}, "condition": "sel"},
        {},
    ),
}  # fmt: skip


def rule(name):
    logsource, detection, refused = CASES[name]
    doc = {
        "title": name,
        "id": f"5bb1a2f2-8a5f-4d0c-bb2d-6c0f2f9f{list(CASES).index(name):04}",
        "logsource": logsource,
        "detection": detection,
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0), refused


@pytest.mark.parametrize("name", CASES)
def test_verify_agrees_or_names_the_field_that_is_not_there(name, tmp_path):
    one, refused = rule(name)
    found = list(verify(ruleset.RuleSet([one]), [cells.cell(SOURCE, target) for target in TARGETS], tmp_path))
    for checked in found:
        if (field := refused.get(checked.cell.target)) is not None:
            assert checked.status == "refused"
            assert f"'{field}'" in checked.reason
            assert str(checked.cell) in checked.reason
        else:
            assert (checked.status, checked.fidelity) == ("agrees", "exact"), (checked.cell, checked.reason)
            assert checked.hits > 0


@pytest.mark.parametrize(
    ("rule_file", "field"),
    [
        ("execution/office_starts_encoded_command", "OriginalFileName"),
        ("lateral_movement/wsus_starts_psexec", "OriginalFileName"),
        ("privilege_escalation/update_orchestrator_hijack", "ParentCommandLine"),
    ],
)
def test_the_shipped_rules_ask_for_what_4688_does_not_have(rule_file, field):
    found = loading.load([ROOT / f"sigma/windows/{rule_file}.yml"], ROOT / "sigma")
    for target in TARGETS:
        with pytest.raises(Refusal, match=f"'{field}'") as raised:
            convert(found, emitted_rules(found)[0], cells.cell(SOURCE, target))
        assert raised.value.code == "SC204"


def test_it_is_built_only_where_it_is_asked_for():
    assert SOURCE in cells.sources()
    assert SOURCE not in cells.sources(optional=False)


def test_it_is_data_only():
    """No line of Python knows the source, but for the table of what other tools have for it."""
    assert {path.suffix for path in FOLDER.iterdir()} == {".yml"}
    for path in {*(ROOT / "converter").rglob("*.py")} - {ROOT / "converter" / "upstream" / "natural.py"}:
        assert SOURCE not in path.read_text(encoding="utf-8"), path


def test_other_log_sources_are_refused():
    doc = rule("logon")[0].doc | {"logsource": {"product": "windows", "category": "network_connection"}}
    other = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    for target in TARGETS:
        with pytest.raises(Refusal) as raised:
            convert(ruleset.RuleSet([other]), other, cells.cell(SOURCE, target))
        assert raised.value.code in ("SC204", "SC207")


def test_each_wrong_column_makes_verify_disagree(tmp_path):
    """Swap two columns in each platform's mapping: the shape, which does not know it, shows it."""
    one, _ = rule("process creation")
    for target in TARGETS:
        where = cells.cell(SOURCE, target)
        text = json.dumps(where.pipeline)
        parent = "process.parent.executable" if target in ("eql", "lucene") else "ParentProcessName"
        image = "process.executable" if target in ("eql", "lucene") else "NewProcessName"
        swapped = text.replace(parent, "\0").replace(image, parent).replace("\0", image)
        fields = {name: getattr(where, name) for name in cells.Cell.__slots__}
        wrong = cells.Cell(**fields | {"pipeline": json.loads(swapped), "version": f"wrong {target}"})
        (checked,) = verify(ruleset.RuleSet([one]), [wrong], tmp_path)
        assert checked.status == "disagrees", target


def test_what_elastic_moves():
    """4688's names and ids and a logon's address leave event_data; an object's ProcessName stays.

    elastic/integrations, packages/system .../security, standard.yml: "Process Event 4688", "Rename Common
    Auth Fields".
    """
    shape = shape_for(SOURCE, "elastic", ROOT / "pipelines")
    made = shape.store({"EventID": 4688, "Channel": "Security", "NewProcessName": "C:\\a.exe",
                        "NewProcessId": "0x1a4", "CommandLine": "a b"}, 0)  # fmt: skip
    assert made.index == "logs-system.security-default"
    assert made.doc["process.executable"] == "C:\\a.exe"
    assert made.doc["process.pid"] == 420
    assert made.doc["process.command_line"] == made.doc["winlog.event_data.CommandLine"] == "a b"
    assert "winlog.event_data.NewProcessName" not in made.doc
    logon = {
        "EventID": 4624,
        "Channel": "Security",
        "IpAddress": "10.0.0.1",
        "IpPort": "445",
        "ProcessName": "p",
    }
    doc = shape.store(logon, 0).doc
    assert (doc["source.ip"], doc["source.port"], doc["process.executable"]) == ("10.0.0.1", 445, "p")
    assert "source.ip" not in shape.store(logon | {"IpAddress": "-"}, 0).doc
    assert shape.store(logon | {"EventID": 4663}, 0).doc["winlog.event_data.ProcessName"] == "p"


def test_columns_of_the_shape_are_those_of_microsofts_table():
    """pySigma's copy of the Azure Monitor table reference, which neither pipeline nor shape is made from.

    The copy lacks ImpersonationLevel, which a published row has (tests/shapes/data/microsoft.yml).
    """
    from sigma.pipelines.azuremonitor.tables import AZURE_MONITOR_TABLES

    table = {name: one["data_type"] for name, one in AZURE_MONITOR_TABLES["SecurityEvent"].items()}
    table.setdefault("ImpersonationLevel", "string")
    columns = cells.cell(SOURCE, "kql").columns
    columns = {name: column for name, column in columns.items() if column.via is None}
    assert {name: column.type for name, column in columns.items()} == {
        name: table.get(name) for name in columns
    }
    stored = yaml.safe_load((FOLDER / "shape.yml").read_text())["stored"]["kusto"]
    assert {table.get(name) for name in stored["strings"]} == {"string"}
    assert {table.get(name) for name in stored["integers"]} == {"int"}


@pytest.mark.shared
@pytest.mark.parametrize("target", ["eql", "spl", "kql"])
def test_fields_are_where_the_facts_say(target):
    facts = json.loads(shared("facts/mappings.json").read_text())["sysmon"][target]["service:security"][
        "fields"
    ]
    mapping = {}
    for item in cells.cell(SOURCE, target).pipeline["transformations"]:
        if item.get("id") == "security_names":
            mapping = item["mapping"]
    exact = {field: fact["to"] for field, fact in facts.items() if fact["kind"] == "exact"}
    # Decided by the rule's event ids, or refused (the pipelines say why).
    apart = {"ProcessName", "PrivilegeList", "Provider_Name", "MemberName", "MemberSid"}
    if target == "eql":
        apart |= {"IpAddress", "IpPort", "WorkstationName", "NewProcessName", "ParentProcessName"}
    # Numbers in hexadecimal, the header's bit mask, and a name that stands for different things.
    apart |= {"ParentProcessId", "ClientProcessId", "Keywords", "param1"}
    wrong = {
        field: (to, mapping.get(field))
        for field, to in exact.items()
        if field not in apart and mapping.get(field) != to
    }
    assert wrong == {}


@pytest.mark.shared
def test_public_rules_of_the_security_log_agree(tmp_path):
    """Every fifth; those that are refused name a field."""
    files = sorted(shared("sigmahq").rglob("win_security_*.yml"))[::5]
    found = loading.load(files, None)
    states = {"agrees": 0, "refused": 0}
    for checked in verify(found, [cells.cell(SOURCE, target) for target in ("eql", "spl", "kql")], tmp_path):
        if "service: security\n" not in checked.rule.path.read_text(encoding="utf-8"):
            continue
        assert checked.status in states, (checked.rule.file, checked.cell, checked.reason)
        if checked.reason.startswith("SC208 the query would be narrower: values of winlog.event_data."):
            continue  # EQL finds no value that is too long to be indexed (docs/semantics.md, Elastic).
        assert checked.status == "agrees" or checked.reason.startswith("SC204"), checked.reason
        states[checked.status] += 1
    assert states["agrees"] > 3 * states["refused"] > 0
