"""Witnesses of a rule that looks at one event."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

from converter.matcher import compile_detection, is_candidate
from converter.matcher.event import Event, fold
from converter.matcher.logsource import needs
from converter.matcher.modifiers import Placeholders
from converter.matcher.value import Exists, FieldRef, Null, Regex, Text
from converter.witness import defaults, plausible, probes
from converter.witness.event_builder import Builder, values_on
from converter.witness.formula import (
    Leaf,
    alternatives,
    exceptions,
    formula,
    near_misses,
    nearest,
    plain,
    truth,
)
from converter.witness.moved_files import moved
from converter.witness.values import changed, swap_case

MOST_EVENTS = 2000
# Of the alternatives, so that a list of thousands leaves room for near misses.
_MOST_HITS = 800
_MOST_NEAR_MISSES = 500
_MOST_EXCEPTED = 100
_ENOUGH_HITS = 8
_MOST_MOVED = 150
_MOST_RENDERED = 8
_MOST_PROBED = 90
_MOST_PROBES = 900
_MOST_CHANGED = 10
_MOST_KEYS = 8
_PRESENT = ("present", "true", "false")
"""What a field may hold that an event lacks."""
_SECURITY = ("Security",)
_NAMED = "SubjectUserName"
"""A field that most records of the security log have."""
_TASK = "TaskContent"
"""A field of the security log with texts that are longer than an index may be (event 4698)."""
MESSAGE = "Message"
"""Where agents put a record's rendered message."""
_LABEL = "IntegrityLevel"
"""A field of a process that few rules name."""
# Values of fields that hold text: only these can be empty.
_TEXTUAL = (Text, Regex, Null, Exists, FieldRef)
_ENOUGH_EVENTS = 40
# Another event of Sysmon with some of the same fields, and another log.
_OTHER_ID = {
    1: 5,
    3: 22,
    11: 23,
    12: 13,
    13: 12,
    14: 13,
    17: 18,
    18: 17,
    19: 20,
    20: 21,
    21: 20,
    23: 11,
    26: 23,
}


# Events of one and the same doing, which other sources do not tell apart: a file written, a file deleted.
_ALIKE: Mapping[int, tuple[int, ...]] = {11: (11, 29), 29: (11, 29), 23: (23, 26), 26: (23, 26)}
_BINDING = 21
"""Names its consumer; other sources keep no more of one than this event does."""
_ALWAYS = defaults.FIXED | {"EventID", "Computer", "TargetObject"}
"""What each record has: of the registry's, too, none is without the path."""


def _evenly(items: list[Any], most: int) -> list[Any]:
    """Return at most so many items, the first and the last among them."""
    if len(items) <= most:
        return items
    return [items[(len(items) - 1) * step // (most - 1)] for step in range(most)]


def _number_text(value: Any) -> str | None:
    """Return the registry's notation of a number that a rule writes as plain text."""
    if not isinstance(value, Text) or len(value.parts) != 1 or not str(value.parts[0]).isdigit():
        return None
    number = int(str(value.parts[0]))
    return f"DWORD (0x{number:08x})" if number < 2**32 else None


class Single:
    """A rule, what satisfies it, and events made from it."""

    def __init__(self, rule: Mapping[str, Any], placeholders: Placeholders | None = None) -> None:
        """Read the rule.

        Raises:
            RuleError: if it is not valid Sigma.
        """
        self.rule = rule
        matches = compile_detection(rule["detection"], placeholders=placeholders)
        candidate = is_candidate(rule.get("logsource") or {})

        def holds(event: Event) -> bool:
            return candidate(event) and matches(event)

        self.holds: Callable[[Event], bool] = holds
        self.builder = Builder(rule, formula(rule["detection"], placeholders))

    def hit(self, fixed: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the plainest event that satisfies the rule, or that comes nearest."""
        choices = [plain(self.builder.root), *islice(alternatives(self.builder.root), 60)]
        for choice in choices:
            event = self.builder.build(choice, fixed)
            if self.holds(event):
                return event
        for choice in choices:
            for event in self._without_each_other_field(self.builder.build(choice, fixed)):
                if self.holds(event):
                    return event
        for choice in choices:
            event = self.builder.build(choice, fixed, listed=True)
            if self.holds(event):
                return event
        return self.builder.build(choices[0], fixed)

    def _without_each_other_field(self, event: Event) -> Iterator[dict[str, Any]]:
        """A filter may look for what every plain event has: try without."""
        for field in self.builder.fields():
            yield {key: value for key, value in event.items() if key != field}
            yield {**event, field: ""}

    def hits(self) -> Iterator[dict[str, Any]]:
        """Yield an event for each alternative (each value, each branch), most of them hits."""
        for number, choice in enumerate(islice(alternatives(self.builder.root), _MOST_HITS)):
            event = self.builder.build(choice, filled=True)
            yield self._in_other_case(event) if number % 2 else event

    def _in_other_case(self, event: dict[str, Any]) -> dict[str, Any]:
        """Return a hit with the other case of letters in what the rule looks at, if it is one then."""
        made = dict(event)
        for field in self.builder.by_field:
            text = event.get(field)
            if isinstance(text, str) and self.builder.storable(field, swapped := swap_case(text)):
                made[field] = swapped
        return made if self.holds(made) else event

    def rendered(self) -> Iterator[dict[str, Any]]:
        """Yield hits whose keyword is where a platform may not find it.

        That is the rendered message, which platforms keep elsewhere, or a text that is too long for an index.
        """
        field = self.builder.keyword_field
        if field in self.builder.fields() and self.builder.whole_log:
            for event in islice(self.hits(), 1):
                if field in event:
                    yield {**defaults.sysmon_event(10), "CallTrace": f"{event[field]}{'x' * probes.LONG}"}
        if field in self.builder.fields() and MESSAGE not in self.builder.by_field:
            for event in islice(self.hits(), _MOST_RENDERED):
                if field in event:
                    yield {**event, field: "qz", MESSAGE: event[field]}
                    if self.builder.ids[:1] == (1,):
                        # The Security log's record has it too, and few platforms a field for it.
                        yield {**event, field: "qz", _LABEL: event[field]}
                    if self.builder.channels == _SECURITY and not {_NAMED, _TASK} & set(
                        self.builder.by_field
                    ):
                        # Where a platform searches fields, it searches those that it knows.
                        yield {**event, field: "qz", _NAMED: event[field]}
                        yield {**event, field: "qz", _TASK: f"{event[field]}{'x' * probes.LONG}"}

    def near_misses(self) -> Iterator[dict[str, Any]]:
        """Yield events that miss by one clause, or that a filter excepts."""
        for choice in islice(near_misses(self.builder.root), _MOST_NEAR_MISSES):
            yield self.builder.build(choice)

    def excepted(self) -> Iterator[dict[str, Any]]:
        """Yield events that only a filter keeps from being hits, and copies with a field as a hit has it."""
        hit = self.hit()
        for choice, rest in islice(exceptions(self.builder.root), _MOST_EXCEPTED):
            near = self.builder.build(choice)
            event = self.builder.build(choice + [one for part in rest for one in nearest(part, near)])
            if all(truth(part, event) for part in rest) and not self.holds(event):
                yield event
                # Twice in a row, as what a source does not tell may differ from one event to the next.
                yield from ({**event, self._bystander(): f"qz-x{number}.quartz.test"} for number in (1, 2))
                # On the same host as before: some platforms keep what a value held beside what it holds.
                last = {**event, self._bystander(): "qz-x2.quartz.test"}
                for field in dict.fromkeys(leaf.field for leaf, _ in choice if leaf.field in hit):
                    yield {**last, field: hit[field]}
                if "Details" in self.builder.by_field and "Details" in event:
                    once = {**event, self._bystander(): "qz-x3.quartz.test"}
                    yield from ({**once, "Details": "qz"}, once)

    def probed(self) -> Iterator[dict[str, Any]]:
        """Yield, for each alternative and exception, copies with values near the one that it is about."""
        found: list[tuple[Leaf, dict[str, Any]]] = []
        for choice in islice(alternatives(self.builder.root), _MOST_HITS):
            if choice and choice[0][1]:
                found.append((choice[0][0], self.builder.build(choice)))
        found = _evenly(found, _MOST_PROBED)
        excepted = []
        for choice, rest in islice(exceptions(self.builder.root), _MOST_EXCEPTED):
            near = self.builder.build(choice)
            event = self.builder.build(choice + [one for part in rest for one in nearest(part, near)])
            excepted += [(leaf, event) for leaf, wanted in choice if wanted]
        found += _evenly(excepted, _MOST_PROBED)
        each = max(_MOST_PROBES // max(len(found), 1), 6)
        for leaf, event in found:
            field = leaf.field or self.builder.keyword_field
            if field not in event:
                continue
            values = (
                one for one in probes.near(leaf.value, event[field]) if self.builder.storable(field, one)
            )
            yield from ({**event, field: value} for value in islice(values, each))

    def everyday(self) -> Iterator[dict[str, Any]]:
        """Yield hits, and what only a filter keeps from being one, with ordinary and with odd values."""
        events = [self.hit()]
        for choice, rest in islice(exceptions(self.builder.root), 3):
            near = self.builder.build(choice)
            events.append(self.builder.build(choice + [one for part in rest for one in nearest(part, near)]))
        for event in events:
            for field in self.builder.fields():
                values: list[Any] = [*probes.ordinary(field), self.builder.plain.get(field)]
                values += [_number_text(leaf.value) for leaf in self.builder.by_field.get(field, ())][:4]
                if isinstance(event.get(field), str):
                    values += probes.odd(field, event[field])
                    values += [f"{text}{event[field]}" for text in ("line one\n", "&<")]
                for value in dict.fromkeys(one for one in values if isinstance(one, (str, int))):
                    if self.builder.storable(field, value):
                        yield {**event, field: value}

    def long(self) -> Iterator[dict[str, Any]]:
        """Yield long values of fields that the plainest hit does not need, where another alternative does."""
        needed = {leaf.field for leaf, wanted in plain(self.builder.root) if wanted}
        for choice in islice(alternatives(self.builder.root), _MOST_HITS):
            fields = {leaf.field for leaf, wanted in choice if wanted and leaf.field} - needed
            if not fields or not self.holds(event := self.builder.build(choice)):
                continue
            needed |= fields
            for field in sorted(fields):
                if isinstance(event.get(field), str):
                    made = ({**event, field: text} for text in probes.long(field, event[field]))
                    yield from filter(self._storable, made)

    def changes(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield copies of an event with one field dropped, emptied or changed a little."""
        for field in self.builder.fields():
            values = values_on(self.builder, field)
            if self._free(field):
                yield {key: value for key, value in event.items() if key != field}
                if self.builder.storable(field, "") and any(isinstance(one, _TEXTUAL) for one in values):
                    yield {**event, field: ""}
            if field not in event:
                some = [text for text in _PRESENT if self.builder.storable(field, text)]
                yield from ({**event, field: text} for text in some[:1] + some[-1:])
                continue
            satisfied = [leaf for leaf in self.builder.by_field.get(field, []) if leaf.holds(event)]
            chosen = [leaf.value for leaf in satisfied] or values[:2]
            for value in chosen[:6]:
                beside = plausible.beside(field, str(event[field])) if self.builder.sysmon else ()
                for new in chain(beside, changed(value, event[field])):
                    if self.builder.storable(field, new):
                        yield {**event, field: new}
                if isinstance(value, FieldRef) and isinstance(event.get(value.name), str):
                    yield {**event, value.name: event[value.name].swapcase()}
                    yield {**event, value.name: event[value.name] + "x"}
                    yield {key: event[key] for key in event if key != value.name}

    def default_values(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield copies of a registry event with the default value of the keys that the rule names."""
        for leaf in self.builder.by_field.get("TargetObject", ())[:_MOST_KEYS]:
            parts = leaf.value.parts if isinstance(leaf.value, Text) else ()
            literal = max((part for part in parts if isinstance(part, str)), key=len, default="")
            paths = plausible.default_values(literal) if literal.strip("\\") else ()
            yield from ({**event, "TargetObject": path} for path in paths)

    def shuffled(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield copies with the words of a value beside what is there, in another order.

        Analysed text is searched by words, so a filter finds these too.
        """
        for field, on_field in self.builder.by_field.items():
            if not isinstance(event.get(field), str):
                continue
            everything: list[str] = []
            for leaf in on_field:
                parts = leaf.value.parts if isinstance(leaf.value, Text) else ()
                words = re.findall(r"\w+", " ".join(part for part in parts if isinstance(part, str)))
                text = " ".join(words[::-1])
                if leaf.holds(event):
                    # The same words, with other characters between them.
                    yield {**event, field: re.sub(r"[^\w-]", "!", str(event[field]))}
                everything.append(text)
                if len(words) > 1:
                    yield {**event, field: f"{event[field]} {text}"}
                    yield {**event, field: f"{text} {event[field]}"}
            if 1 < len(everything) < 20:
                yield {**event, field: " ".join([event[field], *everything])}

    def _storable(self, event: Event) -> bool:
        return all(
            self.builder.storable(field, event[field]) for field in self.builder.by_field if field in event
        )

    def elsewhere(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield copies that another event of Sysmon, or another log, might be."""
        yield from self._of_another_log(event)
        if not self.builder.sysmon:
            for channel in self.builder.channels[1:]:
                # PowerShell 7 has a provider of its own.
                own = {"Provider_Name": "PowerShellCore"} if channel.startswith("PowerShellCore") else {}
                yield {**event, "Channel": channel, **own}
            if "EventID" in event:
                yield from ({**event, "EventID": code} for code in (4, 1, 4688, 4103, 400))
            return
        for event_id in self.builder.ids[1:]:
            shared = {key: event[key] for key in event if key != "EventID"}
            yield {**defaults.sysmon_event(event_id), **shared, "EventID": event_id}
        for operation in ("CreateKey", "DeleteKey") if self.builder.ids[0] == 12 else ():
            if self._free("EventType") and "EventType" not in self.builder.by_field:
                yield {**event, "EventType": operation}
        if _BINDING in self.builder.ids and isinstance(event.get("Destination"), str):
            yield {**self._as(event, _BINDING), "Consumer": event["Destination"]}
        other = _OTHER_ID.get(self.builder.ids[0], 1)
        yield self._as(event, 1 if other in self.builder.ids else other)
        for number in range(1, 30):
            alike = _ALIKE.get(number, ()) or (number,)
            if not set(alike) & set(self.builder.ids) and number != other:
                yield self._as(event, number)

    def _of_another_log(self, event: Event) -> Iterator[dict[str, Any]]:
        """Yield copies that satisfy the rule and are not of its log source, where its fields let that be."""
        other = {"Channel": "Application", "Provider_Name": "Quartz"}
        for need in needs(self.rule.get("logsource") or {}):
            if fold(other["Channel"]) in need.channels:
                other["Channel"] = "Quartz/Operational"
            if need.foreign:
                yield {**other, "EventID": 4, **event}
            elif need.channels or need.event_ids:
                compared = self.builder.by_field
                yield {**event, **{key: value for key, value in other.items() if key not in compared}}
            elif need.providers:
                yield {key: value for key, value in event.items() if key != "Channel"} | {
                    "Provider_Name": other["Provider_Name"]
                }

    def _as(self, event: Event, event_id: int) -> dict[str, Any]:
        """Return a copy under another of Sysmon's event ids, with the EventType that it has."""
        made = {**event, "EventID": event_id}
        if event_id in (12, 14):
            made.pop("Details", None)  # Keys have no data.
        kind = defaults.sysmon_event(event_id).get("EventType")
        if kind and "EventType" in event:
            made["EventType"] = kind
        return made

    def _free(self, field: str) -> bool:
        return not (self.builder.sysmon and field in _ALWAYS)

    def events(self) -> list[dict[str, Any]]:
        """Return the rule's witnesses, without their time, each once."""
        found: dict[str, dict[str, Any]] = {}

        def keep(events: Iterator[dict[str, Any]], most: int) -> None:
            for made in events:
                event = self.builder.consistent(made)
                if len(found) >= most:
                    return
                found.setdefault(json.dumps(event, sort_keys=True, default=str), event)

        first = self.hit()
        keep(iter([first, dict(self.builder.plain)]), MOST_EVENTS)
        keep(self.elsewhere(first), MOST_EVENTS)
        keep(self.hits(), _MOST_HITS)
        keep(self.rendered(), _MOST_HITS)
        keep(self.near_misses(), _MOST_HITS + _MOST_NEAR_MISSES)
        keep(self.excepted(), _MOST_HITS + _MOST_NEAR_MISSES)
        keep(self.changes(first), MOST_EVENTS - 500)
        keep(self.everyday(), MOST_EVENTS - 300)
        keep(self.default_values(first), MOST_EVENTS - 300)
        keep(self.probed(), MOST_EVENTS - 200)
        if not self.holds(first):
            hits = [event for event in found.values() if self.holds(event)]
            for hit in hits[:1]:
                keep(self.elsewhere(hit), MOST_EVENTS - 200)
        keep(self.long(), MOST_EVENTS - 200)
        for hit in [event for event in found.values() if self.holds(event)][1:_MOST_CHANGED]:
            keep(self.changes(hit), MOST_EVENTS - 100)
        keep(islice(filter(self._storable, self.shuffled(first)), 60), MOST_EVENTS - 50)
        missing = [event for event in found.values() if not self.holds(event)]
        for event in [first, *missing[:_MOST_MOVED], *[*found.values()][:_MOST_MOVED]]:
            keep(moved(event), MOST_EVENTS - 50)
        number = 0
        while (len(found) < _ENOUGH_EVENTS or self._count(found.values()) < _ENOUGH_HITS) and number < 40:
            number += 1
            keep(iter([{**first, self._bystander(): f"qz-{number:02d}.quartz.test"}]), MOST_EVENTS)
        return list(found.values())

    def _count(self, events: Any) -> int:
        return sum(1 for event in events if self.holds(event))

    def _bystander(self) -> str:
        """A field that the rule does not look at."""
        return next(name for name in ("Computer", "Hostname", "Note") if name not in self.builder.by_field)
