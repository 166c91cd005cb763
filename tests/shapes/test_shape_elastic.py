"""The documents that Elastic publishes for its own records, made by our shape."""

from pathlib import Path

import pytest
import yaml

from converter.pipelines.cells import cell
from converter.project import stock_pipelines
from converter.shapes import shape_for
from converter.shapes.windows.command_line import split_arguments

PAIRS = yaml.safe_load((Path(__file__).parent / "data" / "sysmon_elastic.yml").read_text())


@pytest.mark.parametrize("pair", PAIRS, ids=[pair["source"] for pair in PAIRS])
def test_a_published_pair(pair):
    target = "elastic-winlogbeat" if pair.get("variant") else "elastic"
    doc = shape_for("sysmon", target).store(pair["raw"], 7).doc
    assert {name: doc.get(name) for name in pair["stored"]} == pair["stored"]
    assert [name for name in pair.get("absent", []) if name in doc] == []


SECURITY = yaml.safe_load((Path(__file__).parent / "data" / "security_elastic.yml").read_text())


@pytest.mark.parametrize("pair", SECURITY, ids=[pair["source"] for pair in SECURITY])
def test_a_published_pair_of_the_security_log(pair):
    """Every column of ours is what the published document has, and none is there that it has not."""
    columns = cell("windows-security", "lucene").columns
    doc = shape_for("windows-security", "elastic", stock_pipelines.folder()).store(pair["raw"], 7).doc
    given = {name for name in pair["stored"] if name != "@timestamp"}
    assert {name: doc.get(name) for name in pair["stored"]} == pair["stored"]
    assert {name for name in doc if name in columns} - {"@timestamp"} == given
    assert given <= set(columns)


def test_details_stay_in_the_integration_and_go_in_winlogbeat():
    # windows package 1.33.0 (PR 7396) keeps Details; sysmon-11-registry.golden.json has "4" for DWORD 4.
    raw = {"EventID": 13, "TargetObject": r"HKLM\SOFTWARE\A\B", "Details": "DWORD (0x00000004)"}
    agent = shape_for("sysmon", "elastic").store(raw, 0).doc
    beat = shape_for("sysmon", "elastic-winlogbeat").store(raw, 0).doc
    assert agent["winlog.event_data.Details"] == "DWORD (0x00000004)"
    assert "winlog.event_data.Details" not in beat
    assert agent["registry.data.strings"] == beat["registry.data.strings"] == ["4"]
    assert (agent["registry.hive"], agent["registry.key"], agent["registry.value"]) == (
        "HKLM",
        r"SOFTWARE\A\B",
        "B",
    )


def test_hashes_of_a_logged_deletion_are_the_files_or_the_processs():
    raw = {"EventID": 26, "Hashes": "MD5=AA"}
    assert shape_for("sysmon", "elastic").store(raw, 0).doc["file.hash.md5"] == "aa"
    assert shape_for("sysmon", "elastic-winlogbeat").store(raw, 0).doc["process.hash.md5"] == "aa"


@pytest.mark.parametrize("value", ["", "-", "{00000000-0000-0000-0000-000000000000}", None])
def test_an_empty_value_is_not_stored_and_not_seen(value):
    shape = shape_for("sysmon", "elastic")
    raw = {"EventID": 1, "ParentImage": value, "ParentUser": value, "Image": "x"}
    assert not [name for name in shape.store(raw, 0).doc if "arent" in name]
    assert shape.view(raw) == {"EventID": 1, "Image": "x"}


def test_another_providers_event_is_not_sysmons():
    stored = shape_for("sysmon", "elastic").store({"EventID": 1, "Provider_Name": "Other", "Image": "x"}, 3)
    assert stored.doc["event.provider"] == "Other"
    assert "process.executable" not in stored.doc
    assert stored.doc["winlog.event_data.Image"] == "x"


# Rules: daviddeley.com/autohotkey/parameters/parameters.htm#WINARGV, which the ingest names.
@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        (r"a b  c", ["a", "b", "c"]),
        (r'"a b" c', ["a b", "c"]),
        (r"a\\\"b", [r"a\"b"]),
        (r'"a\\" b', ["a\\", "b"]),
        (r'"a""b"', ['a"b']),
        (r"C:\dir\ x", ["C:\\dir\\", "x"]),
        (r"a\\b", [r"a\\b"]),
        ("a\tb", ["a", "b"]),
        ('a ""', ["a", ""]),
    ],
)
def test_arguments(line, arguments):
    assert split_arguments(line) == arguments
