"""The test files of rules, `tests/rules/**.yml` (format: docs/rule-tests.md), and what the matcher says."""

from __future__ import annotations

import glob
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import RuleError
from converter.files import yaml_source
from converter.project.ids import canonical

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


_KEYS = {
    "a test file": ("rule", "id", "events", "tests"),
    "a test": ("name", "why", "events", "alerts"),
    "an event of a test": ("use", "set", "drop"),
    "an alert": ("time", "group", "events"),
}
"""What has which keys: others are most often misspelt, and a test would mean something else."""
_Wrong = Callable[..., RuleError]
"""Message and place -> the error."""


def load(path: Path) -> RuleTestFile:
    """Return a test file with its event templates filled in.

    Raises:
        RuleError: SC107 to SC109 if it cannot be read, SC114 if it is not of the format.
    """
    name = path.as_posix()
    text = yaml_source.read_text(path, name)
    documents = yaml_source.parse(text, name)

    def wrong(message: str, *place: str | int, hint: str | None = None) -> RuleError:
        line, column = yaml_source.locate(text, 0, place) or (None, None)
        return RuleError("SC114", message, file=name, line=line, column=column, hint=hint)

    document = documents[0] if documents else None
    if isinstance(document, dict):
        _check_keys(document, "a test file", wrong)
    if not isinstance(document, dict) or "tests" not in document:
        raise wrong("a test file has the keys rule, id, events and tests")
    if not isinstance(document["tests"], list):
        raise wrong("'tests' is a list", "tests")
    if not isinstance(document.get("rule"), str):
        raise wrong("'rule' is the rule's file below the rules root", "rule")
    if not isinstance(document.get("id"), str):
        raise wrong("'id' is the id of the rule in that file", "id")
    if not document["tests"]:
        raise wrong("there is no test in it", "tests")
    templates = document.get("events") or {}
    if not isinstance(templates, dict):
        raise wrong("'events' is a mapping of names to events", "events")
    for key, template in templates.items():
        if not isinstance(template, dict):
            raise wrong("an event is a mapping of fields to values", "events", key)
    names: set[str] = set()
    tests = []
    for number, test in enumerate(document["tests"]):
        place = ("tests", number)
        if not isinstance(test, dict) or not test.get("name") or not isinstance(test.get("events"), list):
            raise wrong("a test has the keys name, events and alerts", *place)
        _check_keys(test, "a test", wrong, *place)
        if str(test["name"]) in names:
            raise wrong(f"another test is called '{test['name']}'", *place, "name")
        names.add(str(test["name"]))
        if not test["events"]:
            raise wrong("a test without events shows nothing", *place, "events")
        events = [
            _event(event, templates, wrong, *place, "events", position)
            for position, event in enumerate(test["events"])
        ]
        if not isinstance(test.get("alerts"), list):
            raise wrong("'alerts' is a list of what fires: empty for a near miss", *place)
        for position, alert in enumerate(test["alerts"]):
            _check_alert(alert, len(events), wrong, *place, "alerts", position)
        line, _ = yaml_source.locate(text, 0, place) or (None, None)
        tests.append(RuleTest(str(test["name"]), tuple(events), tuple(test["alerts"]), line))
    return RuleTestFile(document["rule"], canonical(document["id"]), tuple(tests), name)


def _check_keys(found: Mapping[Any, Any], what: str, wrong: _Wrong, *place: str | int) -> None:
    for key in found:
        if key not in _KEYS[what]:
            close = get_close_matches(str(key), _KEYS[what], 1)
            hint = f"did you mean '{close[0]}'?" if close else None
            raise wrong(f"{what} has no key '{key}'", *place, key, hint=hint)


def _event(
    event: Any, templates: Mapping[str, Mapping[str, Any]], wrong: _Wrong, *place: str | int
) -> dict[str, Any]:
    """Return an event of a test: a template with its changes."""
    use = event.get("use") if isinstance(event, dict) else None
    if not isinstance(use, str) or use not in templates:
        close = get_close_matches(str(use), map(str, templates), 1)
        raise wrong(
            f"no event template '{use}'", *place, hint=f"did you mean '{close[0]}'?" if close else None
        )
    _check_keys(event, "an event of a test", wrong, *place)
    dropped, changed = event.get("drop") or [], event.get("set") or {}
    if not isinstance(dropped, list) or not isinstance(changed, dict):
        raise wrong("'drop' is a list of fields, 'set' a mapping", *place)
    absent = [key for key in dropped if key not in templates[use]]
    if absent:
        raise wrong(f"'{use}' has no field '{absent[0]}' to drop", *place)
    return {key: value for key, value in {**templates[use], **changed}.items() if key not in dropped}


def _check_alert(alert: Any, events: int, wrong: _Wrong, *place: str | int) -> None:
    """See that an alert is one of an event rule or of a correlation (True is a number in Python)."""
    positions = alert.get("events") if isinstance(alert, dict) else [alert]
    if not isinstance(positions, list) or any(type(one) is not int for one in positions):
        raise wrong("an alert is an event's position or has the keys time, group and events", *place)
    if isinstance(alert, dict):
        _check_keys(alert, "an alert", wrong, *place)
    for one in positions:
        if not 0 <= one < events:
            raise wrong(f"the test has no event {one}: they are counted from 0", *place)


def find(folder: Path, relative: str, rule_id: str) -> RuleTestFile | None:
    """Return the tests of a rule: of x.yml they are in x.yml, of its further rules in x.<name>.yml.

    Args:
        folder: of all tests.
        relative: the rule's file below the rules root.
        rule_id: its id, or its name if it has none.
    """
    path = folder / relative
    further = sorted(path.parent.glob(f"{glob.escape(path.stem)}.*{path.suffix}"))
    for file in dict.fromkeys([path, *further]):
        if file.is_file() and (found := load(file)).id == rule_id:
            return found
    return None


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
