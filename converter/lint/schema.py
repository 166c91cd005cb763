"""The specification's schema, its errors in plain words with their place (SC123)."""

from __future__ import annotations

import datetime
import difflib
import json
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from converter.errors import RuleError
from converter.rules.rule import Rule

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator, ValidationError

_DEFINITIONS = {"rule": "rule", "correlation": "correlationRule", "filter": "filterRule"}
_TYPES = {
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "number": "a number",
    "integer": "a whole number",
    "boolean": "true or false",
    "null": "empty",
}


@cache
def _schema() -> dict[str, Any]:
    text = resources.files("converter").joinpath("schemas/sigma.schema.json").read_text(encoding="utf-8")
    loaded: dict[str, Any] = json.loads(text)
    return loaded


def _inlined(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return the schema with every `$ref` replaced: resolving them again for each rule doubles the time."""
    if isinstance(schema, list):
        return [_inlined(one, definitions) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _inlined(definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    return {key: _inlined(value, definitions) for key, value in schema.items()}


@cache
def _of_kind(kind: str) -> dict[str, Any]:
    definitions = _schema()["$defs"]
    inlined: dict[str, Any] = _inlined(definitions[_DEFINITIONS[kind]], definitions)
    return inlined


@cache
def _validator(kind: str) -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(_of_kind(kind))


@cache
def known_keys(kind: str, section: str | None = None) -> Sequence[str]:
    """Return the keys that the schema names: of a rule of that kind, or of one of its sections."""
    schema = _of_kind(kind)
    if section is not None:
        schema = schema["properties"][section]
    return tuple(schema["properties"])


def violations(rule: Rule, fatal: bool) -> Iterator[RuleError]:
    """Yield SC123 for everything in a rule that the schema does not allow.

    Args:
        rule: as read.
        fatal: the rule has errors: what they are about (missing parts, the detection, the log source, the
            correlation) is then left out.
    """
    data = {str(key): _plain(value) for key, value in rule.doc.items()}
    for error in _validator(rule.kind).iter_errors(data):
        path = list(error.absolute_path)
        if error.validator == "required" and len(path) < 2:
            continue  # SC103 says it.
        if fatal and path and path[0] in ("detection", "logsource", "correlation", "filter"):
            continue
        message, hint = _words(error, path)
        yield rule.error("SC123", message, *path, hint=hint)


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: YAML reads `2026-01-31` as a date."""
    if isinstance(value, datetime.date):
        return value.isoformat()
    return value


def _words(error: ValidationError, path: Sequence[str | int]) -> tuple[str, str | None]:
    where = _name(path)
    value, wanted = error.instance, error.validator_value
    hint = error.schema.get("description") if isinstance(error.schema, dict) else None
    match error.validator:
        case "type":
            names = [wanted] if isinstance(wanted, str) else wanted
            expected = " or ".join(_TYPES[name] for name in names)
            return f"{where} is {_kind(value)} and should be {expected}", hint
        case "enum":
            close = difflib.get_close_matches(str(value).lower(), wanted, 1)
            hint = f"did you mean '{close[0]}'?" if close else "write " + ", ".join(wanted[:-1])
            return f"{where} cannot be '{_short(value)}'", hint if close else f"{hint} or {wanted[-1]}"
        case "pattern":
            return f"{where} cannot be '{_short(value)}'", hint
        case "required":
            missing = next(key for key in wanted if key not in value)
            return f"{where} lacks '{missing}'", hint
        case "uniqueItems":
            twice = next(one for place, one in enumerate(value) if one in value[:place])
            return f"{where} holds '{_short(twice)}' twice", "remove one of them"
        case "minLength":
            return f"{where} is too short", hint
        case "maxLength":
            return f"{where} is {len(value)} characters long", hint
        case "minItems" | "minProperties":
            return f"{where} is empty", hint
        case _:
            return f"{where}: {_short(error.message)}", hint


def _name(path: Sequence[str | int]) -> str:
    """Return how a place is called: 'tags', item 2 of 'tags', 'type' of 'correlation'."""
    if not path:
        return "the rule"
    *above, last = path
    own = f"item {last + 1}" if isinstance(last, int) else f"'{last}'"
    return f"{own} of {_name(above)}" if above else own


def _kind(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    names = {str: "text", int: "a number", float: "a number", list: "a list"}
    return names.get(type(value), "a mapping" if isinstance(value, dict) else type(value).__name__)


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
