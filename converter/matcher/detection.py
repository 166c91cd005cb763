"""Compile a rule's detection into one function of an event.

Sigma specification 2.1, "Detection". Where it is silent, docs/semantics.md decides; comments name the choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from itertools import chain
from typing import Any

from converter.errors import RuleError
from converter.events.times import datetime_of
from converter.matcher import condition as conditions
from converter.matcher import text as texts
from converter.matcher.event import Event, fold, number_of, numeral, text_of, values_of
from converter.matcher.modifiers import LIST_MODIFIERS, Placeholders, apply
from converter.matcher.pcre import compile_regex
from converter.matcher.value import (
    Bool,
    Cidr,
    Exists,
    FieldRef,
    Null,
    Number,
    Regex,
    Text,
    Value,
    Wild,
    literal,
)

Predicate = Callable[[Event], bool]
ValueTest = Callable[[object], bool]

# Keys of a detection that are not selections (`timeframe` is of Sigma 1 and without meaning today).
_NOT_SELECTIONS = ("condition", "timeframe")


@dataclass(frozen=True, slots=True)
class Options:
    """What a detection is compiled with."""

    placeholders: Placeholders | None = None
    """Values for `%name%` under the `expand` modifier."""
    empty_is_missing: bool = False
    """The platform cannot tell an empty text from a missing field (Kusto's string columns): events come
    without their empty fields, and `''` in a rule means what `null` means. docs/semantics.md."""


def compile_detection(
    detection: Mapping[str, Any],
    *,
    placeholders: Placeholders | None = None,
    empty_is_missing: bool = False,
) -> Predicate:
    """Compile the `detection` of a rule, as YAML gives it.

    Args:
        detection: selections and `condition`; several conditions are joined by OR.
        placeholders: values for `%name%` under the `expand` modifier.
        empty_is_missing: whether `''` means what `null` means (see `Options`).

    Returns:
        A function that tells whether a flat event satisfies the rule.

    Raises:
        RuleError: SC102, SC103, SC105, SC113 or SC114, for what is not valid Sigma.
    """
    if not isinstance(detection, Mapping):
        raise RuleError("SC103", "'detection' must be a map")
    selections = {str(name): item for name, item in detection.items() if name not in _NOT_SELECTIONS}
    if not selections:
        raise RuleError("SC103", "'detection' has no selection")
    if "condition" not in detection:
        raise RuleError("SC105", "'detection' has no condition")
    given = detection["condition"]
    trees = []
    for one in given if isinstance(given, list) else [given]:
        if not isinstance(one, str):
            raise RuleError("SC105", f"a condition must be text, not {one!r:.60}")
        trees.append(conditions.parse(one, list(selections)))
    if not trees:
        raise RuleError("SC105", "the condition is empty")
    options = Options(placeholders, empty_is_missing)
    compiled = {name: _selection(item, options) for name, item in selections.items()}
    return _tree(conditions.junction("or", trees), compiled)


def _tree(tree: conditions.Tree, compiled: Mapping[str, Predicate]) -> Predicate:
    if isinstance(tree, conditions.Name):
        return compiled[tree.name]
    if isinstance(tree, conditions.Not):
        return negated(_tree(tree.item, compiled))
    join = all_hold if tree.op == "and" else one_holds
    return join([_tree(item, compiled) for item in tree.items])


def all_hold(predicates: Sequence[Predicate]) -> Predicate:
    """Return the AND of predicates."""
    if len(predicates) == 1:
        return predicates[0]
    if len(predicates) == 2:
        first, second = predicates
        return lambda event: first(event) and second(event)
    every = tuple(predicates)

    def predicate(event: Event) -> bool:
        for one in every:  # noqa: SIM110 (a loop is twice as fast as all() here)
            if not one(event):
                return False
        return True

    return predicate


def one_holds(predicates: Sequence[Predicate]) -> Predicate:
    """Return the OR of predicates."""
    if len(predicates) == 1:
        return predicates[0]
    every = tuple(predicates)

    def predicate(event: Event) -> bool:
        for one in every:  # noqa: SIM110
            if one(event):
                return True
        return False

    return predicate


def negated(predicate: Predicate) -> Predicate:
    """Return the NOT of a predicate."""
    return lambda event: not predicate(event)


def _selection(item: Any, options: Options) -> Predicate:
    """A map is an AND of its fields; a list is an OR; a plain value is a keyword."""
    if isinstance(item, Mapping):
        if not item:
            raise RuleError("SC103", "a selection is empty")
        return all_hold([_item(str(key), value, options) for key, value in item.items()])
    if isinstance(item, list):
        if not item:
            raise RuleError("SC103", "a selection is empty")
        plain = [one for one in item if not isinstance(one, (Mapping, list))]
        nested = [_selection(one, options) for one in item if isinstance(one, (Mapping, list))]
        return one_holds([*([_item("", plain, options)] if plain else []), *nested])
    return _item("", item, options)


def _item(key: str, given: Any, options: Options) -> Predicate:
    """One `field|modifiers: values`; without a field it is a keyword."""
    field, *modifiers = key.split("|")
    raw = given if isinstance(given, list) else [given]
    if not raw:
        raise RuleError("SC103", f"'{key}' has no value")
    changing = [name for name in modifiers if name not in LIST_MODIFIERS]
    # A value that expands into several (base64offset, windash, expand) stays an OR, also under `all`.
    groups = [apply(literal(one), changing, options.placeholders) for one in raw]
    if "all" not in modifiers:
        groups = [list(chain.from_iterable(groups))]
    if field:
        compiled = [field_predicate(field, values, options) for values in groups]
    else:
        anywhere = not {"startswith", "endswith", "contains"} & set(changing)
        compiled = [keyword_predicate(values, anywhere=anywhere) for values in groups]
    predicate = all_hold(compiled)
    return negated(predicate) if "neq" in modifiers else predicate


_PLAIN = Options()


def field_predicate(field: str, values: Sequence[Value], options: Options = _PLAIN) -> Predicate:
    """Return the comparison of a field with values of which one must hold."""

    def is_null(event: Event) -> bool:
        return next(values_of(event.get(field)), None) is None

    predicates: list[Predicate] = []
    on_value: list[Value] = []
    for value in values:
        match value:
            case Null():
                predicates.append(is_null)
            case Text(()) if options.empty_is_missing:
                predicates.append(is_null)
            case Exists(True):
                predicates.append(lambda event: field in event)
            case Exists(False):
                predicates.append(lambda event: field not in event)
            case FieldRef():
                predicates.append(_reference(field, value))
            case _:
                on_value.append(value)
    if on_value:
        predicates.append(_on_field(field, _value_test(on_value)))
    return one_holds(predicates)


def _on_field(field: str, test: ValueTest) -> Predicate:
    """Test the field's value; of several values one must hold; a missing or null field satisfies nothing."""

    def predicate(event: Event) -> bool:
        value = event.get(field)
        if value is None:
            return False
        if isinstance(value, (list, tuple)):
            return any(map(test, values_of(value)))
        return test(value)

    return predicate


def _value_test(values: Sequence[Value]) -> ValueTest:
    """Test one value that is not null."""
    strings = [value for value in values if isinstance(value, Text)]
    tests: list[ValueTest] = []
    if strings:
        test = texts.any_of(strings)
        tests.append(lambda value: test(value if isinstance(value, str) else text_of(value)))
    equal = frozenset(
        value.value
        for value in values
        if isinstance(value, Number) and value.op == "eq" and value.part is None
    )
    if equal:
        tests.append(_equal(equal))
    for value in values:
        match value:
            case Number(_, "eq", None) | Text():
                pass
            case Number():
                tests.append(_comparison(value))
            case Regex():
                tests.append(_regex(value))
            case Bool(wanted):
                tests.append(_boolean(wanted))
            case Cidr():
                tests.append(_network(value))
    if len(tests) == 1:
        return tests[0]
    return lambda value: any(test(value) for test in tests)


def _equal(numbers: frozenset[int | float]) -> ValueTest:
    """Equal to a number is that number, or the text that it is written as: ``05`` is not how 5 is written."""
    written = {numeral(number) for number in numbers}
    return lambda value: value in written if isinstance(value, str) else number_of(value) in numbers


def _boolean(wanted: bool) -> ValueTest:
    text = "true" if wanted else "false"
    return lambda value: fold(text_of(value)) == text


def _regex(value: Regex) -> ValueTest:
    search = compile_regex(value).search
    return lambda found: search(text_of(found)) is not None


def _network(value: Cidr) -> ValueTest:
    network = value.network

    def test(found: object) -> bool:
        try:
            # An address of the other version is never within.
            return ip_address(text_of(found)) in network
        except ValueError:
            return False

    return test


_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "eq": lambda found, wanted: found == wanted,
    "lt": lambda found, wanted: found < wanted,
    "lte": lambda found, wanted: found <= wanted,
    "gt": lambda found, wanted: found > wanted,
    "gte": lambda found, wanted: found >= wanted,
}
TIME_PART: Mapping[str, Callable[[datetime], int]] = {
    "minute": lambda time: time.minute,
    "hour": lambda time: time.hour,
    "day": lambda time: time.day,
    "week": lambda time: time.isocalendar().week,
    "month": lambda time: time.month,
    "year": lambda time: time.year,
}


def _comparison(value: Number) -> ValueTest:
    compare, wanted = _COMPARE[value.op], value.value
    if value.part is None:

        def test(found: object) -> bool:
            number = number_of(found)
            return number is not None and compare(number, wanted)

        return test
    part = TIME_PART[value.part]

    def time_test(found: object) -> bool:
        time = datetime_of(found)
        return time is not None and compare(part(time), wanted)

    return time_test


def _reference(field: str, value: FieldRef) -> Predicate:
    """Compare two fields of an event as texts; any value of one with any value of the other."""

    def predicate(event: Event) -> bool:
        mine = [fold(text_of(one)) for one in values_of(event.get(field))]
        other = [fold(text_of(one)) for one in values_of(event.get(value.name))]
        return any(_related(left, right, value) for left in mine for right in other)

    return predicate


def _related(left: str, right: str, value: FieldRef) -> bool:
    if value.before and value.after:
        return right in left
    if value.after:
        return left.startswith(right)
    return left.endswith(right) if value.before else left == right


def as_keyword(value: Value, *, anywhere: bool) -> Text | Regex:
    """Return what a field's text must be for a keyword to hold: numbers and booleans by their text.

    Args:
        value: the keyword after its modifiers.
        anywhere: no modifier says where in the text it stands.

    Raises:
        RuleError: SC113 for a value that needs a field.
    """
    match value:
        case Regex():
            return value
        case Number(number, "eq", None):
            return Text((Wild.ANY, str(number), Wild.ANY))
        case Bool(wanted):
            return Text((Wild.ANY, "true" if wanted else "false", Wild.ANY))
        case Text():
            return Text((Wild.ANY, *value.parts, Wild.ANY), value.cased) if anywhere else value
    raise RuleError("SC113", "this value needs a field: a keyword is text, a number or a regex")


def keyword_predicate(values: Sequence[Value], *, anywhere: bool) -> Predicate:
    """Return the test whether any field's text contains one of the keywords."""
    test = _value_test([as_keyword(value, anywhere=anywhere) for value in values])

    def predicate(event: Event) -> bool:
        return any(test(one) for value in event.values() for one in values_of(value))

    return predicate
