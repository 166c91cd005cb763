"""pySigma's own validators, each finding with a line and a column (SC121, SC130 to SC138).

Left out: the tags of ATT&CK and D3FEND, whose lists pySigma downloads; escaped wildcards, which are meant
in all 23 public rules that have them; names of files, which are the affair of a repository; `windash` with
`all`, which pySigma calls wrong but converts as it should; and what the schema (SC123), SC110 and SC120 say
already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sigma.exceptions import SigmaError
from sigma.modifiers import SigmaBase64Modifier, SigmaBase64OffsetModifier
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import SigmaString
from sigma.validation import SigmaValidator
from sigma.validators.base import SigmaValidationIssue
from sigma.validators.core import condition, logsources, metadata, modifiers, tags, values

from converter.errors import RuleError
from converter.rules.modifiers import Base64, Base64Offset

if TYPE_CHECKING:
    from sigma.rule import SigmaDetection

    from converter.rules.rule import Rule

_ABOUT_METADATA = (
    metadata.IdentifierExistenceValidator,
    tags.NamespaceTagValidator,
    tags.TLPTagValidator,
    tags.CARTagValidator,
    tags.CVETagValidator,
    tags.DetectionTagValidator,
    tags.STPTagValidator,
)
_ABOUT_DETECTIONS = (
    condition.DanglingDetectionValidator,
    condition.ThemConditionWithSingleDetectionValidator,
    condition.AllOfThemConditionValidator,
    logsources.SpecificInsteadOfGenericLogsourceValidator,
    modifiers.InvalidModifierCombinationsValidator,
    values.NumberAsStringValidator,
    values.ControlCharacterValidator,
    values.DoubleWildcardValidator,
    values.WildcardsInsteadOfModifiersValidator,
)
_STANDING_IN = {"logsource": {"category": "none"}, "detection": {"s": {"f": "v"}, "condition": "s"}}

# The validators ask for pySigma's own classes, in whose place converter.modifiers has put others.
_AS_PYSIGMA: dict[type[Any], type[Any]] = {
    Base64: SigmaBase64Modifier,
    Base64Offset: SigmaBase64OffsetModifier,
}

_Path = tuple[str | int, ...]


class Validators:
    """pySigma's validators over many rules; titles are compared over all of them."""

    def __init__(self) -> None:
        self._metadata = SigmaValidator(_ABOUT_METADATA)
        self._detections = SigmaValidator(_ABOUT_DETECTIONS)
        self._titles: dict[str, list[Rule]] = defaultdict(list)

    def known(self, rules: Sequence[Rule]) -> None:
        """Take note of the titles of rules that are not looked at themselves."""
        for rule in rules:
            self._titles[rule.title].append(rule)

    def check(self, rule: Rule) -> Iterator[RuleError]:
        """Yield what the validators say of a rule without errors."""
        others = self._titles[rule.title]
        if others:
            hint = f"the other one is in {others[0].file}: tell them apart in their titles"
            yield rule.error("SC131", f"another rule has the title '{rule.title}'", "title", hint=hint)
        others.append(rule)
        about = _metadata_of(rule)
        for issue in self._metadata.validate_rule(about) if about else ():
            if not (rule.kind == "filter" and isinstance(issue, metadata.IdentifierExistenceIssue)):
                yield _finding(rule, issue, {}, "")
        section = "filter" if rule.kind == "filter" else "detection"
        if rule.kind != "correlation":
            parsed = _detections_of(rule, section)
            places = _places(parsed, rule.doc[section], section)
            for issue in filter(_meant, self._detections.validate_rule(parsed)):
                yield _finding(rule, issue, places, section)


def _meant(issue: SigmaValidationIssue) -> bool:
    """Leave out what pySigma is wrong about."""
    if isinstance(issue, modifiers.WindowsDashCombinedWithAllModifierIssue):
        return False
    if isinstance(issue, condition.AllOfThemConditionIssue):
        rule = issue.rules[0]  # Of one selection, the other finding about `them` says it.
        return isinstance(rule, SigmaRule) and len(rule.detection.detections) > 1
    if isinstance(issue, modifiers.AllWithoutContainsModifierIssue):
        item = issue.detection_item
        plain = [one for one in item.value if isinstance(one, SigmaString) and not one.contains_special()]
        return len(plain) > 1  # Regexes, comparisons and wildcards can all hold of one text.
    return True


def _metadata_of(rule: Rule) -> SigmaRule | None:
    """Return id and tags as pySigma has them; its correlations know less than the specification's."""
    doc = {key: rule.doc[key] for key in ("title", "id", "tags") if rule.doc.get(key)}
    try:
        return SigmaRule.from_dict({**doc, **_STANDING_IN})
    except (SigmaError, TypeError, AttributeError, ValueError):
        return None  # Of a wrong form: SC123 says which.


def _detections_of(rule: Rule, section: str) -> SigmaRule:
    from dataclasses import replace

    body = {key: part for key, part in rule.doc[section].items() if key != "rules" or section == "detection"}
    return replace(rule, doc={"title": "t", "logsource": rule.doc["logsource"], "detection": body}).sigma()


def _places(parsed: SigmaRule, body: dict[str, Any], section: str) -> dict[int, _Path]:
    """Return where each item and value stands, by the identity of pySigma's object."""
    found: dict[int, _Path] = {}
    for name, detection in parsed.detection.detections.items():
        own = _own_name(name, body)
        _place(detection, body.get(own), (section, own), found)
    return found


def _own_name(name: str, body: dict[str, Any]) -> str:
    """Undo what `Rule.sigma` does to names that begin with an operator."""
    return name if name in body else name.removeprefix("x_")


def _place(detection: SigmaDetection, raw: Any, path: _Path, found: dict[int, _Path]) -> None:
    """Walk pySigma's tree beside the YAML that it was made from: they have one order."""
    items = detection.detection_items
    if isinstance(raw, dict):
        for item, (key, value) in zip(items, raw.items(), strict=False):
            _place_item(item, value, (*path, key), found)
    elif isinstance(raw, list) and any(not isinstance(item, SigmaDetectionItem) for item in items):
        for position, (item, value) in enumerate(zip(items, raw, strict=False)):
            if not isinstance(item, SigmaDetectionItem):
                _place(item, value, (*path, position), found)
    elif items:
        _place_item(items[0], raw, path, found)


def _place_item(item: Any, raw: Any, path: _Path, found: dict[int, _Path]) -> None:
    found[id(item)] = path
    item.modifiers = [_AS_PYSIGMA.get(one, one) for one in item.modifiers]
    for position, value in enumerate(getattr(item, "value", ())):
        same = isinstance(raw, list) and len(raw) == len(item.value)
        found[id(value)] = (*path, position) if same else path


def _finding(rule: Rule, issue: SigmaValidationIssue, places: dict[int, _Path], section: str) -> RuleError:
    code, message, hint = _words(issue)
    if isinstance(issue, condition.DanglingDetectionIssue):
        message = (
            f"no condition refers to the selection '{_own_name(issue.detection_name, rule.doc[section])}'"
        )
    return rule.error(code, message, *_at(rule, issue, places, section), hint=hint)


def _at(rule: Rule, issue: SigmaValidationIssue, places: dict[int, _Path], section: str) -> _Path:
    """Return the place that an issue names."""
    for name in ("detection_item", "string"):
        named = getattr(issue, name, None)
        if named is not None:
            return places.get(id(named), (section,))
    match issue:
        case condition.DanglingDetectionIssue():
            return (section, _own_name(issue.detection_name, rule.doc[section]))
        case logsources.SpecificInsteadOfGenericLogsourceIssue():
            return ("logsource", "service")
        case condition.ThemConditionWithSingleDetectionIssue() | condition.AllOfThemConditionIssue():
            return (section, "condition")
        case metadata.IdentifierExistenceIssue():
            return ("title",)
    written = [str(one) for one in rule.doc.get("tags") or ()]
    tag = str(getattr(issue, "tag", ""))
    return ("tags", written.index(tag)) if tag in written else ("tags",)


def _words(issue: SigmaValidationIssue) -> tuple[str, str, str | None]:
    """Return code, message and hint; pySigma's description where it says all."""
    tag = getattr(issue, "tag", None)
    text = str(getattr(issue, "string", ""))
    match issue:
        case condition.DanglingDetectionIssue():
            return "SC121", "", None  # Its name as written is not known here.
        case metadata.IdentifierExistenceIssue():
            return "SC130", "the rule has no id", None
        case logsources.SpecificInsteadOfGenericLogsourceIssue():
            category = issue.generic_logsource.category
            message = f"event id {issue.event_id} of this log is the category {category}"
            return "SC132", message, f"write 'category: {category}' for the service, and no event id"
        case modifiers.AllWithoutContainsModifierIssue():
            return "SC133", "'all' without 'contains' asks one field to equal every value", "add 'contains'"
        case modifiers.Base64OffsetWithoutContainsModifierIssue():
            return "SC133", "'base64offset' without 'contains' finds the text nowhere", "add 'contains'"
        case modifiers.ModifierAppliedMultipleIssue():
            return "SC133", "a modifier stands twice", "remove one of them"
        case values.NumberAsStringIssue():
            return "SC134", f"the number {text} is written as text", None
        case values.ControlCharacterIssue():
            return "SC135", "a value holds a control character", None
        case values.DoubleWildcardIssue():
            return "SC136", f"two wildcards in a row in '{text}'", "remove one of them"
        case values.WildcardsInsteadOfContainsModifierIssue():
            return "SC136", "wildcards at both ends of every value", "use the modifier 'contains'"
        case values.WildcardInsteadOfStartswithIssue():
            return "SC136", "a wildcard at the end of every value", "use the modifier 'startswith'"
        case values.WildcardInsteadOfEndswithIssue():
            return "SC136", "a wildcard at the start of every value", "use the modifier 'endswith'"
        case condition.ThemConditionWithSingleDetectionIssue():
            return "SC138", "'them' is one selection", "name it"
        case condition.AllOfThemConditionIssue():
            return "SC138", "'all of them' changes its meaning with every selection added", None
        case tags.InvalidNamespaceTagIssue():
            known = ", ".join(sorted(tags.NamespaceTagValidator.allowed_namespace))
            return "SC137", f"Sigma has no tag namespace '{getattr(tag, 'namespace', '')}'", f"it has {known}"
    return "SC137", f"tag '{tag}' is not of the form that its namespace has", None
