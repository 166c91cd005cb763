"""Two fields are compared with each other (`fieldref`) only where the cell stores them alike."""

from pathlib import Path

import pytest

pytest.importorskip("jpype", reason="the engines need sigconv[verify]")

from converter.conversion.convert import Options, convert
from converter.errors import Refusal
from converter.pipelines import cells
from converter.rules.rule import Rule
from converter.rules.ruleset import RuleSet
from converter.verify.verify import verify
from tests.support import ROOT


def rule(category: str, field: str, other: str) -> Rule:
    doc = {
        "title": "t",
        "id": "00000000-0000-4000-8000-000000000001",
        "logsource": {"category": category, "product": "windows"},
        "detection": {"s": {field: other}, "condition": "s"},
    }
    return Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)


@pytest.mark.parametrize(
    ("cell", "category", "field", "other"),
    [
        # A path of a volume and the name of a file; a path of a volume and a text with a drive.
        ("crowdstrike/kql", "process_creation", "Image|fieldref", "ParentImage"),
        ("crowdstrike/spl", "process_creation", "CommandLine|fieldref|contains", "Image"),
        # A whole path, and its folder and name apart.
        ("defender/spl", "create_remote_thread", "SourceImage|fieldref", "TargetImage"),
        # Local and remote, which are source and destination by the kind of the event.
        ("defender/kql", "network_connection", "SourceIp|fieldref", "DestinationIp"),
        ("defender/kql", "network_connection", "SourcePort|fieldref|neq", "DestinationPort"),
    ],
)
def test_fields_that_are_stored_in_different_ways(cell: str, category: str, field: str, other: str) -> None:
    with pytest.raises(Refusal, match=f"SC201.*'{other}' in different ways: they cannot be compared"):
        convert(RuleSet(), rule(category, field, other), cells.cell(*cell.split("/")), Options("any"))


@pytest.mark.parametrize(
    ("cell", "category", "field", "other"),
    [
        ("defender/kql", "process_creation", "Image|fieldref", "ParentImage"),
        ("defender/spl", "file_event", "TargetFilename|fieldref|startswith", "Image"),
        ("sysmon/kql", "network_connection", "SourceIp|fieldref", "DestinationIp"),
        ("sysmon/spl", "process_creation", "CommandLine|fieldref|contains", "Image"),
    ],
)
def test_fields_that_are_stored_alike(cell: str, category: str, field: str, other: str) -> None:
    where = cells.cell(*cell.split("/"))
    (one,) = verify(RuleSet([rule(category, field, other)]), [where], ROOT / "tests" / "rules")
    wanted = "assumed" if cell == "defender/spl" else "exact"  # Splunk extracts 5,000 bytes of JSON.
    assert (one.status, one.fidelity) == ("agrees", wanted), one.reason
    assert one.hits
