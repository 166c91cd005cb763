"""MITRE ATT&CK: what a rule's tags mean, by the relations of tactics, techniques and sub-techniques.

There is a table for each version that a target reads, attack-<version>.json, made by from_stix.py;
nothing is fetched. A rule's own id stays where the version knows it. One that is not in the version becomes
what took its place, or, if it is younger than the version, what it took the place of there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

VERSIONS = ("18", "19")
NEWEST = VERSIONS[-1]
_URL = "https://attack.mitre.org"
_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Technique:
    """A technique or sub-technique."""

    id: str
    name: str
    subtechniques: tuple[Technique, ...] = ()

    @property
    def url(self) -> str:
        """Its page: https://attack.mitre.org/techniques/T1021/002/."""
        return f"{_URL}/techniques/{self.id.replace('.', '/')}/"


@dataclass(frozen=True, slots=True)
class Tactic:
    """A tactic, with those of a rule's techniques that serve it."""

    id: str
    name: str
    short: str
    """As tags of Sigma write it: ``lateral-movement``."""
    techniques: tuple[Technique, ...] = ()

    @property
    def url(self) -> str:
        """Its page: https://attack.mitre.org/tactics/TA0008/."""
        return f"{_URL}/tactics/{self.id}/"


def version(of: str = NEWEST) -> str:
    """Return the version of ATT&CK that a table is made from, such as 18.1."""
    return str(_table(of)["version"])


def matrix(of: str = NEWEST) -> tuple[Tactic, ...]:
    """Return every tactic, in ATT&CK's order, with all techniques and sub-techniques that serve it."""
    table = _table(of)
    under: dict[str, list[str]] = {}
    for key, (_, own) in table["techniques"].items():
        for short in own:
            under.setdefault(short, []).append(key)
    return tuple(
        Tactic(key, name, short, _nested(under.get(short, ()), of))
        for key, (name, short) in table["tactics"].items()
    )


def threat(tags: Sequence[str], of: str = NEWEST) -> tuple[Tactic, ...]:
    """Return the tactics that a rule's tags name, each with those of the techniques that serve it.

    A technique that serves none of the named tactics is under its own ones. Each pair of tactic and
    technique is one of the version. What the version has no place for (see `unknown`) is left out.

    Args:
        tags: of the rule: ``attack.lateral-movement``, ``attack.t1021.002`` and others.
        of: the version of ATT&CK that the reader has, one of `VERSIONS`.
    """
    table = _table(of)
    meant = [_tactics(tag, of) for tag in tags]
    named = [short for shorts in meant for short in shorts]
    under: dict[str, list[str]] = {shorts[0]: [] for shorts in meant if len(shorts) == 1}
    for technique in dict.fromkeys(found for tag in tags if (found := _technique(tag, of))):
        own = table["techniques"][technique][1]
        for short in [one for one in own if one in named] or own:
            under.setdefault(short, []).append(technique)
    for shorts in meant:  # A former tactic without a technique: the one that has its id.
        if shorts and not any(short in under for short in shorts):
            under[shorts[0]] = []
    return tuple(
        Tactic(key, name, short, _nested(under[short], of))
        for key, (name, short) in table["tactics"].items()
        if short in under
    )


def written(tags: Sequence[str]) -> list[str]:
    """Return the ids of techniques as the tags have them, for readers of no certain version of ATT&CK."""
    found = [match[1].upper() for tag in tags if (match := _TECHNIQUE.fullmatch(tag))]
    return sorted({key for key in found if any(_known(key, of) for of in VERSIONS)})


def unknown(tags: Sequence[str], of: str = NEWEST) -> list[str]:
    """Return the tags that `threat` says nothing about: groups, software, other namespaces, misspelt ones."""
    return [tag for tag in tags if not _tactics(tag, of) and not _technique(tag, of)]


def _nested(ids: Sequence[str], of: str) -> tuple[Technique, ...]:
    """Return techniques with their sub-techniques, sorted by id."""
    names = {key: value[0] for key, value in _table(of)["techniques"].items()}
    parents = sorted({key.partition(".")[0] for key in ids})
    return tuple(
        Technique(
            parent,
            names[parent],
            tuple(Technique(key, names[key]) for key in sorted(ids) if key.startswith(f"{parent}.")),
        )
        for parent in parents
    )


def _tactics(tag: str, of: str) -> list[str]:
    """Return the tactic that a tag names; several for a former one that was divided."""
    space, _, short = tag.lower().replace("_", "-").partition(".")
    if space != "attack":
        return []
    if any(short == name for _, name in _table(of)["tactics"].values()):
        return [short]
    former: list[str] = _table(of)["former_tactics"].get(short, [])
    return former or [old for old, new in _table(NEWEST)["former_tactics"].items() if short in new]


def _technique(tag: str, of: str) -> str | None:
    found = _TECHNIQUE.fullmatch(tag)
    if found is None:
        return None
    key = found[1].upper()
    return _known(key, of) or _before(key, of)


def _known(key: str, of: str) -> str | None:
    """Return a technique's id in a version: its own, or that of what took its place."""
    table = _table(of)
    now: str = table["revoked"].get(key, key)
    return now if now in table["techniques"] else None


def _before(key: str, of: str) -> str | None:
    """Return what a younger technique took the place of.

    Of several it is that of its name, or what holds them all.

    A new sub-technique has no place of its own, it counts as its technique.
    """
    newest, table = _table(NEWEST), _table(of)
    places: list[str] = [
        old for old, new in newest["revoked"].items() if new == key and old in table["techniques"]
    ]
    name = newest["techniques"].get(key, ("",))[0]
    same = [old for old in places if table["techniques"][old][0] == name]
    parents = {old.partition(".")[0] for old in places}
    for found in (places, same, sorted(parents)):
        if len(found) == 1:
            return found[0]
    technique, _, sub = key.partition(".")
    return (_known(technique, of) or _before(technique, of)) if sub and not places else None


@cache
def _table(of: str) -> dict[str, Any]:
    path = Path(__file__).with_name(f"attack-{of}.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
