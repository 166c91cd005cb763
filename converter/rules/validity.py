"""What makes a rule wrong before anything is converted: each problem with its place and a hint.

pySigma finds most of it but says neither line nor column; these are looked up here.
"""

from __future__ import annotations

import difflib
import fnmatch
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from converter.errors import RuleError
from converter.rules import correlation_section
from converter.rules.detection_validity import wrong_parts
from converter.rules.rule import Rule

_RESERVED = ("condition", "timeframe")
_QUANTIFIED = re.compile(r"(?<![\w*-])(?:1|any|all)\s+of\s+([^\s()]+)")


def problems(rule: Rule) -> Iterator[RuleError]:
    """Yield what is wrong with a rule; nothing if it can be converted."""
    doc = rule.doc
    if not isinstance(doc.get("title"), str) or not doc["title"].strip():
        yield rule.error("SC103", "a rule needs a title")
        return
    if not isinstance(doc.get("id") or "", str):
        yield rule.error("SC113", f"an id is a UUID, not {doc['id']}", "id", hint="write one as uuidgen does")
        return
    if rule.kind == "correlation":
        try:
            correlation_section.read(rule)
        except RuleError as error:
            yield error
        return
    if doc.get("action") is not None:
        yield rule.error("SC103", "rule collections ('action') are no longer part of Sigma", "action")
        return
    logsource = doc.get("logsource")
    keys = ("category", "product", "service")
    if not isinstance(logsource, dict) or not any(logsource.get(key) for key in keys):
        yield rule.error("SC103", "'logsource' needs a category, a product or a service", "logsource")
        return
    if rule.kind == "filter":
        yield from _filter(rule)
        return
    detection = doc.get("detection")
    if not isinstance(detection, dict):
        yield rule.error("SC103", "a rule needs a mapping 'detection'", "detection")
        return
    if "condition" in doc and "condition" not in detection:
        yield rule.error(
            "SC104",
            "'condition' is outside 'detection'",
            "condition",
            hint="indent it as a key of 'detection'",
        )
        return
    yield from _detection(rule, detection)


def _filter(rule: Rule) -> Iterator[RuleError]:
    """Yield what is wrong with a filter: its selections and condition are those of a rule."""
    body = rule.doc["filter"]
    if not isinstance(body, dict) or body.get("rules") is None:
        yield rule.error("SC103", "a filter names its rules, or 'any'", "filter")
    elif not isinstance(body.get("condition"), str):
        yield rule.error("SC103", "a filter needs a condition", "filter")
    else:
        yield from _detection(rule, {key: part for key, part in body.items() if key != "rules"}, "filter")


def _detection(rule: Rule, detection: dict[str, Any], section: str = "detection") -> Iterator[RuleError]:
    if "condition" not in detection:
        yield rule.error("SC103", "'detection' needs a 'condition'", section)
        return
    selections = {name: part for name, part in detection.items() if name not in _RESERVED}
    found = list(wrong_parts(rule, detection, section))
    found += [e for name, part in selections.items() for e in _modifiers(rule, part, section, name)]
    if found:
        yield from found
        return
    wrong = list(_parses(rule, detection, section))
    yield from wrong or _empty_patterns(rule, detection, selections, section)


def _modifiers(rule: Rule, part: Any, *path: str | int) -> Iterator[RuleError]:
    """Yield unknown modifiers: pySigma names neither place nor what was meant."""
    if isinstance(part, list):
        for position, one in enumerate(part):
            yield from _modifiers(rule, one, *path, position)
        return
    if not isinstance(part, dict):
        return
    from sigma.modifiers import modifier_mapping

    from converter.rules import modifiers

    modifiers.register()
    for key in part:
        for modifier in str(key).split("|")[1:]:
            if modifier not in modifier_mapping:
                close = difflib.get_close_matches(modifier, list(modifier_mapping), 1)
                hint = f"did you mean '{close[0]}'?" if close else None
                yield rule.error("SC102", f"unknown modifier '{modifier}'", *path, key, hint=hint)


def _parses(rule: Rule, detection: dict[str, Any], section: str) -> Iterator[RuleError]:
    """Yield the first error of pySigma's own reading of the rule and its condition."""
    from sigma.exceptions import SigmaConditionError, SigmaError

    try:
        # The rule itself where it can be: what was parsed is kept for its conversion.
        own = rule.doc.get("detection") is detection
        (rule if own else replace(rule, doc={**rule.doc, "detection": detection})).read()
    except SigmaConditionError as problem:
        text = _plain(problem)
        hint = _selection_hint(detection, text)
        if text.startswith("The pipe syntax"):
            text, hint = "aggregations with '|' are no longer part of conditions", "write a correlation rule"
        elif text.startswith("Expected "):  # pySigma's grammar.
            text = f"'{detection['condition']}' is no condition".replace("\n", " ")[:200]
        elif text.startswith("Unbalanced"):
            text = "the condition's parentheses do not match"
        yield rule.error("SC105", text, section, "condition", hint=hint)
    except RecursionError:
        yield rule.error("SC105", "the condition is nested too deeply", section, "condition")
    except SigmaError as problem:
        yield rule.error("SC113", _plain(problem), *_place(rule, problem, detection, section))
    except (TypeError, AttributeError, ValueError, KeyError) as problem:
        # pySigma trips over values of a type that it does not expect.
        yield rule.error("SC113", f"pySigma cannot read the rule: {problem}")


def _empty_patterns(
    rule: Rule, detection: dict[str, Any], selections: Iterable[Any], section: str
) -> Iterator[RuleError]:
    """Yield patterns that no selection has: pySigma leaves them out of the condition in silence."""
    conditions = detection["condition"]
    for condition in conditions if isinstance(conditions, list) else [conditions]:
        for match in _QUANTIFIED.finditer(str(condition)):
            pattern = "*" if match[1] == "them" else match[1]
            # Names that begin with an underscore are only reached by patterns that do (specification 2.1).
            names = [str(name) for name in selections if pattern[0] == "_" or str(name)[:1] != "_"]
            if not any(fnmatch.fnmatchcase(name, pattern) for name in names):
                close = difflib.get_close_matches(match[1], names, 1)
                hint = f"did you mean '{close[0]}'?" if close else None
                message = f"no selection matches '{match[0]}'"
                yield rule.error("SC105", message, section, "condition", hint=hint)


def _plain(problem: Exception) -> str:
    """Return pySigma's message without the place that it appends (an absolute path)."""
    text = str(problem.args[0]) if problem.args else type(problem).__name__
    return text.splitlines()[0] if text else type(problem).__name__


def _refused_item(part: Any) -> tuple[str | int, ...] | None:
    """Return where the first item is that pySigma does not read, below a selection."""
    from sigma.exceptions import SigmaError
    from sigma.rule import SigmaDetectionItem

    if isinstance(part, list):
        for position, one in enumerate(part):
            if (found := _refused_item(one)) is not None:
                return (position, *found)
    elif isinstance(part, dict):
        for key, value in part.items():
            try:
                SigmaDetectionItem.from_mapping(key, value)
            except SigmaError:
                return (key,)
    return None


def _selection_hint(detection: dict[str, Any], text: str) -> str | None:
    named = re.search(r"'([^']+)' not defined", text)
    if not named:
        return None
    close = difflib.get_close_matches(named[1], [str(k) for k in detection], 1)
    return f"did you mean '{close[0]}'?" if close else None


def _place(rule: Rule, problem: Exception, detection: dict[str, Any], section: str) -> tuple[str | int, ...]:
    """Return the item or the top-level key that pySigma's error is about, by its class's name."""
    for name, part in detection.items():
        if name not in _RESERVED and (found := _refused_item(part)) is not None:
            return (section, name, *found)
    name = type(problem).__name__.removeprefix("Sigma").removesuffix("Error").lower()
    aliases = {"falsepositives": "falsepositives", "identifier": "id", "tag": "tags", "value": "detection"}
    key = aliases.get(name, name)
    return (key,) if key in rule.doc else (section,)
