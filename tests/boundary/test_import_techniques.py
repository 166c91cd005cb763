"""Finding I1: ATT&CK's tactics and techniques, of the version that each target reads."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from converter.attack import table as attack
from converter.build.import_files import make
from converter.exports.elastic.formats import NDJSON
from converter.exports.sentinel.formats import ARM, YAML
from tests.boundary.importing import ELASTIC, SENTINEL, pairs, pascal, published, sentinel_takes, tactic_names
from tests.exports.making import simple
from tests.support import shared


def test_i1_tables_are_those_that_the_vendors_check_against() -> None:
    """elastic/detection-rules: 556 pairs of 2,192 rules; Azure-Sentinel: the list of its validation."""
    table = published("18")
    shorts = {key: short for key, (_, short) in table["tactics"].items()}
    assert len(ELASTIC) == 556
    for tactic, technique, name in ELASTIC:
        known, tactics = table["techniques"][technique]
        assert (known, shorts[tactic] in tactics) == (name, True), technique
    names = {pascal(name): short for name, short in table["tactics"].values()}
    assert set(names) == set(SENTINEL)
    for tactic, ids in SENTINEL.items():
        assert all(names[tactic] in table["techniques"][one][1] for one in ids), tactic


@pytest.mark.parametrize(
    ("tag", "of_18", "of_19"),
    [
        # The rule's own id stays where the version has it.
        ("t1562.001", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
        ("t1685", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
        # detection-rules, etc/attack-version-maps/attack_v18_to_v19.yaml, and back.
        ("t1562.002", ("TA0005", "T1562.002"), ("TA0112", "T1685.001")),
        ("t1685.001", ("TA0005", "T1562.002"), ("TA0112", "T1685.001")),
        ("t1070.001", ("TA0005", "T1070.001"), ("TA0112", "T1685.005")),
        ("t1685.005", ("TA0005", "T1070.001"), ("TA0112", "T1685.005")),
        ("t1070.002", ("TA0005", "T1070.002"), ("TA0112", "T1685.006")),
        ("t1685.006", ("TA0005", "T1070.002"), ("TA0112", "T1685.006")),
        ("t1562.004", ("TA0005", "T1562.004"), ("TA0112", "T1686")),
        ("t1686", ("TA0005", "T1562.004"), ("TA0112", "T1686")),
        ("t1686.001", ("TA0005", "T1562.007"), ("TA0112", "T1686.001")),
        ("t1685.002", ("TA0005", "T1562.008"), ("TA0112", "T1685.002")),
        ("t1689", ("TA0005", "T1562.010"), ("TA0112", "T1689")),
        ("t1562.006", ("TA0005", "T1562.006"), ("TA0112", "T1685")),
        ("t1656", ("TA0005", "T1656"), ("TA0005", "T1684.001")),
        # A new sub-technique of 19 took the place of nothing: in 18 it counts as its technique.
        ("t1686.003", ("TA0005", "T1562.004"), ("TA0112", "T1686.003")),
        ("t1027.018", ("TA0005", "T1027"), ("TA0005", "T1027.018")),
        # Revoked long before both.
        ("t1089", ("TA0005", "T1562.001"), ("TA0112", "T1685")),
    ],
)
def test_i1_a_technique_in_each_version(tag: str, of_18: tuple[str, str], of_19: tuple[str, str]) -> None:
    for of, expected in (("18", of_18), ("19", of_19)):
        assert expected in pairs(attack.threat([f"attack.{tag}"], of)), of


def test_i1_what_a_version_has_no_place_for_is_left_out() -> None:
    """T1687 and T1683 came with 19 and took the place of nothing."""
    tags = ["attack.defense-impairment", "attack.t1687", "attack.t1683.001"]
    assert [one.id for one in attack.threat(tags, "18")] == ["TA0005"]
    assert not pairs(attack.threat(tags, "18"))
    assert attack.unknown(tags, "18") == tags[1:]
    assert not attack.unknown(tags, "19")


@cache
def _public_tags() -> list[list[str]]:
    """Return each list of tags that public rules have, once."""
    found = set()
    for file in shared("sigmahq").rglob("*.yml"):
        block = re.search(r"^tags:\n((?: +- .*\n)+)", file.read_text(encoding="utf-8"), re.MULTILINE)
        if block:
            found.add(tuple(re.findall(r"- (\S+)", block[1])))
    assert len(found) > 600
    return [list(tags) for tags in sorted(found)]


@pytest.mark.shared
@pytest.mark.parametrize("of", attack.VERSIONS)
def test_i1_each_pair_of_public_rules_is_in_the_version(of: str) -> None:
    table = published(of)
    tactics = {key: short for key, (_, short) in table["tactics"].items()}
    for tags in _public_tags():
        for tactic, technique in pairs(attack.threat(tags, of)):
            assert tactics[tactic] in table["techniques"][technique][1], tags
        assert attack.unknown(tags, of) == [
            tag
            for tag in tags
            if not (tag.startswith("attack.t") or tag.removeprefix("attack.") in tactic_names())
        ]


@pytest.mark.shared
def test_i1_sentinel_takes_the_tactics_and_techniques_of_public_rules() -> None:
    bare = simple(target="kql")
    for tags in _public_tags():
        item = replace(bare, rule={**bare.rule, "tags": tags})
        (resource,) = json.loads(str(ARM.part([item])))["resources"]
        rule = resource["properties"]
        assert sentinel_takes(rule["tactics"], rule["techniques"]), tags
        assert all("." not in one for one in rule["techniques"])
        (text,) = dict(YAML.part([item])).values()
        document = yaml.safe_load(text)
        assert sentinel_takes(document["tactics"], document["relevantTechniques"]), tags


def elastic_faults(threat: list[dict[str, Any]], of: str = "18") -> list[str]:
    """elastic/detection-rules, tests/test_all_rules.py, TestThreatMappings: what its five tests look at."""
    table = published(of)
    faults = []
    seen = [entry["tactic"]["id"] for entry in threat]
    if len(set(seen)) < len(seen):
        faults.append("a tactic twice")
    for entry in threat:
        tactic = entry["tactic"]
        name, short = table["tactics"].get(tactic["id"], ("", ""))
        if (name, tactic["reference"]) != (
            tactic["name"],
            f"https://attack.mitre.org/tactics/{tactic['id']}/",
        ):
            faults.append(tactic["id"])
        for technique in entry.get("technique", []):
            for one in (technique, *technique.get("subtechnique", [])):
                known, tactics = table["techniques"].get(one["id"], ("", []))
                page = f"https://attack.mitre.org/techniques/{one['id'].replace('.', '/')}/"
                if (known, page, short in tactics) != (one["name"], one["reference"], True):
                    faults.append(one["id"])
    return faults


@pytest.mark.shared
@pytest.mark.parametrize("of", ["", "18", "19"])
def test_i1_elastic_takes_the_threat_of_public_rules(of: str) -> None:
    item = simple()
    for tags in _public_tags():
        own = replace(item, rule={**item.rule, "tags": tags}, attack=of)
        rule = json.loads(str(NDJSON.part([own])))
        assert not elastic_faults(rule["threat"], of or "18"), tags
        # test_primary_tactic_as_tag
        assert {f"Tactic: {one['tactic']['name']}" for one in rule["threat"]} <= set(rule["tags"])


def test_i1_the_configuration_chooses_19_for_elastic(tmp_path: Path) -> None:
    """From stack 9.5 on (detection_rules/attack.py, MITRE_V19_MIN_STACK)."""
    from converter.project.config import load

    (tmp_path / "sigconv.toml").write_text('[export]\nelastic-attack = "19"\n')
    wishes = load(tmp_path).export
    item = simple(tags=["attack.t1685"])
    made = make(["elastic-ndjson"], [("sysmon", "eql")], [item], wishes=wishes)
    (part,) = made.parts["elastic-ndjson", "sysmon"]
    assert json.loads(part.text)["threat"][0]["tactic"]["id"] == "TA0112"
    made = make(["elastic-ndjson"], [("sysmon", "eql")], [item])
    (part,) = made.parts["elastic-ndjson", "sysmon"]
    assert json.loads(part.text)["threat"][0]["tactic"]["id"] == "TA0005"


def test_i1_splunk_keeps_the_rules_own_ids() -> None:
    """Annotations of Enterprise Security are not checked against a version."""
    from converter.exports.splunk.rule import stanzas

    text = stanzas([simple(target="spl", tags=["attack.t1562.001", "attack.t1685", "attack.t9999"])])
    assert 'annotations = {"mitre_attack": ["T1562.001", "T1685"]}' in text
