"""Conversions to SPL and what they select of records as Splunk stores them."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from converter.conversion.convert import Conversion, Options, convert
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import selected

RECORDS = yaml.safe_load((Path(__file__).parent / "splunk_records.yml").read_text(encoding="utf-8"))


PROCESS = {"category": "process_creation"}


SYSTEM = {"service": "system"}


NAMESPACE = "{http://schemas.microsoft.com/win/2004/08/events/event}"


def converted(
    source: str, logsource: Mapping[str, str], condition: str = "a", **detections: Any
) -> Conversion:
    """Return a rule of one or more selections in SPL, whatever its fidelity."""
    doc = {
        "title": "t",
        "id": "11111111-1111-4111-8111-111111111111",
        "logsource": {"product": "windows", **logsource},
        "detection": {**detections, "condition": condition},
        "level": "low",
    }
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return convert(RuleSet([rule], [], [], [rule]), rule, cells.cell(source, "spl"), Options("any"))


def text_of(conversion: Conversion) -> str:
    return conversion.queries[0].text


def hits(conversion: Conversion, events: Sequence[Mapping[str, Any]]) -> list[int]:
    """Return the positions of the events that the query selects in the cell's stored shape."""
    return sorted(mark.event for mark in selected(conversion, list(events)) if mark.event is not None)


def flat(raw: str) -> dict[str, Any]:
    """Return the flat record of a rendered one, read by a parser of XML."""
    root = ET.fromstring(raw)
    system = root.find(f"{NAMESPACE}System")
    assert system is not None
    record: dict[str, Any] = {}
    for element in system:
        name = element.tag.removeprefix(NAMESPACE)
        if name == "Provider":
            record["Provider_Name"] = element.get("Name")
        elif name == "TimeCreated":
            record["TimeCreated"] = element.get("SystemTime")
        elif element.text:
            record[name] = element.text
        if element.get("Qualifiers"):
            record["Qualifiers"] = element.get("Qualifiers")
    for element in root.iter(f"{NAMESPACE}Data"):
        record[str(element.get("Name"))] = element.text or ""
    for inside in root.iterfind(f"{NAMESPACE}UserData/*/*"):
        record[inside.tag.rpartition("}")[2]] = inside.text or ""
    record.pop("Version")
    return record
