"""Sample records of Sysmon, one per category, and a reader of parsed conditions over stored events.

The reader knows equality, nets and boolean links: enough to ask whether the field that a pipeline maps to
holds, in the stored event, the value that the rule asked for.
"""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import yaml

from converter.plan.conditions import And, Comparison, Condition, Not, Or
from converter.plan.values import ANY, Exists, Flag, Network, Null, Number

ROOT = Path(__file__).parent.parent.parent / "pipelines" / "sysmon"
TARGETS = {
    "elastic": ("eql", ""),
    "splunk": ("spl", ""),
    "kusto": ("kql", ""),
    "kusto-windowsevent": ("kql", "windowsevent"),
}

# Where a field's value cannot be any text: a value, and another one.
VALUES: dict[str, tuple[Any, Any]] = {
    "Initiated": ("true", "false"),
    "SourceIsIpv6": ("false", "true"),
    "DestinationIsIpv6": ("false", "true"),
    "IsExecutable": ("true", "false"),
    "Archived": ("true", "false"),
    "SourceIp": ("10.1.2.3", "10.1.2.4"),
    "DestinationIp": ("fe80:0:0:0:1:2:3:4", "fe80:0:0:0:1:2:3:5"),
    "User": ("EXAMPLE\\alice", "EXAMPLE\\bob"),
    "QueryStatus": ("9003", "0"),
    "Hashes": ("SHA256=" + "AB" * 32, "SHA256=" + "CD" * 32),
    "Hash": ("MD5=" + "AB" * 16, "MD5=" + "CD" * 16),
    "Computer": ("WS1.example.com", "WS2.example.com"),
}
NUMBERS = {
    "ProcessId",
    "ParentProcessId",
    "SourceProcessId",
    "SourceThreadId",
    "SourcePort",
    "DestinationPort",
}
HEADER = {"Computer", "Provider_Name", "Channel", "EventID", "UtcTime"}


def categories(name: str) -> dict[str, list[str]]:
    """Return category -> fields that the pipeline lets pass, without those of the service."""
    items = yaml.safe_load((ROOT / f"{name}.yml").read_text())["transformations"]
    return {
        item["rule_conditions"][0]["category"]: item["fields"]
        for item in items
        if item["type"] == "require_fields" and _of_sysmon(item["rule_conditions"][0].get("category"))
    }


def _of_sysmon(category: str | None) -> bool:
    return category is not None and not category.startswith("ps_")  # Those: test_other_logs.py.


def event_ids(name: str = "splunk") -> dict[str, list[int]]:
    """Return category -> event ids, from the pipeline's filters."""
    items = yaml.safe_load((ROOT / f"{name}.yml").read_text())["transformations"]
    found = {}
    for item in items:
        if item["type"] == "add_condition" and "EventCode" in item["conditions"]:
            ids = item["conditions"]["EventCode"]
            if not _of_sysmon(item["rule_conditions"][0]["category"]):
                continue
            found[item["rule_conditions"][0]["category"]] = ids if isinstance(ids, list) else [ids]
    return found


def value(field: str) -> Any:
    if field in VALUES:
        return VALUES[field][0]
    return 4242 if field in NUMBERS else f"value of {field}"


def other(field: str) -> Any:
    if field in VALUES:
        return VALUES[field][1]
    return 77 if field in NUMBERS else f"something else than {field}"


def sample(field: str, event_id: int, holding: Any) -> dict[str, Any]:
    """Return a record of an event in which one field holds a value and few others are there."""
    record = {"EventID": event_id, "Computer": "h", "UtcTime": "2024-05-06 07:08:09.123"}
    if event_id == 12 and field != "EventType":
        record["EventType"] = "CreateKey"
    if field == "Details":
        record["TargetObject"] = "HKLM\\x"
    record[field] = holding
    return record


def holds(tree: Condition, doc: dict[str, Any]) -> bool:
    """Tell whether a parsed condition holds for a stored event."""
    if isinstance(tree, And):
        return all(holds(arg, doc) for arg in tree.items)
    if isinstance(tree, Or):
        return any(holds(arg, doc) for arg in tree.items)
    if isinstance(tree, Not):
        return not holds(tree.item, doc)
    assert isinstance(tree, Comparison)
    stored = doc.get(tree.field)
    return any(_equal(tree.value, one) for one in (stored if isinstance(stored, list) else [stored]))


def readable(name: str, doc: dict[str, Any]) -> dict[str, Any]:
    """Return a stored event with what is inside Kusto's EventData beside its columns."""
    if name == "kusto":
        item = ElementTree.fromstring(doc["EventData"])
        return {one.get("Name"): one.text or "" for one in item[0]} | doc
    if name == "splunk" and "Name" in doc:
        # The provider's name comes first, in its quotes (converter/shapes/windows/splunk_addons.yml).
        names = doc["Name"] if isinstance(doc["Name"], list) else [doc["Name"]]
        return {"provider": names[0].strip("'")} | doc
    return doc["EventData"] | doc if name == "kusto-windowsevent" else doc


def _equal(wanted: Any, stored: Any) -> bool:
    if isinstance(wanted, Null):
        return stored is None
    if isinstance(wanted, Exists):
        return (stored is not None) == wanted.exists
    if stored is None:
        return False
    if isinstance(wanted, Flag):
        return stored is wanted.boolean
    if isinstance(wanted, Number):
        return str(stored) == str(wanted.number)
    if isinstance(wanted, Network):
        return ipaddress.ip_address(stored) in wanted.network
    parts, rest = list(wanted.parts), str(stored).lower()
    if ANY not in parts:
        return "".join(map(str, parts)).lower() == rest
    text = "".join(str(part) for part in parts if isinstance(part, str)).lower()
    opens, closes = not isinstance(parts[0], str), not isinstance(parts[-1], str)
    if opens and closes:
        return text in rest
    return rest.endswith(text) if opens else rest.startswith(text)
