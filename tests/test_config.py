"""`[tool.sigconv]`: strict, and no value of it can end what it is in."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.errors import UsageError
from converter.pipelines.cells import cell
from converter.project import config
from converter.rules.emitted import emitted_rules
from tests.support import ROOT

RULE = """title: t
id: 4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0002
logsource: {category: process_creation, product: windows}
detection: {sel: {Image|endswith: '\\a.exe'%s}, condition: sel}
"""
SYSMON = '"XmlWinEventLog:Microsoft-Windows-Sysmon/Operational"'
COUNT = """---
title: c
id: 4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0003
correlation: {type: event_count, rules: [4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0002], group-by: [Computer],
  timespan: 5m, condition: {gte: 3}}
"""


@pytest.fixture
def build(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(toml, *arguments, more="", extra=""):
        Path("sigconv.toml").write_text(toml)
        Path("rule.yml").write_text(RULE % more + extra)
        done = CliRunner().invoke(main, ["build", "rule.yml", "-o", "-", *arguments])
        done.query = "\n".join(
            line for line in done.stdout.splitlines() if not line.startswith(("//", "```"))
        )
        return done

    return run


def test_pyproject_and_sigconv_toml(tmp_path):
    (tmp_path / "pyproject.toml").write_text('[tool.sigconv]\nsources = ["sysmon"]\n')
    assert config.load(tmp_path).sources == ("sysmon",)
    (tmp_path / "sigconv.toml").write_text('sources = ["defender"]\n')
    assert config.load(tmp_path).sources == ("defender",)
    assert config.load(tmp_path / "below").sources == ("defender",)


def test_default_sources_and_targets(build):
    done = build('sources = ["defender"]\ntargets = ["kql"]\n')
    assert done.stdout.count("// sigconv ") == 1
    assert "// sigconv defender/kql" in done.stdout
    assert (
        "// sigconv sysmon/kql" in build('sources = ["defender"]\ntargets = ["kql"]\n', "-s", "sysmon").stdout
    )


def test_placeholders(build):
    toml = '[placeholders]\nhosts = ["h1", "h2"]\n'
    done = build(toml, "-s", "sysmon", "-t", "spl", more=", Computer|expand: '%hosts%'")
    assert "Computer IN (h1, h2)" in done.query.replace('"', "")


def test_pipelines_are_beside_the_file(build):
    Path("mine.yml").write_text(
        "priority: 30\ntransformations:\n"
        "  - {id: a, type: field_name_mapping, mapping: {process.executable: process.name}}\n"
    )
    assert "process.name :" in build('pipelines = ["mine.yml"]\n', "-s", "sysmon", "-t", "eql").query


@pytest.mark.parametrize(
    "where", ['variants = ["windowsevent"]\n', '[source.sysmon.kusto]\nvariant = "windowsevent"\n']
)
def test_variant(build, where):
    assert build(where, "-s", "sysmon", "-t", "kql").query.startswith("WindowsEvent\n")
    assert build("", "-s", "sysmon", "-t", "kql", "--variant", "windowsevent").query.startswith(
        "WindowsEvent\n"
    )
    assert build("", "-s", "sysmon", "-t", "kql", "--variant", "nothing").exit_code == 2


def test_tables(build):
    toml = '[source.sysmon.kusto]\ntable = ["SysmonA", "SysmonB"]\n'
    assert "\nunion SysmonA, SysmonB\n" in "\n" + build(toml, "-s", "sysmon", "-t", "kql").query
    toml = '[source.defender.kusto.table]\nDeviceProcessEvents = "Mine"\n'
    assert build(toml, "-s", "defender", "-t", "kql").query.startswith("Mine\n")


def test_an_expression_stands_as_it_is(build):
    toml = (
        "[source.defender.kusto.expression]\nDeviceProcessEvents = 'workspace(\"soc\").DeviceProcessEvents'\n"
    )
    assert build(toml, "-s", "defender", "-t", "kql").query.startswith(
        'workspace("soc").DeviceProcessEvents\n| '
    )
    # In a correlation too.
    done = build(toml, "-s", "defender", "-t", "kql", extra=COUNT)
    assert done.exit_code == 0
    assert 'workspace("soc").DeviceProcessEvents' in done.query


def test_splunk_index_and_source(build):
    toml = '[source.sysmon.splunk]\nindex = ["win", "edr-*"]\n[source.sysmon.splunk.source]\n'
    toml += f'{SYSMON} = "WinEventLog:Sysmon"\n'
    query = build(toml, "-s", "sysmon", "-t", "spl").query
    assert query.startswith("index IN (win, edr-*) ")
    assert 'source="WinEventLog:Sysmon"' in query
    assert "XmlWinEventLog" not in query


def test_splunk_macro(build):
    toml = f'[source.sysmon.splunk.macro]\n{SYSMON} = "sysmon"\n'
    query = build(toml, "-s", "sysmon", "-t", "spl").query
    assert query.startswith("`sysmon` EventCode=1 ")
    assert "source=" not in query
    assert "`sysmon`" in build(toml, "-s", "sysmon", "-t", "spl", extra=COUNT).query
    query = build('[source.defender.splunk]\nmacro = "mde(prod)"\n', "-s", "defender", "-t", "spl").query
    assert query.startswith("`mde(prod)` category=")


def test_elastic_indices(build):
    toml = '[source.sysmon.elastic.index]\n"winlogbeat-*" = []\n"logs-windows.forwarded-*" = ["a-*", "b-*"]\n'
    done = build(toml, "-s", "sysmon", "-t", "lucene", extra=COUNT)
    found = json.loads("\n".join(line for line in done.query.splitlines() if line.strip()))["index"]
    assert found == ["logs-windows.sysmon_operational-*", "a-*", "b-*"]


def test_no_index_left_is_a_refusal(build):
    toml = '[source.defender.elastic.index]\n"logs-m365_defender.event-*" = []\n'
    assert "SC207" in build(toml, "-s", "defender", "-t", "eql").stderr


def test_extra_fields_and_mapping(build):
    toml = """
[source.sysmon.elastic.fields]
"my.zone" = "keyword"
[source.sysmon.elastic.mapping]
Zone = "my.zone"
[source.sysmon.kusto.fields]
Zone = {type = "string", expression = "tostring(parse_json(RenderedDescription).zone)"}
"""
    assert 'my.zone : "dmz"' in build(toml, "-s", "sysmon", "-t", "eql", more=", Zone: dmz").query
    query = build(toml, "-s", "sysmon", "-t", "kql", more=", Zone: dmz").query
    assert "Zone = tostring(parse_json(RenderedDescription).zone)" in query
    done = build("", "-s", "sysmon", "-t", "eql", more=", Zone: dmz")
    assert "SC204" in done.stderr


def test_locations_change_nothing_but_the_location():
    """What `verify` runs in place of a located query is that query, with the vendor's own place."""
    from converter.conversion.convert import convert
    from converter.project.source_settings import Settings
    from converter.rules import loading as loader

    rules = loader.load([ROOT / "sigma/windows/lateral_movement"], ROOT / "sigma")
    for target, said, here, there in (
        ("kql", Settings(expression={"*": 'workspace("x").Event'}), 'workspace("x").Event', "Event"),
        (
            "spl",
            Settings(source={SYSMON.strip('"'): ("Other",)}),
            '"Other"',
            '"XmlWinEventLog:Microsoft-Windows-Sysmon/Operational"',
        ),
    ):
        where = cell("sysmon", target, settings=said)
        assert where.proof is not None
        for rule in emitted_rules(rules):
            if rule.doc.get("logsource", {}).get("service"):
                continue
            mine = convert(rules, rule, where).queries
            theirs = convert(rules, rule, where.proof).queries
            for one, other in zip(mine, theirs, strict=True):
                assert here.lower() in one.text.lower() or "source=Other" in one.text
                text = one.text.replace(here, there).replace("source=Other", f"source={there}")
                text = text.replace(here.lower(), there.lower())
                assert text == other.text


def test_versions_change_with_what_changes_queries():
    from converter.project.source_settings import Settings

    plain = cell("sysmon", "spl").version
    said = [
        Settings(index={"*": ("a",)}),
        Settings(index={"*": ("b",)}),
        Settings(macro={SYSMON.strip('"'): "m"}),
    ]
    assert len({plain, *(cell("sysmon", "spl", settings=one).version for one in said)}) == 4


def test_the_documented_configuration_is_valid(build, monkeypatch):
    """Every key of docs/pipelines.md is read, and every cell of it converts."""
    text, checked_elsewhere = re.findall(
        r"```toml\n(.*?)```", (ROOT / "docs" / "pipelines.md").read_text(), re.DOTALL
    )
    Path("pyproject.toml").write_text(checked_elsewhere)
    assert {source for source, _ in config.load(Path.cwd()).settings} == {"none"}
    Path("pyproject.toml").write_text(text)
    Path("pipelines").mkdir()
    Path("pipelines/ours.yml").write_text("transformations: []\n")
    Path("rule.yml").write_text(RULE % ", Zone: dmz")
    found = config.load(Path.cwd())
    assert set(found.settings) == {
        ("sysmon", "elastic"), ("sysmon", "splunk"), ("sysmon", "kusto"), ("defender", "kusto")
    }  # fmt: skip
    done = CliRunner().invoke(main, ["build", "rule.yml", "-o", "-", "-t", "eql"])
    assert done.exit_code == 0, done.output
    assert 'labels.zone : "dmz"' in done.stdout
    Path("rule.yml").write_text(RULE % "")
    done = CliRunner().invoke(main, ["build", "rule.yml", "-o", "-"])
    assert "`sysmon` EventCode=1" in done.stdout
    assert 'workspace("soc").Event\n' in done.stdout
    done = CliRunner().invoke(main, ["build", "rule.yml", "-o", "-", "-s", "defender", "-t", "kql"])
    assert "union ProcessesEurope, ProcessesAsia\n" in done.stdout


UNKNOWN = [
    ('foo = 1\n', "'foo'"),
    ('[source.sysmon.elastic]\ntable = "x"\n', "'source.sysmon.elastic.table'"),
    ('[source.sysmon.oracle]\nx = 1\n', "'source.sysmon.oracle'"),
    ('[source.nothing.elastic]\nindex = "x"\n', "'nothing'"),
    ('[source.sysmon.kusto.fields]\nX = {type = "string", kind = 1}\n', "sysmon.kusto.fields.X.kind"),
    ('[source.sysmon.kusto.fields]\nX = "varchar"\n', "varchar"),
    ('[source.sysmon.kusto]\ntable = "a"\nexpression = "b"\n', "expression"),
    ('[source.sysmon.kusto.table]\nNothing = "a"\n', "'Nothing'"),
    ('[source.sysmon.elastic.mapping]\nX = "no.such"\n', "'no.such'"),
    ('[source.defender.kusto]\ntable = "One"\n', "one for several"),
    ('[source.sysmon.splunk]\nsourcetype = "x"\n', "nothing of the kind"),
    ('[source.sysmon.splunk]\nmacro = "m"\nsource = "s"\n', "in place of"),
    ('sources = "sysmon"\n', "'sources'"),
    ('sources = ["nothing"]\n', "'nothing'"),
    ('targets = ["sql"]\n', "'sql'"),
    ('[[accept-refusals]]\nrule = "x"\ncod = "SC205"\n', "accept-refusals has no key 'cod' (code, "),
    ('[[accept-refusals]]\ncode = "SC205"\n', "accept-refusals has no 'rule' (code, "),
    ('accept-refusals = ["x"]\n', "accept-refusals has no 'rule' (code, "),
    ('[placeholders]\nx = []\n', "placeholders.x"),
    ('source = 1\n', "'source'"),
]  # fmt: skip


def test_a_configuration_that_cannot_be_read_is_one_line(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sigconv.toml").write_bytes(b'rules = "caf\xe9"')
    done = CliRunner().invoke(main, ["check"])
    assert (done.exit_code, done.stderr) == (2, "sigconv.toml: SC601 is not UTF-8\n")
    monkeypatch.setattr(Path, "read_text", _refuse)  # Root may read everything.
    done = CliRunner().invoke(main, ["check"])
    assert (done.exit_code, done.stderr) == (2, "sigconv.toml: SC601 cannot be read: Permission denied\n")


def _refuse(path, encoding=None):
    raise PermissionError(13, "Permission denied", str(path))


@pytest.mark.parametrize(("toml", "key"), UNKNOWN)
def test_what_is_wrong_is_named(build, toml, key):
    done = build(toml)
    assert done.exit_code == 2, done.output
    assert "SC601" in done.stderr
    assert key in done.stderr
    assert done.stderr.count("\n") == 1


HOSTILE = [
    'x" OR index="*', "x | delete", "`evil`", "x] | [", "a\nb", "a,b", "a b OR c", 'x"] | take 1', "a;b",
    "a//b", "x' or 1==1", "'] | take 1 //", "*:* OR *", "", "../x", "<script>", "x\u2028y",
]  # fmt: skip
PLACES = [
    ("sysmon", "elastic", "index"), ("sysmon", "splunk", "index"), ("defender", "splunk", "sourcetype"),
    ("sysmon", "splunk", "source"), ("defender", "splunk", "macro"), ("sysmon", "kusto", "table"),
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize(("source", "platform", "key"), PLACES)
def test_a_hostile_value_is_refused_or_stays_inside_its_quotes(tmp_path, source, platform, key, value):
    file = tmp_path / "sigconv.toml"
    file.write_text(f"[source.{source}.{platform}]\n{key} = {json.dumps(value)}\n")
    if key in ("source", "sourcetype") and value and not set(value) & set('"`|[]\n\u2028'):
        said = config.load(tmp_path).settings[source, platform]
        if key == "source":
            said = replace(said, source={SYSMON.strip('"'): said.source["*"]})
        query = _convert(cell(source, "spl", settings=said), {"Image": "C:\\a.exe"})
        (line,) = [line for line in query.splitlines() if "a.exe" in line]
        assert f'{key}="{value}"' in line or f"{key}={value} " in line
        assert f'{key}="' in line or re.fullmatch(r"[\w.-]+", value)
        return
    with pytest.raises(UsageError) as raised:
        config.load(tmp_path)
    assert raised.value.code == "SC601"
    assert f"source.{source}.{platform}.{key}" in str(raised.value)


@pytest.mark.parametrize("name", ["x' | take 1", 'x" or "y', "a`b", "a|b", "a\nb", "a*", ""])
def test_a_hostile_field_name_is_refused(tmp_path, name):
    for platform, kind in (("elastic", "keyword"), ("splunk", "string"), ("kusto", "string")):
        file = tmp_path / "sigconv.toml"
        file.write_text(f"[source.sysmon.{platform}.fields]\n{json.dumps(name)} = '{kind}'\n")
        with pytest.raises(UsageError):
            config.load(tmp_path)


@pytest.mark.parametrize(
    "name", ["a b", "a-b", "a[0]", "or", "where", "a==1 or b", "x; drop", "a//b", "(a)", "a,b"]
)
def test_an_odd_field_name_is_quoted_or_refused(tmp_path, name):
    """The language's own parser reads the query as one comparison with that field."""
    from converter.engines import engine_for
    from converter.errors import Refusal
    from converter.plan.columns import Column
    from converter.project.source_settings import Settings

    for target, kind in (("eql", "keyword"), ("lucene", "keyword"), ("spl", "string"), ("kql", "string")):
        where = cell("sysmon", target, settings=Settings(fields={name: Column(kind)}))
        try:
            made = _convert(where, {name: "v"})
        except Refusal:
            continue
        tables = {"Event": where.columns, "logs-windows.sysmon_operational-*": where.columns}
        engine_for(target).validate(made, tables)


def _convert(where, selection):
    from converter.conversion.convert import convert
    from converter.rules import ruleset
    from converter.rules.rule import Rule

    doc = {
        "title": "t", "id": "4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0009",
        "logsource": {"category": "process_creation", "product": "windows"},
        "detection": {"sel": selection, "condition": "sel"},
    }  # fmt: skip
    rule = Rule(doc, "t.yml", Path("t.yml"), "t.yml", 0)
    return convert(ruleset.RuleSet([rule]), rule, where).queries[0].text
