"""Every code that `sigconv check` reports: what it means, what to do, and whether it is fatal."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code. ``fix`` is the hint of a finding that has none of its own."""

    name: str
    """An identifier of SARIF: words joined by capitals."""
    meaning: str
    fix: str
    level: Level


def _error(name: str, meaning: str, fix: str) -> Entry:
    return Entry(name, meaning, fix, "error")


def _warning(name: str, meaning: str, fix: str) -> Entry:
    return Entry(name, meaning, fix, "warning")


CATALOGUE: dict[str, Entry] = {
    "SC101": _error("BrokenYaml", "The YAML is broken.", "check quotes and indentation at this place"),
    "SC102": _error(
        "UnknownModifier", "A modifier that Sigma does not have.", "use a modifier of the specification"
    ),
    "SC103": _error(
        "MissingPart",
        "Something that every rule needs is missing: title, logsource, detection, condition.",
        "add it; a file that holds no rule does not belong among them",
    ),
    "SC104": _error(
        "MisplacedCondition", "`condition` is outside `detection`.", "indent it as a key of 'detection'"
    ),
    "SC105": _error(
        "InvalidCondition",
        "The condition is not valid, or names a selection that is not there.",
        "name selections that exist, joined by and, or, not, '1 of' and 'all of'",
    ),
    "SC106": _error("NoRule", "The file holds no rule.", "write a rule, or leave the file out"),
    "SC107": _error(
        "Unreadable",
        "The file cannot be read: missing, a folder, not UTF-8, larger than 4 MiB.",
        "name a file of UTF-8 text",
    ),
    "SC108": _error("KeyTwice", "A key stands twice in one mapping.", "join the two, or rename one"),
    "SC109": _error(
        "TooLarge", "Too large after aliases are expanded, or nested too deeply.", "split the rule"
    ),
    "SC110": _error(
        "DuplicateRule",
        "Two rules have one id or name, or their queries would have one file.",
        "give one of them a new one",
    ),
    "SC111": _error(
        "UnknownReference",
        "A correlation refers to a rule that is not there, or a filter that concerns rules has an error.",
        "write the name or id of a rule below the rules folder",
    ),
    "SC112": _error(
        "InvalidCorrelation", "The correlation is not valid.", "see the Sigma correlation specification"
    ),
    "SC113": _error(
        "InvalidSigma", "Another part of the rule is not valid Sigma.", "see the Sigma specification"
    ),
    "SC120": _warning(
        "UnknownKey",
        "A key that looks like a known one misspelt, or is at the wrong place.",
        "rename or move it",
    ),
    "SC121": _warning(
        "UnusedSelection",
        "No condition refers to a selection.",
        "name it in the condition, or remove it",
    ),
    "SC122": _warning(
        "EventIdContradictsCategory",
        "An event id is not one of the log source's category, so nothing matches.",
        "change the category, or remove the event id",
    ),
    "SC123": _warning(
        "SchemaViolation",
        "The Sigma specification's schema does not allow it.",
        "see the Sigma specification",
    ),
    "SC124": _warning(
        "FilterWithoutRule",
        "A filter names a rule that is not there.",
        "write the name or id of a rule below the rules folder, or any",
    ),
    "SC125": _warning(
        "TimeframeWithoutEffect",
        "`timeframe` has no effect: aggregations are no longer part of conditions.",
        "write a correlation with a timespan",
    ),
    "SC126": _warning(
        "UnknownLogsource",
        "A category or service of Windows that looks like a known one misspelt.",
        "write one that 'sigconv list sources' shows",
    ),
    "SC127": _warning(
        "Contradiction",
        "A condition, or an alternative of it, that no event can satisfy.",
        "change one of the two comparisons, or remove the alternative",
    ),
    "SC130": _warning(
        "NoId", "The rule has no id, so alerts and outputs cannot follow it.", "add a UUID as 'id'"
    ),
    "SC131": _warning("DuplicateTitle", "Two rules have one title.", "tell them apart in their titles"),
    "SC132": _warning(
        "SpecificLogsource",
        "An event id of one log where a category says the same for every log.",
        "use the category, and leave the event id out",
    ),
    "SC133": _warning("ModifierCombination", "Modifiers that do not go together.", "change the combination"),
    "SC134": _warning(
        "NumberAsText",
        "A number in quotes, which compares as text.",
        "remove the quotes if a number is meant",
    ),
    "SC135": _warning(
        "ControlCharacter",
        "A control character in a value, often a backslash inside double quotes.",
        "use single quotes, or a double backslash",
    ),
    "SC136": _warning(
        "WildcardStyle",
        "Wildcards where a modifier says the same, or two in a row.",
        "use contains, startswith or endswith, and one wildcard",
    ),
    "SC137": _warning(
        "TagName",
        "A tag that its namespace does not have, or a namespace that Sigma does not have.",
        "see the Sigma tags specification",
    ),
    "SC138": _warning(
        "ConditionStyle",
        "A condition with `them` that depends on which selections there are.",
        "name the selections, or a pattern such as selection_*",
    ),
    "SC139": _warning(
        "NotAsWritten",
        "A value that YAML 1.1 reads as another one than is written.",
        "put it into quotes if the text is meant",
    ),
    "SC900": _error("InternalError", "A defect of sigconv.", "please report it"),
}
"""In the order in which docs/errors.md lists them."""


def level(code: str) -> Level:
    """Return whether a code is fatal; codes of elsewhere are."""
    entry = CATALOGUE.get(code)
    return entry.level if entry else "error"
