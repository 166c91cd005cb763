"""`sigconv list` and `sigconv columns`."""

from __future__ import annotations

import json

import pytest
import yaml
from click.testing import CliRunner

from converter.cli import main
from converter.pipelines import cells
from tests.support import ROOT


def listed(*arguments):
    done = CliRunner().invoke(main, ["list", *arguments, "--format", "json"])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_sources():
    found = {(one["source"], one["target"]): one for one in listed("sources")}
    assert {source for source, _ in found} == set(cells.sources())
    sysmon = found["sysmon", "kql"]
    assert sysmon["default"] is True
    assert sysmon["places"] == ["Event"]
    assert sysmon["variants"] == ["windowsevent"]
    assert {"process_creation", "registry_set", "service:sysmon"} <= set(sysmon["logsources"])
    assert found["windows-security", "spl"]["places"] == ["XmlWinEventLog:Security"]
    assert found["windows-security", "spl"]["default"] is False
    assert found["defender", "kql"]["places"][:2] == ["DeviceProcessEvents", "DeviceNetworkEvents"]


def test_targets():
    found = {one["target"]: one for one in listed("targets")}
    assert list(found) == ["eql", "lucene", "spl", "kql"]
    assert found["lucene"]["correlation_extension"] == "json"
    assert [one["extension"] for one in found.values()] == ["eql", "lucene", "spl", "kql"]


def test_fields_are_what_a_rule_gets():
    found = {
        one["field"]: one
        for one in listed("fields", "-s", "sysmon", "-t", "eql", "--category", "process_creation")
    }
    assert found["Image"]["columns"] == ["process.executable"]
    assert found["Image"]["types"] == ["keyword"]
    assert found["User"]["columns"] == ["user.domain", "user.name"]
    assert "process.hash.md5" in found["Hashes"]["columns"]
    assert not any(name.startswith("file.") for name in found["Hashes"]["columns"])
    assert "by value" in found["Hashes"]["note"]
    assert "broader:" in found["Hashes"]["note"]
    assert "elastic/integrations" in found["Image"]["fact"]


def test_every_column_that_is_shown_is_in_the_column_list():
    for source in cells.sources():
        for target in ("eql", "spl", "kql"):
            columns = cells.cell(source, target).columns
            found = listed("fields", "-s", source, "-t", target)
            assert found
            for one in found:
                assert set(one["columns"]) <= set(columns)
                assert len(one["types"]) == len(one["columns"])
                assert one["columns"] or one["note"]


def test_fields_without_an_equivalent_are_said_to_be_refused():
    found = listed("fields", "-s", "sysmon", "-t", "eql", "--category", "dns_query")
    (one,) = (one for one in found if one["field"] == "QueryResults")
    assert one["columns"] == []
    assert "refused" in one["note"]


@pytest.mark.parametrize(
    "arguments",
    [
        ["fields"],
        ["fields", "-s", "sysmon", "-t", "eql", "--category", "nothing"],
        ["rules"],
        ["sources", "-s", "x"],
    ],
)
def test_usage_errors(arguments):
    assert CliRunner().invoke(main, ["list", *arguments]).exit_code == 2


def test_text_is_a_table():
    done = CliRunner().invoke(main, ["list", "fields", "-s", "windows-security", "-t", "kql"])
    head, *rows = done.stdout.splitlines()
    assert head.split()[:4] == ["cell", "logsource", "field", "columns"]
    assert any(row.split()[1:5] == ["process_creation", "Image", "NewProcessName", "string"] for row in rows)


def test_sources_fit_on_a_terminal(monkeypatch):
    monkeypatch.setenv("COLUMNS", "90")
    lines = CliRunner().invoke(main, ["list", "sources"]).stdout.splitlines()
    assert max(map(len, lines)) <= 90
    assert "  kql (kusto): Event; --variant windowsevent" in lines
    assert "windows-security (built only where -s names it)" in lines
    text = " ".join(" ".join(lines).split())
    assert "eql, lucene (elastic): logs-windows.sysmon_operational-*, logs-windows.forwarded-*" in text
    for one in listed("sources"):
        assert all(name in text for name in (*one["places"], *one["logsources"]))


LIST = """# A list.
source: here
columns:
  A: string  # why
  B: {type: int, optional: true}  # and why
  'c.d': keyword
  V: {type: string, via: eventdata_xml}
"""
KUSTO_JSON = {"Name": "T", "OrderedColumns": [
    {"Name": "A", "Type": "System.String", "CslType": "string"},
    {"Name": "B", "Type": "System.Int64", "CslType": "long"},
    {"Name": "New", "Type": "System.DateTime", "CslType": "datetime"},
    {"Name": "V", "Type": "System.Int32", "CslType": "int"},
]}  # fmt: skip
WRAPPED = {"Tables": [{"Columns": [{"ColumnName": "TableName"}, {"ColumnName": "Schema"}],
                       "Rows": [["T", json.dumps(KUSTO_JSON)]]}]}  # fmt: skip
GETSCHEMA = (
    "ColumnName,ColumnOrdinal,DataType,ColumnType\nA,0,System.String,string\nB,1,System.Int64,long\n"
    "New,2,System.DateTime,datetime\nV,3,System.Int32,int\n"
)
MAPPING = {"idx": {"mappings": {"properties": {
    "c": {"properties": {"d": {"type": "wildcard", "fields": {"t": {"type": "text"}}}, "e": {"type": "ip"}}},
}}}}  # fmt: skip
FIELDSUMMARY = (
    "field,count,distinct_count,is_exact,max,mean,min,numeric_count,stdev\n"
    "A,9,1,1,9,9,9,9,0\nN,9,1,1,1,1,1,9,0\n"
)


def refreshed(tmp_path, export, *arguments):
    (tmp_path / "x.columns.yml").write_text(LIST)
    (tmp_path / "export").write_text(export if isinstance(export, str) else json.dumps(export))
    command = ["columns", str(tmp_path / "x.columns.yml"), "--from", str(tmp_path / "export"), *arguments]
    done = CliRunner().invoke(main, command)
    return done, (tmp_path / "x.columns.yml").read_text()


@pytest.mark.parametrize("export", [KUSTO_JSON, WRAPPED, GETSCHEMA])
def test_kusto_exports(tmp_path, export):
    done, text = refreshed(tmp_path, export)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == ["B: int -> long", "New: datetime (new)"]
    assert text == LIST.replace("type: int,", "type: long,") + "  New: datetime\n"


def test_elastic_mapping(tmp_path):
    done, text = refreshed(tmp_path, MAPPING)
    assert done.stdout.splitlines() == ["c.d: keyword -> wildcard", "c.e: ip (new)"]
    assert yaml.safe_load(text)["columns"]["c.d"] == "wildcard"


def test_splunk_fieldsummary(tmp_path):
    done, text = refreshed(tmp_path, FIELDSUMMARY)
    # Text stays text although the sample holds digits only.
    assert done.stdout.splitlines() == ["N: number (new)"]
    assert text == LIST + "  N: number\n"


def test_known_and_check_and_only(tmp_path):
    done, text = refreshed(tmp_path, KUSTO_JSON, "--known", "--check")
    assert (done.exit_code, done.stdout, text) == (1, "B: int -> long\n", LIST)
    done, text = refreshed(tmp_path, KUSTO_JSON, "--only", "Other")
    assert "New" not in text
    done, text = refreshed(tmp_path, {"OrderedColumns": KUSTO_JSON["OrderedColumns"][:1]}, "--check")
    assert (done.exit_code, done.stdout, text) == (0, "", LIST)


@pytest.mark.parametrize(
    "export",
    ["", "{", "a,b\n1,2\n", "[]", '{"OrderedColumns": [{"Name": "A", "CslType": "varchar"}]}',
     '{"a": {"mappings": {"properties": {"x": {"type": "ip"}}}}, "b": {"mappings": {"properties": '
     '{"x": {"type": "keyword"}}}}}'],
)  # fmt: skip
def test_what_is_no_export_is_one_line(tmp_path, export):
    done, text = refreshed(tmp_path, export)
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1
    assert "SC609" in done.stderr
    assert text == LIST


@pytest.mark.parametrize(
    "path", sorted((ROOT / "pipelines").glob("*/*.columns.yml")), ids=lambda one: one.parent.name + one.stem
)
def test_our_own_lists_can_be_refreshed(path, tmp_path):
    """Each column's type can be changed in place, however it is written, and nothing else changes."""
    from converter.authoring.refresh_columns import refresh

    text = path.read_text(encoding="utf-8")
    columns = yaml.safe_load(text)["columns"]
    types = {name: one if isinstance(one, str) else one["type"] for name, one in columns.items()}
    plain = {name for name, one in columns.items() if isinstance(one, str) or not one.get("via")}
    made, changes = refresh(text, dict.fromkeys(types, "dynamic"))
    assert {one.column for one in changes} == {name for name in plain if types[name] != "dynamic"}
    after = yaml.safe_load(made)["columns"]
    for name in plain:
        now = after[name] if isinstance(after[name], str) else after[name]["type"]
        assert now == "dynamic", name
    assert len(made.splitlines()) == len(text.splitlines())
