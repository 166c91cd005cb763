"""One rule as loaded, and where it is."""

from __future__ import annotations

import hashlib
import json
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from converter.errors import RuleError, SigconvError, plain
from converter.files import yaml_source

if TYPE_CHECKING:
    from sigma.rule import SigmaRule


@dataclass(slots=True, eq=False)
class Rule:
    """One rule as loaded: a detection, a correlation or a filter. Two are equal if they are one object."""

    doc: dict[str, Any]
    file: str
    """The path as the user gave it, with forward slashes."""
    path: Path
    relative: str
    """The path below the rules root, with forward slashes: where output files go."""
    document: int
    """0-based number of the document in the file."""

    @property
    def kind(self) -> str:
        """``correlation``, ``filter`` or ``rule``."""
        return "correlation" if "correlation" in self.doc else "filter" if "filter" in self.doc else "rule"

    @property
    def id(self) -> str:
        """The rule's id, or "" if it has none."""
        return str(self.doc.get("id") or "")

    @property
    def name(self) -> str:
        """The name, else the id, else the title."""
        return str(self.doc.get("name") or self.doc.get("id") or self.doc.get("title") or "")

    @property
    def title(self) -> str:
        """The rule's title."""
        return " ".join(plain(str(self.doc.get("title") or "")).split())

    def sigma(self) -> SigmaRule:
        """Return a fresh pySigma rule: a pipeline changes it in place, so one is made for each cell.

        A rule is parsed once for as long as few others are asked for; its document must not be changed.

        Raises:
            sigma.exceptions.SigmaError: if the rule is not valid (loaded rules are).
        """
        from converter.rules import parsed

        return parsed.rule(_template(self))

    def read(self) -> None:
        """Have pySigma read the rule and its conditions.

        Raises:
            sigma.exceptions.SigmaError: if the rule is not valid.
        """
        from converter.rules import parsed

        parsed.check(_template(self))

    def error(self, code: str, message: str, *path: str | int, hint: str | None = None) -> RuleError:
        """Return an error that is at the key ``path`` of this rule."""
        at = None
        with suppress(SigconvError):  # The file changed since; the message matters more than its place.
            at = yaml_source.locate(yaml_source.read_text(self.path, self.file), self.document, path)
        line, column = at or (None, None)
        return RuleError(code, message, file=self.file, line=line, column=column, hint=hint)

    def digest(self) -> str:
        """Return the SHA-256 of the rule's content, independent of layout and comments."""
        canonical = json.dumps(self.doc, sort_keys=True, default=str, ensure_ascii=True)
        return hashlib.sha256(canonical.encode()).hexdigest()


@lru_cache(maxsize=12)
def _template(rule: Rule) -> SigmaRule:
    """Return pySigma's reading of a rule; of the last rules it is kept."""
    from sigma.rule import SigmaRule

    from converter.rules import modifiers

    modifiers.register()
    made = SigmaRule.from_dict(_with_safe_names(rule.doc))
    modifiers.readable(made.detection)
    return made


# pySigma's grammar reads `not_x` as `not _x`, and the same of `and` and `or`.
_OPERATOR_NAME = re.compile(r"(?<![\w*?])(?=(?:not|and|or)[\w*?])", re.IGNORECASE)


def _with_safe_names(doc: dict[str, Any]) -> dict[str, Any]:
    """Return the rule with selections renamed whose names begin with an operator of the condition.

    `timeframe`, of Sigma 1, goes: pySigma takes it for a selection, which `1 of them` then holds.
    """
    detection = doc["detection"]
    if "timeframe" in detection:
        detection = {name: part for name, part in detection.items() if name != "timeframe"}
        doc = {**doc, "detection": detection}
    if not any(_OPERATOR_NAME.match(str(name)) for name in detection):
        return doc
    conditions = detection.get("condition")
    many = isinstance(conditions, list)
    renamed = {safe_name(str(name)): part for name, part in detection.items()}
    safe = [_OPERATOR_NAME.sub("x_", str(one)) for one in (conditions if many else [conditions])]
    return {**doc, "detection": {**renamed, "condition": safe if many else safe[0]}}


def safe_name(name: str) -> str:
    """Return the name under which pySigma knows a selection."""
    return _OPERATOR_NAME.sub("x_", name) if _OPERATOR_NAME.match(name) else name
