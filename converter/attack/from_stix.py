"""Make attack-<version>.json from MITRE's STIX bundle.

``python -m converter.attack.from_stix FILE [SOURCE] > converter/attack/attack-18.json``

FILE is ``enterprise-attack-<version>.json`` of https://github.com/mitre-attack/attack-stix-data. Only ids,
names, tactics and what took the place of what was revoked are kept; no descriptions. SOURCE is what the table
then names as its source; default: the name of the file.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

NOTICE = (
    "(c) The MITRE Corporation. This work is reproduced and distributed with the permission of The MITRE "
    "Corporation. Licence: The MITRE Corporation (MITRE) hereby grants you a non-exclusive, royalty-free "
    "license to use ATT&CK(R) for research, development, and commercial purposes. Any copy you make for such "
    "purposes is authorized provided that you reproduce MITRE's copyright designation and this license in "
    "any such copy."
)
TERMS = "https://attack.mitre.org/resources/legal-and-branding/terms-of-use/"
# The order of the columns of MITRE's matrix; a tactic that is not here comes last.
_ORDER = (
    "reconnaissance",
    "resource-development",
    "initial-access",
    "execution",
    "persistence",
    "privilege-escalation",
    "defense-evasion",
    "stealth",
    "defense-impairment",
    "credential-access",
    "discovery",
    "lateral-movement",
    "collection",
    "command-and-control",
    "exfiltration",
    "impact",
)


_FORMER = {"defense-evasion": ["stealth", "defense-impairment"]}
"""Tactics of earlier versions and those that they became, which a bundle does not say: ATT&CK 19 divided
Defense Evasion. The first has its id."""


def table(bundle: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Return the table.

    Args:
        bundle: a STIX 2.x bundle of enterprise ATT&CK.
        source: what to name as the source.
    """
    objects = bundle["objects"]
    live = [one for one in objects if not one.get("revoked") and not one.get("x_mitre_deprecated")]
    tactics = {
        _id(one): [one["name"], one["x_mitre_shortname"]] for one in live if one["type"] == "x-mitre-tactic"
    }
    techniques = {
        _id(one): [one["name"], _tactics(one)] for one in live if one["type"] == "attack-pattern" and _id(one)
    }
    by_stix = {one["id"]: _id(one) for one in objects if one["type"] == "attack-pattern"}
    replaced = {
        by_stix[one["source_ref"]]: by_stix[one["target_ref"]]
        for one in objects
        if one["type"] == "relationship"
        and one["relationship_type"] == "revoked-by"
        and one["source_ref"] in by_stix
        and one["target_ref"] in by_stix
    }
    revoked = {key: _last(key, replaced) for key in sorted(replaced) if key not in techniques}
    shorts = {short for _, short in tactics.values()}
    former = {key: value for key, value in _FORMER.items() if key not in shorts and set(value) <= shorts}
    versions = [one["x_mitre_version"] for one in objects if one["type"] == "x-mitre-collection"]
    return {
        "source": source,
        "version": versions[0] if versions else "",
        "notice": NOTICE,
        "terms": TERMS,
        "tactics": dict(sorted(tactics.items(), key=lambda item: _rank(item[1][1]))),
        "former_tactics": former,
        "techniques": dict(sorted(techniques.items())),
        "revoked": {key: value for key, value in revoked.items() if value in techniques},
    }


def text(found: Mapping[str, Any]) -> str:
    """Return the table as JSON with a line for each technique: short, and a change is a line of a diff."""
    lines = []
    for key, value in found.items():
        if isinstance(value, dict):
            rows = ",\n".join(
                f"  {json.dumps(k)}: {json.dumps(v, ensure_ascii=False)}" for k, v in value.items()
            )
            lines.append(f'"{key}": {{\n{rows}\n}}')
        else:
            lines.append(f'"{key}": {json.dumps(value, ensure_ascii=False)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _last(key: str, replaced: Mapping[str, str]) -> str:
    """Return what is at the end of a chain of replacements."""
    seen = {key}
    while key in replaced and replaced[key] not in seen:
        key = replaced[key]
        seen.add(key)
    return key


def _id(one: Mapping[str, Any]) -> str:
    references = one.get("external_references") or []
    return next((str(r["external_id"]) for r in references if r.get("source_name") == "mitre-attack"), "")


def _tactics(one: Mapping[str, Any]) -> list[str]:
    phases = one.get("kill_chain_phases") or []
    found = {phase["phase_name"] for phase in phases if phase["kill_chain_name"] == "mitre-attack"}
    return sorted(found, key=_rank)


def _rank(short: str) -> tuple[int, str]:
    return (_ORDER.index(short) if short in _ORDER else len(_ORDER), short)


if __name__ == "__main__":
    given = Path(sys.argv[1])
    name = sys.argv[2] if len(sys.argv) > 2 else given.name
    sys.stdout.write(text(table(json.loads(given.read_text(encoding="utf-8")), name)))
