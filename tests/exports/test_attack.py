"""Tags to tactics, techniques and sub-techniques."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from converter.attack import from_stix
from converter.attack import table as attack
from tests.support import ROOT, shared

TABLES = {of: ROOT / "converter" / "attack" / f"attack-{of}.json" for of in attack.VERSIONS}


def seen(*tags: str, of: str = attack.NEWEST) -> list[tuple[str, list[tuple[str, list[str]]]]]:
    return [
        (tactic.id, [(one.id, [sub.id for sub in one.subtechniques]) for one in tactic.techniques])
        for tactic in attack.threat(tags, of)
    ]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ([], []),
        (["attack.execution"], [("TA0002", [])]),
        (["attack.command_and_control"], [("TA0011", [])]),  # How tags were written before 2.1.
        (["ATTACK.Lateral-Movement", "attack.T1021.002"], [("TA0008", [("T1021", ["T1021.002"])])]),
        # The technique and its sub-technique are one entry.
        (
            ["attack.lateral-movement", "attack.t1021", "attack.t1021.002", "attack.t1021.006"],
            [("TA0008", [("T1021", ["T1021.002", "T1021.006"])])],
        ),
        # Of the four tactics of T1053.005 the one that the rule names; the order is the matrix's.
        (
            ["attack.persistence", "attack.t1053.005", "attack.execution"],
            [("TA0002", [("T1053", ["T1053.005"])]), ("TA0003", [("T1053", ["T1053.005"])])],
        ),
        # None of its tactics is named: all of its own, beside the one that is.
        (
            ["attack.impact", "attack.t1053.005"],
            [
                ("TA0002", [("T1053", ["T1053.005"])]),
                ("TA0003", [("T1053", ["T1053.005"])]),
                ("TA0004", [("T1053", ["T1053.005"])]),
                ("TA0040", []),
            ],
        ),
        # Two techniques share a tactic that only one of them needs.
        (
            ["attack.lateral-movement", "attack.t1570", "attack.t1003.001"],
            [("TA0006", [("T1003", ["T1003.001"])]), ("TA0008", [("T1570", [])])],
        ),
        # PowerShell was a technique of its own until 2020; this one was replaced twice.
        (["attack.t1086"], [("TA0002", [("T1059", ["T1059.001"])])]),
        (["attack.t1089"], [("TA0112", [("T1685", [])])]),
        # ATT&CK 19 divided Defense Evasion; rules are tagged with the former name, too.
        (["attack.defense-evasion"], [("TA0005", [])]),
        (["attack.defense_evasion", "attack.t1562.001"], [("TA0112", [("T1685", [])])]),
        (
            ["attack.t1112", "attack.defense-evasion", "attack.t1027.010"],
            [("TA0005", [("T1027", ["T1027.010"])]), ("TA0112", [("T1112", [])])],
        ),
        (["attack.defense-evasion", "attack.stealth"], [("TA0005", [])]),
        (
            ["attack.defense-evasion", "attack.t1550.002"],
            [("TA0005", []), ("TA0008", [("T1550", ["T1550.002"])])],
        ),
        (["attack.stealth", "attack.defense-impairment"], [("TA0005", []), ("TA0112", [])]),
        (["attack.s0029", "attack.g0016", "cve.2021-44228", "attack.t9999", "attack.t10", "car.x"], []),
    ],
)
def test_threat(tags: list[str], expected: list[object]) -> None:
    assert seen(*tags) == expected


def test_names_and_pages() -> None:
    (tactic,) = attack.threat(["attack.lateral-movement", "attack.t1021.002"])
    technique = tactic.techniques[0]
    assert (tactic.name, tactic.short, tactic.url) == (
        "Lateral Movement",
        "lateral-movement",
        "https://attack.mitre.org/tactics/TA0008/",
    )
    assert (technique.name, technique.url) == (
        "Remote Services",
        "https://attack.mitre.org/techniques/T1021/",
    )
    sub = technique.subtechniques[0]
    assert (sub.name, sub.url) == (
        "SMB/Windows Admin Shares",
        "https://attack.mitre.org/techniques/T1021/002/",
    )


def test_what_is_not_known_is_told() -> None:
    tags = ["attack.execution", "attack.t1059", "attack.s0029", "cve.2021-1", "attack.t1086", "attack.nosuch"]
    assert attack.unknown(tags) == ["attack.s0029", "cve.2021-1", "attack.nosuch"]


@pytest.mark.parametrize(
    ("of", "version", "sizes"), [("18", "18.1", (14, 216, 475)), ("19", "19", (15, 222, 475))]
)
def test_the_table_is_whole_and_small(of: str, version: str, sizes: tuple[int, int, int]) -> None:
    """Tactics, techniques and sub-techniques of enterprise ATT&CK: MITRE's pages of updates."""
    table = json.loads(TABLES[of].read_text())
    subs = [key for key in table["techniques"] if "." in key]
    assert (len(table["tactics"]), len(table["techniques"]) - len(subs), len(subs)) == sizes
    assert attack.version(of) == version
    assert TABLES[of].stat().st_size < 200_000
    assert "reproduced and distributed with the permission of The MITRE Corporation" in table["notice"]
    shorts = {short for _, short in table["tactics"].values()}
    for key, (name, tactics) in table["techniques"].items():
        assert name
        assert tactics
        assert set(tactics) <= shorts
        parent = key.partition(".")[0]
        assert parent in table["techniques"], "a sub-technique without its technique"
    assert set(table["revoked"].values()) <= set(table["techniques"])
    assert not set(table["revoked"]) & set(table["techniques"])
    assert {one for found in table["former_tactics"].values() for one in found} <= shorts


@pytest.mark.shared
def test_the_public_rules_tags_are_known() -> None:
    """Of ATT&CK they name nothing else than groups, software and campaigns."""
    tags: set[str] = set()
    for file in shared("sigmahq").rglob("*.yml"):
        tags.update(re.findall(r"^ +- (attack\.\S+)", file.read_text(encoding="utf-8"), re.MULTILINE))
    assert len(tags) > 300
    assert [tag for tag in attack.unknown(sorted(tags)) if not re.match(r"attack\.[gsc]\d{4}$", tag)] == []


def _pattern(key: str, name: str, *tactics: str, **more: object) -> dict[str, object]:
    return {
        "type": "attack-pattern",
        "id": f"attack-pattern--{key}",
        "name": name,
        "external_references": [
            {"source_name": "capec", "external_id": "CAPEC-1"},
            {"source_name": "mitre-attack", "external_id": key},
        ],
        "kill_chain_phases": [
            {"kill_chain_name": "mitre-attack", "phase_name": tactic} for tactic in tactics
        ],
        **more,
    }


def test_the_table_from_stix(tmp_path: Path) -> None:
    """The form of MITRE's bundles: USAGE of mitre-attack/attack-stix-data."""
    objects = [
        {"type": "x-mitre-collection", "id": "x-mitre-collection--1", "x_mitre_version": "99.1"},
        {
            "type": "x-mitre-tactic",
            "id": "x-mitre-tactic--1",
            "name": "Execution",
            "x_mitre_shortname": "execution",
            "external_references": [{"source_name": "mitre-attack", "external_id": "TA0002"}],
        },
        _pattern("T1059.001", "Power\"Shell'", "execution"),
        _pattern("T1059", "Interpreter", "persistence", "execution"),
        _pattern("T1086", "Old", "execution", revoked=True),
        _pattern("T1000", "Gone", "execution", x_mitre_deprecated=True),
        *(_pattern(key, "Old", "execution", revoked=True) for key in ("T1050", "T1001", "T1002")),
        *(
            {
                "type": "relationship",
                "id": f"relationship--{old}",
                "relationship_type": "revoked-by",
                "source_ref": f"attack-pattern--{old}",
                "target_ref": f"attack-pattern--{new}",
            }
            for old, new in (
                ("T1086", "T1059.001"),
                ("T1050", "T1086"),
                ("T1001", "T1002"),
                ("T1002", "T1001"),
            )
        ),
    ]
    made = from_stix.table({"objects": objects}, "x.json")
    assert json.loads(from_stix.text(made)) == made
    assert made["version"] == "99.1"
    assert made["tactics"] == {"TA0002": ["Execution", "execution"]}
    assert made["techniques"] == {
        "T1059": ["Interpreter", ["execution", "persistence"]],
        "T1059.001": ["Power\"Shell'", ["execution"]],
    }
    # T1050 was replaced by what was replaced itself; a circle ends nowhere.
    assert made["revoked"] == {"T1050": "T1059.001", "T1086": "T1059.001"}
    assert made["former_tactics"] == {}
    assert list(made) == list(json.loads(TABLES["18"].read_text()))
