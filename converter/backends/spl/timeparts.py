"""Time modifiers: the minute, hour, day, week, month or year of a field's time, in UTC.

The parts are cut out of the text (ISO 8601 or `2020-10-19 07:30:46.319`), because strftime() writes in the
time zone of the user who searches. The week is worked out from the date alone, read and written in one zone.
Texts with another offset than UTC's, and epoch numbers, are not found.
"""

from __future__ import annotations

from sigma.types import SigmaTimestampPart, TimestampPart

from converter.backends.spl.expressions import match
from converter.backends.spl.nodes import Leaf
from converter.backends.spl.text import eval_field, search_field

# A date alone is midnight. With another offset than UTC's the text's own parts would be of another hour.
_UTC = r"^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d[.,:\d]*)?\s*(?:Z|UTC|[+-]00:?00)?\z"
# First character and length of each part in the text.
_PLACES = {
    TimestampPart.YEAR: (1, 4),
    TimestampPart.MONTH: (6, 2),
    TimestampPart.DAY: (9, 2),
    TimestampPart.HOUR: (12, 2),
    TimestampPart.MINUTE: (15, 2),
}


def leaf(name: str, value: SigmaTimestampPart, operator: str) -> Leaf:
    """Return the comparison of a part of a time."""
    subject, field = eval_field(name), search_field(name)
    if value.timestamp_part is TimestampPart.WEEK:
        part = f'tonumber(strftime(strptime(substr({subject}, 1, 10), "%Y-%m-%d"), "%V"))'
    else:
        start, length = _PLACES[value.timestamp_part]
        part = f"tonumber(substr({subject}, {start}, {length}))"
        if value.timestamp_part in (TimestampPart.HOUR, TimestampPart.MINUTE):
            part = f"coalesce({part}, 0)"
    test = f"{match(subject, _UTC, '')} AND {part}{operator}{value.number}"
    return Leaf(
        where=test,
        where_not=f"isnull({subject}) OR NOT ({test})",
        weaker=Leaf("", "", search=f"{field}=*") if field else None,
    )
