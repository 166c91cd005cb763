"""Rules as the matcher holds them: names, references, filters, and one predicate for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from converter.errors import RuleError
from converter.matcher.correlation_section import Section, read
from converter.matcher.detection import Predicate, all_hold, compile_detection
from converter.matcher.event import Event
from converter.matcher.logsource import Need, needs
from converter.matcher.modifiers import Placeholders


@dataclass(frozen=True, slots=True, eq=False)
class EventRule:
    """A rule that looks at one event; its filters are in the predicate."""

    doc: Mapping[str, Any]
    needs: tuple[Need, ...]
    holds: Callable[[Event], bool]


@dataclass(frozen=True, slots=True, eq=False)
class Correlation:
    """A correlation with its references resolved."""

    doc: Mapping[str, Any]
    section: Section
    members: tuple[Mapping[str, Any], ...]
    """The rules it refers to, in order, as YAML gives them."""
    group_fields: tuple[tuple[str, ...], ...]
    """For each member, the fields of its events that hold the group-by keys."""
    value_fields: tuple[tuple[str, ...], ...]
    """For each member, the fields that the condition looks at."""


def label(doc: Mapping[str, Any]) -> str:
    """Return the id of a rule, else its name, else its title."""
    return str(doc.get("id") or doc.get("name") or doc.get("title") or "")


class Rules:
    """All rules by the names and ids that references use."""

    def __init__(
        self,
        docs: Sequence[Mapping[str, Any]],
        placeholders: Placeholders | None = None,
        empty_is_missing: bool = False,
    ) -> None:
        """Index the rules; nothing is compiled yet.

        Raises:
            RuleError: SC103 for what is no rule.
        """
        self.placeholders = placeholders
        self.empty_is_missing = empty_is_missing
        self.docs: list[Mapping[str, Any]] = []
        self.filters: list[Mapping[str, Any]] = []
        self._index: dict[str, Mapping[str, Any]] = {}
        for doc in docs:
            if not isinstance(doc, Mapping) or not ({"detection", "correlation", "filter"} & set(doc)):
                raise RuleError("SC103", "a rule has a 'detection', a 'correlation' or a 'filter'")
            if "filter" in doc:
                self.filters.append(doc)
                continue
            self.docs.append(doc)
            for key in ("id", "name"):
                if doc.get(key):
                    self._index.setdefault(str(doc[key]), doc)

    def find(self, reference: str) -> Mapping[str, Any]:
        """Return the rule of that name or id.

        Raises:
            RuleError: SC111 if there is none.
        """
        if reference not in self._index:
            raise RuleError("SC111", f"no rule has the name or id '{reference}'")
        return self._index[reference]

    def event_rule(self, doc: Mapping[str, Any]) -> EventRule:
        """Compile a rule that looks at one event.

        Raises:
            RuleError: if it is not valid Sigma.
        """
        logsource = _logsource(doc)
        predicates = [self._compile(doc["detection"])]
        predicates += [self._filter(one) for one in self.filters if self._concerns(one, doc)]
        return EventRule(doc, needs(logsource), all_hold(predicates))

    def _compile(self, detection: Mapping[str, Any]) -> Predicate:
        return compile_detection(
            detection, placeholders=self.placeholders, empty_is_missing=self.empty_is_missing
        )

    def correlation(self, doc: Mapping[str, Any]) -> Correlation:
        """Resolve a correlation's references, aliases and fields.

        Raises:
            RuleError: SC111 or SC112.
        """
        section = read(doc)
        members = tuple(self.find(reference) for reference in section.references)
        groups, values = [], []
        for reference, member in zip(section.references, members, strict=True):
            groups.append(tuple(_resolve(key, section, reference, member) for key in section.group_by))
            values.append(tuple(_resolve(key, section, reference, member) for key in section.fields))
        return Correlation(doc, section, members, tuple(groups), tuple(values))

    def order(self) -> list[Mapping[str, Any]]:
        """Return correlations with those they refer to first.

        Raises:
            RuleError: SC111 for a reference to no rule, SC112 for a circle.
        """
        ordered: list[Mapping[str, Any]] = []
        for doc in self.docs:
            if "correlation" in doc:
                self._visit(doc, ordered, ())
        return ordered

    def _visit(
        self, doc: Mapping[str, Any], ordered: list[Mapping[str, Any]], above: tuple[Mapping[str, Any], ...]
    ) -> None:
        if any(doc is one for one in above):
            raise RuleError("SC112", f"the correlation '{label(doc)}' refers to itself")
        if any(doc is one for one in ordered) or "correlation" not in doc:
            return
        for reference in read(doc).references:
            self._visit(self.find(reference), ordered, (*above, doc))
        ordered.append(doc)

    def alerting(self) -> list[Mapping[str, Any]]:
        """Return the rules that raise alerts of their own.

        Not those that only serve a correlation: one that refers to them without ``generate: true``.
        """
        silent = {
            id(self.find(reference))
            for doc in self.docs
            if "correlation" in doc and not (section := read(doc)).generate
            for reference in section.references
        }
        return [doc for doc in self.docs if id(doc) not in silent]

    def _concerns(self, given: Mapping[str, Any], doc: Mapping[str, Any]) -> bool:
        """A filter concerns the rules it names ('any' is all) whose logsource has what its own says."""
        body = given["filter"]
        rules = body.get("rules") if isinstance(body, Mapping) else None
        if rules is None:
            raise RuleError("SC103", f"the filter '{label(given)}' names no rules")
        mine, theirs = _logsource(given), _logsource(doc)
        if any(mine.get(key) is not None and mine[key] != theirs.get(key) for key in _LOGSOURCE_KEYS):
            return False
        if rules == [] or (isinstance(rules, str) and rules.lower() == "any"):
            return True
        named = {str(one) for one in (rules if isinstance(rules, list) else [rules])}
        return bool(named & {str(doc[key]) for key in ("id", "name") if doc.get(key)})

    def _filter(self, given: Mapping[str, Any]) -> Callable[[Event], bool]:
        """A filter's condition must hold as well as the rule's: it says what remains ("not selection")."""
        body = {key: value for key, value in given["filter"].items() if key != "rules"}
        return self._compile(body)


_LOGSOURCE_KEYS = ("category", "product", "service")


def _logsource(doc: Mapping[str, Any]) -> Mapping[str, Any]:
    logsource = doc.get("logsource")
    if not isinstance(logsource, Mapping):
        raise RuleError("SC103", f"the rule '{label(doc)}' has no logsource")
    return logsource


def _resolve(key: str, section: Section, reference: str, member: Mapping[str, Any]) -> str:
    """Return the member's field behind a group-by key or field: an alias's, or the field of that name."""
    alias = section.aliases.get(key)
    if alias is None:
        return key
    for name in (reference, member.get("name"), member.get("id")):
        if name is not None and str(name) in alias:
            return alias[str(name)]
    raise RuleError("SC112", f"alias '{key}' names no field for the rule '{reference}'")
