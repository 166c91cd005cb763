"""The pipelines against the table of facts beside the project (mappings.json and its corrections)."""

import json

import pytest

from converter.errors import Refusal
from converter.pipelines.cells import cell
from converter.pipelines.prepare import map_field
from tests.pipelines.test_sysmon_fields import TARGETS, base, rule
from tests.support import shared

# Where the facts have more, or say it otherwise, than a pipeline does.
KNOWN = {
    # Refused there, with the loss named; the facts call it lossy.
    ("elastic", "dns_query", "QueryResults"),
}
# Log sources that are not Sysmon's, or that Sysmon has no event for.
ELSEWHERE = ("service:", "ps_", "file_access", "file_rename")


@pytest.mark.shared
@pytest.mark.parametrize("name", ["elastic", "splunk", "kusto"])
def test_every_field_is_mapped_as_the_facts_say(name):
    target, variant = TARGETS[name]
    where = cell("sysmon", target, variant)
    facts = json.loads(shared("facts/mappings.json").read_text())["sysmon"][target]
    corrections = {
        (one["category"], one["field"]): one["should_be"].split(" | ")[0]
        for one in json.loads(shared("facts/mappings-corrections.json").read_text())
        if one["source"] == "sysmon" and one["target"] == target and one["field"] != "where"
    }
    wrong = []
    for category, section in facts.items():
        if category.startswith(ELSEWHERE):
            continue
        for field, fact in section["fields"].items():
            to = corrections.get((category, field), fact["to"])
            if (name, category, field) in KNOWN:
                continue
            if fact["kind"] == "none" and field != "Type":
                with pytest.raises(Refusal):
                    base(name, {"category": category}, {field: "x"})
                continue
            got = map_field(rule({"category": category}, {field: "x"}), where, field)
            if not _same(name, got, to, field):
                wrong.append((category, field, to, got))
    assert wrong == []


def _same(name, got, to, field):
    if field in {"Hashes", "Hash"}:  # Split by value, not by name: test_transformations.
        return True
    if field == "Type" and got == ("message",):  # A text field: EQL refuses it by its type.
        return True
    text = str(to)
    if name == "splunk" and got == ("provider",):  # The first value of Name, without its quotes.
        return text == "Name"
    if name == "kusto":
        text = text.removeprefix("tostring(EventData.").removesuffix(")").replace("Provider", "Source")
    text = text.split(" (")[0].split(" only on")[0]
    return " + ".join(got) == text
