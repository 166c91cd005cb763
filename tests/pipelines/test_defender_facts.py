"""Defender's pipelines against the table of facts beside the project (mappings.json and its corrections)."""

import json
import re

import pytest

from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from tests.pipelines.defender_samples import EVENTS, TARGETS, base, rule
from tests.support import shared

# Where a pipeline differs from the facts, and why.
KNOWN = {
    # The table reference of August 2026 has CreatedProcessSessionId.
    ("process_creation", "TerminalSessionId"): "kql spl",
    # process.parent.group_leader.name: the ingest keeps the name after all.
    ("process_creation", "GrandParentImage"): "eql lucene",
    # process.command_line and process.pid are the target's for API calls (pipeline_device.yml, the last
    # set_process_command_line and set_process_pid), so the caller's are refused.
    ("create_remote_thread", "SourceCommandLine"): "eql lucene",
    # user.* is AccountName where DeviceEvents has one; initiating_process.* is always kept.
    ("create_remote_thread", "SourceUser"): "eql lucene",
    ("process_access", "SourceUser"): "eql lucene",
    # The name of the path's other field, joined by the query or split from the value.
    ("file_rename", "SourceFilename"): "eql lucene spl kql",
    # Not one column: which end it is depends on who opened the connection.
    **{
        ("network_connection", f"{end}{what}"): "eql lucene spl kql"
        for end in ("Source", "Destination")
        for what in ("Ip", "Port", "IsIpv6")
    },
    # A correction: host.name; the facts call it lossy.
    ("network_connection", "SourceHostname"): "",
    # Answers and codes of what the network sensor inspected are not those of Sysmon's event.
    ("dns_query", "QueryStatus"): "eql lucene",
    ("dns_query", "QueryResults"): "eql lucene",
    # A join with the table of certificates.
    **{
        (category, field): "kql"
        for category in ("driver_load", "image_load")
        for field in ("Signed", "Signature", "SignatureStatus")
    },
}


def facts(target):
    """Return (category, field) -> target field or None, with the corrections in their place."""
    listed = json.loads(shared("facts/mappings.json").read_text())["defender"][target]
    corrections = {
        (one["category"], one["field"]): one["should_be"].split(" | ")
        for one in json.loads(shared("facts/mappings-corrections.json").read_text())
        if one["source"] == "defender" and one["target"] == target and one["field"] != "where"
    }
    for category, section in listed.items():
        for field, fact in section["fields"].items():
            to, kind = fact["to"], fact["kind"]
            if (category, field) in corrections:
                to, kind = corrections[category, field][:2]
            yield category, field, to, kind.split(" ")[0], section["where"] is not None


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_every_plain_field_is_mapped_as_the_facts_say(target):
    where = cell("defender", target)
    wrong, compared = [], 0
    for category, field, to, kind, has_events in facts(target):
        if target in KNOWN.get((category, field), "").split() or category.startswith("service:"):
            continue
        if not has_events or kind == "none":
            if field in ("ProcessGuid", "ParentProcessGuid"):
                continue  # For group-by: three columns; as a condition it is refused like the rest.
            value = "MD5=" + "0" * 32 if field.startswith("Hash") else "x"
            with pytest.raises(Refusal):
                base(target, category, {field: value})
            continue
        if category not in EVENTS or kind != "exact" or field in ("Hashes", "TargetObject", "Details"):
            continue
        plain = re.split(r" \+ |, ", to.split(" (")[0])
        # "a.b_domain + .b_name": the second goes on from the first's group.
        plain = [plain[0].rpartition(".")[0] + one if one.startswith(".") else one for one in plain]
        if not all(re.fullmatch(r"(properties\.)?[\w.]+", one) for one in plain):
            continue  # An expression: the engines judge it, in test_defender_fields.
        got = map_field(rule(category, {"EventType": "x"}), where, field)
        compared += 1
        if list(got) != plain:
            wrong.append((category, field, to, got))
    assert wrong == []
    assert compared > 40
