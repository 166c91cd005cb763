"""Categories and services of Windows that look misspelt (SC126).

Sigma takes any name here, so an unknown one is only reported if it looks like a known one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

from converter.errors import RuleError
from converter.lint.events import OTHERS
from converter.matcher.logsource import CHANNELS, SYSMON_EVENT_IDS
from converter.rules.rule import Rule

# Sigma specification, appendix "Taxonomy": those of Windows, and those of any product.
_CATEGORIES = frozenset(
    (
        *(*SYSMON_EVENT_IDS, *OTHERS, "file_access", "file_rename", "process_tampering", "wmi_event"),
        *("antivirus", "appliance", "application", "database", "dns", "firewall", "proxy", "webserver"),
    )
)
_KNOWN: Mapping[str, frozenset[str]] = {"category": _CATEGORIES, "service": frozenset(CHANNELS)}
_ALIKE = 0.85
# pySigma's validator for specific log sources has this name; the specification's taxonomy has not.
_OTHER_NAMES = {"clipboard_change": "clipboard_capture"}


def near(logsource: Mapping[str, Any]) -> dict[str, str]:
    """Return what is probably meant: ``category`` or ``service``, where it is unknown, to the known name."""
    found = {}
    if str(logsource.get("product") or "windows").lower() == "windows":
        for key, known in _KNOWN.items():
            name = str(logsource.get(key) or "").lower()
            other = [_OTHER_NAMES[name]] if name in _OTHER_NAMES else []
            close = other or difflib.get_close_matches(name, sorted(known), 1, _ALIKE)
            if name and name not in known and close:
                found[key] = close[0]
    return found


def misspelt(rule: Rule) -> Iterator[RuleError]:
    """Yield SC126."""
    logsource = rule.doc.get("logsource")
    if not isinstance(logsource, dict):
        return
    for key, name in near(logsource).items():
        text = f"no log has the {key} '{logsource[key]}'"
        yield rule.error("SC126", text, "logsource", key, hint=f"did you mean '{name}'?")
