"""A user's own pipelines: before ours, after ours, alone; and what is wrong with them, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.errors import PipelineError
from converter.pipelines.user_files import read

RULE = """title: t
id: 4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0001
logsource: {category: process_creation, product: windows}
detection:
    sel:
        %s
    condition: sel
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments, rule="Image: 'C:\\a.exe'", pipeline=None, config=None, command="build"):
        Path("rule.yml").write_text(RULE % rule)
        if config:
            Path("sigconv.toml").write_text(config)
        pipes = []
        for number, text in enumerate([pipeline] if isinstance(pipeline, str) else pipeline or []):
            Path(f"p{number}.yml").write_text(text)
            pipes += ["--pipeline", f"p{number}.yml"]
        out = ["-o", "-"] if command == "build" else []
        done = CliRunner().invoke(main, [command, "rule.yml", *pipes, *arguments, *out])
        done.query = "\n".join(line for line in done.stdout.splitlines() if not line.startswith("//"))
        return done

    return run


RENAME = """
name: mine
priority: %d
transformations:
  - id: mine
    type: field_name_mapping
    mapping: {%s: %s}
"""


def test_before_ours_by_priority(project):
    # Tool is no field of ours: renamed before, ours maps it on.
    done = project(
        "-s", "sysmon", "-t", "eql", rule="Tool: 'C:\\a.exe'", pipeline=RENAME % (10, "Tool", "Image")
    )
    assert done.exit_code == 0, done.output
    assert 'process.executable : "C:\\\\a.exe"' in done.query


def test_after_ours_by_priority(project):
    done = project(
        "-s",
        "sysmon",
        "-t",
        "eql",
        pipeline=RENAME % (30, "process.executable", "process.name"),
    )
    assert 'process.name : "C:\\\\a.exe"' in done.query


def test_equal_priority_runs_after_ours_in_the_order_given(project):
    chain = [RENAME % (20, "process.executable", "file.path"), RENAME % (20, "file.path", "file.name")]
    assert 'file.name : "C:\\\\a.exe"' in project("-s", "sysmon", "-t", "eql", pipeline=chain).query


def test_alone_it_is_the_only_mapping(project):
    pipeline = """
transformations:
  - id: table
    type: set_state
    key: query_table
    val: MyProcesses
  - id: names
    type: field_name_mapping
    mapping: {Image: file_path}
  - id: kind
    type: add_condition
    conditions: {kind: start}
    rule_conditions: [{type: logsource, category: process_creation}]
"""
    done = project("-s", "none", "-t", "kql", pipeline=pipeline)
    assert done.exit_code == 0, done.output
    assert "MyProcesses" in done.query
    assert 'file_path =~ @"C:\\a.exe"' in done.query
    assert "['kind'] =~ \"start\"" in done.query
    assert "Image" not in done.query


def test_without_a_table_kql_is_refused(project):
    done = project("-s", "none", "-t", "kql", pipeline=RENAME % (0, "Image", "file_path"))
    assert done.exit_code == 1
    assert "SC207" in done.stderr


def test_a_field_that_the_column_list_does_not_know_is_refused_until_it_is_declared(project):
    pipeline = RENAME % (30, "process.executable", "my.image")
    done = project("-s", "sysmon", "-t", "eql", pipeline=pipeline)
    assert done.exit_code == 1
    assert "SC204 field 'my.image'" in done.stderr
    assert "tool.sigconv.source.sysmon.elastic.fields" in done.stderr
    config = '[source.sysmon.elastic.fields]\n"my.image" = "keyword"\n'
    done = project("-s", "sysmon", "-t", "eql", pipeline=pipeline, config=config)
    assert done.exit_code == 0, done.output
    assert 'my.image : "C:\\\\a.exe"' in done.query


def test_renaming_fields_does_not_make_a_log_source_known(project):
    pipeline = """
transformations:
  - id: names
    type: field_name_mapping
    mapping: {c-uri: Image}
    rule_conditions: [{type: logsource, category: webserver}]
"""
    Path("web.yml").write_text(RULE.replace("process_creation", "webserver") % "c-uri: x")
    Path("p.yml").write_text(pipeline)
    arguments = ["build", "web.yml", "-s", "sysmon", "-t", "spl", "-o", "-", "--pipeline", "p.yml"]
    done = CliRunner().invoke(main, arguments)
    assert "SC207" in done.stderr
    assert done.stdout == ""


def test_changing_the_log_source_reaches_our_items(project):
    pipeline = """
priority: 1
transformations:
  - id: mine
    type: change_logsource
    category: process_creation
    product: windows
    rule_conditions: [{type: logsource, category: edr_process}]
"""
    Path("edr.yml").write_text(RULE.replace("process_creation", "edr_process") % "Image: x")
    Path("p.yml").write_text(pipeline)
    arguments = ["build", "edr.yml", "-s", "sysmon", "-t", "spl", "-o", "-", "--pipeline", "p.yml"]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 0, done.output
    assert "EventCode=1 " in done.stdout


def test_a_loss_that_it_declares_labels_the_query(project):
    pipeline = """
priority: 30
vars: {lossy: {mine: {fidelity: broader, reason: names only}}}
transformations:
  - id: mine
    type: field_name_mapping
    mapping: {process.executable: process.name}
"""
    done = project("-s", "sysmon", "-t", "eql", pipeline=pipeline)
    assert "// broader: names only" in done.stdout
    done = project("-s", "sysmon", "-t", "eql", "--fidelity", "exact", pipeline=pipeline)
    assert "SC208" in done.stderr


def test_it_serves_the_backends_that_it_names(project):
    pipeline = "allowed_backends: [splunk]\n" + RENAME % (30, "Image", "ParentImage")
    done = project("-s", "sysmon", "-t", "spl", "-t", "kql", pipeline=pipeline)
    spl, kql = done.stdout.split("sigconv sysmon/kql")
    assert "ParentImage=" in spl
    assert "ParentImage" not in kql


def test_the_manifest_knows_the_pipeline(project):
    def version(*arguments, **options):
        Path("rule.yml").write_text(RULE % "Image: x")
        CliRunner().invoke(main, ["build", "rule.yml", "-s", "sysmon", "-t", "eql", "-o", "out", *arguments])
        return json.loads(Path("out/manifest.json").read_text())["pipelines"]["sysmon/eql"]

    plain = version()
    Path("p.yml").write_text(RENAME % (30, "process.executable", "process.name"))
    mine = version("--pipeline", "p.yml")
    Path("p.yml").write_text(RENAME % (30, "process.executable", "file.path"))
    other = version("--pipeline", "p.yml")
    assert len({plain, mine, other}) == 3
    assert version() == plain


def test_verify_runs_with_it(project):
    pytest.importorskip("eql")
    pipeline = RENAME % (10, "Tool", "Image")
    done = project("-s", "sysmon", "-t", "eql", pipeline=pipeline, command="verify")
    assert done.exit_code == 0, done.output
    # A name that the platform does not store under is found out.
    wrong = RENAME % (30, "process.executable", "process.parent.executable")
    done = project("-s", "sysmon", "-t", "eql", pipeline=wrong, command="verify")
    assert done.exit_code == 1
    assert "disagrees" in done.output


WRONG = [
    ("transformations:\n  - id: a\n    type: no_such\n", 2, "no_such"),
    ("name: x\nfoo: 1\ntransformations: []\n", 2, "unknown key 'foo'"),
    ("transformations:\n  - id: a\n    type: field_name_mapping\n    mapping: {a: b}\n  - type: set_state\n", 5, ""),  # noqa: E501
    ("transformations: {}\n", 1, "is a list"),
    ("- a\n", 1, "one mapping"),
    ("transformations:\n  - just text\n", 2, "no mapping"),
    ("priority: high\ntransformations: []\n", 1, "whole number"),
    ("transformations: []\npostprocessing:\n  - type: embed\n    prefix: x\n    suffix: y\n", 2, "proven"),
    ("vars: {lossy: {a: {fidelity: wrong, reason: x}}}\ntransformations: []\n", 1, "lossy"),
    ("transformations:\n  - id: a\n    type: add_condition\n    conditions: {a: b}\n    rule_conditions:\n"
     "      - {type: nothing}\n", 2, "nothing"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "says"), WRONG)
def test_an_error_is_one_line_with_file_and_line(tmp_path, text, line, says):
    file = tmp_path / "p.yml"
    file.write_text(text)
    with pytest.raises(PipelineError) as raised:
        read(file)
    shown = str(raised.value)
    assert "\n" not in shown
    assert f"p.yml:{line}:" in shown
    assert "SC302" in shown
    assert says in shown


def test_an_error_ends_with_exit_code_2(project):
    done = project("-s", "sysmon", "-t", "eql", pipeline="transformations: {}\n")
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1


def test_verify_needs_a_source_whose_storage_is_known(project):
    pytest.importorskip("eql")
    pipeline = RENAME % (0, "Image", "file_path")
    done = project("-s", "none", "-t", "eql", pipeline=pipeline, command="verify")
    assert done.exit_code == 2
    assert "SC604" in done.stderr


STATE = """
transformations:
  - {id: place, type: set_state, key: %s, val: %s}
"""


def test_a_place_is_a_name_whatever_it_looks_like(project):
    """Only the configuration's `expression` is text of the query."""
    done = project("-s", "none", "-t", "kql", pipeline=STATE % ("query_table", "'union A | take 5'"))
    assert done.query.startswith("['union A | take 5']\n")
    done = project("-s", "none", "-t", "spl", pipeline=STATE % ("index", "'x* | delete'"))
    assert done.query.splitlines()[-1].startswith('index="x* | delete" ')
    done = project("-s", "none", "-t", "spl", pipeline=STATE % ("macro", "'m` | delete'"))
    assert "SC201" in done.stderr
    done = project("-s", "none", "-t", "spl", pipeline=STATE % ("macro", "m"))
    assert done.query.splitlines()[-1].startswith("`m` ")
