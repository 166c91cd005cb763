"""Ask upstream's backends for the queries of rules, in a process of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from converter.errors import InternalError

_SCRIPT = Path(__file__).with_name("pysigma_process.py")


@dataclass(frozen=True, slots=True)
class Way:
    """A backend of upstream with what its user adds."""

    backend: str
    """The class."""
    pipelines: tuple[str, ...] = ()
    """Module and function of each."""
    prefix: str = ""
    schema: str | None = None
    """Module and name of a table of tables."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A rule to convert."""

    docs: tuple[Mapping[str, Any], ...]
    """The rules that it refers to and, last, the rule."""
    placeholders: Mapping[str, Sequence[str | int | float]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What upstream makes of a rule in one way."""

    queries: tuple[str, ...] = ()
    raised: str | None = None
    """Why there is no query."""
    fields: tuple[str, ...] = ()
    """The fields that the rule has after the pipelines."""
    group: tuple[str, ...] = ()
    """Those that a correlation groups by."""
    tables: Mapping[str, Mapping[str, str]] | None = None
    """The tables that the queries name, as upstream's schema has them: column -> type."""


def ask(rules: Sequence[Asked], ways: Sequence[Way]) -> tuple[dict[str, str], list[list[Answer]]]:
    """Return the versions of upstream's packages and, for each rule, an answer for each way.

    Args:
        rules: what to convert.
        ways: in which ways.

    Raises:
        InternalError: SC900 if the process fails.
    """
    asked = {"ways": [asdict(way) for way in ways], "rules": [asdict(rule) for rule in rules]}
    # -P: the folder of the script is not a place to import from.
    done = subprocess.run(
        [sys.executable, "-P", str(_SCRIPT)],
        input=json.dumps(asked, default=str),
        capture_output=True,
        check=False,
        text=True,
        encoding="utf-8",
    )
    if done.returncode:
        why = done.stderr.strip().rpartition("\n")[2] or f"exit code {done.returncode}"
        raise InternalError("SC900", f"the process of upstream's backends failed: {why}")
    told = json.loads(done.stdout)
    answers = [
        [
            Answer(
                tuple(one.get("queries", ())),
                one.get("raised"),
                tuple(one.get("fields", ())),
                tuple(one.get("group", ())),
                one.get("tables"),
            )
            for one in each
        ]
        for each in told["answers"]
    ]
    return told["versions"], answers
