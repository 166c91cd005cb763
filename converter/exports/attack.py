"""MITRE ATT&CK: what a rule's tags mean, by the relations of tactics, techniques and sub-techniques.

The table is attack.json, made by attack_from_stix.py; nothing is fetched.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

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


def version() -> str:
    """Return the version of ATT&CK that the table is made from."""
    return str(_table()["version"])


def matrix() -> tuple[Tactic, ...]:
    """Return every tactic, in ATT&CK's order, with all techniques and sub-techniques that serve it."""
    table = _table()
    under: dict[str, list[str]] = {}
    for key, (_, own) in table["techniques"].items():
        for short in own:
            under.setdefault(short, []).append(key)
    return tuple(
        Tactic(key, name, short, _nested(under.get(short, ())))
        for key, (name, short) in table["tactics"].items()
    )


def threat(tags: Sequence[str]) -> tuple[Tactic, ...]:
    """Return the tactics that a rule's tags name, each with those of the techniques that serve it.

    A technique that serves none of the named tactics stands under its own ones. A revoked technique counts
    as what took its place, and the former tactic Defense Evasion as those that it was divided into. What the
    table does not know (see `unknown`) is left out.

    Args:
        tags: of the rule: ``attack.lateral-movement``, ``attack.t1021.002`` and others.
    """
    table = _table()
    meant = [_tactics(tag) for tag in tags]
    named = [short for shorts in meant for short in shorts]
    under: dict[str, list[str]] = {shorts[0]: [] for shorts in meant if len(shorts) == 1}
    for technique in dict.fromkeys(found for tag in tags if (found := _technique(tag))):
        own = table["techniques"][technique][1]
        for short in [one for one in own if one in named] or own:
            under.setdefault(short, []).append(technique)
    for shorts in meant:  # A former tactic without a technique: the one that has its id.
        if shorts and not any(short in under for short in shorts):
            under[shorts[0]] = []
    return tuple(
        Tactic(key, name, short, _nested(under[short]))
        for key, (name, short) in table["tactics"].items()
        if short in under
    )


def unknown(tags: Sequence[str]) -> list[str]:
    """Return the tags that `threat` says nothing about: groups, software, other namespaces, misspelt ones."""
    return [tag for tag in tags if not _tactics(tag) and not _technique(tag)]


def _nested(ids: Sequence[str]) -> tuple[Technique, ...]:
    """Return techniques with their sub-techniques, sorted by id."""
    names = {key: value[0] for key, value in _table()["techniques"].items()}
    parents = sorted({key.partition(".")[0] for key in ids})
    return tuple(
        Technique(
            parent,
            names[parent],
            tuple(Technique(key, names[key]) for key in sorted(ids) if key.startswith(f"{parent}.")),
        )
        for parent in parents
    )


def _tactics(tag: str) -> list[str]:
    """Return the tactic that a tag names; several for a former one that was divided."""
    space, _, short = tag.lower().replace("_", "-").partition(".")
    if space != "attack":
        return []
    if any(short == one for _, one in _table()["tactics"].values()):
        return [short]
    former: list[str] = _table()["former_tactics"].get(short, [])
    return former


def _technique(tag: str) -> str | None:
    found = _TECHNIQUE.fullmatch(tag)
    if found is None:
        return None
    key = found[1].upper()
    key = _table()["revoked"].get(key, key)
    return key if key in _table()["techniques"] else None


@cache
def _table() -> dict[str, Any]:
    path = Path(__file__).with_name("attack.json")
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found
