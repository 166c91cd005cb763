"""`sigconv explain`: every comparison of the rule, what it became, why, and what is lost."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from converter.cli import main
from converter.conversion.convert import convert
from converter.conversion.explain import explain
from converter.pipelines import cells
from converter.rules import loading, ruleset
from converter.rules.emitted import emitted_rules
from converter.rules.rule import Rule
from tests.support import ROOT

HASHES = "Hashes|startswith: 'MD5=0123456789ABCDEF0123456789ABCDEF'"


def explained(detection, target="eql", source="sysmon", limit=None, **more):
    doc = {
        "title": "t",
        "id": "4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0010",
        "logsource": {"category": "process_creation", "product": "windows"},
        "detection": detection,
    }
    rule = Rule(doc | more, "t.yml", Path("t.yml"), "t.yml", 0)
    from converter.conversion.convert import Options

    return explain(ruleset.RuleSet([rule]), rule, cells.cell(source, target), Options(limit or "broader"))


def test_a_renamed_field_says_from_where_to_where_and_why():
    (item,) = explained({"sel": {"Image|endswith": "\\a.exe"}, "condition": "sel"}).items
    assert item.selection == "sel"
    assert (item.rule.field, item.rule.values) == ("Image", ("*\\a.exe",))
    (step,) = item.steps
    assert (step.type, step.origin) == ("field_name_mapping", "pipelines/sysmon/elastic.yml")
    assert step.why.startswith("The rest has one place.")  # The comment in that file.
    assert [(one.field, one.values) for one in item.became] == [("process.executable", ("*\\a.exe",))]
    assert item.types == {"process.executable": "keyword"}
    assert item.fidelity == "exact"


def test_a_split_value_shows_both_halves_and_how_they_are_linked():
    (item,) = explained({"sel": {"User": "NT AUTHORITY\\SYSTEM"}, "condition": "sel"}).items
    assert [(one.field, one.values) for one in item.became] == [
        ("user.domain", ("NT AUTHORITY",)),
        ("user.name", ("SYSTEM",)),
    ]
    assert item.expression == "user.domain = NT AUTHORITY and user.name = SYSTEM"


ON_A_VOLUME = r"\Device\HarddiskVolume[0-9]{1,3}\a"
EMPTY_DATA = (
    "registry.data.strings = null and not registry.data.type = Binary",
    "and registry.data.type = *",
)


@pytest.mark.parametrize(
    ("source", "category", "selection", "expression"),
    [
        # The number of a volume has up to three digits, as in the query.
        (
            "crowdstrike",
            "",
            {"Image": r"?:\a.exe"},
            f"process.executable = {ON_A_VOLUME}.exe",
        ),
        (
            "crowdstrike",
            "",
            # Not a letter alone, which may be the drive's.
            {"Image|contains|all": [r"?:\a", "xy"]},
            f"process.executable = {ON_A_VOLUME}* & *xy*",
        ),
        ("sysmon", "", {"CommandLine|contains|all": ["a", "b"]}, "process.command_line = *a* & *b*"),
        (
            "sysmon",
            "",
            {"User|endswith": ["\\u", "\\v"]},
            "user.name = u or user.name = v",
        ),
        ("defender", "registry_set", {"Details": "(Empty)"}, " ".join(EMPTY_DATA)),
        ("sysmon", "", {"Image|neq": "a"}, "not process.executable = a"),
    ],
)
def test_what_a_comparison_became_is_linked_as_in_the_query(source, category, selection, expression):
    logsource = {"category": category or "process_creation", "product": "windows"}
    made = explained({"sel": selection, "condition": "sel"}, source=source, limit="any", logsource=logsource)
    (item,) = made.items
    assert item.expression == expression
    assert (item.steps[-1].expression if item.steps else expression) == expression


def test_the_loss_stands_at_its_step():
    made = explained(
        {"sel": {"Hashes|startswith": "MD5=0123456789ABCDEF0123456789ABCDEF"}, "condition": "sel"}
    )
    (item,) = made.items
    assert item.fidelity == "broader"
    assert [step.fidelity for step in item.steps].count("broader") == 1
    (reason,) = {step.loss for step in item.steps if step.loss}
    assert {"fidelity": "broader", "text": reason} in made.reasons
    assert made.fidelity == "broader"


def test_event_filters_and_places():
    made = explained({"sel": {"Image": "a"}, "condition": "sel"})
    added = {one.field: one.values for part in made.filters for one in part.comparisons}
    assert added == {"event.provider": ("Microsoft-Windows-Sysmon (as written)",), "event.code": ("1",)}
    assert made.state["index"][0] == "logs-windows.sysmon_operational-*"
    assert made.state["eql_category"] == "process"


def test_a_refusal_is_explained_too():
    made = explained({"sel": {"Imagee": "a"}, "condition": "sel"})
    assert made.status == "refused"
    assert "SC204" in made.refusal
    assert made.queries == []
    assert any("Imagee" in one.why for one in made.filters)


def test_nested_lists_of_maps_keep_their_places():
    detection = {"sel": [{"Image": "a", "CommandLine": "b"}, {"User": "D\\u"}], "condition": "sel"}
    items = explained(detection).items
    assert [one.rule.field for one in items] == ["Image", "CommandLine", "User"]
    assert [[part.field for part in one.became] for one in items] == [
        ["process.executable"],
        ["process.command_line"],
        ["user.domain", "user.name"],
    ]


@pytest.mark.parametrize("source", ["sysmon", "defender", "crowdstrike", "windows-security", "none"])
def test_every_shipped_rule_is_explained_as_it_is_converted(source):
    """The steps lead to the very comparisons of the tree that the backend gets, and to the same queries."""
    found = loading.load([ROOT / "sigma"], ROOT / "sigma")
    for rule in emitted_rules(found):
        for target in ("eql", "spl", "kql"):
            where = cells.cell(source, target)
            made = explain(found, rule, where)
            json.dumps(made.as_json())
            if made.status == "refused":
                assert made.refusal.startswith("SC")
                continue
            conversion = convert(found, rule, where)
            assert [one.text for one in made.queries] == [one.text for one in conversion.queries]
            if made.correlation is None:
                _same_leaves(made, conversion.plan)


def _same_leaves(made, plan):
    from converter.plan.conditions import comparisons

    shown = {one.field for item in made.items for one in item.became}
    shown |= {one.field for part in made.filters for one in part.comparisons}
    assert {leaf.field for leaf in comparisons(plan.condition)} <= shown


def test_a_correlation_shows_members_keys_and_window():
    found = loading.load(
        [ROOT / "sigma/windows/lateral_movement/remote_psexec_on_target.yml"], ROOT / "sigma"
    )
    made = explain(found, emitted_rules(found)[0], cells.cell("sysmon", "kql"))
    part = made.correlation
    assert part is not None
    assert (part.type, part.timespan_seconds) == ("temporal_ordered", 60)
    assert [one.name for one in part.members] == ["inbound_smb_or_rpc", "created_then_run"]
    assert part.members[0].keys == {"Computer": ("Computer",)}
    inner = part.members[1].explanation.correlation
    assert inner.members[0].fields["file"] == "TargetFilename"
    assert inner.members[1].keys["file"] == ("Image",)
    assert inner.members[1].explanation.items[0].rule.field == "Image"


RULE = f"""title: t
id: 4d7b2a0e-53c1-4d66-a6a4-6a4d9a1c0011
logsource: {{category: process_creation, product: windows}}
detection: {{sel: {{Image: a}}, filter: {{{HASHES}}}, condition: sel and not filter}}
"""


def test_the_command_prints_steps_and_query(tmp_path):
    (tmp_path / "r.yml").write_text(RULE)
    arguments = ["explain", str(tmp_path / "r.yml"), "-s", "sysmon", "-t", "eql"]
    done = CliRunner().invoke(main, [*arguments, "--fidelity", "any"])
    assert done.exit_code == 0, done.output
    assert "  sel: Image = a\n" in done.stdout
    assert "    -> process.executable = a  (process.executable is keyword), exact\n" in done.stdout
    assert "[broader: the fields do not say where" in done.stdout
    assert "narrower: the fields do not say where" in done.stdout  # Under `not`, of the whole.
    assert "  added: event.code = 1\n" in done.stdout
    assert '      process.executable : "a" and\n' in done.stdout
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 1
    assert "refused: SC208" in refused.stdout


def test_a_reason_is_told_once_and_flags_are_shown(tmp_path):
    (tmp_path / "r.yml").write_text(RULE.replace("Image: a}", "Image: a, CommandLine|re|i: b+}"))
    arguments = ["explain", str(tmp_path / "r.yml"), "-s", "defender", "-t", "kql", "--fidelity", "any"]
    shown = CliRunner().invoke(main, arguments).stdout
    assert shown.count("why: Fields. A process is known by") == 1
    assert shown.count("process_fields (field_name_mapping)") == 2
    assert "  sel: CommandLine = regex b+ (flags i)\n" in shown


def test_what_is_refused_has_no_fidelity_and_the_nearest_field_is_named(tmp_path):
    (tmp_path / "r.yml").write_text(RULE.replace("Image: a", "Imagge: a"))
    done = CliRunner().invoke(main, ["explain", str(tmp_path / "r.yml"), "-s", "sysmon", "-t", "kql"])
    assert done.exit_code == 1
    assert "(nearest: Image)\n" in done.stdout
    assert "exact" not in done.stdout


def test_json_is_the_dataclass(tmp_path):
    (tmp_path / "r.yml").write_text(RULE)
    arguments = [
        "explain",
        str(tmp_path / "r.yml"),
        "-s",
        "sysmon",
        "-t",
        "spl",
        "-t",
        "kql",
        "--format",
        "json",
    ]
    found = json.loads(CliRunner().invoke(main, arguments).stdout)
    assert [(one["source"], one["target"], one["status"]) for one in found] == [
        ("sysmon", "spl", "converted"),
        ("sysmon", "kql", "converted"),
    ]
    assert found[0]["items"][0]["rule"] == {"field": "Image", "values": ["a"]}


def test_a_pipeline_of_the_users_is_named(tmp_path):
    (tmp_path / "r.yml").write_text(RULE)
    (tmp_path / "mine.yml").write_text(
        "priority: 30\ntransformations:\n  # Ours is elsewhere.\n"
        "  - {id: mine, type: field_name_mapping, mapping: {process.executable: process.name}}\n"
    )
    arguments = ["explain", str(tmp_path / "r.yml"), "-s", "sysmon", "-t", "eql", "--fidelity", "any"]
    done = CliRunner().invoke(main, [*arguments, "--pipeline", str(tmp_path / "mine.yml")])
    assert f"why: Ours is elsewhere. ({(tmp_path / 'mine.yml').as_posix()})" in done.stdout
