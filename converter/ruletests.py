"""The test files of rules, `tests/rules/**.yml` (format: docs/rule-tests.md), and what the matcher says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter import yamlfile
from converter.errors import RuleError

if TYPE_CHECKING:
    from converter.matcher.modifiers import Placeholders


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: events, and the alerts that they must raise."""

    name: str
    events: tuple[Mapping[str, Any], ...]
    """Raw events, in the order in which they are read."""
    alerts: tuple[Any, ...]
    """For an event rule positions of events; for a correlation ``{time, group, events}``."""
    line: int | None = None
    """1-based line of the test in its file."""


@dataclass(frozen=True, slots=True)
class RuleTestFile:
    """The tests of one rule."""

    rule: str
    """The rule's file below the rules root."""
    id: str
    tests: tuple[RuleTest, ...]
    file: str = ""
    """The test file, as the user gave it."""


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
    if not isinstance(document.get("rule"), str):
        raise wrong("'rule' is the rule's file below the rules root", "rule")
    templates = document.get("events") or {}
    if not isinstance(templates, dict):
        raise wrong("'events' is a mapping of names to events", "events")
    for key, template in templates.items():
        if not isinstance(template, dict):
            raise wrong("an event is a mapping of fields to values", "events", key)
    tests = []
    for number, test in enumerate(document["tests"]):
        place = ("tests", number)
        if not isinstance(test, dict) or not test.get("name") or not isinstance(test.get("events"), list):
            raise wrong("a test has the keys name, events and alerts", *place)
        if not isinstance(test.get("alerts"), list):
            raise wrong("'alerts' is a list of what fires: empty for a near miss", *place)
        events = []
        for position, event in enumerate(test["events"]):
            use = event.get("use") if isinstance(event, dict) else None
            if use not in templates:
                raise wrong(f"no event template '{use}'", *place, "events", position)
            dropped, changed = event.get("drop") or [], event.get("set") or {}
            if not isinstance(dropped, list) or not isinstance(changed, dict):
                raise wrong("'drop' is a list of fields, 'set' a mapping", *place, "events", position)
            filled = {**templates[use], **changed}
            events.append({key: value for key, value in filled.items() if key not in dropped})
        line, _ = yamlfile.locate(text, 0, place) or (None, None)
        tests.append(RuleTest(str(test["name"]), tuple(events), tuple(test["alerts"]), line))
    return RuleTestFile(document["rule"], str(document.get("id")), tuple(tests), name)


def find(folder: Path, relative: str, rule_id: str) -> RuleTestFile | None:
    """Return the tests of a rule: the file at the rule's path below ``folder``, if it is about that rule."""
    path = folder / relative
    if not path.is_file():
        return None
    found = load(path)
    return found if found.id in ("None", rule_id) else None


def files(path: Path) -> Iterator[Path]:
    """Yield a test file itself, or the test files below a folder, sorted."""
    if path.is_dir():
        yield from sorted(file for suffix in ("*.yml", "*.yaml") for file in path.rglob(suffix))
    else:
        yield path


def outcome(
    docs: Sequence[Mapping[str, Any]],
    rule_id: str,
    events: Sequence[Mapping[str, Any]],
    placeholders: Placeholders | None = None,
) -> list[Any]:
    """Return what fires on events, in the form of a test's ``alerts``.

    Args:
        docs: the rule and all that it refers to, as YAML gives them.
        rule_id: its id or name.
        events: flat events, in the order in which they are read.
        placeholders: values for the `expand` modifier.
    """
    from converter.matcher import Matcher

    (rule,) = (doc for doc in docs if rule_id in (doc.get("id"), doc.get("name")))
    alerts = [one for one in Matcher(docs, placeholders=placeholders).run(events) if one.rule == rule_id]
    if "correlation" not in rule:
        return [position for alert in alerts for position in alert.events]
    keys = rule["correlation"].get("group-by") or []
    keys = [keys] if isinstance(keys, str) else keys
    return [
        {
            "time": time_text(alert.time_ms),
            "group": dict(zip(keys, alert.group, strict=True)),
            "events": list(alert.events),
        }
        for alert in alerts
    ]


def time_text(time_ms: int | None) -> str | None:
    """Return epoch milliseconds as ``2026-11-21T10:00:00.116Z``."""
    if time_ms is None:
        return None
    moment = datetime.fromtimestamp(time_ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
