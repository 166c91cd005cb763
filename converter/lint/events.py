"""Event ids that contradict the log source's category (SC122)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from converter.errors import RuleError
from converter.matcher.logsource import SYSMON_EVENT_IDS
from converter.rules.rule import Rule

OTHERS: dict[str, dict[str, tuple[int, ...]]] = {
    "process_creation": {"Security": (4688,)},
    "process_termination": {"Security": (4689,)},
    "network_connection": {"Security": (5156, 5157, 5158, 5159)},
    "process_access": {"Security": (4656, 4663)},
    "file_event": {"Security": (4656, 4663)},
    "file_change": {"Security": (4656, 4663, 4670)},
    "file_delete": {"Security": (4656, 4660, 4663)},
    "registry_add": {"Security": (4656, 4657, 4663)},
    "registry_delete": {"Security": (4656, 4657, 4660, 4663)},
    "registry_set": {"Security": (4656, 4657, 4663)},
    "registry_rename": {"Security": (4656, 4657, 4663)},
    "registry_event": {"Security": (4656, 4657, 4660, 4663)},
    "pipe_created": {"Security": (5145,)},
    "dns_query": {"DNS Client": (3006, 3008, 3009, 3010, 3011, 3018, 3020)},
    "ps_module": {"PowerShell": (4103,)},
    "ps_script": {"PowerShell": (4104,)},
    "ps_classic_start": {"Windows PowerShell": (400,)},
    "ps_classic_provider_start": {"Windows PowerShell": (600,)},
    "ps_classic_script": {"Windows PowerShell": (800,)},
}
"""What else writes a category's events: the Windows security log (learn.microsoft.com, "Appendix L: Events to
Monitor", and the pages "4656(S, F)" and so on), the DNS client's log, and PowerShell's logs (Sigma
specification, appendix "Taxonomy")."""

_NAMES = {
    number: category
    for category, numbers in reversed(list(SYSMON_EVENT_IDS.items()))
    for number in numbers
    if category not in ("registry_event", "registry_delete")
}
_FIELDS = ("eventid", "event_id", "eventcode", "event.code", "winlog.event_id")


def contradictions(rule: Rule) -> Iterator[RuleError]:
    """Yield SC122 for each event id that the category's events never have."""
    source = rule.doc.get("logsource")
    if not isinstance(source, dict) or source.get("product") not in ("windows", None):
        return
    category = source.get("category")
    allowed = {"Sysmon": SYSMON_EVENT_IDS.get(str(category), ()), **OTHERS.get(str(category), {})}
    known = {number for numbers in allowed.values() for number in numbers}
    if not known:
        return
    its = " or ".join(
        f"{', '.join(map(str, numbers))} ({log})" for log, numbers in allowed.items() if numbers
    )
    for section in ("detection", "filter"):
        for path, value in _event_ids(rule.doc.get(section), section):
            number = _number(value)
            if number is None or number in known:
                continue
            theirs = _NAMES.get(number)
            is_it = f"is Sysmon's {theirs}, not {category}" if theirs else f"is not of {category}"
            change = f"change the category to {theirs}" if theirs else "change the category"
            hint = f"{category} is {its}: {change}, or remove the event id"
            yield rule.error("SC122", f"event id {number} {is_it}", *path, hint=hint)


def _event_ids(part: Any, *path: str | int) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Yield every value that an event id is compared with for equality, and its place."""
    if isinstance(part, list):
        for position, one in enumerate(part):
            yield from _event_ids(one, *path, position)
    elif isinstance(part, dict):
        for key, value in part.items():
            if str(key).lower() in _FIELDS:
                for position, one in enumerate(value if isinstance(value, list) else [value]):
                    yield (*path, key, position) if isinstance(value, list) else (*path, key), one
            else:
                yield from _event_ids(value, *path, key)


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None
