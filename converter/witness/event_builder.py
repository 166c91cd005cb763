"""Build an event that makes chosen leaves of a rule true and others false."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from converter.matcher.event import Event
from converter.matcher.value import Bool, Cidr, Exists, FieldRef, Null, Number, Regex, Text, Value
from converter.witness import defaults, plausible
from converter.witness.formula import Choice, Formula, Leaf, leaves
from converter.witness.sysmon_kinds import consistent
from converter.witness.values import instances, together

_MISSING = object()
_NEUTRAL_TEXTS = ("qz", "7z", "~", "Q-")
KEYWORD_FIELD = "param4"
"""An element without a meaning of its own, as records of services have."""
# Of a list of thousands of values it is enough to stay clear of some.
_MOST_FALSE = 100


class Builder:
    """Knows a rule's fields and the plain event into which its values go."""

    def __init__(self, rule: Mapping[str, Any], root: Formula) -> None:
        self.root = root
        self.leaves = list(leaves(root))
        logsource = rule.get("logsource") or {}
        ids = defaults.event_ids(logsource)
        self.sysmon = bool(ids)
        self.ids = ids
        self.whole_log = self.sysmon and not logsource.get("category")
        self.operation = "DeleteValue" if logsource.get("category") == "registry_delete" else ""
        self.log = {} if self.sysmon else defaults.log_event(logsource)
        self.channels = () if self.sysmon else defaults.channels(logsource)
        self.by_field: dict[str, list[Leaf]] = {}
        for leaf in self.leaves:
            if leaf.field:
                self.by_field.setdefault(leaf.field, []).append(leaf)
            if isinstance(leaf.value, FieldRef):
                self.by_field.setdefault(leaf.value.name, [])
        self.keyword_field = "CommandLine" if self.sysmon and ids[0] == 1 else KEYWORD_FIELD
        self.cased = {
            leaf.field
            for leaf in self.leaves
            if isinstance(leaf.value, Regex) or (isinstance(leaf.value, Text) and leaf.value.cased)
        }
        """Fields that the rule compares as they are written."""
        self.plain = self._plain()

    def _plain(self) -> dict[str, Any]:
        """The event before any value is put in: all fields are there, so that `null` does not hold."""
        event = defaults.sysmon_event(self.ids[0]) if self.sysmon else dict(self.log)
        if self.operation:
            event["EventType"] = self.operation
        if any(not leaf.field for leaf in self.leaves):
            event.setdefault(self.keyword_field, "qz")
        for number, field in enumerate(self.by_field):
            if field not in event:
                event[field] = self._neutral(field, number)
        return event

    def _neutral(self, field: str, number: int) -> Any:
        """A value of the type that the rule's values have, unlike all of them."""
        values = [leaf.value for leaf in self.by_field[field]]
        kinds = {type(value) for value in values} - {Null, Exists, FieldRef}
        if kinds == {Number}:
            numbers = [value for value in values if isinstance(value, Number)]
            if any(value.part for value in numbers):
                return "2023-11-19T13:41:27.000Z"
            largest = max(value.value for value in numbers)
            return largest + 7 if all(isinstance(value.value, int) for value in numbers) else largest + 7.5
        if kinds == {Bool}:
            wanted = {value.value for value in values if isinstance(value, Bool)}
            return "false" if wanted == {True} else "true"
        if kinds == {Cidr}:
            return "203.0.113.77"
        return f"qz{number}"

    def build(
        self,
        choice: Choice,
        fixed: Mapping[str, Any] | None = None,
        *,
        filled: bool = False,
        listed: bool = False,
    ) -> dict[str, Any]:
        """Return an event for a choice; where leaves exclude each other, as near as can be.

        Args:
            choice: leaves and the truth they shall have.
            fixed: fields that are given.
            filled: whether a wildcard is replaced by some text where it may be.
            listed: whether a field holds a list where no single value satisfies all its leaves.
        """
        event = dict(self.plain)
        wanted: dict[str, tuple[list[Leaf], list[Leaf]]] = {}
        for leaf, truth in choice:
            wanted.setdefault(leaf.field, ([], []))[0 if truth else 1].append(leaf)
        keywords = wanted.pop("", ([], []))
        for field, (true, false) in wanted.items():
            self._set(event, field, true, false[:_MOST_FALSE], filled)
            if listed and not all(leaf.holds(event) for leaf in true):
                event[field] = [next(instances(leaf.value), "") for leaf in true]
        for field, (true, _) in wanted.items():
            for leaf in true:
                if isinstance(leaf.value, FieldRef):
                    self._refer(event, field, leaf.value)
        if keywords[0]:
            self._set(event, self.keyword_field, keywords[0], keywords[1][:_MOST_FALSE], filled)
        event.update(fixed or {})
        return self.consistent(event)

    def consistent(self, event: Mapping[str, Any]) -> dict[str, Any]:
        """Return a record of Sysmon with an id, a kind and data that go together; others as they are."""
        return consistent(event, self.by_field) if self.sysmon else dict(event)

    def _set(
        self, event: dict[str, Any], field: str, true: Sequence[Leaf], false: Sequence[Leaf], filled: bool
    ) -> None:
        """Give a field the first value that does what is wanted, else one that does most of it."""
        best, score = event.get(field, _MISSING), -1
        for value in islice(self._candidates(event, field, true, filled), 600):
            tried = {key: event[key] for key in event if key != field}
            if value is not _MISSING:
                tried[field] = value
            now = sum(2 * leaf.holds(tried) for leaf in true) + sum(not leaf.holds(tried) for leaf in false)
            if now > score:
                best, score = value, now
            if score == 2 * len(true) + len(false):
                break
        event.pop(field, None)
        if best is not _MISSING:
            event[field] = best

    def _candidates(self, event: Event, field: str, true: Sequence[Leaf], filled: bool) -> Iterator[Any]:
        present = event.get(field, _MISSING)
        values = [leaf.value for leaf in true if not isinstance(leaf.value, (Null, Exists, FieldRef))]
        if not values:
            yield present
            yield _MISSING
            yield from (text for text in _NEUTRAL_TEXTS if self.storable(field, text))
            yield ""
            return
        made = list(islice(together(values, filled=filled), 400))
        yield from (value for value in made if self.storable(field, value))
        if self.sysmon and field in defaults.USERS:
            ways = (way for value in made for way in (f"QUARTZ\\{value}", f"{str(value).strip()}\\mira"))
            yield from (way for way in ways if self.storable(field, way))
        if self.sysmon:
            whole = (text for value in made for text in plausible.completed(field, str(value)))
            yield from (text for text in whole if self.storable(field, text))
        # What the log cannot hold is better than no witness at all where the rule asks for it.
        yield from (value for value in made[:3] if field not in defaults.FIXED and not self._typed(field))

    def _typed(self, field: str) -> bool:
        typed = defaults.NUMBERS | defaults.BOOLEANS | defaults.ADDRESSES
        return self.sysmon and field in typed

    def storable(self, field: str, value: Any) -> bool:
        """Tell whether a log could hold the value in that field."""
        if not self.sysmon:
            return True
        if field in self.cased and not plausible.in_its_case(field, str(value)):
            return False
        return defaults.storable(field, value)

    def _refer(self, event: dict[str, Any], field: str, value: FieldRef) -> None:
        other = str(event.get(value.name) or "qz")
        event[value.name] = other
        event[field] = ("left " if value.before else "") + other + (" right" if value.after else "")

    def fields(self) -> list[str]:
        """Return the rule's fields, in order."""
        return list(self.by_field) + (
            [self.keyword_field] if any(not leaf.field for leaf in self.leaves) else []
        )


def values_on(builder: Builder, field: str) -> list[Value]:
    """Return the rule's values on a field."""
    leaves_on = builder.by_field.get(field)
    if leaves_on is None or field == builder.keyword_field:
        return [leaf.value for leaf in builder.leaves if leaf.field in ("", field)]
    return [leaf.value for leaf in leaves_on]
