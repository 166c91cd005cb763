"""Time modifiers: the minute, hour, day, week, month or year of a field's time, in UTC.

strftime() writes in the time zone of the user who searches, so the parts are cut out of the text (ISO 8601 or
`2020-10-19 07:30:46.319`) where it is UTC's already. A text with another offset is turned into epoch seconds;
minute and hour are counted off them, the rest is written by strftime() after the user's own offset is taken
off again. Numbers are epoch seconds, or milliseconds from 100,000,000,000 on (the year 5138 in seconds).
"""

from __future__ import annotations

from converter.backends.spl.nodes import Leaf
from converter.backends.spl.text import eval_field, pattern, search_field
from converter.plan.values import TimePart, TimeUnit

# A date alone is midnight.
_UTC = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[.,:\d]*)?\s*(?:Z|UTC|[+-]00:?00)?\z"
_OFFSET = r"^\d{4}-\d\d-\d\d[T ]\d\d:\d\d[.,:\d]*\s*[+-](?!00:?00)\d\d:?\d\d\z"
_NUMBER = r"^\d+(?:\.\d+)?\z"
_MILLISECONDS_FROM = 100_000_000_000
# First character and length of each part in the text, and its letter for strftime().
_PLACES: dict[TimeUnit, tuple[int, int, str]] = {
    "year": (1, 4, "%Y"),
    "month": (6, 2, "%m"),
    "day": (9, 2, "%d"),
    "hour": (12, 2, ""),
    "minute": (15, 2, ""),
}


def leaf(name: str, value: TimePart, operator: str) -> Leaf:
    """Return the comparison of a part of a time."""
    subject, field = eval_field(name), search_field(name)
    compared = f"{operator}{value.number}"
    test = (
        f"match({subject}, {pattern(_UTC)}) AND {_of_text(subject, value.unit)}{compared}"
        f" OR match({subject}, {pattern(_OFFSET)}) AND {_of_offset(subject, value.unit)}{compared}"
        f" OR match({subject}, {pattern(_NUMBER)}) AND {_of_number(subject, value.unit)}{compared}"
    )
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT ({test})",
        weaker=Leaf("", "", search=f"{field}=*") if field else None,
        atomic=False,
    )


def _of_text(subject: str, part: TimeUnit) -> str:
    """Return the part of a time in UTC, cut out of its text."""
    if part == "week":
        # Read and written in the same zone: the date stays what it is.
        return f'tonumber(strftime(strptime(substr({subject}, 1, 10), "%Y-%m-%d"), "%V"))'
    start, length, letter = _PLACES[part]
    cut = f"tonumber(substr({subject}, {start}, {length}))"
    return cut if letter else f"coalesce({cut}, 0)"


def _of_offset(subject: str, part: TimeUnit) -> str:
    """Return the part, in UTC, of a time whose text names an offset."""
    wall = f'substr({subject}, 1, 10)." ".substr({subject}, 12, 5)'
    epoch = (
        f'coalesce(strptime({wall}.substr({subject}, -6), "%Y-%m-%d %H:%M%:z"), '
        f'strptime({wall}.substr({subject}, -5), "%Y-%m-%d %H:%M%z"))'
    )
    return _of_epoch(epoch, part)


def _of_number(subject: str, part: TimeUnit) -> str:
    """Return the part, in UTC, of an epoch number."""
    number = f"tonumber({subject})"
    return _of_epoch(f"if({number}>={_MILLISECONDS_FROM}, {number}/1000, {number})", part)


def _of_epoch(epoch: str, part: TimeUnit) -> str:
    if part == "minute":
        return f"floor({epoch}/60)%60"
    if part == "hour":
        return f"floor({epoch}/3600)%24"
    letter = "%V" if part == "week" else _PLACES[part][2]
    # The zone's own offset is what the local text, read as UTC's, is ahead.
    local = f'strptime(strftime({epoch}, "%Y-%m-%d %H:%M")." +0000", "%Y-%m-%d %H:%M %z")'
    return f'tonumber(strftime(2*{epoch}-{local}, "{letter}"))'
