"""Read the test files of rules, `tests/rules/**.yml` (format: docs/rule-tests.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from converter import yamlfile
from converter.errors import RuleError


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: events, and the alerts that they must raise."""

    name: str
    events: tuple[Mapping[str, Any], ...]
    """Raw events, in the order in which they are read."""
    alerts: tuple[Any, ...]
    """For an event rule positions of events; for a correlation ``{time, group, events}``."""


@dataclass(frozen=True, slots=True)
class RuleTestFile:
    """The tests of one rule."""

    rule: str
    """The rule's file below the rules root."""
    id: str
    tests: tuple[RuleTest, ...]


def load(path: Path) -> RuleTestFile:
    """Return a test file with its event templates filled in.

    Raises:
        RuleError: SC107 to SC109 if it cannot be read, SC114 if it is not of the format.
    """
    name = path.as_posix()
    text = yamlfile.read_text(path, name)
    documents = yamlfile.parse(text, name)

    def wrong(message: str, *place: str | int) -> RuleError:
        line, column = yamlfile.locate(text, 0, place) or (None, None)
        return RuleError("SC114", message, file=name, line=line, column=column)

    document = documents[0] if documents else None
    if not isinstance(document, dict) or not isinstance(document.get("tests"), list):
        raise wrong("a test file has the keys rule, id, events and tests")
    templates = document.get("events") or {}
    tests = []
    for number, test in enumerate(document["tests"]):
        events = []
        for position, event in enumerate(test.get("events") or []):
            use = event.get("use")
            if use not in templates:
                raise wrong(f"no event template '{use}'", "tests", number, "events", position)
            dropped = event.get("drop") or []
            filled = {**templates[use], **(event.get("set") or {})}
            events.append({key: value for key, value in filled.items() if key not in dropped})
        tests.append(RuleTest(str(test.get("name")), tuple(events), tuple(test.get("alerts") or ())))
    return RuleTestFile(str(document.get("rule")), str(document.get("id")), tuple(tests))


def find(folder: Path, relative: str, rule_id: str) -> RuleTestFile | None:
    """Return the tests of a rule: the file at the rule's path below ``folder``, if it is about that rule."""
    path = folder / relative
    if not path.is_file():
        return None
    found = load(path)
    return found if found.id in ("None", rule_id) else None
