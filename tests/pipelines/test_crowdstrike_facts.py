"""CrowdStrike's pipelines against the table of facts (mappings.json and its corrections)."""

import json
import re

import pytest

from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from tests.pipelines.crowdstrike_samples import EVENTS, TARGETS, base, fields, rule
from tests.support import shared

PLATFORM = {"eql": "elastic", "lucene": "elastic", "spl": "splunk", "kql": "kusto"}
# Where a pipeline differs from the facts, and why.
KNOWN = {
    # event.action is the event's name in some versions of the integration and a verb in others
    # (test-windows.log-expected.json at 18509faf: "modification", "load"); this field has it in all.
    ("network_connection", "Initiated"): "eql lucene",
    ("network_connection", "SourceIsIpv6"): "eql lucene",
    ("network_connection", "DestinationIsIpv6"): "eql lucene",
    # Not one column: which end it is depends on who opened the connection.
    **{
        ("network_connection", f"{end}{what}"): "spl kql"
        for end in ("Source", "Destination")
        for what in ("Ip", "Port")
    },
    # Keys of correlations, with the host; as conditions they are refused: a number is no GUID of Sysmon's.
    ("process_creation", "ProcessGuid"): "eql lucene spl kql",
    ("process_creation", "ParentProcessGuid"): "eql lucene spl kql",
    # Analysed text (match_only_text): EQL has no use for it, whole-text search finds its words. The mapping
    # is there; EQL refuses the comparison.
    ("ps_script", "ScriptBlockText"): "eql",
    # Sentinel's table has the script's name and not the script: no rule looks at the name alone.
    ("ps_script", "Path"): "kql",
}


def facts(target):
    """Yield category, field, target field or None, kind, and whether there are events; corrections win."""
    listed = json.loads(shared("facts/mappings.json").read_text())["crowdstrike"][target]
    corrections = {
        (one["category"], one["field"]): one["should_be"].split(" | ")
        for one in json.loads(shared("facts/mappings-corrections.json").read_text())
        if one["source"] == "crowdstrike" and one["target"] == target and one["field"] != "where"
    }
    for category, section in listed.items():
        for field, fact in section["fields"].items():
            to, kind = fact["to"], fact["kind"]
            if (category, field) in corrections:
                to, kind = (*corrections[category, field], kind)[:2]
            yield category, field, to, kind.split(" ")[0], section["where"] is not None


@pytest.mark.shared
@pytest.mark.parametrize("target", TARGETS)
def test_every_field_is_mapped_or_refused_as_the_facts_say(target):
    where = cell("crowdstrike", target)
    allowed = fields(PLATFORM[target])
    wrong, compared, refused = [], 0, 0
    for category, field, to, kind, has_events in facts(target):
        if target in KNOWN.get((category, field), "").split() or category.startswith("service:"):
            continue
        if not has_events or kind == "none":
            if field in ("ProcessGuid", "ParentProcessGuid"):
                continue  # For group-by: two columns; as a condition it is refused like the rest.
            value = "MD5=" + "0" * 32 if field.startswith("Hash") else "x"
            try:
                base(target, category, {field: value})
                wrong.append((category, field, "the facts have no such field"))
            except Refusal:
                refused += 1
            continue
        if category not in EVENTS:
            wrong.append((category, field, "the facts have events of the category"))
            continue
        if field not in allowed.get(category, ()):
            wrong.append((category, field, f"not allowed: {to}"))
            continue
        if field in ("Hashes", "TargetObject", "Details"):
            continue
        plain = [one.strip() for one in re.split(r" / | \+ |, |\|", str(to).split(" (")[0])]
        if not all(re.fullmatch(r"[\w.]+", one) for one in plain):
            continue  # An expression: the engines judge it, in test_crowdstrike_fields.
        probe = {"TargetObject": "x"} if category.startswith("registry") else {"EventID": 1}
        got = map_field(rule(category, probe), where, field)
        compared += 1
        if not set(got) <= set(plain):
            wrong.append((category, field, to, got))
    assert wrong == [], "\n".join(map(str, wrong))
    assert (compared > 20, refused > 100) == (True, True)
