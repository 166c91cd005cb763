"""Relaxations of keywords, values without a field: where a platform does not find them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from converter.matcher.value import Text, Value
from converter.verify.relaxations.documents import KEYWORD, Placed, pattern, regex, rewritten
from converter.verify.relaxations.situation import Relaxation, Situation

_LINE = r"[^\n\r]"


def _lines(situation: Situation, _: str) -> Situation:
    """A wildcard between two texts of a keyword stands for characters of one line."""

    def change(value: Value) -> Sequence[Value]:
        if not isinstance(value, Text):
            return [value]
        texts = [at for at, part in enumerate(value.parts) if isinstance(part, str) and part]
        if not texts or texts[0] == texts[-1]:
            return [value]
        inner = value.parts[texts[0] : texts[-1] + 1]
        before, after = value.parts[: texts[0]], value.parts[texts[-1] + 1 :]
        middle = pattern(inner, many=f"{_LINE}*", single=_LINE)
        return [regex(rf"\A{pattern(before)}{middle}{pattern(after)}\z", value.cased)]

    return situation.with_docs(lambda doc: rewritten(doc, [KEYWORD], change, situation.placeholders))


def _in_fields(situation: Situation, argument: str) -> Situation:
    """Keywords are looked for in the columns that the argument names, with commas between them.

    A column with ``<=`` and a length does not show longer values.
    """
    limits = dict(_limited(one) for one in argument.split(",") if one.strip())
    names = list(limits)
    if situation.stored:
        pairs = zip(situation.events, situation.stored, strict=True)
        held = (
            {**event, **{name: _within(row[name], limit) for name, limit in limits.items() if name in row}}
            for event, row in pairs
        )
        situation = replace(situation, events=tuple(held))

    def change(value: Value) -> Sequence[Value | Placed]:
        return [(name, value) for name in names] or [regex("(?!)")]

    return situation.with_docs(lambda doc: rewritten(doc, [KEYWORD], change, situation.placeholders))


_TOKENS = {
    "standard": re.compile(r"(?:\w|(?<=[^\W\d_])[.:'](?=[^\W\d_])|(?<=\d)[.,;'](?=\d))+"),
    "pattern": re.compile(r"[A-Za-z0-9_-]+"),
}
"""Elasticsearch's analysers (words.py names the sources): what each makes a token of."""


def _limited(written: str) -> tuple[str, int | None]:
    name, _, limit = written.strip().partition("<=")
    return name, int(limit) if limit else None


def _within(held: Any, limit: int | None) -> Any:
    """Return a value, or of several those, of no more characters than a length."""
    if limit is None:
        return held
    several = held if isinstance(held, list) else [held]
    return [one for one in several if len(str(one)) <= limit]


def _stored_as_text(situation: Situation, argument: str) -> Situation:
    """Keywords are looked for in each value that the platform stores, as its column is searched.

    The argument has a pair ``column=how`` for each column that is not searched as one text of any length:
    ``never``, a number (values of more characters are not searched), or the analyser whose tokens are
    searched one by one.
    """
    ways = dict(pair.strip().split("=") for pair in argument.split(",") if "=" in pair)
    events = []
    for event, stored in zip(situation.events, situation.stored, strict=True):
        texts: list[str] = []
        for column, held in stored.items():
            how = ways.get(column, "")
            for text in map(str, held if isinstance(held, list) else [held]):
                if how in _TOKENS:
                    texts += _TOKENS[how].findall(text.lower())
                elif how != "never" and (not how or len(text) <= int(how)):
                    texts.append(text)
        events.append({**event, "stored text": texts})

    def change(value: Value) -> Sequence[Value | Placed]:
        return [("stored text", value)]

    relaxed = situation.with_docs(lambda doc: rewritten(doc, [KEYWORD], change, situation.placeholders))
    return replace(relaxed, events=tuple(events))


RELAXATIONS = (
    Relaxation(
        "keywords within a line",
        "A wildcard inside a keyword does not reach over the end of a line.",
        _lines,
    ),
    Relaxation(
        "keywords in some fields",
        "Keywords are looked for in the fields that the argument names, each up to the length that it gives.",
        _in_fields,
    ),
    Relaxation(
        "keywords in stored texts",
        "Keywords are looked for in what the platform stores, column by column as the argument says: not at "
        "all, up to a length, or token by token.",
        _stored_as_text,
    ),
)
